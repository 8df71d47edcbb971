"""Request ids, request logging and metrics, and the check for pages that only this machine may open."""

import logging
import re
import time
from uuid import uuid4

from flask import Flask, Response, g, request

from providers.event_log import get_logger
from triof.observability import logs
from triof.observability.metrics import Metrics
from triof.web.proxies import PROXY_HEADERS, address_of

log = get_logger(__name__)

_SANE_ID = re.compile(r"[\w.:-]{1,64}", re.ASCII)
_ASKED_OFTEN = frozenset({"/livez", "/readyz", "/metrics"})


def register(app: Flask, metrics: Metrics) -> None:
    """Log and measure every request of the app; must be called before other request hooks are registered."""

    def begin() -> None:
        g.began = time.monotonic()
        asked = request.headers.get("X-Request-Id", "")
        g.request_id = asked if _SANE_ID.fullmatch(asked) else uuid4().hex
        logs.begin()
        logs.bind(request_id=g.request_id)

    def end(response: Response) -> Response:
        seconds = time.monotonic() - g.began
        route = str(request.url_rule) if request.url_rule else "unmatched"
        metrics.requested(request.method, route, response.status_code, seconds)
        # Without the path and the query, which may hold private data.
        level = logging.DEBUG if route in _ASKED_OFTEN else logging.INFO
        method, status = request.method[:16], response.status_code
        log.log(level, "http.request", method=method, route=route, status=status, seconds=seconds)
        response.headers["X-Request-Id"] = g.request_id
        return response

    app.before_request(begin)
    app.after_request(end)


def is_from_here() -> bool:
    """Return whether the request was sent from this machine.

    A forwarding header never proves it: with one, the request passed a proxy and may come from anywhere.
    """
    if any(name in request.headers for name in PROXY_HEADERS):
        return False
    peer = address_of(request.remote_addr or "")
    return peer is not None and peer.is_loopback
