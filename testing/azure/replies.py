"""Answers of the service and of the gateway in front of it, good, refused and broken."""

import json
import math
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Literal

from testing.http_replies import WIRE_CANNED, Reply, WireFault

Fault = Literal[
    WireFault,
    "empty_401",
    "empty_429",
    "null_predictions",
    "unknown_tag",  # the tag "verre" wins
    "rate_limited",
    "quota_403",
    "quota_429_days",
    "forbidden",
    "no_role",  # a token of an identity without a role on the resource
    "nan",  # the best tag's probability
    "multilabel",  # probabilities whose sum is not 1
    "too_few_tags",  # the first two only
    "server_error",
    "bad_image",
    "expired_link",  # as the storage answers for an address whose day is over
]


REFUSED = frozenset({400, 401, 403, 404, 410, 429})


TAG_SCORES = MappingProxyType({"bouteille": 0.95, "gobelet": 0.03, "couvert": 0.015, "Negative": 0.005})


def of_gateway(status: int, message: str, **headers: str) -> Reply:
    """An error as the gateway in front of the service words it, which the SDK cannot read."""
    body = json.dumps({"error": {"code": str(status), "message": message}}).encode()
    return Reply(status, body, {name.replace("_", "-"): value for name, value in headers.items()})


def of_service(status: int, code: str, message: str) -> Reply:
    """An error as the service itself words it (``CustomVisionError`` of the swagger)."""
    return Reply(status, json.dumps({"code": code, "message": message}).encode())


ACCESS_DENIED = of_gateway(
    401,
    "Access denied due to invalid subscription key or wrong API endpoint. Make sure to provide a valid key for an "
    "active subscription and use a correct regional API endpoint for your resource.",
)


TOKEN_REFUSED = of_gateway(
    401,
    "Unauthorized. Access token is missing, invalid, audience is incorrect (https://cognitiveservices.azure.com), or "
    "have expired.",
)


KEYS_DISABLED = Reply(
    403,
    json.dumps(
        {
            "error": {
                "code": "AuthenticationTypeDisabled",
                "message": "Key based authentication is disabled for this resource.",
            }
        }
    ).encode(),
)


NO_ROLE = Reply(
    401,
    json.dumps(
        {"error": {"code": "PermissionDenied", "message": "Principal does not have access to API/Operation."}}
    ).encode(),
)


NO_RESOURCE = of_gateway(404, "Resource not found")


NO_PROJECT = of_service(404, "NotFoundProject", "Invalid project")


NO_ITERATION = of_service(404, "NotFoundIteration", "Invalid iteration")


QUOTA_USED = of_gateway(
    403, "Out of call volume quota. Quota will be replenished in 22.14:18:12.", Retry_After="1952292"
)


TOO_FAST = of_gateway(
    429,
    "Requests to the Classify Image Operation under Custom Vision Prediction API (v3.1) have exceeded rate limit of "
    "your current CustomVision.Prediction F0 pricing tier. Please retry after 1 second. Please contact Azure support "
    "service if you would like to further increase the default rate limit.",
    Retry_After="1",
)


NO_STREAM = of_service(400, "BadRequestImageStream", "The request has no part imageData in multipart/form-data.")


BAD_FORMAT = of_service(400, "BadRequestImageFormat", "The image is not a JPEG, PNG, BMP or GIF.")


BAD_SIZE = of_service(400, "BadRequestImageSizeBytes", "The image has more than 4 MB.")


BAD_DIMENSIONS = of_service(400, "BadRequestImageDimensions", "A side is above 10240 pixels or the aspect above 25:1.")


DAYS = {"statusCode": 429, "message": "Out of call volume quota. Please retry after 28 days."}


CANNED: Mapping[Fault, Reply] = MappingProxyType(
    {
        **WIRE_CANNED,
        "empty_401": Reply(401),
        "empty_429": Reply(429, headers={"Retry-After": "1"}),
        "rate_limited": TOO_FAST,
        "quota_403": QUOTA_USED,
        "quota_429_days": Reply(429, json.dumps(DAYS).encode()),
        "no_role": NO_ROLE,
        "forbidden": of_gateway(403, "Access denied due to Virtual Network/Firewall rules."),
        "server_error": of_service(500, "ErrorPredictionServiceUnavailable", "The prediction service is unavailable."),
        "bad_image": BAD_FORMAT,
        "retired": of_gateway(410, "This service has been retired."),
        "expired_link": Reply(
            403,
            b"<Error><Code>AuthenticationFailed</Code><Message>Signature not valid in the specified time frame"
            b"</Message></Error>",
            {"Content-Type": "application/xml"},
        ),
    }
)


def altered(scores: Mapping[str, float], fault: Fault | None) -> dict[str, float]:
    """The scores as the fault bends them; other faults leave them as they are."""
    if fault == "unknown_tag":
        return {"verre": 0.9} | {tag: score / 10 for tag, score in scores.items()}
    if fault == "nan":
        return {**scores, max(scores, key=scores.__getitem__): math.nan}
    if fault == "multilabel":
        return dict(zip(scores, (0.9, 0.8, 0.7, 0.1), strict=False))
    return dict(list(scores.items())[: 2 if fault == "too_few_tags" else None])


def prediction(
    project_id: str, iteration_id: str, scores: Mapping[str, float], ids: Mapping[str, str], fault: Fault | None
) -> Reply:
    """An answer with the tags sorted by probability, as the fault bends it; ``ids`` are those of the tags, if any."""
    ranked = sorted(altered(scores, fault).items(), key=lambda item: item[1], reverse=True)
    tags = [
        {
            "probability": probability,
            "tagId": ids.get(tag) or str(uuid.uuid5(uuid.UUID(project_id), tag)),
            "tagName": tag,
            "tagType": "Negative" if tag == "Negative" else "Regular",
        }
        for tag, probability in ranked
    ]
    answer = {
        "id": str(uuid.uuid4()),
        "project": project_id,
        "iteration": iteration_id,
        "created": timestamp(datetime.now(UTC)),
        "predictions": None if fault == "null_predictions" else tags,
    }
    return Reply(200, json.dumps(answer).encode())


def timestamp(time_: datetime) -> str:
    """As the service writes it."""
    return time_.isoformat(timespec="milliseconds").replace("+00:00", "Z")
