"""The server that stands for Azure: strict, broken on demand, and as the real SDK sees it."""

import http.client
import json
import math
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any, get_args

import pytest
from azure.cognitiveservices.vision.customvision.prediction import CustomVisionPredictionClient
from azure.cognitiveservices.vision.customvision.prediction.models import CustomVisionErrorException
from azure.core.exceptions import DeserializationError
from msrest.authentication import ApiKeyCredentials
from msrest.exceptions import ClientRequestError
from PIL import Image

from testing.azure.custom_vision_server import MOST_IMAGE_BYTES, CustomVisionServer
from testing.azure.replies import Fault
from testing.image_files import encoded
from tests.support.clock import Clock

SOON = (1, 1)  # seconds to connect and to read
AT_ONCE = (0.2, 0.2)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def server(clock: Clock) -> Iterator[CustomVisionServer]:
    with CustomVisionServer(clock=clock) as server:
        yield server


def sdk(server: CustomVisionServer, key: str | None = None) -> CustomVisionPredictionClient:
    """The vendor's client, without its own retries: a refused connection would take it 4.8 s."""
    credentials = ApiKeyCredentials(in_headers={"Prediction-key": key or server.key})
    client = CustomVisionPredictionClient(server.endpoint, credentials)
    policy = client.config.retry_policy.policy
    policy.total = policy.connect = policy.read = policy.redirect = policy.status = policy.other = 0
    return client


Ask = Callable[..., Any]


@pytest.fixture
def ask(server: CustomVisionServer, jpeg: bytes) -> Ask:
    """Classifies an image by the SDK, on one client."""
    client = sdk(server)

    def ask(image: bytes = jpeg, timeout: tuple[float, float] = SOON) -> Any:
        return client.classify_image(server.project_id, server.published_name, image, timeout=timeout)

    return ask


def probabilities(answer: Any) -> dict[str, float]:
    return {prediction.tag_name: prediction.probability for prediction in answer.predictions}


# The good answer


def test_a_photo_is_classified(server: CustomVisionServer, ask: Ask, jpeg: bytes) -> None:
    server.scores = {"gobelet": 0.25, "Negative": 0.05, "bouteille": 0.7}
    answer = ask()
    assert answer.project == server.project_id
    assert answer.iteration == server.iteration_id
    assert answer.created.tzinfo
    assert list(probabilities(answer).items()) == [("bouteille", 0.7), ("gobelet", 0.25), ("Negative", 0.05)]
    assert [prediction.tag_type for prediction in answer.predictions] == ["Regular", "Regular", "Negative"]
    assert [prediction.tag_id for prediction in answer.predictions] == [
        prediction.tag_id for prediction in ask().predictions
    ]
    received = server.images[0]
    assert received.image == jpeg
    assert received.stored
    assert received.headers["Prediction-key"] == server.key
    assert received.path.endswith("/image")


def test_not_storing_is_told_apart(server: CustomVisionServer, jpeg: bytes) -> None:
    sdk(server).classify_image_with_no_store(server.project_id, server.published_name, jpeg, application="t")
    assert [received.stored for received in server.images] == [False]


@pytest.mark.parametrize("format_", ["JPEG", "PNG", "BMP", "GIF"])
def test_the_four_formats_are_taken(ask: Ask, format_: str) -> None:
    assert ask(encoded(Image.new("RGB", (640, 480)), format_)).predictions


def test_latency_is_waited_before_a_good_answer(server: CustomVisionServer, ask: Ask) -> None:
    server.latency = 0.1
    start = time.monotonic()
    ask()
    assert time.monotonic() - start >= 0.1


@pytest.mark.slow
def test_threads_are_counted_right(server: CustomVisionServer, ask: Ask) -> None:
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: ask(), range(8 * 25)))
    assert len({answer.id for answer in answers}) == server.calls == server.received == 200
    assert server.connections <= 8


# Refusals


def part(image: bytes, name: str = "imageData") -> bytes:
    head = f'--xx\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n'
    return head.encode() + image + b"\r\n--xx--\r\n"


def post(server: CustomVisionServer, image: bytes, **changes: Any) -> tuple[int, Any]:
    """A request by hand, right but for the changes: status and parsed body."""
    project = changes.get("project", server.project_id)
    name = changes.get("name", server.published_name)
    path = f"/customvision/v3.1/prediction/{project}/classify/iterations/{name}/image"
    headers = {
        "Prediction-key": changes.get("key", server.key),
        "Content-Type": changes.get("content_type", "multipart/form-data; boundary=xx"),
    }
    body = changes.get("body", part(image))
    with closing(http.client.HTTPConnection(server.endpoint.removeprefix("http://"), timeout=1)) as connection:
        connection.request(changes.get("method", "POST"), path + changes.get("more", ""), body, headers)
        response = connection.getresponse()
        return response.status, json.loads(response.read())


