"""Client of Amazon Rekognition Custom Labels; the only module that imports the vendor's library.

boto3 signs, writes and reads; the request itself goes over our connection, which ends at the deadline. Nothing is
retried. Whatever the library raises becomes one of the errors in ``providers/base.py``.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from io import BytesIO
from typing import Any, TypeVar

import boto3
import requests
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.config import Config

from providers.base import ProviderMisconfigured, ProviderUnavailable
from providers.rekognition.errors import library_fault, refusal
from providers.rekognition.options import VersionArn
from providers.vendor_endpoint import VendorEndpoint

T = TypeVar("T")

_MADE_UP = "rehearsal"
"""Signs requests over plain HTTP, which stay on this machine."""


@dataclass(frozen=True)
class VersionState:
    """The state of a version of a model: RUNNING, STOPPED, STARTING …, and the inference units it was started with."""

    status: str
    message: str
    units: int

    @property
    def is_paid(self) -> bool:
        """Whether it costs money now."""
        return self.status in ("RUNNING", "STARTING", "STOPPING")


class RekognitionClient:
    """One version of one model. Thread-safe; each thread has its own connection."""

    def __init__(
        self,
        version: VersionArn,
        *,
        endpoint: str | None,
        connect_seconds: float,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Find the credentials by boto3's own chain. Raises ProviderMisconfigured if there are none."""
        self._version = version
        try:
            self.sdk = _sdk(version.region, endpoint)
        except Exception as error:
            raise library_fault(error) or ProviderMisconfigured(f"AWS's library cannot be used: {error}") from error
        self._api = VendorEndpoint(self.sdk.meta.endpoint_url, refusal, connect_seconds=connect_seconds, now=now)
        self.sdk.meta.events.register("before-send.rekognition", self._send)

    def detect(self, jpeg: bytes, *, timeout: float) -> tuple[tuple[str, float], ...]:
        """Return the labels of a photo with their probabilities, 0 to 1. Raises only ProviderError."""
        return self._call(
            self.sdk.detect_custom_labels,
            _labels,
            timeout=timeout,
            ProjectVersionArn=self._version.text,
            Image={"Bytes": jpeg},
            # All labels, instead of those above the thresholds that the training assumed.
            MinConfidence=0,
        )

    def start(self, units: int, *, timeout: float) -> str:
        """Start the model, which is paid from then on; return its status. Raises only ProviderError."""
        arn = self._version.text
        ask = self.sdk.start_project_version
        return self._call(ask, _status, timeout=timeout, ProjectVersionArn=arn, MinInferenceUnits=units)

    def stop(self, *, timeout: float) -> str:
        """Stop the model; return its status. Raises only ProviderError."""
        return self._call(self.sdk.stop_project_version, _status, timeout=timeout, ProjectVersionArn=self._version.text)

    def state(self, *, timeout: float) -> VersionState:
        """Return the state of the model. Raises only ProviderError."""
        # The ARN of a project has a number that the ARN of its versions lacks.
        names = [self._version.project]
        project = self._call(self.sdk.describe_projects, _project, timeout=timeout, ProjectNames=names)
        return self._call(
            self.sdk.describe_project_versions,
            _state,
            timeout=timeout,
            ProjectArn=project,
            VersionNames=[self._version.version],
        )

    def ping(self, *, timeout: float) -> None:
        """Connect to the endpoint without credentials. Raises ProviderUnavailable."""
        self._api.fetch("HEAD", self._api.address, timeout=timeout, refusal=refusal, must_be_ok=False)

    def close(self) -> None:
        """Close the connections of all threads; one in use is closed after its call."""
        self._api.close()

    def _call(self, ask: Callable[..., Any], read: Callable[[Any], T], *, timeout: float, **parameters: Any) -> T:
        connection = self._api.connection()
        try:
            with connection.call(timeout):
                answer = ask(**parameters)
            result = read(answer)
        except Exception as error:
            raise library_fault(error) or self._api.fault(error, connection, timeout) from error
        connection.forget()
        return result

    def _send(self, request: AWSPreparedRequest, **_: Any) -> AWSResponse:
        """Send a signed request in place of the library, whose timeout begins anew with each byte."""
        connection = self._api.connection()
        session = requests.Session()
        # Only what was signed: no cookies, and no login of a .netrc in place of the signature.
        session.headers.clear()
        session.auth = _as_signed
        session.trust_env = self._api.trust_env
        session.mount("https://", connection)
        session.mount("http://", connection)
        answer = session.request(
            request.method,
            request.url,
            data=request.body,
            headers={name: _text(value) for name, value in request.headers.items()},
            timeout=self._api.timeouts(connection.timeout),
            allow_redirects=False,
        )
        return AWSResponse(request.url, answer.status_code, answer.headers, _Body(connection.body))


class _Body(BytesIO):
    """A whole body, as the vendor's library reads it."""

    def stream(self, **_: Any) -> Iterator[bytes]:
        """Yield the body."""
        yield self.read()


def _sdk(region: str, endpoint: str | None) -> Any:
    config = Config(
        retries={"mode": "standard", "total_max_attempts": 1},
        # Only rekognition.endpoint counts, which is checked.
        ignore_configured_endpoint_urls=True,
    )
    made_up = {"aws_access_key_id": _MADE_UP, "aws_secret_access_key": _MADE_UP}
    stays_here = bool(endpoint and endpoint.startswith("http:"))
    session = boto3.session.Session(region_name=region, **(made_up if stays_here else {}))
    if session.get_credentials() is None:
        raise ProviderMisconfigured(
            "There are no credentials of AWS: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in the environment, or"
            " write ~/.aws/credentials, as docs/guide/rekognition.md tells."
        )
    return session.client("rekognition", endpoint_url=endpoint, config=config)


def _as_signed(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value


def _labels(answer: Mapping[str, Any]) -> tuple[tuple[str, float], ...]:
    found = tuple((str(label["Name"]), float(label["Confidence"]) / 100) for label in answer["CustomLabels"])
    if not found or not all(name and math.isfinite(share) and 0 <= share <= 1 for name, share in found):
        raise ProviderUnavailable("The cloud's answer makes no sense: it names no labels, or no confidence in them.")
    return found


def _status(answer: Mapping[str, Any]) -> str:
    return str(answer["Status"])


def _project(answer: Mapping[str, Any]) -> str:
    found = answer["ProjectDescriptions"]
    if not found:
        raise ProviderMisconfigured("The AWS account has no such project: check the ARN of the version.")
    return str(found[0]["ProjectArn"])


def _state(answer: Mapping[str, Any]) -> VersionState:
    found = answer["ProjectVersionDescriptions"]
    if not found:
        raise ProviderMisconfigured("The project has no such version: check the ARN of the version.")
    version = found[0]
    return VersionState(str(version["Status"]), version.get("StatusMessage", ""), version.get("MinInferenceUnits", 1))
