"""Azure Custom Vision's training API on loopback, with prediction of what was published: strict, broken on demand.

A training request meets the key (401), the rate (429), ``fault``, the swagger (400, 404, 415) and then the service in
``training_service.py``. A fault by which a good answer is lost on its way (``silent``, ``reset``, ``truncated`` …)
comes after the work was done; one that is an answer of its own (``empty_503``, ``html_502``, …) comes instead of it.
"""

import re
import secrets
import time
from base64 import b64encode
from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Mapping
from email.message import Message
from hashlib import md5
from typing import Any, get_args
from urllib.parse import unquote, urlsplit

from testing.azure.authentication import refused
from testing.azure.azure_export import azure_export_zip, expected_scores, zipped
from testing.azure.custom_vision_server import CLASSIFY, complaint, image_of
from testing.azure.replies import (
    ACCESS_DENIED,
    CANNED,
    NO_RESOURCE,
    QUOTA_USED,
    TAG_SCORES,
    TOO_FAST,
    Fault,
    of_gateway,
    of_service,
    prediction,
)
from testing.azure.training_api import ROOT, Misasked, Refused, understood
from testing.azure.training_records import COMPACT_S1, Export, Iteration, Photo, Tier
from testing.azure.training_service import TrainingService
from testing.http_replies import Reply
from testing.loopback_service import Request, Service

PREDICTION_ROOT = "/customvision/v3.1/prediction/"
BLOBS = "/blobs/"
BENDING: frozenset[Fault] = frozenset({"null_predictions", "unknown_tag", "nan", "multilabel", "too_few_tags"})
"""Faults that only a prediction can have."""
TRAINING_TOO_FAST = of_gateway(
    429,
    "Requests to the Custom Vision Training API (v3.4-preview) have exceeded rate limit of your current "
    "CustomVision.Training pricing tier. Please retry after 1 second. Please contact Azure support service if you "
    "would like to further increase the default rate limit.",
    Retry_After="1",
)
KEY_HEADERS = ("Training-key", "Prediction-key", "Ocp-Apim-Subscription-Key", "Authorization")


