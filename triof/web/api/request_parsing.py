"""Parsing of API requests: the photos, and the headers that change the answer."""

import hashlib
import re
from collections.abc import Iterable, Sequence

from flask import request
from werkzeug.datastructures import FileStorage

from triof.settings.sections.api import BATCH
from triof.web.api.problems import Refusal

RAW_TYPES = ("image/jpeg", "image/png", "image/webp", "image/bmp", "image/gif", "application/octet-stream")
FORM_TYPE = "multipart/form-data"
FIELD = "image"

_IDEMPOTENCY_KEY = re.compile(r"[!-~]{1,255}")


def photo() -> bytes:
    """Return the photo of the request. Raises Refusal."""
    if request.mimetype == FORM_TYPE:
        return content(_uploads(1)[0])
    # Without a Content-Type the body is bytes (RFC 9110, 8.3); the format is read from the bytes, not from image/….
    if request.mimetype and request.mimetype not in RAW_TYPES and not request.mimetype.startswith("image/"):
        raise _unknown_type((FORM_TYPE, *RAW_TYPES))
    image = request.get_data(cache=False)
    if not image and not request.mimetype:
        raise _no_image()
    return image


def photos(max_bytes: int) -> Sequence[FileStorage]:
    """Return the photos of a batch, at most ``max_bytes`` in total. Raises Refusal."""
    if request.mimetype != FORM_TYPE:
        raise _unknown_type((FORM_TYPE,))
    # A batch may exceed the limit of the other routes.
    request.max_content_length = max_bytes
    return _uploads(BATCH)


def content(upload: FileStorage) -> bytes:
    """Return the bytes of an upload, which stays readable."""
    upload.seek(0)
    image: bytes = upload.read()
    return image


def fingerprint(images: Iterable[bytes]) -> str:
    """Return a digest of the photos; it ignores the form's boundaries, which differ in each request."""
    digest = hashlib.sha256((request.endpoint or "").encode())
    for image in images:
        digest.update(hashlib.sha256(image).digest())
    return digest.hexdigest()


def idempotency_key() -> str | None:
    """Return the Idempotency-Key header, or None. Raises Refusal."""
    key = request.headers.get("Idempotency-Key")
    if key is not None and not _IDEMPOTENCY_KEY.fullmatch(key):
        raise Refusal("idempotency_key_unfit", "The Idempotency-Key has to be 1 to 255 visible ASCII characters.")
    return key


def prefers_async() -> bool:
    """Return whether the client prefers an asynchronous answer (RFC 7240)."""
    preferences = ",".join(request.headers.getlist("Prefer")).split(",")
    return any(preference.partition(";")[0].strip().lower() == "respond-async" for preference in preferences)


def _uploads(at_most: int) -> Sequence[FileStorage]:
    uploads = request.files.getlist(FIELD)
    if not uploads:
        raise _no_image()
    if len(uploads) > at_most:
        where = "" if at_most > 1 else " here; several go to predict-batch"
        raise Refusal("too_many_images", f"There are {len(uploads)} photos; send at most {at_most}{where}.")
    return uploads


def _no_image() -> Refusal:
    return Refusal("no_image", f"There is no file called {FIELD} in the form, or no body: send the photo.")


def _unknown_type(known: Sequence[str]) -> Refusal:
    return Refusal(
        "content_type",
        f"A photo is not sent as {request.mimetype or 'nothing'}: use {', '.join(known)}.",
        Accept_Post=", ".join(known),
    )
