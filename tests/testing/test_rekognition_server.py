"""The server that stands for Rekognition is as strict as the service says it is."""

import json
from base64 import b64encode
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests

pytest.importorskip("boto3", reason="needs the extra rekognition")

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError
from PIL import Image

from testing.aws.rekognition_server import MOST_IMAGE_BYTES, RekognitionServer
from testing.image_files import encoded
from tests.support.clock import Clock

Ask = Callable[..., Any]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def server(clock: Clock) -> Iterator[RekognitionServer]:
    with RekognitionServer(clock=clock) as server:
        yield server


@pytest.fixture
def photo() -> bytes:
    return encoded(Image.new("RGB", (64, 64)))


def vendors_client(server: RekognitionServer, **changes: str) -> Any:
    """The vendor's library as it comes, but for its retries."""
    keys = {"aws_access_key_id": "rehearsal", "aws_secret_access_key": "rehearsal", **changes}
    session = boto3.session.Session(region_name=server.region, **keys)
    return session.client("rekognition", endpoint_url=server.endpoint, config=Config(retries={"total_max_attempts": 1}))


def code(ask: Ask, **parameters: Any) -> str:
    with pytest.raises(ClientError) as caught:
        ask(**parameters)
    return str(caught.value.response["Error"]["Code"])


def test_the_vendors_own_library_is_answered(server: RekognitionServer, photo: bytes) -> None:
    answer = vendors_client(server).detect_custom_labels(
        ProjectVersionArn=server.arn, Image={"Bytes": photo}, MinConfidence=0
    )
    assert [label["Name"] for label in answer["CustomLabels"]] == ["bouteille", "gobelet", "couvert", "Negative"]


def test_a_wrong_signature_is_not_let_in(server: RekognitionServer, photo: bytes) -> None:
    asked = {"ProjectVersionArn": server.arn, "Image": {"Bytes": photo}}
    wrong = vendors_client(server, aws_secret_access_key="wrong").detect_custom_labels
    assert code(wrong, **asked) == "InvalidSignatureException"
    unknown = vendors_client(server, aws_access_key_id="AKIA").detect_custom_labels
    assert code(unknown, **asked) == "UnrecognizedClientException"
    assert server.calls == 0


def test_what_is_not_of_the_protocol_is_refused(server: RekognitionServer, photo: bytes) -> None:
    body = json.dumps({"ProjectVersionArn": server.arn, "Image": {"Bytes": b64encode(photo).decode()}})
    target = {"X-Amz-Target": "RekognitionService.DetectCustomLabels"}
    bare = requests.post(server.endpoint, body, headers=target, timeout=5)
    assert bare.json()["__type"] == "UnknownOperationException"
    typed = {**target, "Content-Type": "application/x-amz-json-1.1"}
    unsigned = requests.post(server.endpoint, body, headers=typed, timeout=5)
    assert unsigned.json()["__type"] == "MissingAuthenticationTokenException"


@pytest.mark.parametrize(
    ("image", "told"),
    [
        (b"no image", "InvalidImageFormatException"),
        (encoded(Image.new("RGB", (64, 64)), "GIF"), "InvalidImageFormatException"),
        (encoded(Image.new("RGB", (63, 64))), "InvalidParameterException"),
        (encoded(Image.new("RGB", (4097, 64))), "ImageTooLargeException"),
        (b"x" * (MOST_IMAGE_BYTES + 1), "ImageTooLargeException"),
    ],
)
def test_an_image_beyond_the_limits_is_refused(server: RekognitionServer, image: bytes, told: str) -> None:
    ask = vendors_client(server).detect_custom_labels
    assert code(ask, ProjectVersionArn=server.arn, Image={"Bytes": image}) == told


def test_rate_quota_and_state(server: RekognitionServer, clock: Clock, photo: bytes) -> None:
    ask, asked = (
        vendors_client(server).detect_custom_labels,
        {"ProjectVersionArn": server.arn, "Image": {"Bytes": photo}},
    )
    server.rate_per_second = 1
    ask(**asked)
    assert code(ask, **asked) == "ProvisionedThroughputExceededException"
    clock.pass_(1.1)
    server.status = "STOPPED"
    assert code(ask, **asked) == "ResourceNotReadyException"
    server.status, server.quota = "RUNNING", 1
    clock.pass_(1.1)
    assert code(ask, **asked) == "LimitExceededException"
    assert (
        code(ask, **{**asked, "ProjectVersionArn": server.arn.replace("triof/", "other/")})
        == "ResourceNotFoundException"
    )


def test_a_version_is_started_and_stopped(server: RekognitionServer) -> None:
    client, version = vendors_client(server), {"ProjectVersionArn": server.arn}
    assert code(client.start_project_version, **version, MinInferenceUnits=1) == "ResourceInUseException"
    assert client.stop_project_version(**version)["Status"] == "STOPPING"
    assert client.start_project_version(**version, MinInferenceUnits=2)["Status"] == "STARTING"
    told = client.describe_project_versions(ProjectArn=server.project_arn)["ProjectVersionDescriptions"]
    assert (told[0]["Status"], told[0]["MinInferenceUnits"]) == ("RUNNING", 2)
