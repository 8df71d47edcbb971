"""The part of the API that keeps nothing: photos in, predictions or problems out.

The model's web service (:mod:`triof.model_service`) serves this alone; a machine's API adds what its database allows.
"""

import json
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import ClassVar, NamedTuple
from uuid import UUID, uuid4

from flask import Blueprint, Response
from werkzeug.datastructures import FileStorage

from triof.judging.sorter import Sorter
from triof.predictions import results
from triof.predictions.results import Outcome
from triof.settings.sections.api import ApiSettings
from triof.web.api import headers, models, openapi, problems, request_parsing
from triof.web.api.auth import ApiAuth
from triof.web.api.routes import STATELESS_ROUTES, Route


class _Version(NamedTuple):
    """The response models of a version; the versions differ in nothing else."""

    prediction: type[models.ApiModel]
    batch: type[models.ApiModel]


_V1 = _Version(models.PredictionV1, models.BatchV1)
_V2 = _Version(models.PredictionV2, models.BatchV2)


class StatelessApi:
    """Judges photos for callers with a key. ``clock`` in monotonic seconds."""

    routes: ClassVar[Sequence[Route]] = STATELESS_ROUTES

    def __init__(
        self, sorter: Sorter, settings: ApiSettings, auth: ApiAuth, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._sorter = sorter
        self._settings = settings
        self._auth = auth
        self._clock = clock

    def blueprint(self) -> Blueprint:
        """Return the blueprint with every route under ``/api/``."""
        blueprint = Blueprint("api", __name__)
        for route in self.routes:
            blueprint.add_url_rule(route.rule, route.name, getattr(self, route.name), methods=[route.method])
        blueprint.before_request(self._auth.admit)
        blueprint.after_app_request(headers.Headers(self._settings).add)
        return blueprint

    def predict_v1(self) -> Response:
        """Judge a photo."""
        return self._predict(_V1)

    def predict_v2(self) -> Response:
        """Judge a photo."""
        return self._predict(_V2)

    def predict_batch_v1(self) -> Response:
        """Judge several photos."""
        return self._predict_batch(_V1)

    def predict_batch_v2(self) -> Response:
        """Judge several photos."""
        return self._predict_batch(_V2)

    def document(self) -> Response:
        """Return the OpenAPI document."""
        return Response(json.dumps(openapi.document(self._settings, self.routes)), mimetype="application/json")

    def _predict(self, version: _Version) -> Response:
        image = request_parsing.photo()
        outcome = self._once([image], lambda id_: results.ask(self._sorter, image, id_))
        if "problem" in outcome:
            return problems.respond(problems.body(**outcome["problem"]))
        return to_response(version.prediction.model_validate(outcome["prediction"]))

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
        return to_response(version.batch.model_validate({"items": items}))

    def _judge_all(self, uploads: Sequence[FileStorage]) -> Iterator[Outcome]:
        ends = self._clock() + self._settings.batch_seconds

        def judge(upload: FileStorage) -> Outcome:
            if self._clock() >= ends:
                return results.refusal("not_begun", f"The batch took {self._settings.batch_seconds:g} s already.")
            return results.ask(self._sorter, request_parsing.content(upload), uuid4())

        return self._sorter.map(judge, uploads)

    def _once(self, images: Iterable[bytes], ask: Callable[[UUID], Outcome]) -> Outcome:
        """Return the outcome of ``ask``, which is called once a request."""
        return ask(uuid4())


def to_response(model: models.ApiModel, status: int = 200) -> Response:
    """Return the JSON response with ``model`` as its body."""
    return Response(model.model_dump_json(), status, mimetype="application/json")
