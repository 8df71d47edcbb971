"""Serves the routes: photos in, predictions or problems out."""

import json
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple
from uuid import UUID, uuid4

from flask import Blueprint, Response, render_template, url_for
from werkzeug.datastructures import FileStorage

from triof.judging import photo as photos
from triof.predictions import results
from triof.predictions.queue import PredictionJob, RequestIdentity
from triof.predictions.results import Outcome
from triof.services import Services
from triof.web.api import headers, models, openapi, problems, request_parsing
from triof.web.api.auth import ApiAuth
from triof.web.api.machine_status import MachineStatus
from triof.web.api.problems import Refusal
from triof.web.api.routes import ROUTES


class _Version(NamedTuple):
    """The response models of a version; the versions differ in nothing else."""

    prediction: type[models.ApiModel]
    batch: type[models.ApiModel]


_V1 = _Version(models.PredictionV1, models.BatchV1)
_V2 = _Version(models.PredictionV2, models.BatchV2)


class Api:
    """The API of one server. ``clock`` in monotonic seconds."""

    def __init__(self, services: Services, clock: Callable[[], float] = time.monotonic) -> None:
        self._sorter = services.sorter
        self._operations = services.operations
        self._settings = services.operations.settings.api
        self._jobs = services.operations.jobs
        self._machine_status = MachineStatus(services.operations, services.sorter.router)
        self._clock = clock
        self._auth = ApiAuth(services.operations.keys)

    def blueprint(self) -> Blueprint:
        """Return the blueprint with every route under ``/api/``."""
        blueprint = Blueprint("api", __name__)
        for route in ROUTES:
            view = getattr(self, route.name)
            blueprint.add_url_rule(route.rule, route.name, view, methods=[route.method])
        blueprint.get("/api/docs")(self.docs)
        blueprint.before_request(self._auth.admit)
        blueprint.after_app_request(headers.Headers(self._settings).add)
        return blueprint

    def predict_v1(self) -> Response:
        """Judge a photo."""
        return self._predict(_V1)

    def predict_v2(self) -> Response:
        """Judge a photo now, or queue it."""
        return self._queue() if request_parsing.prefers_async() else self._predict(_V2)

    def predict_batch_v1(self) -> Response:
        """Judge several photos."""
        return self._predict_batch(_V1)

    def predict_batch_v2(self) -> Response:
        """Judge several photos."""
        return self._predict_batch(_V2)

    def prediction(self, id: UUID) -> Response:  # noqa: A002 (the name in the address)
        """Return the state of a prediction that was requested with this key."""
        job = self._jobs.find(id, self._auth.key.id)
        if not job or (job.outcome and "items" in job.outcome):
            raise Refusal("not_found", "There is no such prediction of this key, or it is too old.")
        response = _json(_job(job))
        if not job.is_finished:
            response.headers["Retry-After"] = "1"
        return response

    def machine(self) -> Response:
        """Return the state of the machine."""
        return _json(self._machine_status.machine())

    def summary(self) -> Response:
        """Return the deposit counts of a period."""
        return _json(self._machine_status.summary())

    def document(self) -> Response:
        """Return the OpenAPI document."""
        return Response(json.dumps(openapi.document(self._settings)), mimetype="application/json")

    def docs(self) -> str:
        """Return the OpenAPI document as an HTML page."""
        return render_template(
            "api/docs.html", document=openapi.document(self._settings), kinds=problems.KINDS, settings=self._settings
        )

    def _predict(self, version: _Version) -> Response:
        image = request_parsing.photo()
        outcome = self._once([image], lambda id_: results.ask(self._sorter, image, id_))
        if "problem" in outcome:
            return problems.respond(problems.body(**outcome["problem"]))
        return _json(version.prediction.model_validate(outcome["prediction"]))

    def _predict_batch(self, version: _Version) -> Response:
        uploads = request_parsing.photos(self._settings.batch_bytes)
        # The first photo was counted with the request.
        if len(uploads) > 1:
            self._auth.count(len(uploads) - 1)
        outcome = self._once(map(request_parsing.content, uploads), lambda _: {"items": list(self._judge_all(uploads))})
        items = [
            {
                "prediction": item.get("prediction"),
                "problem": problems.body(**item["problem"]) if "problem" in item else None,
            }
            for item in outcome["items"]
        ]
        return _json(version.batch.model_validate({"items": items}))

    def _judge_all(self, uploads: Sequence[FileStorage]) -> Iterator[Outcome]:
        ends = self._clock() + self._settings.batch_seconds

        def judge(upload: FileStorage) -> Outcome:
            if self._clock() >= ends:
                return results.refusal("not_begun", f"The batch took {self._settings.batch_seconds:g} s already.")
            return results.ask(self._sorter, request_parsing.content(upload), uuid4())

        return self._sorter.map(judge, uploads)

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
        response = _json(_job(job), 202)
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


def _json(model: models.ApiModel, status: int = 200) -> Response:
    return Response(model.model_dump_json(), status, mimetype="application/json")