def test_a_request_by_hand_is_right(server: CustomVisionServer, jpeg: bytes) -> None:
    assert post(server, jpeg)[0] == 200
    assert post(server, jpeg, project=server.project_id.upper(), more="/nostore")[0] == 200
    assert server.calls == 2


@pytest.mark.parametrize(
    ("status", "changes"),
    [
        (401, {"key": "k3y-wrong"}),
        (401, {"key": "", "more": "/nowhere"}),
        (404, {"more": "/nowhere"}),
        (404, {"method": "GET"}),
        (404, {"method": "DELETE"}),
    ],
)
def test_the_gateway_refuses(server: CustomVisionServer, jpeg: bytes, status: int, changes: dict[str, Any]) -> None:
    got, body = post(server, jpeg, **changes)
    assert got == status
    assert body["error"]["code"] == str(status)
    assert body["error"]["message"].startswith({401: "Access denied", 404: "Resource not found"}[status])
    assert (server.calls, server.received, server.images) == (0, 1, [])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("code", "changes"),
    [
        ("NotFoundProject", {"project": "11111111-2222-3333-4444-555555555555"}),
        ("NotFoundIteration", {"name": "Triof"}),
        ("BadRequestImageStream", {"content_type": "application/json"}),
        ("BadRequestImageStream", {"content_type": "multipart/form-data"}),
        ("BadRequestImageStream", {"content_type": "multipart/form-data; boundary=yy"}),
        ("BadRequestImageStream", {"body": part(b"x", name="image")}),
        ("BadRequestImageStream", {"body": part(b"x").removesuffix(b"--\r\n")}),
        ("BadRequestImageStream", {"body": b""}),
        ("BadRequestImageFormat", {"body": part(b"no image")}),
        ("BadRequestImageFormat", {"body": part(encoded(Image.new("RGB", (64, 48)), "TIFF"))}),
        ("BadRequestImageSizeBytes", {"body": part(bytes(MOST_IMAGE_BYTES + 1))}),
        ("BadRequestImageDimensions", {"body": part(encoded(Image.new("L", (10_241, 1000)), "PNG"))}),
        ("BadRequestImageDimensions", {"body": part(encoded(Image.new("L", (261, 10)), "PNG"))}),
        ("BadRequestImageDimensions", {"body": part(encoded(Image.new("1", (20_000, 20_000)), "PNG"))}),
    ],
)
def test_the_service_refuses(server: CustomVisionServer, jpeg: bytes, code: str, changes: dict[str, Any]) -> None:
    got, body = post(server, jpeg, **changes)
    assert got == (404 if code.startswith("NotFound") else 400)
    assert body["code"] == code
    assert body["message"]
    assert server.calls == 0


def test_the_limits_themselves_are_taken(server: CustomVisionServer) -> None:
    widest = encoded(Image.new("L", (10_240, 410)), "PNG")
    assert post(server, widest)[0] == 200
    assert post(server, widest + bytes(MOST_IMAGE_BYTES - len(widest)))[0] == 200


def test_the_sdk_cannot_read_the_gateway(server: CustomVisionServer, jpeg: bytes) -> None:
    with pytest.raises(CustomVisionErrorException) as caught:
        sdk(server, "k3y-wrong").classify_image(server.project_id, server.published_name, jpeg, timeout=SOON)
    assert caught.value.error is not None
    assert caught.value.error.code is None
    assert caught.value.response.status_code == 401
    assert "invalid subscription key" in caught.value.response.text


# Quota and rate


def test_the_quota_is_spent_by_calls_alone(server: CustomVisionServer, ask: Ask, jpeg: bytes) -> None:
    server.quota = 2
    post(server, jpeg, key="k3y-wrong")
    post(server, b"no image")
    ask()
    ask()
    with pytest.raises(CustomVisionErrorException) as caught:
        ask()
    assert caught.value.response.status_code == 403
    assert caught.value.response.headers["Retry-After"] == "1952292"
    assert "Out of call volume quota" in caught.value.response.text
    assert server.calls == 2
    server.quota = None
    assert ask()


def test_threads_do_not_overdraw_the_quota(server: CustomVisionServer, jpeg: bytes) -> None:
    server.quota = 10
    with ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(lambda _: post(server, jpeg)[0], range(40)))
    assert (statuses.count(200), statuses.count(403), server.calls) == (10, 30, 10)


def test_the_rate_is_of_a_rolling_second(server: CustomVisionServer, clock: Clock, ask: Ask) -> None:
    server.rate_per_second = 2
    ask()
    clock.pass_(0.6)
    ask()
    with pytest.raises(CustomVisionErrorException) as caught:
        ask()
    assert caught.value.response.status_code == 429
    assert caught.value.response.headers["Retry-After"] == "1"
    assert "have exceeded rate limit of your current" in caught.value.response.text
    clock.pass_(0.4)
    ask()
    assert server.calls == 3


