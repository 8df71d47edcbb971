"""The dashboard: pages about machines and models for operators, and actions for technicians."""

from collections.abc import Callable

from flask import Flask

from triof.access.users import Users
from triof.services import Services
from triof.settings.tree import Settings
from triof.web import login
from triof.web.dashboard import actions, boxes, camera, labels, pages
from triof.web.guesses import Guesses


def register(app: Flask, services: Services, settings: Settings, clock: Callable[[], float]) -> login.Gate:
    """Register all routes below ``/dashboard`` and return their gate. ``clock`` in monotonic seconds."""
    gate = login.Gate(Users(services.journal.database), settings.dashboard.session_hours, Guesses(clock))
    app.session_interface = login.Cookies()
    app.jinja_env.filters.update(labels.FILTERS)
    app.register_blueprint(gate.blueprint())
    picture = camera.CameraPicture(services, settings)
    app.register_blueprint(pages.DashboardPages(services, settings, picture).blueprint(gate))
    app.register_blueprint(picture.blueprint(gate))
    app.register_blueprint(boxes.BoxActions(services).blueprint(gate))
    app.register_blueprint(actions.DashboardActions(services, settings).blueprint(gate))
    app.context_processor(lambda: {**login.current_user(), "pages": labels.PAGES, "roles": labels.ROLES})
    return gate
