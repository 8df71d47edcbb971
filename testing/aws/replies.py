"""Answers of Rekognition, good, refused and broken."""

import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Literal

from testing.http_replies import WIRE_CANNED, Reply, WireFault

AwsFault = Literal[
    WireFault,
    "throttled",
    "provisioned",
    "limit",
    "not_ready",
    "denied",
    "expired",
    "unknown_client",
    "bad_signature",
    "not_found",
    "invalid_parameter",
    "bad_image",
    "too_large",
    "internal",
    "unavailable",
    "empty_403",
    "null_labels",
    "no_labels",
    "unknown_label",  # the label "verre" wins
    "nan",  # the best label's confidence
    "over_one",  # confidences whose sum is above 1
    "few",  # only the second best label, with little confidence
]

LABEL_SCORES = MappingProxyType({"bouteille": 0.95, "gobelet": 0.03, "couvert": 0.015, "Negative": 0.005})


def of_aws(status: int, code: str, message: str) -> Reply:
    """An error as the JSON protocol 1.1 of AWS words it."""
    body = json.dumps({"__type": code, "Code": code, "Message": message}).encode()
    return Reply(status, body, {"Content-Type": "application/x-amz-json-1.1"})


def good(content: Mapping[str, Any]) -> Reply:
    """An answer of the JSON protocol 1.1."""
    return Reply(200, json.dumps(content).encode(), {"Content-Type": "application/x-amz-json-1.1"})


NO_TOKEN = of_aws(400, "MissingAuthenticationTokenException", "Missing Authentication Token")
UNKNOWN_CLIENT = of_aws(400, "UnrecognizedClientException", "The security token included in the request is invalid.")
BAD_SIGNATURE = of_aws(
    400,
    "InvalidSignatureException",
    "The request signature we calculated does not match the signature you provided. The Canonical String for this "
    "request should have been 'POST / host:rekognition x-amz-security-token:s3cret'",
)
THROTTLED = of_aws(400, "ThrottlingException", "Rate exceeded")
PROVISIONED = of_aws(400, "ProvisionedThroughputExceededException", "Provisioned rate exceeded.")
LIMIT = of_aws(400, "LimitExceededException", "The number of calls is above the limit of the account.")
NOT_READY = of_aws(400, "ResourceNotReadyException", "The model is not ready for inference.")
NOT_FOUND = of_aws(400, "ResourceNotFoundException", "The resource is not found.")
BAD_IMAGE = of_aws(400, "InvalidImageFormatException", "Request has invalid image format")
TOO_LARGE = of_aws(400, "ImageTooLargeException", "Image size is too large")


def misasked(message: str) -> Reply:
    """The answer to a request that is not of the service's model."""
    return of_aws(400, "InvalidParameterException", message)


CANNED: Mapping[AwsFault, Reply] = MappingProxyType(
    {
        **WIRE_CANNED,
        "throttled": THROTTLED,
        "provisioned": PROVISIONED,
        "limit": LIMIT,
        "not_ready": NOT_READY,
        "denied": of_aws(400, "AccessDeniedException", "User is not authorized to perform rekognition:Detect"),
        "expired": of_aws(400, "ExpiredTokenException", "The security token included in the request is expired"),
        "unknown_client": UNKNOWN_CLIENT,
        "bad_signature": BAD_SIGNATURE,
        "not_found": NOT_FOUND,
        "invalid_parameter": misasked("Request has invalid parameters"),
        "bad_image": BAD_IMAGE,
        "too_large": TOO_LARGE,
        "internal": of_aws(500, "InternalServerError", "Internal server error"),
        "unavailable": of_aws(503, "ServiceUnavailableException", "Service is unavailable"),
        "empty_403": Reply(403),
        "retired": Reply(410),
        "null_labels": good({"CustomLabels": None}),
        "no_labels": good({"CustomLabels": []}),
    }
)
