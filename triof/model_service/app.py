"""The Flask app of a model's web service."""

import time
from collections.abc import Callable

from flask import Flask, Response, jsonify

from triof.access.key_values import KeyRing
from triof.judging.sorter import Sorter
from triof.model_service.served import ServedSettings
from triof.web.api import problems
from triof.web.api.auth import ApiAuth
from triof.web.api.stateless import StatelessApi

_MULTIPART_BYTES = 65_536
"""Bytes that a form adds to the photo it carries."""


def create_app(
    sorter: Sorter, settings: ServedSettings, keys: KeyRing, clock: Callable[[], float] = time.monotonic
) -> Flask:
    """Create the app with the API and the health checks. ``clock`` in monotonic seconds."""
    app = Flask("triof_model", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = settings.photo.max_bytes + _MULTIPART_BYTES
    app.register_blueprint(StatelessApi(sorter, settings.api, ApiAuth(keys), clock).blueprint())
    app.register_error_handler(Exception, problems.of)

    @app.get("/livez")
    def livez() -> Response:
        """Return 200 as long as the process answers."""
        return Response("ok\n", mimetype="text/plain")

    @app.get("/readyz")
    def readyz() -> tuple[Response, int]:
        """Return 200 if the model answers, else 503 with the reasons."""
        reasons = [{"part": task, "why": str(problem)} for task, _, problem in sorter.router.problems()]
        told = {"ready": not reasons, "model": settings.version, "tasks": settings.tasks, "reasons": reasons}
        return jsonify(told), 503 if reasons else 200

    @app.after_request
    def add_headers(response: Response) -> Response:
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Cache-Control"] = "no-store"
        return response

    return app
