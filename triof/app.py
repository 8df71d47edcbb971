"""The Flask app factory."""

import secrets
import time
from collections.abc import Callable
from pathlib import Path

from flask import Flask, Response, request, session
from flask_babel import Babel, get_locale
from flask_wtf.csrf import CSRFProtect

from triof import services as factory
from triof.common.atomic_files import is_no_room, replace_file
from triof.common.paths import STATIC, TEMPLATES, TRANSLATIONS
from triof.services import KioskServices, Services
from triof.settings.tree import Settings
from triof.storage.data_folder import file_unusable
from triof.web import access, dashboard, errors, health, kiosk, technician, tenant, texts
from triof.web.api.blueprint import Api
from triof.web.hosts import Hosts
from triof.web.proxies import TrustedProxies

_MULTIPART_BYTES = 65_536
"""Bytes that a form adds to the photo it carries."""

_SECRET_KEY_BYTES = 32

_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; media-src 'self' blob:;"
        " font-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=()",
}


def create_app(
    settings: Settings, services: Services | None = None, clock: Callable[[], float] = time.monotonic
) -> Flask:
    """Create the app with all pages and the API; the touchscreen's pages only if the services have a machine.

    Without ``services``, a kiosk's services are built from the settings. ``clock`` in monotonic seconds.
    """
    services = services or factory.build_kiosk(settings)
    app = Flask("triof", template_folder=str(TEMPLATES), static_folder=str(STATIC))
    app.config.update(
        SECRET_KEY=_secret_key(settings.home),
        SESSION_COOKIE_NAME="triof",
        SESSION_COOKIE_SAMESITE="Strict",
        MAX_CONTENT_LENGTH=settings.photo.max_bytes + _MULTIPART_BYTES,
        # The start page stays open for days: its form must still be valid.
        WTF_CSRF_TIME_LIMIT=None,
        BABEL_TRANSLATION_DIRECTORIES=str(TRANSLATIONS),
        BABEL_DEFAULT_TIMEZONE=settings.reports.timezone,
    )
    app.extensions["triof"] = services
    app.wsgi_app = TrustedProxies(app.wsgi_app, settings.server.trusted_proxies)  # type: ignore[method-assign]
    access.register(app, services.operations.metrics)
    app.before_request(Hosts(settings.server.host, settings.server.trusted_hosts).check)
    csrf = CSRFProtect(app)
    Babel(app, locale_selector=lambda: session.get("language", settings.language))
    app.jinja_env.filters.update(texts.FILTERS)
    if isinstance(services, KioskServices):
        app.register_blueprint(kiosk.KioskPages(services, settings).blueprint())
    app.register_blueprint(health.blueprint(services))
    gate = dashboard.register(app, services, settings, clock)
    if isinstance(services, KioskServices):
        technician.register(app, services, settings, gate, clock)
    api = Api(services, clock).blueprint()
    # API requests carry a key, which a page of another site cannot make a browser send.
    csrf.exempt(api)
    app.register_blueprint(api)
    tenant.register(app, settings)
    app.before_request(_choose_language)
    app.after_request(_add_headers)
    app.context_processor(
        lambda: {
            "language": str(get_locale()),
            "languages": texts.LANGUAGES,
            "theme": settings.theme,
            "touchscreen": settings.touchscreen,
        }
    )
    errors.register(app)
    return app


def _choose_language() -> None:
    if (language := request.args.get("lang")) in dict(texts.LANGUAGES):
        session["language"] = language


def _add_headers(response: Response) -> Response:
    for name, value in _HEADERS.items():
        # A view may have set its own policy.
        response.headers.setdefault(name, value)
    if request.endpoint != "static":
        response.headers["Cache-Control"] = "no-store"
    return response


def _secret_key(home: Path) -> bytes:
    """Return the key that signs cookies, stored so that open pages survive a restart. Raises HomeUnusable."""
    path = home / "secret_key"
    try:
        if not path.exists() or path.stat().st_size < _SECRET_KEY_BYTES:
            replace_file(path, fresh := secrets.token_bytes(_SECRET_KEY_BYTES))
        return path.read_bytes()
    except OSError as error:
        if is_no_room(error):
            # Without a stored key, open pages must be reloaded after a restart, but the machine starts.
            return fresh
        raise file_unusable(path, error) from error
