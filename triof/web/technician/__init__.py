"""The technician's page of a machine: login, live camera, single movements, faults, support bundle."""

from collections.abc import Callable

from flask import Flask

from triof.access.technician_pin import TechnicianPin
from triof.operations.technician_work import TechnicianWork
from triof.services import KioskServices
from triof.settings.tree import Settings
from triof.web.guesses import Guesses
from triof.web.login import Gate
from triof.web.technician import labels
from triof.web.technician.actions import TechnicianActions
from triof.web.technician.door import TechnicianDoor
from triof.web.technician.live import LiveViews
from triof.web.technician.pages import TechnicianPages


def register(app: Flask, services: KioskServices, settings: Settings, gate: Gate, clock: Callable[[], float]) -> None:
    """Register all routes below ``/technician``. ``gate`` is the dashboard's; ``clock`` in monotonic seconds."""
    work = TechnicianWork(services.deposits, services.journal, services.sorter, services.slot_watch)
    pin, guesses = TechnicianPin(settings.home), Guesses(clock)
    door = TechnicianDoor(gate, pin, guesses=guesses, settings=settings.technician, work=work)
    actions = TechnicianActions(work, services, settings)
    app.register_blueprint(door.blueprint())
    app.register_blueprint(actions.blueprint(door))
    live = LiveViews(services, settings, actions.latest_test)
    app.register_blueprint(live.blueprint(door))
    app.register_blueprint(TechnicianPages(services, settings, live, actions.latest_test).blueprint(door))
    app.context_processor(lambda: {"technician_pages": labels.PAGES})
