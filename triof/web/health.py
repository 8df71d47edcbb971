"""Endpoints for monitoring: liveness, readiness and metrics."""

from typing import Any

from flask import Blueprint, Response, jsonify, request
from prometheus_client import CONTENT_TYPE_LATEST

from triof.access.key_values import KeyRefused
from triof.services import Services
from triof.web.access import is_from_here


def blueprint(services: Services) -> Blueprint:
    """``/livez``, ``/readyz`` and ``/metrics``."""
    routes = Blueprint("health", __name__)

    @routes.get("/livez")
    def livez() -> Response:
        """Return 200 as long as the process answers; the touchscreen requests it before it leaves a page."""
        return Response("ok\n", mimetype="text/plain")

    @routes.get("/readyz")
    def readyz() -> tuple[Response, int]:
        """Return 200 if a photo can be judged now, else 503 with the reasons; and the result of every check."""
        report = services.operations.health.report()
        told: dict[str, Any] = {
            "ready": report.is_ready,
            "reasons": [{"part": check.name, "why": found.text} for check, found in report.needed_failures()],
            "checks": [
                {"name": check.name, "status": found.status, "message": found.message, "remedy": found.remedy}
                for check, found in report.results.items()
            ],
        }
        return jsonify(told), 200 if report.is_ready else 503

    @routes.get("/metrics")
    def metrics() -> Response:
        """Return metrics for Prometheus: without a key on this machine, from elsewhere with the scope read."""
        if refused := _may_not_read(services):
            return refused
        return Response(services.operations.metrics.page(), content_type=CONTENT_TYPE_LATEST)

    return routes


def _may_not_read(services: Services) -> Response | None:
    if is_from_here():
        return None
    scheme, _, secret = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer":
        text = "Metrics are shown to other computers with a key alone: Authorization: Bearer triof_…\n"
        return Response(text, 401, {"WWW-Authenticate": "Bearer"}, mimetype="text/plain")
    try:
        key = services.operations.keys.check(secret.strip())
    except KeyRefused as error:
        return Response(f"{error}\n", 401, {"WWW-Authenticate": "Bearer"}, mimetype="text/plain")
    if not key.may("read"):
        return Response("This key may not read: it needs the scope read.\n", 403, mimetype="text/plain")
    return None
