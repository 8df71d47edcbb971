"""Azure Custom Vision's prediction service on loopback: strict about what it is asked, and broken on demand.

A request meets the key (401), the path, the project and the published name (404), the quota (403), the rate (429), the
image (400) and only then ``fault`` or the good answer. ``calls`` counts what the vendor would count.
"""

import re
import secrets
import time
import uuid
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.parser import BytesParser
from io import BytesIO
from typing import get_args
from urllib.parse import unquote, urlsplit

from PIL import Image, UnidentifiedImageError

from testing.azure.authentication import refused
from testing.azure.replies import (
    BAD_DIMENSIONS,
    BAD_FORMAT,
    BAD_SIZE,
    CANNED,
    NO_ITERATION,
    NO_PROJECT,
    NO_RESOURCE,
    NO_STREAM,
    QUOTA_USED,
    REFUSED,
    TAG_SCORES,
    TOO_FAST,
    Fault,
    prediction,
)
from testing.http_replies import Reply
from testing.loopback_service import Request, Service

MOST_IMAGE_BYTES = 4 * 1024 * 1024


LONGEST_SIDE = 10_240


MOST_ASPECT = 25


CLASSIFY = re.compile(r"/customvision/v3\.1/prediction/([^/]+)/classify/iterations/([^/]+)/image(/nostore)?")


@dataclass(frozen=True)
class Received:
    """An image that came with a right key to a right address, whatever became of it."""

    image: bytes
    stored: bool
    headers: Mapping[str, str]
    path: str


def image_of(request: Request) -> bytes | None:
    """The part ``imageData``, or None when the body is no whole multipart/form-data with such a part."""
    boundary = request.headers.get_boundary()
    if request.headers.get_content_type() != "multipart/form-data" or not boundary:
        return None
    _, *parts = (b"\r\n" + request.body).split(b"\r\n--" + boundary.encode())
    if not parts or not parts[-1].startswith(b"--"):
        return None
    for part in parts[:-1]:
        head, blank, content = part.removeprefix(b"\r\n").partition(b"\r\n\r\n")
        if blank and BytesParser().parsebytes(head).get_param("name", header="Content-Disposition") == "imageData":
            return content
    return None


def complaint(image: bytes | None) -> Reply | None:
    """Why the service does not take the image."""
    if not image:
        return NO_STREAM
    if len(image) > MOST_IMAGE_BYTES:
        return BAD_SIZE
    try:
        with Image.open(BytesIO(image), formats=["JPEG", "PNG", "BMP", "GIF"]) as picture:
            shorter, longer = sorted(picture.size)
    except Image.DecompressionBombError:
        return BAD_DIMENSIONS
    except (UnidentifiedImageError, OSError):
        return BAD_FORMAT
    return BAD_DIMENSIONS if longer > LONGEST_SIDE or longer > MOST_ASPECT * shorter else None


class CustomVisionServer(Service[Fault]):
    """The service with one project and one published iteration.

    Set at any time, besides what every service has: ``scores`` (probability by tag), ``quota`` (calls, None for no
    limit), ``rate_per_second``, ``tokens`` of Entra ID that are valid, ``keys_disabled``.
    Read: ``key``, ``project_id``, ``published_name``, ``calls`` (counted against the
    quota), ``images`` (the last 32).
    """

    def __init__(self, *, tls: bool = False, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(get_args(Fault), CANNED, tls=tls)
        self.key = f"k3y-{secrets.token_hex(14)}"
        self.tokens: set[str] = set()
        self.keys_disabled = False
        self.project_id = str(uuid.uuid4())
        self.iteration_id = str(uuid.uuid4())
        self.published_name = "triof"
        self.scores: Mapping[str, float] = dict(TAG_SCORES)
        self.quota: int | None = None
        self.rate_per_second: int | None = None
        self.calls = 0
        self.clock = clock
        self._images: deque[Received] = deque(maxlen=32)
        self._let_in: deque[float] = deque()

    @property
    def images(self) -> list[Received]:
        """The last images received, oldest first."""
        with self._lock:
            return list(self._images)

    def judge(self, request: Request) -> tuple[Reply, Fault | None]:
        """The answer, and the fault by which it is delivered: a refused request meets no fault."""
        refusal = self._misaddressed(request)
        if refusal:
            return refusal, None
        fault = self._fault
        image = image_of(request)
        problem = complaint(image)
        reply = self.canned.get(fault) or self._prediction(fault)
        with self._lock:
            self._remember(request, image)
            refusal = self._too_much() or problem
            if refusal is None and reply.status not in REFUSED and fault != "dropped":
                self.calls += 1
        return (refusal, None) if refusal else (reply, fault)

    def _misaddressed(self, request: Request) -> Reply | None:
        refusal = refused(request.headers, "Prediction-key", self.key, self.tokens, keys_disabled=self.keys_disabled)
        if refusal:
            return refusal
        address = CLASSIFY.fullmatch(unquote(urlsplit(request.path).path))
        if request.method != "POST" or not address:
            return NO_RESOURCE
        if address[1].lower() != self.project_id:
            return NO_PROJECT
        return NO_ITERATION if address[2] != self.published_name else None

    def _remember(self, request: Request, image: bytes | None) -> None:
        if image is not None:
            stored = not urlsplit(request.path).path.endswith("/nostore")
            self._images.append(Received(image, stored, dict(request.headers.items()), request.path))

    def _too_much(self) -> Reply | None:
        """The gateway's refusal; a request it lets in counts for the rate, even when its image is refused later."""
        if self.quota is not None and self.calls >= self.quota:
            return QUOTA_USED
        now = self.clock()
        while self._let_in and self._let_in[0] <= now - 1:
            self._let_in.popleft()
        if self.rate_per_second is not None and len(self._let_in) >= self.rate_per_second:
            return TOO_FAST
        self._let_in.append(now)
        return None

    def _prediction(self, fault: Fault | None) -> Reply:
        return prediction(self.project_id, self.iteration_id, self.scores, {}, fault)
