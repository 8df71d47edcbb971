"""The route table of the API: path, scopes, parameters, request body and every response.

The blueprint and the OpenAPI document are both built from this table, so the document matches what is
served. (spectree and APIFlask make documents too, but neither can say that a body is either a form or the bytes of an
image, which is the one thing that this API takes: apiflask issues 465 and 603.)
"""

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple, get_args

from triof.access.key_values import KeyScope
from triof.judging.photo import PhotoFault
from triof.web.api import models

Schema = dict[str, Any]


class Parameter(NamedTuple):
    """A request parameter other than the body."""

    name: str
    where: Literal["path", "query", "header"]
    schema: Schema
    description: str


class RouteResponse(NamedTuple):
    """A successful response."""

    status: int
    description: str
    model: type[models.ApiModel] | None = None
    headers: Mapping[str, str] = {}


class Route(NamedTuple):
    """One route; ``name`` is the method that serves it.

    A key needs one of the ``scopes``; without scopes, no key is needed.
    """

    method: Literal["GET", "POST"]
    rule: str
    name: str
    scopes: tuple[KeyScope, ...]
    summary: str
    description: str
    answers: tuple[RouteResponse, ...]
    problems: tuple[str, ...] = ()
    parameters: tuple[Parameter, ...] = ()
    body: Literal["", "photo", "photos"] = ""

    @property
    def version(self) -> str:
        """Return v1 or v2; empty for a route of neither."""
        return part if (part := self.rule.split("/")[2]) in ("v1", "v2") else ""

    @property
    def all_problems(self) -> tuple[str, ...]:
        """Return the problem codes of this route, of every route, and of every route that needs a key."""
        of_keys = (*_KEY_PROBLEMS, "unavailable") if self.scopes else ()
        return (*self.problems, *of_keys, "host_unknown")


_KEY_PROBLEMS = ("key_missing", "key_unknown", "key_expired", "key_revoked", "scope_missing", "rate_limited")
_IDEMPOTENCY_PROBLEMS = ("idempotency_key_unfit", "still_running", "idempotency_key_reused")
_PHOTO_PROBLEMS: tuple[PhotoFault, ...] = get_args(PhotoFault)
_INTAKE_PROBLEMS = ("bad_request", "no_image", "request_too_large", "content_type", "too_many_images")

_IDEMPOTENCY_KEY = Parameter(
    "Idempotency-Key",
    "header",
    {"type": "string", "pattern": "^[!-~]{1,255}$"},
    "A value unique to the request: repeating the request with it returns the same answer and judges once.",
)
_PREFER = Parameter(
    "Prefer",
    "header",
    {"type": "string", "examples": ["respond-async"]},
    "respond-async: answer at once with 202, and judge later.",
)
_DAY: Schema = {"type": "string", "format": "date", "pattern": "^20[0-9]{2}-[0-9]{2}-[0-9]{2}$"}

ROUTES = (
    Route(
        "POST",
        "/api/v1/predict",
        "predict_v1",
        ("predict",),
        "Judge a photo",
        "What the photo shows, and whether that is clean. A task that no provider answered is null.",
        (RouteResponse(200, "The photo is judged.", models.PredictionV1),),
        (*_INTAKE_PROBLEMS, *_PHOTO_PROBLEMS, *_IDEMPOTENCY_PROBLEMS, "no_provider_answered"),
        (_IDEMPOTENCY_KEY,),
        "photo",
    ),
    Route(
        "POST",
        "/api/v1/predict-batch",
        "predict_batch_v1",
        ("predict",),
        "Judge several photos",
        "Up to 16 photos, as many at once as there are cores; what is wrong with one fails no other.",
        (RouteResponse(200, "Each photo has a prediction or a problem.", models.BatchV1),),
        (*_INTAKE_PROBLEMS, *_IDEMPOTENCY_PROBLEMS),
        (_IDEMPOTENCY_KEY,),
        "photos",
    ),
    Route(
        "POST",
        "/api/v2/predict",
        "predict_v2",
        ("predict",),
        "Judge a photo, and say why",
        "As in v1, with the machine's verdict, who answered, every attempt, and how long it took.",
        (
            RouteResponse(200, "The photo is judged.", models.PredictionV2),
            RouteResponse(
                202,
                "The photo is on the disk and will be judged.",
                models.JobV2,
                {"Location": "Where to fetch the prediction.", "Preference-Applied": "respond-async"},
            ),
        ),
        (*_INTAKE_PROBLEMS, *_PHOTO_PROBLEMS, *_IDEMPOTENCY_PROBLEMS, "no_provider_answered", "queue_full"),
        (_IDEMPOTENCY_KEY, _PREFER),
        "photo",
    ),
    Route(
        "POST",
        "/api/v2/predict-batch",
        "predict_batch_v2",
        ("predict",),
        "Judge several photos, and say why",
        "Up to 16 photos, as many at once as there are cores; what is wrong with one fails no other.",
        (RouteResponse(200, "Each photo has a prediction or a problem.", models.BatchV2),),
        (*_INTAKE_PROBLEMS, *_IDEMPOTENCY_PROBLEMS),
        (_IDEMPOTENCY_KEY,),
        "photos",
    ),
    Route(
        "GET",
        "/api/v2/predictions/<uuid:id>",
        "prediction",
        ("predict", "read"),
        "Fetch a prediction",
        "One that was asked for with Prefer: respond-async or with an Idempotency-Key, by the same key.",
        (RouteResponse(200, "How far it is.", models.JobV2),),
        ("not_found",),
        (Parameter("id", "path", {"type": "string", "format": "uuid"}, "As in the header Location of the 202."),),
    ),
    Route(
        "GET",
        "/api/v2/machine",
        "machine",
        ("read",),
        "How the machine stands",
        "Mode, routes, models, quotas, queue length and health checks.",
        (RouteResponse(200, "The machine.", models.Machine),),
    ),
    Route(
        "GET",
        "/api/v2/deposits/summary",
        "summary",
        ("read",),
        "What was dropped into the machine",
        "Counts of some days, both included. Predictions of this API are no deposits and do not count.",
        (RouteResponse(200, "The counts.", models.Summary),),
        ("dates_unfit",),
        (
            Parameter("since", "query", _DAY, "The first day; default: today."),
            Parameter("until", "query", _DAY, "The last day; default: today."),
            Parameter(
                "machine",
                "query",
                {"type": "array", "items": {"type": "string"}},
                "Ids of machines that write to this database; default: this machine.",
            ),
        ),
    ),
    Route(
        "GET",
        "/api/openapi.json",
        "document",
        (),
        "This document",
        "The OpenAPI document of both versions.",
        (RouteResponse(200, "An OpenAPI 3.1 document."),),
    ),
)


def _without_memory(route: Route) -> Route:
    """Return ``route`` for a server that remembers no request."""
    later = {*_IDEMPOTENCY_PROBLEMS, "queue_full"}
    return route._replace(
        answers=tuple(answer for answer in route.answers if answer.status == 200),
        problems=tuple(problem for problem in route.problems if problem not in later),
        parameters=(),
    )


STATELESS_ROUTES = tuple(_without_memory(route) for route in ROUTES if route.body or not route.scopes)
