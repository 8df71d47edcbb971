"""Error handlers: every error becomes a page with an explanation and a remedy."""

from flask import Flask, Response, current_app, render_template, request
from flask_wtf.csrf import CSRFError
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.exceptions import HTTPException

from providers.event_log import get_logger
from triof.web.api import problems
from triof.web.texts import FAULTS

log = get_logger(__name__)

_CODES = {403: "not_here", 404: "not_found", 405: "method", 413: "too_large"}


def register(app: Flask) -> None:
    """Register the error handlers of the app."""
    app.register_error_handler(CSRFError, lambda error: _page("csrf", 400))
    app.register_error_handler(HTTPException, _http)
    app.register_error_handler(Exception, _unexpected)


def _http(error: HTTPException) -> tuple[str, int] | Response:
    if problems.concern():
        return problems.of(error)
    status = error.code or 500
    return _page(_CODES.get(status, "method" if status < 500 else "internal"), status)


def _unexpected(error: Exception) -> tuple[str, int] | Response:
    if problems.concern():
        return problems.of(error)
    if isinstance(error, SQLAlchemyError):
        log.error("request.failed", cause=error)
        return _page("journal", 503)
    log.exception("request.failed", exc_info=error)
    return _page("internal", 500)


def _page(code: str, status: int) -> tuple[str, int]:
    fault = FAULTS[code]
    # Dashboard errors must not link to the touchscreen, which a server without a machine does not have.
    elsewhere = request.path.startswith("/dashboard") or "kiosk" not in current_app.blueprints
    template = "dashboard/fault.html" if elsewhere else "kiosk/error.html"
    return render_template(template, title=fault.title, message=fault.message, remedy=fault.remedy), status