# Start and stop


def test_a_client_lives_through_a_stop(server: CustomVisionServer, ask: Ask) -> None:
    ask()
    server.stop()
    server.stop()
    start = time.monotonic()
    with pytest.raises(ClientRequestError, match="refused"):
        ask()
    assert time.monotonic() - start < 0.5
    server.start()
    server.start()
    assert ask().project == server.project_id
    assert server.calls == 2


def test_it_has_an_address_before_it_starts() -> None:
    server = CustomVisionServer()
    with pytest.raises(ConnectionRefusedError):
        connect(server)
    with server:
        connect(server).close()


@pytest.mark.slow
@pytest.mark.parametrize("fault", ["silent", "hang_before_read", "drip", "drip_headers", None])
def test_stopping_waits_for_nobody(server: CustomVisionServer, ask: Ask, fault: Fault | None) -> None:
    server.fault, server.latency = fault, 60
    with ThreadPoolExecutor(1) as pool:
        held = pool.submit(ask, timeout=(1, 30))
        with pytest.raises(TimeoutError):
            held.result(timeout=0.2)
        start = time.monotonic()
        server.stop()
        assert time.monotonic() - start < 0.2
        assert_dropped(held, fault)


def assert_dropped(held: Future[Any], fault: Fault | None) -> None:
    """The SDK takes headers that break off for a good answer without a body."""
    if fault == "drip_headers":
        assert held.result(timeout=1) is None
    else:
        assert isinstance(held.exception(timeout=1), ClientRequestError)


# Faults


def test_a_fault_with_a_typo_is_refused(server: CustomVisionServer) -> None:
    with pytest.raises(ValueError, match="slient"):
        server.fault = "slient"  # type: ignore[assignment]


def test_a_refused_request_meets_no_fault(server: CustomVisionServer, jpeg: bytes) -> None:
    server.fault = "html_200"
    assert post(server, jpeg, key="k3y-wrong")[0] == 401


UNREACHABLE: dict[Fault, str] = {
    "silent": "Read timed out",
    "hang_before_read": "Read timed out",
    "half_open": "ConnectionResetError",
    "reset": "ConnectionResetError",
    "dropped": "ConnectionResetError",
    "truncated": "IncompleteRead",
    "redirect": "port=1",
}
REFUSED: dict[Fault, tuple[int, str | None, str]] = {
    "html_502": (502, None, "<h1>502 Bad Gateway"),
    "rate_limited": (429, None, "exceeded rate limit"),
    "quota_403": (403, None, "replenished in 22.14:18:12"),
    "quota_429_days": (429, None, "retry after 28 days"),
    "no_role": (401, None, "Principal does not have access"),
    "forbidden": (403, None, "Virtual Network/Firewall"),
    "server_error": (500, "ErrorPredictionServiceUnavailable", "unavailable"),
    "bad_image": (400, "BadRequestImageFormat", "not a JPEG"),
    "retired": (410, None, "has been retired"),
    "expired_link": (403, None, "AuthenticationFailed"),
}
EMPTY_REFUSALS: list[Fault] = ["empty_503", "empty_401", "empty_429"]
UNREADABLE: list[Fault] = ["html_200", "bad_json", "json_list", "cut"]
EMPTY_ANSWERS: list[Fault] = ["empty_200", "empty_object", "null_predictions"]
ODD_ANSWERS: dict[Fault, dict[str, float]] = {
    "unknown_tag": {"verre": 0.9, "bouteille": 0.095, "gobelet": 0.003, "couvert": 0.0015, "Negative": 0.0005},
    "nan": {"bouteille": math.nan, "gobelet": 0.03, "couvert": 0.015, "Negative": 0.005},
    "multilabel": {"bouteille": 0.9, "gobelet": 0.8, "couvert": 0.7, "Negative": 0.1},
    "too_few_tags": {"bouteille": 0.95, "gobelet": 0.03},
}
HELD: list[Fault] = ["drip", "drip_headers"]


def test_every_fault_is_provoked() -> None:
    provoked = [*UNREACHABLE, *REFUSED, *EMPTY_REFUSALS, *UNREADABLE, *EMPTY_ANSWERS, *ODD_ANSWERS, *HELD]
    assert sorted(provoked) == sorted(get_args(Fault))


