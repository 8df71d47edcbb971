"""Problem documents (RFC 9457) for every error of the API; KINDS lists all of them."""

import json
from typing import Any, NamedTuple
from uuid import uuid4

from flask import Response, request
from werkzeug.exceptions import HTTPException

from providers.event_log import get_logger
from triof.common.errors import TriofError
from triof.judging.photo import PhotoError

log = get_logger(__name__)

PREFIX = "/api/"
MEDIA_TYPE = "application/problem+json"
_RETRY_SECONDS = 5


class Kind(NamedTuple):
    """One kind of problem: its HTTP status, its title, and what to do about it."""

    status: int
    title: str
    remedy: str


KINDS = {
    "bad_request": Kind(400, "The request cannot be understood", "Compare it with this page."),
    "no_image": Kind(
        400,
        "There is no photo in the request",
        "Send the bytes of an image file as the body, or as a file part called image of a form.",
    ),
    "idempotency_key_unfit": Kind(
        400, "This cannot be an idempotency key", "Take 1 to 255 visible ASCII characters, such as a UUID."
    ),
    "key_missing": Kind(401, "There is no API key in the request", "Send the header Authorization: Bearer KEY."),
    "key_unknown": Kind(401, "The API key is not known", "Check it, or ask the operator of the machine for one."),
    "key_expired": Kind(401, "The API key has expired", "Ask the operator of the machine for a new one."),
    "key_revoked": Kind(401, "The API key was revoked", "Ask the operator of the machine for a new one."),
    "scope_missing": Kind(403, "The API key does not open this", "Ask for a key with the scope that is named."),
    "host_unknown": Kind(
        403, "The server is not called like that", "Ask it by its IP address, or have the name added to its settings."
    ),
    "not_found": Kind(404, "There is nothing here", "Check the address. What belongs to another key is not shown."),
    "method_not_allowed": Kind(405, "This address takes another method", "See the header Allow."),
    "still_running": Kind(
        409,
        "The request with this idempotency key is still being answered",
        "Send the same request again a moment later.",
    ),
    "request_too_large": Kind(413, "The request is too large", "Send smaller photos, or fewer at once."),
    "too_many_bytes": Kind(413, "The photo has too many bytes", "Send a smaller one."),
    "content_type": Kind(
        415,
        "Photos are not sent like this",
        "Say Content-Type: image/jpeg (png, webp, bmp, gif), application/octet-stream, or multipart/form-data.",
    ),
    "not_a_photo": Kind(415, "This is not a photo", "Send a JPEG, PNG, WebP, BMP or GIF."),
    "heic": Kind(
        415,
        "HEIC photos are not read here",
        "Send a JPEG: on an iPhone choose Settings > Camera > Formats > Most Compatible. Or install triof[heic] there.",
    ),
    "unread_format": Kind(415, "This image format is not read", "Send a JPEG, PNG, WebP, BMP or GIF."),
    "empty": Kind(422, "The file is empty", "Send the whole file."),
    "too_many_pixels": Kind(422, "The photo has too many pixels", "Send a smaller one."),
    "too_small": Kind(422, "The photo is too small", "Send a larger one."),
    "too_long": Kind(422, "The photo is too long", "Send one with shorter sides."),
    "too_costly": Kind(
        422, "The photo takes too much memory or time to decode", "Send a smaller one, or an ordinary JPEG."
    ),
    "transparent": Kind(422, "The picture is transparent everywhere", "Send a photo of the item."),
    "too_dark": Kind(422, "The picture is too dark", "Take it with more light, or save it with 8 bits a sample."),
    "damaged": Kind(422, "The photo is damaged", "Send the whole file, or take the photo again."),
    "too_many_images": Kind(
        422, "There are too many photos in the request", "Send at most the number that the detail names."
    ),
    "dates_unfit": Kind(422, "This is no period", "Write dates as 2026-11-30, the first not after the last."),
    "idempotency_key_reused": Kind(
        422, "The idempotency key stands for another request", "Take a new one for each request."
    ),
    "rate_limited": Kind(429, "Too many requests with this key", "Wait as long as the header Retry-After says."),
    "internal": Kind(500, "The service failed", "Try again; if it stays, its log says why, under the instance."),
    "interrupted": Kind(500, "The photo could not be judged to the end", "Send it again."),
    "queue_full": Kind(503, "The queue is full", "Wait as long as the header Retry-After says."),
    "busy": Kind(503, "Other large photos are being decoded", "Send it again in a moment."),
    "not_begun": Kind(503, "There was no time left for this photo", "Send it again, with fewer others."),
    "no_provider_answered": Kind(
        503, "No provider could judge the photo", "Try again later; the attempts say why each provider failed."
    ),
    "unavailable": Kind(503, "The service's database does not answer", "Try again later."),
}
_BY_STATUS = {404: "not_found", 405: "method_not_allowed", 413: "request_too_large"}


class Refusal(TriofError):
    """A request that is rejected; ``code`` is a key of KINDS, the message is the problem's detail."""

    def __init__(self, code: str, detail: str, **headers: str) -> None:
        super().__init__(detail)
        self.code = code
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}


def body(code: str, detail: str, *, status: int | None = None, instance: str = "", **more: Any) -> dict[str, Any]:
    """Return the problem document of ``code``."""
    kind = KINDS[code]
    return {
        "type": f"{PREFIX}docs#{code}",
        "title": kind.title,
        "status": status or kind.status,
        "detail": detail,
        "instance": instance or f"urn:uuid:{uuid4()}",
        "code": code,
        **more,
    }


def respond(problem: dict[str, Any], headers: dict[str, str] | None = None) -> Response:
    """Return the HTTP response with ``problem`` as its body."""
    response = Response(json.dumps(problem), problem["status"], headers, content_type=MEDIA_TYPE)
    if problem["status"] in (409, 503):
        response.headers.setdefault("Retry-After", str(_RETRY_SECONDS))
    return response


def concern() -> bool:
    """Return whether errors of the current request are answered with a problem document."""
    return request.path.startswith(PREFIX) or request.path == PREFIX.rstrip("/")


def of(error: Exception) -> Response:
    """Return the problem response for any exception."""
    match error:
        case Refusal():
            return respond(body(error.code, str(error)), error.headers)
        case PhotoError():
            return respond(body(error.code, str(error)))
        case HTTPException():
            return _http(error)
    return failed(error, "internal", "An unexpected error occurred.")


def failed(error: Exception, code: str, detail: str) -> Response:
    """Log ``error``, which is no fault of the client, and return the problem response of ``code``."""
    problem = body(code, detail)
    log.error("api.failed", instance=problem["instance"], exc_info=error)
    return respond(problem)


def _http(error: HTTPException) -> Response:
    status = error.code or 500
    code = _BY_STATUS.get(status, "bad_request" if status < 500 else "internal")
    detail = KINDS[code].remedy if status in _BY_STATUS else error.description or KINDS[code].remedy
    response = respond(body(code, detail, status=status))
    for name, value in error.get_headers():
        if name in ("Allow", "Retry-After"):
            response.headers[name] = value
    return response
