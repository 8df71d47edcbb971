"""Amazon Rekognition Custom Labels on loopback: strict about what it is asked, and broken on demand.

A request meets the protocol (JSON 1.1, target, signature), the parameters of its operation, the rate, the model's
state, the image, and only then ``fault`` or the good answer. ``calls`` counts what a vendor would count.
"""

import json
import math
import time
from base64 import b64decode
from binascii import Error as Base64Error
from collections import deque
from collections.abc import Callable, Mapping
from io import BytesIO
from typing import Any, get_args

from PIL import Image, UnidentifiedImageError

from testing.aws.replies import (
    BAD_IMAGE,
    CANNED,
    LABEL_SCORES,
    LIMIT,
    NOT_FOUND,
    NOT_READY,
    PROVISIONED,
    TOO_LARGE,
    AwsFault,
    good,
    misasked,
    of_aws,
)
from testing.aws.signature import Credentials, refused
from testing.http_replies import Reply
from testing.loopback_service import Request, Service

MOST_IMAGE_BYTES = 4 * 1024 * 1024
MOST_BODY_IMAGE_BYTES = 5 * 1024 * 1024
"""What the model of the API allows for any operation; Custom Labels takes less."""
LONGEST_SIDE, SHORTEST_SIDE = 4096, 64
REHEARSAL = Credentials("rehearsal", "rehearsal")
"""What signs requests over plain HTTP."""
TARGET = "RekognitionService."
PARAMETERS: Mapping[str, tuple[frozenset[str], frozenset[str]]] = {
    "DetectCustomLabels": (frozenset({"ProjectVersionArn", "Image"}), frozenset({"MaxResults", "MinConfidence"})),
    "StartProjectVersion": (frozenset({"ProjectVersionArn", "MinInferenceUnits"}), frozenset({"MaxInferenceUnits"})),
    "StopProjectVersion": (frozenset({"ProjectVersionArn"}), frozenset()),
    "DescribeProjects": (frozenset(), frozenset({"ProjectNames", "NextToken", "MaxResults"})),
    "DescribeProjectVersions": (frozenset({"ProjectArn"}), frozenset({"VersionNames", "NextToken", "MaxResults"})),
}
"""The parameters of each operation: those that it needs, and those that it takes besides."""


def complaint(image: bytes) -> Reply | None:
    """Why the service does not take the image."""
    if len(image) > MOST_BODY_IMAGE_BYTES or not image:
        return of_aws(400, "ValidationException", "image.bytes has a length that is not allowed")
    if len(image) > MOST_IMAGE_BYTES:
        return TOO_LARGE
    try:
        with Image.open(BytesIO(image), formats=["JPEG", "PNG"]) as picture:
            shorter, longer = sorted(picture.size)
    except (UnidentifiedImageError, OSError, Image.DecompressionBombError):
        return BAD_IMAGE
    if longer > LONGEST_SIDE:
        return TOO_LARGE
    return misasked("The image is too small") if shorter < SHORTEST_SIDE else None