@pytest.mark.slow
@pytest.mark.parametrize("kept", [False, True], ids=["new", "kept"])
@pytest.mark.parametrize(("fault", "cause"), UNREACHABLE.items())
def test_what_the_sdk_cannot_reach(server: CustomVisionServer, ask: Ask, fault: Fault, cause: str, kept: bool) -> None:
    """The same on a new connection and on one that served already."""
    if kept:
        ask()
    server.fault = fault
    with pytest.raises(ClientRequestError) as caught:
        ask(timeout=AT_ONCE)
    assert cause in repr(caught.value.inner_exception)
    assert server.calls == kept + (fault not in ("hang_before_read", "dropped"))
    server.fault = None
    assert ask().predictions


@pytest.mark.slow
@pytest.mark.parametrize(("fault", "expected"), REFUSED.items())
def test_what_the_sdk_calls_an_error(
    server: CustomVisionServer, ask: Ask, fault: Fault, expected: tuple[int, str | None, str]
) -> None:
    status, code, words = expected
    server.fault = fault
    with pytest.raises(CustomVisionErrorException) as caught:
        ask()
    assert caught.value.response.status_code == status
    assert getattr(caught.value.error, "code", None) == code
    assert words in caught.value.response.text
    assert ("Retry-After" in caught.value.response.headers) == (fault in ("rate_limited", "quota_403"))
    assert server.calls == (status >= 500)


@pytest.mark.parametrize("fault", EMPTY_REFUSALS)
def test_an_empty_error_is_a_type_error(server: CustomVisionServer, ask: Ask, fault: Fault, jpeg: bytes) -> None:
    server.fault = fault
    with pytest.raises(TypeError):
        ask()
    with pytest.raises(json.JSONDecodeError):
        post(server, jpeg)


@pytest.mark.parametrize("fault", UNREADABLE)
def test_what_the_sdk_cannot_parse(server: CustomVisionServer, ask: Ask, fault: Fault) -> None:
    server.fault = fault
    with pytest.raises(DeserializationError) as caught:
        ask()
    assert isinstance(caught.value, ValueError)
    assert server.calls == 1


@pytest.mark.parametrize("fault", EMPTY_ANSWERS)
def test_answers_with_nothing_in_them(server: CustomVisionServer, ask: Ask, fault: Fault) -> None:
    server.fault = fault
    answer = ask()
    assert (answer is None) == (fault == "empty_200")
    assert getattr(answer, "predictions", None) is None
    assert bool(getattr(answer, "id", None)) == (fault == "null_predictions")


@pytest.mark.parametrize(("fault", "expected"), ODD_ANSWERS.items())
def test_answers_that_make_no_sense(
    server: CustomVisionServer, ask: Ask, fault: Fault, expected: dict[str, float]
) -> None:
    server.fault = fault
    assert probabilities(ask()) == pytest.approx(expected, nan_ok=True)


@pytest.mark.slow
@pytest.mark.parametrize("fault", HELD)
def test_dripping_outlasts_the_timeout(server: CustomVisionServer, ask: Ask, fault: Fault) -> None:
    """A byte comes within each read's timeout, so that the call lasts as long as the server likes."""
    server.fault = fault
    with ThreadPoolExecutor(1) as pool:
        held = pool.submit(ask, timeout=AT_ONCE)
        with pytest.raises(TimeoutError):
            held.result(timeout=0.5)
        server.stop()
        assert_dropped(held, fault)


def connect(server: CustomVisionServer) -> socket.socket:
    port = int(server.endpoint.rpartition(":")[2])
    return socket.create_connection(("127.0.0.1", port), timeout=0.2)


def test_hanging_reads_nothing(server: CustomVisionServer) -> None:
    """The kernel's buffers fill up, and the client cannot even send."""
    server.fault = "hang_before_read"
    with connect(server) as connection, pytest.raises(TimeoutError):
        connection.sendall(bytes(64 * 1024 * 1024))
    assert (server.connections, server.received) == (1, 0)


# TLS


@pytest.fixture(scope="module")
def tls_server() -> Iterator[CustomVisionServer]:
    with CustomVisionServer(tls=True) as server:
        yield server


def test_its_certificate_is_not_trusted(tls_server: CustomVisionServer, jpeg: bytes) -> None:
    with pytest.raises(ClientRequestError, match="CERTIFICATE_VERIFY_FAILED"):
        sdk(tls_server).classify_image(tls_server.project_id, "triof", jpeg, timeout=SOON)


def test_its_certificate_can_be_trusted(tls_server: CustomVisionServer, jpeg: bytes, tmp_path: Path) -> None:
    authority = tmp_path / "ca.pem"
    authority.write_bytes(tls_server.ca_pem)
    client = sdk(tls_server)
    assert client.classify_image(tls_server.project_id, "triof", jpeg, timeout=SOON, verify=str(authority)).predictions
    tls_server.stop()
    tls_server.start()
    assert client.classify_image(tls_server.project_id, "triof", jpeg, timeout=SOON, verify=str(authority)).predictions