class TrainingServer(TrainingService, Service[Fault]):
    """The training and the prediction resource behind one endpoint.

    Set at any time: what :class:`Service` and :class:`TrainingService` say, and the attributes below that have no
    underscore.
    """

    def __init__(
        self,
        *,
        tier: Tier = "S0",
        rate_per_second: int | None = 10,
        tls: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        TrainingService.__init__(self, tier)
        Service.__init__(self, get_args(Fault), CANNED, tls=tls)
        self.training_key = f"tr4in-{secrets.token_hex(14)}"
        self.prediction_key = f"k3y-{secrets.token_hex(14)}"
        self.tokens: set[str] = set()
        """The tokens of Entra ID that are valid."""
        self.keys_disabled = False
        self.rate_per_second = rate_per_second
        self.prediction_rate_per_second: int | None = None
        self.quota: int | None = None
        self.calls = 0
        """Predictions that count against the quota."""
        self.arrivals: list[float] = []
        """When the head of each training request came, by the clock."""
        self.refused = 0
        """Requests that were answered with 400 to 499."""
        self.states_digests = True
        """Whether what the storage gives out comes with its ``Content-MD5``."""
        self.downloads: list[dict[str, str]] = []
        """The headers of each request for an exported model or a photo."""
        self.answer: Callable[[bytes], Mapping[str, float]] | None = None
        """What is said of an image, probability by tag; None: what the exported model says."""
        self.on_request: Callable[[str, str], None] | None = None
        """Called with method and path when a request has come whole."""
        self.on_reply: Callable[[Request, Reply], Reply | None] | None = None
        """Called with each answer of the service itself, before it goes out; may give another one."""
        self.answers_instead: Callable[[Request], Reply | None] | None = None
        """Called with each request before anything looks at it: an answer in place of the server's."""
        self.after_store: Callable[[int], None] | None = None
        """Called with the number of uploads so far when one was stored, before the answer goes out."""
        self.clock = clock
        self._export_zip: bytes | None = None
        self._let_in: dict[bool, deque[float]] = {True: deque(), False: deque()}
        self._next_faults: deque[tuple[Fault | None, re.Pattern[str], bool]] = deque()

    @property
    def photos(self) -> dict[str, Photo]:
        """All photos of all projects, by the sha256 of their contents."""
        with self._lock:
            return {sha256: photo for project in self.projects.values() for sha256, photo in project.photos.items()}

    @property
    def peak_per_second(self) -> int:
        """The most training requests that arrived within any second, those refused included."""
        with self._lock:
            times = sorted(self.arrivals)
        return max((bisect_left(times, start + 1.0) - index for index, start in enumerate(times)), default=0)

    @property
    def export_zip(self) -> bytes:
        """What is behind the link of a TensorFlowLite export, if a test has set it; else a model of the usual tags."""
        return self._export_zip if self._export_zip is not None else azure_export_zip(list(TAG_SCORES))

    @export_zip.setter
    def export_zip(self, contents: bytes) -> None:
        self._export_zip = contents

    def faults_next(self, n: int, fault: Fault | None, only: str = "", *, handled: bool = False) -> None:
        """Let the next ``n`` requests misbehave (None: behave), and then all be well again.

        ``only`` is a regular expression that "METHOD path" must contain, for others do not count. ``handled``: a fault
        with an answer of its own comes although the work was done, as a gateway's 502 may.
        """
        if fault == "hang_before_read" and only:
            raise ValueError("a request that is never read cannot be chosen by its path")
        with self._lock:
            self._next_faults.extend([(self.known(fault), re.compile(only), handled)] * n)

    def clear_faults(self) -> None:
        """Forget the faults that :meth:`faults_next` announced and that have not come yet."""
        with self._lock:
            self._next_faults.clear()

    def forget_arrivals(self) -> None:
        """Begin to count anew: as if no request had come so far."""
        with self._lock:
            self.arrivals.clear()
            for let_in in self._let_in.values():
                let_in.clear()

    def hangs(self) -> bool:
        """Whether what comes on a connection now is never read."""
        with self._lock:
            if self._next_faults and self._next_faults[0][0] == "hang_before_read":
                self._next_faults.popleft()
                return True
        return super().hangs()

    def arrived(self, method: str, path: str, headers: Message) -> bool:
        """Count, and say whether the request is above the rate: of those let in during the last second."""
        super().arrived(method, path, headers)
        training = path.startswith(ROOT)
        limit = self.rate_per_second if training else self.prediction_rate_per_second
        with self._lock:
            now = self.clock()
            if training:
                self.arrivals.append(now)
            if self._refused(path, headers):
                return False
            let_in = self._let_in[training]
            while let_in and let_in[0] <= now - 1:
                let_in.popleft()
            if limit is not None and len(let_in) >= limit:
                return True
            let_in.append(now)
            return False

    def _refused(self, path: str, headers: Message) -> Reply | None:
        """Why the key or the token does not open this path."""
        if path.startswith(PREDICTION_ROOT):
            header, key = "Prediction-key", self.prediction_key
        elif path.startswith(ROOT):
            header, key = "Training-key", self.training_key
        else:
            return ACCESS_DENIED
        return refused(headers, header, key, self.tokens, keys_disabled=self.keys_disabled)

    def judge(self, request: Request) -> tuple[Reply, Fault | None]:
        """The answer, and the fault by which it is delivered."""
        instead = self.answers_instead(request) if self.answers_instead else None
        reply, fault = (instead, None) if instead else self._judge(request, unquote(urlsplit(request.path).path))
        with self._lock:
            self.refused += 400 <= reply.status < 500
        return reply, fault

    def _judge(self, request: Request, path: str) -> tuple[Reply, Fault | None]:
        if self.on_request:
            self.on_request(request.method, path)
        if path.startswith(BLOBS):
            return self._meeting_faults(request, path, lambda _: self._download(request))
        if refusal := self._refused(path, request.headers):
            return refusal, None
        if path.startswith(PREDICTION_ROOT):
            if request.too_fast:
                return TOO_FAST, None
            return self._meeting_faults(request, path, lambda fault: self._predict(request, path, fault))
        if request.too_fast:
            return TRAINING_TOO_FAST, None
        return self._meeting_faults(request, path, lambda _: self._train(request, path))

    def _meeting_faults(
        self, request: Request, path: str, work: Callable[[Fault | None], Reply]
    ) -> tuple[Reply, Fault | None]:
        fault, handled = self._fault_for(f"{request.method} {path}", bending=path.startswith(PREDICTION_ROOT))
        canned = self.canned.get(fault)
        if canned is TOO_FAST and path.startswith(ROOT):
            canned = TRAINING_TOO_FAST
        if canned and not handled:
            return canned, fault
        reply = work(fault)
        return canned or reply, fault

    def _fault_for(self, address: str, *, bending: bool) -> tuple[Fault | None, bool]:
        with self._lock:
            for entry in self._next_faults:
                fault, only, handled = entry
                if only.search(address) and (bending or fault not in BENDING):
                    self._next_faults.remove(entry)
                    return fault, handled
        return (self._fault, False) if bending or self._fault not in BENDING else (None, False)

    def _train(self, request: Request, path: str) -> Reply:
        with self._lock:
            uploads = len(self.batches)
        try:
            call = understood(request.method, path, urlsplit(request.path).query, request.headers, request.body)
            with self._lock:
                uploads = len(self.batches)
                reply = self.perform(call)
                stored = len(self.batches)
        except Refused as refusal:
            stored = uploads
            reply = of_service(refusal.status, refusal.code, refusal.message)
            if isinstance(refusal, Misasked):
                with self._lock:
                    self.violations.append(f"{request.method} {path}: {refusal.message}")
        if self.on_reply:
            reply = self.on_reply(request, reply) or reply
        if stored > uploads and self.after_store:
            self.after_store(stored)
        return reply

    def _predict(self, request: Request, path: str, fault: Fault | None) -> Reply:
        address = CLASSIFY.fullmatch(path)
        if request.method != "POST" or not address:
            return NO_RESOURCE
        image = image_of(request)
        problem = complaint(image)
        with self._lock:
            try:
                project, iteration = self.published(address[1], address[2])
            except Refused as refusal:
                return of_service(refusal.status, refusal.code, refusal.message)
            if self.quota is not None and self.calls >= self.quota:
                return QUOTA_USED
            if problem or image is None:
                self.violations.append(f"POST {path}: {problem.body.decode() if problem else 'no image'}")
                return problem or NO_RESOURCE
            self.calls += 1
        return prediction(
            project.id,
            iteration.id,
            self._scores(image, iteration),
            {tag.name: tag.id for tag in iteration.tags},
            fault,
        )

    def _scores(self, image: bytes, iteration: Iteration) -> Mapping[str, float]:
        if self.answer:
            return self.answer(image)
        scores = expected_scores(image, [tag.name for tag in iteration.tags])
        # A Multilabel network asks of each tag by itself: its answers do not add up to 1.
        return (
            {tag: score**0.5 for tag, score in scores.items()} if iteration.classification == "Multilabel" else scores
        )

    def _download(self, request: Request) -> Reply:
        with self._lock:
            self.downloads.append(dict(request.headers.items()))
            told = [name for name in KEY_HEADERS if name in request.headers]
            if told:
                self.violations.append(f"{request.method} {request.path}: the storage was told {', '.join(told)}")
                return Reply(
                    403, b"<Error><Code>AuthenticationFailed</Code></Error>", {"Content-Type": "application/xml"}
                )
            contents = self._blobs.get(request.path) if request.method == "GET" else None
        if contents is None:
            return Reply(404, b"<Error><Code>ResourceNotFound</Code></Error>", {"Content-Type": "application/xml"})
        kind, body = contents()
        digest = {"Content-MD5": b64encode(md5(body, usedforsecurity=False).digest()).decode()}
        return Reply(200, body, {"Content-Type": kind, **(digest if self.states_digests else {})})

    def _exported(self, iteration: Iteration, export: Export) -> tuple[str, bytes]:
        if export.flavor != "TensorFlowLite":
            return "application/zip", zipped({"model.onnx": b"a model of another kind", "labels.txt": b"cup"})
        if self._export_zip is not None:
            return "application/zip", self._export_zip
        channels: Any = "Rgb8" if iteration.domain == COMPACT_S1 else "Bgr8"
        tags = sorted(tag.name for tag in iteration.tags)
        return "application/zip", azure_export_zip(tags, channels=channels, iteration_id=iteration.id)