class RekognitionServer(Service[AwsFault]):
    """One account with one project and one version of a model.

    Set at any time, besides what every service has: ``scores`` (confidence by label, 0 to 1), ``quota`` (calls, None
    for no limit), ``rate_per_second``, ``status`` of the version, ``slow_steps`` (how often STARTING and STOPPING are
    still told). Read: ``arn``, ``credentials``, ``calls``, ``images`` (the last 32), ``operations``, ``headers`` of the
    last request.
    """

    def __init__(
        self,
        *,
        tls: bool = False,
        credentials: Credentials = REHEARSAL,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(get_args(AwsFault), CANNED, tls=tls)
        self.region, self.account = "eu-west-1", "123456789012"
        start = f"arn:aws:rekognition:{self.region}:{self.account}:project/triof"
        self.arn = f"{start}/version/triof.2026-11-30T10.00.00/1764496800000"
        self.project_arn = f"{start}/1764490000000"
        self.credentials = credentials
        self.scores: Mapping[str, float] = dict(LABEL_SCORES)
        self.quota: int | None = None
        self.rate_per_second: int | None = None
        self.status = "RUNNING"
        self.units = 1
        self.slow_steps = 0
        self.calls = 0
        self.operations: list[str] = []
        self.headers: Mapping[str, str] = {}
        self.images: deque[bytes] = deque(maxlen=32)
        self.clock = clock
        self._steps_left = 0
        self._let_in: deque[float] = deque()

    def judge(self, request: Request) -> tuple[Reply, AwsFault | None]:
        """The answer, and the fault by which it is delivered: a misasked request meets no fault."""
        with self._lock:
            self.headers = dict(request.headers.items())
            operation = request.headers.get("X-Amz-Target", "").removeprefix(TARGET)
            content = self._read(request, operation)
            if isinstance(content, Reply):
                return content, None
            self.operations.append(operation)
            fault = self._fault
            if fault in self.canned and fault != "dropped":
                return self.canned[fault], fault
            return self._perform(operation, content), fault

    def _read(self, request: Request, operation: str) -> dict[str, Any] | Reply:
        """The parameters, or why the request is not of the protocol."""
        if request.method != "POST" or request.path != "/":
            return Reply(404)
        if request.headers.get("Content-Type") != "application/x-amz-json-1.1" or operation not in PARAMETERS:
            return of_aws(400, "UnknownOperationException", "")
        if refusal := refused(request.headers, request.body, self.credentials, self.region):
            return refusal
        try:
            content = json.loads(request.body)
        except ValueError:
            return of_aws(400, "SerializationException", "")
        needed, taken = PARAMETERS[operation]
        if not isinstance(content, dict) or not needed <= content.keys() <= needed | taken:
            return misasked(f"Request has invalid parameters: {sorted(content)}")
        return content

    def _perform(self, operation: str, content: Mapping[str, Any]) -> Reply:
        if content.get("ProjectVersionArn", self.arn) != self.arn:
            return NOT_FOUND
        match operation:
            case "DetectCustomLabels":
                return self._detect(content)
            case "StartProjectVersion":
                return self._turn("RUNNING", ("STOPPED", "TRAINING_COMPLETED"), int(content["MinInferenceUnits"]))
            case "StopProjectVersion":
                return self._turn("STOPPED", ("RUNNING", "FAILED"), self.units)
            case "DescribeProjects":
                known = content.get("ProjectNames", ["triof"]) == ["triof"]
                return good({"ProjectDescriptions": [{"ProjectArn": self.project_arn}] if known else []})
        if content["ProjectArn"] != self.project_arn:
            return NOT_FOUND
        return self._describe(content.get("VersionNames", ["triof.2026-11-30T10.00.00"]))

    def _turn(self, to: str, from_: tuple[str, ...], units: int) -> Reply:
        if self.status not in from_:
            return of_aws(400, "ResourceInUseException", f"The version is {self.status}.")
        told = "STARTING" if to == "RUNNING" else "STOPPING"
        self.status, self._steps_left, self.units = (told if self.slow_steps else to), self.slow_steps, units
        return good({"Status": told})

    def _describe(self, names: list[str]) -> Reply:
        if self.status in ("STARTING", "STOPPING"):
            self._steps_left -= 1
            if self._steps_left < 0:
                self.status = "RUNNING" if self.status == "STARTING" else "STOPPED"
        version = {
            "ProjectVersionArn": self.arn,
            "Status": self.status,
            "StatusMessage": f"The model is {self.status.lower()}.",
            "MinInferenceUnits": self.units,
        }
        return good({"ProjectVersionDescriptions": [version] if names == ["triof.2026-11-30T10.00.00"] else []})

    def _detect(self, content: Mapping[str, Any]) -> Reply:
        confidence = content.get("MinConfidence", 50)
        image = content["Image"].get("Bytes") if isinstance(content["Image"], dict) else None
        if not isinstance(image, str) or not 0 <= confidence <= 100:
            return misasked("Request has invalid parameters")
        try:
            decoded = b64decode(image, validate=True)
        except Base64Error:
            return of_aws(400, "SerializationException", "")
        self.images.append(decoded)
        refusal = self._too_much() or (NOT_READY if self.status != "RUNNING" else complaint(decoded))
        if refusal:
            return refusal
        if self._fault != "dropped":
            self.calls += 1
        return self._labels(confidence / 100)

    def _too_much(self) -> Reply | None:
        if self.quota is not None and self.calls >= self.quota:
            return LIMIT
        now = self.clock()
        while self._let_in and self._let_in[0] <= now - 1:
            self._let_in.popleft()
        if self.rate_per_second is not None and len(self._let_in) >= self.rate_per_second:
            return PROVISIONED
        self._let_in.append(now)
        return None

    def _labels(self, least: float) -> Reply:
        ranked = sorted(self._altered().items(), key=lambda item: item[1], reverse=True)
        labels = [{"Name": name, "Confidence": 100 * share} for name, share in ranked if not share < least]
        return good({"CustomLabels": labels})

    def _altered(self) -> dict[str, float]:
        scores = dict(self.scores)
        match self._fault:
            case "unknown_label":
                return {"verre": 0.9} | {name: share / 10 for name, share in scores.items()}
            case "nan":
                return {**scores, max(scores, key=scores.__getitem__): math.nan}
            case "over_one":
                return dict(zip(scores, (0.9, 0.8, 0.7, 0.1), strict=False))
            case "few":
                return {list(scores)[1]: 0.3}
        return scores
