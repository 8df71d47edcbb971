"""Serves the routes: photos in, predictions or problems out."""

import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import ClassVar
from uuid import UUID, uuid4

from flask import Blueprint, Response, url_for
from sqlalchemy.exc import SQLAlchemyError

from triof.judging import photo as photos
from triof.predictions import results
from triof.predictions.queue import KeyReused, PredictionJob, QueueFull, RequestIdentity, StillRunning
from triof.predictions.results import Outcome
from triof.services import Services
from triof.web.api import docs, models, problems, request_parsing
from triof.web.api.auth import ApiAuth
from triof.web.api.machine_status import MachineStatus
from triof.web.api.problems import Refusal
from triof.web.api.routes import ROUTES, Route
from triof.web.api.stateless import StatelessApi, to_response

_JOB_CODES: dict[type[Exception], str] = {
    StillRunning: "still_running",
    KeyReused: "idempotency_key_reused",
    QueueFull: "queue_full",
}


class Api(StatelessApi):
    """The API of a server with a database. ``clock`` in monotonic seconds."""

    routes: ClassVar[Sequence[Route]] = ROUTES

    def __init__(self, services: Services, clock: Callable[[], float] = time.monotonic) -> None:
        operations = services.operations
        super().__init__(services.sorter, operations.settings.api, ApiAuth(operations.keys), clock)
        self._operations = operations
        self._jobs = operations.jobs
        self._machine_status = MachineStatus(operations, services.sorter.router)

    def blueprint(self) -> Blueprint:
        """Return the blueprint with every route and the page that explains them."""
        blueprint = super().blueprint()
        blueprint.get("/api/docs")(self.docs)
        for error, code in _JOB_CODES.items():
            blueprint.register_error_handler(error, partial(_refused, code))
        blueprint.register_error_handler(SQLAlchemyError, _database_failed)
        return blueprint

    def predict_v2(self) -> Response:
        """Judge a photo now, or queue it."""
        return self._queue() if request_parsing.prefers_async() else super().predict_v2()

    def prediction(self, id: UUID) -> Response:  # noqa: A002 (the name in the address)
        """Return the state of a prediction that was requested with this key."""
        job = self._jobs.find(id, self._auth.key.id)
        if not job or (job.outcome and "items" in job.outcome):
            raise Refusal("not_found", "There is no such prediction of this key, or it is too old.")
        response = to_response(_job(job))
        if not job.is_finished:
            response.headers["Retry-After"] = "1"
        return response

    def machine(self) -> Response:
        """Return the state of the machine."""
        return to_response(self._machine_status.machine())

    def summary(self) -> Response:
        """Return the deposit counts of a period."""
        return to_response(self._machine_status.summary())

    def docs(self) -> str:
        """Return the OpenAPI document as an HTML page."""
        return docs.page(self._settings)

    def _once(self, images: Iterable[bytes], ask: Callable[[UUID], Outcome]) -> Outcome:
        """Return the outcome of ``ask``, or the stored one of an earlier request with the same idempotency key."""
        idempotency_key = request_parsing.idempotency_key()
        if idempotency_key is None:
            return ask(uuid4())
        job = self._jobs.claim(RequestIdentity(self._auth.key.id, idempotency_key, request_parsing.fingerprint(images)))
        if job.outcome:
            return job.outcome
        try:
            outcome = ask(job.id)
        except BaseException:
            self._jobs.forget(job.id)
            raise
        if results.is_final(outcome):
            self._jobs.finish(job.id, outcome)
        else:
            self._jobs.forget(job.id)
        return outcome

    def _queue(self) -> Response:
        image = request_parsing.photo()
        photos.check_length(len(image), self._operations.settings.photo)
        asked = RequestIdentity(
            self._auth.key.id, request_parsing.idempotency_key(), request_parsing.fingerprint([image])
        )
        job = self._jobs.put(asked, image)
        response = to_response(_job(job), 202)
        response.headers["Location"] = url_for("api.prediction", id=job.id)
        response.headers["Preference-Applied"] = "respond-async"
        return response


def _job(job: PredictionJob) -> models.JobV2:
    """Return the v2 response of a job."""
    outcome = job.outcome or {}
    problem = outcome.get("problem")
    return models.JobV2.model_validate(
        {
            "id": job.id,
            "status": job.status if job.is_finished else "running",
            "created_at": job.at,
            "finished_at": job.finished_at,
            "prediction": outcome.get("prediction"),
            # The instance stays the same, however often the job is fetched.
            "problem": problems.body(**problem, instance=f"urn:uuid:{job.id}") if problem else None,
        }
    )


def _refused(code: str, error: Exception) -> Response:
    return problems.respond(problems.body(code, str(error)))


def _database_failed(error: Exception) -> Response:
    detail = "The database of the journal does not answer, or is busy: try again later."
    return problems.failed(error, "unavailable", detail)
