"""What comes in: the photos of a request, and what its headers ask for."""

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
    """The one photo of the request. Raises Refusal."""
    if request.mimetype == FORM_TYPE:
        return content(_uploads(1)[0])
    # A body without a type is bytes (RFC 9110, 8.3); the bytes tell the format, also of image/jpg or image/x-png.
    if request.mimetype and request.mimetype not in RAW_TYPES and not request.mimetype.startswith("image/"):
        raise _unknown_type((FORM_TYPE, *RAW_TYPES))
    image = request.get_data(cache=False)
    if not image and not request.mimetype:
        raise _no_image()
    return image


def photos(max_bytes: int) -> Sequence[FileStorage]:
    """The photos of a batch, of at most ``max_bytes`` together. Raises Refusal."""
    if request.mimetype != FORM_TYPE:
        raise _unknown_type((FORM_TYPE,))
    # A batch may be larger than anything else that is sent here.
    request.max_content_length = max_bytes
    return _uploads(BATCH)


def content(upload: FileStorage) -> bytes:
    """The bytes of an upload, which may be read again."""
    upload.seek(0)
    image: bytes = upload.read()
    return image


def fingerprint(images: Iterable[bytes]) -> str:
    """What tells one request from another; a form's boundaries are other ones each time, and mean nothing."""
    digest = hashlib.sha256((request.endpoint or "").encode())
    for image in images:
        digest.update(hashlib.sha256(image).digest())
    return digest.hexdigest()


def idempotency_key() -> str | None:
    """The key under which the request may come again. Raises Refusal."""
    key = request.headers.get("Idempotency-Key")
    if key is not None and not _IDEMPOTENCY_KEY.fullmatch(key):
        raise Refusal("idempotency_key_unfit", "The Idempotency-Key has to be 1 to 255 visible ASCII characters.")
    return key


def prefers_async() -> bool:
    """Whether the client would rather fetch the answer later (RFC 7240)."""
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
