"""Azure Custom Vision as a provider: the real SDK against a server on loopback that misbehaves like the real ones."""

import gc
import json
import logging
import re
import socket
import threading
import traceback
import unicodedata
import weakref
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import cache, partial
from io import BytesIO
from pathlib import Path
from socketserver import StreamRequestHandler, ThreadingTCPServer
from typing import Any, Self, TypeVar, get_args

import numpy as np
import pytest
import requests
import responses
from click.testing import CliRunner, Result
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms, ImageDraw
from pydantic import ValidationError

from providers.base import (
    LABELS,
    TASKS,
    Photo,
    PhotoRejected,
    ProviderError,
    ProviderMisconfigured,
    ProviderUnavailable,
    QuotaExceeded,
    RateLimited,
    ServiceRetired,
    Task,
)
from providers.custom_vision.client import Client, CloudPrediction
from providers.custom_vision.options import DEFAULT_TAGS, CustomVisionOptions
from providers.custom_vision.provider import CustomVision
from providers.http_connection import HttpConnection
from testing.azure.custom_vision_server import LONGEST_SIDE, MOST_ASPECT, CustomVisionServer
from testing.azure.replies import Fault
from testing.image_files import encoded
from testing.loopback_service import DRIP_SECONDS
from tests.support.cloud_options import CLEANLINESS_TAGS, options_for
from tests.support.foreign_text import UnicodeForm
from triof.cli import main
from triof.judging import photo
from triof.settings.loader import SettingsError, load, rows
from triof.settings.tree import Settings

PLENTY = 10.0
AT_ONCE = 0.1
DRIPPING = 2.5 * DRIP_SECONDS
"""Long enough for bytes to come: a timeout that begins anew with each would never end."""
HELD: tuple[Fault, ...] = ("silent", "hang_before_read", "drip", "drip_headers")
NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
PROJECT = "6a7b5c1e-0b0c-4b8f-9a57-7d1f5c6a0e11"

T = TypeVar("T")


@pytest.fixture
def server() -> Iterator[CustomVisionServer]:
    with CustomVisionServer() as server:
        yield server


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture(scope="module")
def tls_service() -> Iterator[CustomVisionServer]:
    """Made once, as certificates take a while."""
    with CustomVisionServer(tls=True) as server:
        yield server


@pytest.fixture
def tls_server(tls_service: CustomVisionServer) -> Iterator[CustomVisionServer]:
    yield tls_service
    tls_service.fault = None
    tls_service.stop()
    tls_service.start()


@pytest.fixture
def trusted(tls_server: CustomVisionServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CustomVisionServer:
    """The server with TLS, as seen where its authority is trusted."""
    (tmp_path / "ca.pem").write_bytes(tls_server.ca_pem)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "ca.pem"))
    return tls_server


@pytest.fixture
def shown(jpeg: bytes) -> Photo:
    return photo.load(jpeg)


def provider_for(server: CustomVisionServer, task: Task = "waste_type", **changes: Any) -> CustomVision:
    return CustomVision(task, options_for(server, **changes))


def client_for(server: CustomVisionServer, **changes: Any) -> Client:
    given = {
        "endpoint": server.endpoint,
        "key": server.key,
        "project_id": server.project_id,
        "published_name": server.published_name,
        "store": False,
        "connect_seconds": PLENTY,
        **changes,
    }
    return Client(**given)


def ended(call: Callable[[], T]) -> T:
    """What the call returns or raises; a call that is not bounded fails its test instead of holding it for ever."""
    outcome: list[T] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            outcome.append(call())
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(PLENTY)
    assert not thread.is_alive(), "the call does not end"
    if errors:
        raise errors[0]
    return outcome[0]


def failure(call: Callable[[], Any]) -> ProviderError:
    """The error of a call that must fail, in time."""
    with pytest.raises(ProviderError) as caught:
        ended(call)
    return caught.value


def holds(server: CustomVisionServer) -> bool:
    """Whether the server still has a conversation that nobody but its own end can end."""
    return server.open_connections > 0


class RawServer(ThreadingTCPServer):
    """Answers each request with the same bytes, whatever they are, and then drips if it is told to."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, answer: bytes = b"", drops: bytes = b"") -> None:
        super().__init__(("127.0.0.1", 0), _RawConversation)
        self.answer = answer
        self.drops = drops
        self.requests = 0
        self.stopped = threading.Event()
        self.endpoint = f"http://127.0.0.1:{self.server_address[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stopped.set()
        self.shutdown()
        self.server_close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients hang up."""


class _RawConversation(StreamRequestHandler):
    server: RawServer

    def handle(self) -> None:
        length = 0
        while (line := self.rfile.readline()) not in (b"\r\n", b""):
            if line.lower().startswith(b"content-length:"):
                length = int(line.partition(b":")[2])
        self.rfile.read(length)
        self.server.requests += 1
        self.wfile.write(self.server.answer)
        while self.server.drops and not self.server.stopped.wait(0.05):
            self.wfile.write(self.server.drops)


def client_at(endpoint: str, key: str = "k3y", **changes: Any) -> Client:
    return Client(endpoint, key, PROJECT, "triof", **{"store": False, "connect_seconds": PLENTY, **changes})


# The good answer


def test_a_photo_is_answered(server: CustomVisionServer, shown: Photo) -> None:
    prediction = provider_for(server).predict(shown, timeout=PLENTY)
    assert (prediction.task, prediction.label, prediction.provider) == ("waste_type", "bottle", "custom_vision")
    assert prediction.probability == pytest.approx(0.95)
    assert dict(prediction.scores) == pytest.approx({"bottle": 0.95, "cup": 0.03, "cutlery": 0.015, "other": 0.005})
    assert server.calls == 1


def test_the_model_version_names_the_published_name_and_the_iteration(server: CustomVisionServer, shown: Photo) -> None:
    version = provider_for(server).predict(shown, timeout=PLENTY).model_version
    assert version == f"{server.published_name}@{server.iteration_id}"


def test_a_latency_below_the_timeout_is_waited_for(server: CustomVisionServer, shown: Photo) -> None:
    server.latency = AT_ONCE
    assert provider_for(server).predict(shown, timeout=PLENTY).label == "bottle"


def test_closing_does_not_end_it(server: CustomVisionServer, shown: Photo) -> None:
    provider = provider_for(server)
    provider.predict(shown, timeout=PLENTY)
    provider.close()
    provider.close()
    assert provider.predict(shown, timeout=PLENTY).label == "bottle"
    assert server.connections == 2


# Every fault is one error of the tree

TOLD: dict[Fault, tuple[type[ProviderError], str]] = {
    "silent": (ProviderUnavailable, "no whole answer within 0.2 s"),
    "hang_before_read": (ProviderUnavailable, "no whole answer within 0.2 s"),
    "drip": (ProviderUnavailable, "no whole answer within 0.2 s"),
    "drip_headers": (ProviderUnavailable, "no whole answer within 0.2 s"),
    "half_open": (ProviderUnavailable, "connection to the cloud broke off"),
    "reset": (ProviderUnavailable, "connection to the cloud broke off"),
    "truncated": (ProviderUnavailable, "connection to the cloud broke off"),
    "cut": (ProviderUnavailable, "makes no sense"),
    "dropped": (ProviderUnavailable, "connection to the cloud broke off"),
    "empty_503": (ProviderUnavailable, "status 503"),
    "empty_401": (ProviderMisconfigured, "renew custom_vision.prediction_key"),
    "empty_429": (RateLimited, "too fast"),
    "html_502": (ProviderUnavailable, r"status 502\.$"),
    "html_200": (ProviderUnavailable, "a Wi-Fi's login page"),
    "bad_json": (ProviderUnavailable, "makes no sense"),
    "json_list": (ProviderUnavailable, "makes no sense"),
    "empty_200": (ProviderUnavailable, "names no tags"),
    "empty_object": (ProviderUnavailable, "names no tags"),
    "null_predictions": (ProviderUnavailable, "names no tags"),
    "unknown_tag": (ProviderMisconfigured, r"without a label: verre\. Say in custom_vision\.tags which of bottle, cup"),
    "rate_limited": (RateLimited, "too fast"),
    "quota_403": (QuotaExceeded, "quota is used up"),
    "quota_429_days": (QuotaExceeded, "quota is used up"),
    "no_role": (ProviderMisconfigured, "give it a role on the prediction resource"),
    "forbidden": (ProviderMisconfigured, "check the key and its network rules .Access denied due to Virtual Network"),
    "redirect": (ProviderUnavailable, "a Wi-Fi's login page"),
    "nan": (ProviderUnavailable, "no probabilities"),
    "multilabel": (ProviderMisconfigured, r"2\.50 instead of 1: make the project Multiclass"),
    "too_few_tags": (ProviderMisconfigured, r"0\.98 instead of 1"),
    "server_error": (ProviderUnavailable, "status 500 .The prediction service is unavailable"),
    "bad_image": (PhotoRejected, "cannot read this photo .The image is not a JPEG"),
    "retired": (ServiceRetired, "retired .status 410.*docs/guide/azure.md"),
    "expired_link": (ProviderMisconfigured, "check the key"),
}


def test_every_fault_of_the_server_has_its_error() -> None:
    assert sorted(TOLD) == sorted(get_args(Fault))


@pytest.mark.slow
@pytest.mark.parametrize("kept", [False, True], ids=["new", "kept"])
@pytest.mark.parametrize(("fault", "expected"), TOLD.items())
def test_a_fault_is_one_error_and_over_when_it_is_over(
    server: CustomVisionServer, shown: Photo, fault: Fault, expected: tuple[type[ProviderError], str], kept: bool
) -> None:
    """On a new connection and on one that served already, and in the same thread afterwards."""
    provider = provider_for(server)
    timeout = DRIPPING if fault in HELD else PLENTY

    def course() -> ProviderError:
        if kept:
            provider.predict(shown, timeout=PLENTY)
        server.fault = fault
        with pytest.raises(ProviderError) as caught:
            provider.predict(shown, timeout=timeout)
        server.fault = None
        assert provider.predict(shown, timeout=PLENTY).label == "bottle"
        return caught.value

    error = ended(course)
    kind, words = expected
    assert type(error) is kind
    assert re.search(words, str(error))
    assert getattr(error, "sent", True)


@pytest.mark.slow
@pytest.mark.parametrize("fault", ["silent", "hang_before_read"])
def test_who_says_nothing_is_left_while_it_still_holds_the_question(
    server: CustomVisionServer, shown: Photo, fault: Fault
) -> None:
    server.fault = fault
    error = failure(lambda: provider_for(server).predict(shown, timeout=DRIPPING))
    assert isinstance(error, ProviderUnavailable)
    assert holds(server)
    assert server.received == (fault == "silent")


def gateway(status: int, message: str = "no") -> tuple[int, str]:
    return status, json.dumps({"error": {"code": str(status), "message": message}})


def service(status: int, code: str) -> tuple[int, str]:
    return status, json.dumps({"code": code, "message": "no"})


QUOTA = "Out of call volume quota"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("answer", "kind", "words"),
    [
        (
            gateway(401),
            ProviderMisconfigured,
            r"renew custom_vision\.prediction_key, or mend .prediction_endpoint.*\(no\)",
        ),
        (gateway(403), ProviderMisconfigured, "check the key"),
        (gateway(404), ProviderMisconfigured, r"no prediction API .* check custom_vision\.prediction_endpoint.*\(no\)"),
        (gateway(404, "Resource not found"), ProviderMisconfigured, r"custom_vision\.prediction_endpoint"),
        ((404, "<html>Not Found"), ProviderMisconfigured, r"custom_vision\.prediction_endpoint"),
        (service(404, "ResourceNotFound"), ProviderMisconfigured, r"custom_vision\.prediction_endpoint"),
        (service(404, "NotFoundProject"), ProviderMisconfigured, r"\.project_id"),
        (service(404, "NotFoundIteration"), ProviderMisconfigured, r"\.published_name"),
        (gateway(429, "You have exceeded rate limit of your current tier."), RateLimited, "too fast"),
        (gateway(403, f"{QUOTA}. Try later."), QuotaExceeded, "quota is used up"),
        (gateway(429, f"{QUOTA.upper()}!"), QuotaExceeded, "quota is used up"),
        (service(400, "BadRequestImageSizeBytes"), PhotoRejected, "cannot read this photo"),
        (service(400, "BadRequestInvalidPublishName"), ProviderMisconfigured, "does not take the question"),
        ((400, ""), ProviderUnavailable, "status 400"),
        ((413, ""), PhotoRejected, "cannot read this photo"),
        ((415, ""), PhotoRejected, "cannot read this photo"),
        *(((status, ""), ProviderMisconfigured, "check") for status in (403, 404)),
        *((answer, ServiceRetired, "is retired") for answer in (gateway(410), service(410, "Gone"), (410, ""))),
        *(((status, ""), ProviderUnavailable, f"status {status}") for status in (408, 500, 502, 503, 504, 204, 418)),
        *(((status, "<html>Wi-Fi"), ProviderUnavailable, "login page") for status in (301, 302, 303, 307, 308)),
        ((200, "null"), ProviderUnavailable, "makes no sense"),
        ((200, '{"predictions": []}'), ProviderUnavailable, "makes no sense"),
        ((200, '{"predictions": [null]}'), ProviderUnavailable, "makes no sense"),
        ((200, '{"predictions": [{"tagName": "bouteille"}]}'), ProviderUnavailable, "makes no sense"),
        ((200, '{"predictions": [{"probability": 1}]}'), ProviderUnavailable, "makes no sense"),
        ((200, '{"predictions": [{"tagName": "bouteille", "probability": 1.1}]}'), ProviderUnavailable, "no sense"),
        ((200, '{"predictions": [{"tagName": "bouteille", "probability": -1}]}'), ProviderUnavailable, "no sense"),
        ((200, '{"predictions": [{"tagName": "b", "probability": "often"}]}'), ProviderUnavailable, "makes no sense"),
        ((200, "[" * 100_000), ProviderUnavailable, "makes no sense"),
    ],
)
def test_an_answer_is_one_error(answer: tuple[int, str], kind: type[ProviderError], words: str) -> None:
    error = failure(partial(classified, *answer))
    assert type(error) is kind
    assert re.search(words, str(error))


def test_the_vendors_pages_are_not_quoted() -> None:
    assert str(failure(partial(classified, 502, "<html><h1>Nginx of somebody"))) == (
        "The cloud answered with status 502."
    )


@cache
def kept_client(endpoint: str) -> Client:
    """One for many answers: to build one takes longer than to ask it."""
    return client_at(endpoint, now=lambda: NOW)


def classified(status: int, body: str | bytes, headers: Mapping[str, str] | None = None) -> CloudPrediction:
    """What the client makes of this answer of the vendor's."""
    content_type = (headers or {}).get("Content-Type", "application/json")
    rest = {name: value for name, value in (headers or {}).items() if name != "Content-Type"}
    with responses.RequestsMock() as cloud:
        cloud.add(
            "POST", re.compile("https://vision.test/"), body, status=status, headers=rest, content_type=content_type
        )
        return kept_client("https://vision.test").classify(b"jpeg", timeout=PLENTY)


# How long to wait


@pytest.mark.parametrize(
    ("headers", "words", "seconds"),
    [
        ({}, "", 1),
        ({"Retry-After": "7"}, "", 7),
        ({"Retry-After": "0"}, "", 1),
        ({"Retry-After": "soon"}, "Please retry after 3 seconds.", 3),
        ({}, "Please retry after 1 second. Please contact Azure support", 1),
        ({}, "Please retry after 2 minutes.", 120),
        ({"Retry-After": "Sat, 31 Jan 2026 12:00:30 GMT"}, "", 30),
        ({"Retry-After": "Sat, 31 Jan 2026 11:00:00 GMT"}, "", 1),
    ],
)
def test_too_fast_says_when_to_come_back(headers: dict[str, str], words: str, seconds: float) -> None:
    error = failure(partial(classified, *gateway(429, words), headers))
    assert isinstance(error, RateLimited)
    assert error.retry_after == seconds


@pytest.mark.slow
@pytest.mark.parametrize("status", [403, 429])
@pytest.mark.parametrize(
    ("headers", "words", "wait"),
    [
        ({"Retry-After": "186688"}, "Quota will be replenished in 9.00:00:00.", timedelta(seconds=186_688)),
        ({"Retry-After": "Sun, 01 Feb 2026 12:00:00 GMT"}, "", timedelta(days=1)),
        ({"Retry-After": "Sun, 01 Feb 2026 12:00:00"}, "", timedelta(days=1)),
        ({"Retry-After": "Sun, 01 Feb 2026 12:00:00 -0000"}, "", timedelta(days=1)),
        ({}, "Please retry after 28 days.", timedelta(days=28)),
        ({}, "Quota will be replenished in 22.14:18:12.", timedelta(days=22, hours=14, minutes=18, seconds=12)),
        ({}, "Quota will be replenished in 14:18:12.", timedelta(hours=14, minutes=18, seconds=12)),
        ({}, "", timedelta(hours=1)),
        ({"Retry-After": "a while"}, "", timedelta(hours=1)),
        ({"Retry-After": "Sat, 31 Jan 2026 11:00:00 GMT"}, "", timedelta(hours=1)),
    ],
)
def test_the_quota_says_when_it_is_back(status: int, headers: dict[str, str], words: str, wait: timedelta) -> None:
    error = failure(partial(classified, *gateway(status, f"{QUOTA}. {words}"), headers))
    assert isinstance(error, QuotaExceeded)
    assert error.resets_at == NOW + wait


@pytest.mark.parametrize(
    ("headers", "words"),
    [
        ({"Retry-After": "9" * 30}, ""),
        ({"Retry-After": "9" * 5000}, ""),
        ({"Retry-After": "31536000000"}, ""),
        ({"Retry-After": "Fri, 31 Dec 9999 23:59:59 GMT"}, ""),
        ({"Retry-After": "Mon, 01 Jan 99999999999999999999 00:00:00 GMT"}, "retry after 999999999999 days"),
        ({}, "Please retry after 999999999999999999999 days."),
        ({}, "replenished in 99999999999.99:99:99"),
    ],
)
def test_an_absurd_wait_is_no_longer_than_the_quotas_window(headers: dict[str, str], words: str) -> None:
    """It would be remembered by the machine for years, or be too large for any date."""
    quota = failure(partial(classified, *gateway(403, f"{QUOTA}. {words}"), headers))
    assert isinstance(quota, QuotaExceeded)
    assert NOW < quota.resets_at <= NOW + timedelta(days=31)
    rate = failure(partial(classified, *gateway(429, words), headers))
    assert isinstance(rate, RateLimited)
    assert 0 < rate.retry_after <= timedelta(days=31).total_seconds()


def test_the_servers_own_limits_are_told(server: CustomVisionServer, shown: Photo) -> None:
    provider = provider_for(server)
    server.rate_per_second = 1
    provider.predict(shown, timeout=PLENTY)
    limited = failure(lambda: provider.predict(shown, timeout=PLENTY))
    assert isinstance(limited, RateLimited)
    assert limited.retry_after == 1
    server.quota = 1
    assert isinstance(failure(lambda: provider.predict(shown, timeout=PLENTY)), QuotaExceeded)
    assert server.calls == 1


# Nothing else ever escapes

HEADERS = st.dictionaries(
    st.sampled_from(["Retry-After", "Content-Type", "Content-Encoding", "Location", "X-Other"]),
    st.one_of(
        st.sampled_from(
            [
                *(
                    "text/xml",
                    "application/json; charset=idna",
                    "application/json; charset=undefined",
                    "a/b; charset=x",
                ),
                *("gzip", "deflate", "application/octet-stream", "-1", "1e9", "٣", "Mon, 99 Foo 2026 99:99:99 GMT"),
            ]
        ),
        st.integers(0, 10**40).map(str),
        st.datetimes().map(lambda moment: moment.strftime("%a, %d %b %Y %H:%M:%S GMT")),
        st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=30),
    ),
    max_size=3,
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
TAG = st.fixed_dictionaries({}, optional={"tagName": JSON, "probability": JSON, "tagId": JSON, "tagType": JSON})
REPLY = st.fixed_dictionaries(
    {},
    optional={"id": JSON, "iteration": JSON, "created": JSON, "predictions": st.lists(TAG | JSON, max_size=3) | JSON},
)
REFUSAL = st.builds(
    lambda message: {"error": {"message": message}},
    st.one_of(
        st.text(max_size=50),
        st.builds(f"{QUOTA}. Please retry after {{}} {{}}s".format, st.integers(), st.sampled_from(["day", "second"])),
        st.builds(f"{QUOTA}: replenished in {{}}.{{}}:0:1".format, st.integers(0), st.integers(0)),
    ),
)
BODIES = st.binary(max_size=100) | st.one_of(REPLY, REFUSAL, JSON).map(lambda value: json.dumps(value).encode())
STATUSES = st.sampled_from([200, 200, 200, 400, 401, 403, 404, 429]) | st.integers(200, 999)


def assert_answer_or_error(call: Callable[[], CloudPrediction]) -> None:
    try:
        answer = call()
    except ProviderError as error:
        assert str(error)
        if isinstance(error, RateLimited):
            assert error.retry_after > 0
        if isinstance(error, QuotaExceeded):
            assert error.resets_at.tzinfo
    else:
        assert answer.probabilities
        assert all(tag and 0 <= probability <= 1 for tag, probability in answer.probabilities)


@pytest.mark.slow
@given(STATUSES, BODIES, HEADERS)
@settings(deadline=None, max_examples=150)
def test_whatever_is_answered_is_an_answer_or_an_error_of_ours(
    status: int, body: bytes, headers: dict[str, str]
) -> None:
    assert_answer_or_error(partial(classified, status, body, headers))


@pytest.fixture(scope="module")
def raw_server() -> Iterator[RawServer]:
    with RawServer() as server:
        yield server


@pytest.mark.slow
@given(
    st.sampled_from([b"", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\n\r\n", b"HTTP/1.1 403 No\r\nRetry-After: "]),
    st.binary(max_size=60),
    st.sampled_from([b"", b"\r\n\r\n", b"\r\nContent-Length: 9\r\n\r\n", b"\r\nTransfer-Encoding: chunked\r\n\r\nx"]),
)
@settings(deadline=None, max_examples=100)
def test_whatever_comes_over_the_wire_is_an_answer_or_an_error_of_ours(
    raw_server: RawServer, head: bytes, middle: bytes, tail: bytes
) -> None:
    raw_server.answer = head + middle + tail
    assert_answer_or_error(lambda: kept_client(raw_server.endpoint).classify(b"jpeg", timeout=PLENTY))


# Who cannot be reached


def never_sent(client: Client, timeout: float = PLENTY) -> str:
    """The message of the error, which must say that the question did not leave."""
    error = failure(lambda: client.classify(b"jpeg", timeout=timeout))
    assert isinstance(error, ProviderUnavailable)
    assert not error.sent
    return str(error)


def test_a_refused_connection_costs_nothing_and_is_over_when_the_server_is_back(
    server: CustomVisionServer, jpeg: bytes
) -> None:
    client = client_for(server)

    def course() -> None:
        client.classify(jpeg, timeout=PLENTY)
        server.stop()
        with pytest.raises(ProviderUnavailable, match="refused or there is no network") as caught:
            client.classify(jpeg, timeout=PLENTY)
        assert not caught.value.sent
        server.start()
        client.classify(jpeg, timeout=PLENTY)

    ended(course)
    assert (server.calls, server.connections) == (2, 2)


def test_a_dead_name_service_is_told_from_a_dead_server() -> None:
    assert "its name is not known here" in never_sent(client_at("https://no-such-host.invalid"))


def test_a_certificate_that_is_not_trusted_names_the_proxy_as_the_likely_cause(tls_server: CustomVisionServer) -> None:
    assert "REQUESTS_CA_BUNDLE" in never_sent(client_for(tls_server))
    assert tls_server.images == []


def test_https_towards_a_port_without_it(server: CustomVisionServer) -> None:
    endpoint = server.endpoint.replace("http:", "https:")
    assert "it does not speak TLS" in never_sent(client_for(server, endpoint=endpoint))
    assert server.calls == 0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("connect_seconds", "timeout"), [(AT_ONCE, PLENTY), (PLENTY, AT_ONCE)], ids=["connect", "total"]
)
def test_who_does_not_accept_the_connection_gets_no_question(connect_seconds: float, timeout: float) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        port = full.getsockname()[1]
        # Linux takes one more than the backlog; the next one hangs.
        with socket.create_connection(("127.0.0.1", port)):
            client = client_at(f"http://127.0.0.1:{port}", connect_seconds=connect_seconds)
            assert "nothing accepts the connection" in never_sent(client, timeout)


def test_nothing_is_sent_on_a_connection_that_comes_too_late(
    server: CustomVisionServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name may have many addresses, each of which may take its time."""
    look_up = socket.getaddrinfo
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        dead = full.getsockname()[1]
        alive = int(server.endpoint.rpartition(":")[2])

        def addresses(host: str, *args: Any, **options: Any) -> Any:
            if host != "vision.test":
                return look_up(host, *args, **options)
            tcp = (socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "")
            return [(*tcp, ("127.0.0.1", port)) for port in (dead, dead, alive)]

        monkeypatch.setattr(socket, "getaddrinfo", addresses)
        with socket.create_connection(("127.0.0.1", dead)):
            never_sent(client_at("http://vision.test"), AT_ONCE)
    assert server.received == 0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("connect_seconds", "timeout"), [(DRIPPING, PLENTY), (PLENTY, DRIPPING)], ids=["connect", "total"]
)
def test_who_accepts_and_does_not_shake_hands_gets_no_question(
    trusted: CustomVisionServer, connect_seconds: float, timeout: float
) -> None:
    trusted.fault = "hang_before_read"
    assert "does not answer" in never_sent(client_for(trusted, connect_seconds=connect_seconds), timeout)
    assert holds(trusted)


def test_a_proxy_that_refuses_is_named(server: CustomVisionServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", server.endpoint)
    assert "check HTTPS_PROXY" in never_sent(client_at("https://vision.test"))
    server.stop()
    assert "check HTTPS_PROXY" in never_sent(client_at("https://vision.test"))


@pytest.mark.slow
@pytest.mark.parametrize("fault", ["drip", "drip_headers"])
def test_a_call_through_a_proxy_is_bounded_too(
    server: CustomVisionServer, jpeg: bytes, monkeypatch: pytest.MonkeyPatch, fault: Fault
) -> None:
    """The server takes the part of a proxy that forwards: it does not look at the host."""
    monkeypatch.setenv("HTTP_PROXY", server.endpoint)
    client = client_for(server, endpoint="http://vision.test")

    def course() -> None:
        client.classify(jpeg, timeout=PLENTY)
        server.fault = fault
        with pytest.raises(ProviderUnavailable, match="no whole answer"):
            client.classify(jpeg, timeout=DRIPPING)
        server.fault = None
        client.classify(jpeg, timeout=PLENTY)

    ended(course)


def test_when_no_time_is_left_nothing_is_sent(server: CustomVisionServer, shown: Photo) -> None:
    error = failure(lambda: provider_for(server).predict(shown, timeout=0))
    assert isinstance(error, ProviderUnavailable)
    assert not error.sent
    assert server.connections == 0


# TLS


def test_a_trusted_authority_is_taken_from_the_environment(trusted: CustomVisionServer, shown: Photo) -> None:
    assert provider_for(trusted).predict(shown, timeout=PLENTY).label == "bottle"


BROKEN: tuple[Fault, ...] = ("half_open", "reset", "truncated")


@pytest.mark.slow
@pytest.mark.parametrize("kept", [False, True], ids=["new", "kept"])
@pytest.mark.parametrize("fault", ["silent", "drip", "drip_headers", *BROKEN])
def test_a_question_that_went_out_over_tls_counts_as_sent(
    trusted: CustomVisionServer, jpeg: bytes, fault: Fault, kept: bool
) -> None:
    client = client_for(trusted)

    def course() -> ProviderUnavailable:
        if kept:
            client.classify(jpeg, timeout=PLENTY)
        trusted.fault = fault
        with pytest.raises(ProviderUnavailable) as caught:
            client.classify(jpeg, timeout=PLENTY if fault in BROKEN else DRIPPING)
        trusted.fault = None
        client.classify(jpeg, timeout=PLENTY)
        return caught.value

    error = ended(course)
    assert error.sent
    assert ("broke off" if fault in BROKEN else "no whole answer") in str(error)


# Redirections


@pytest.mark.slow
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirection_is_not_followed_and_the_key_goes_nowhere(server: CustomVisionServer, status: int) -> None:
    location = f"{server.endpoint}/customvision/v3.1/prediction/portal"
    answer = f"HTTP/1.1 {status} Elsewhere\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n"
    with RawServer(answer.encode()) as portal:
        error = failure(lambda: client_at(portal.endpoint, server.key).classify(b"jpeg", timeout=PLENTY))
        client_at(portal.endpoint).ping(timeout=PLENTY)
        assert portal.requests == 2
    assert type(error) is ProviderUnavailable
    assert (server.connections, server.received) == (0, 0)


# Ping


def test_a_ping_reaches_the_endpoint_without_the_key_and_costs_nothing(server: CustomVisionServer) -> None:
    server.quota = 0
    provider_for(server, prediction_key="k3y-wrong").ping()
    assert (server.received, server.calls) == (1, 0)


def test_a_ping_tells_who_cannot_be_reached(server: CustomVisionServer) -> None:
    server.stop()
    error = failure(provider_for(server).ping)
    assert isinstance(error, ProviderUnavailable)
    assert "cannot be reached" in str(error)


@pytest.mark.slow
def test_a_ping_of_who_says_nothing_is_bounded(server: CustomVisionServer) -> None:
    server.fault = "hang_before_read"
    assert isinstance(failure(lambda: client_for(server).ping(timeout=DRIPPING)), ProviderUnavailable)
    assert holds(server)


@pytest.mark.slow
@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 200 OK\r\nX-Drip: "], ids=["status", "headers"])
def test_a_ping_of_who_drips_is_bounded(answer: bytes) -> None:
    with RawServer(answer, drops=b"a") as server:
        error = failure(lambda: client_at(server.endpoint).ping(timeout=AT_ONCE))
        assert isinstance(error, ProviderUnavailable)


def test_a_ping_of_what_is_no_web_server_is_an_error_of_ours() -> None:
    with RawServer(b"SSH-2.0-OpenSSH\r\n\r\n") as server:
        assert isinstance(failure(lambda: client_at(server.endpoint).ping(timeout=PLENTY)), ProviderUnavailable)


# What is sent


def sent(server: CustomVisionServer) -> Image.Image:
    """The last image that came, decoded."""
    return Image.open(BytesIO(server.images[-1].image))


def colour(picture: Image.Image, x: float, y: float) -> str:
    red, _, blue = picture.convert("RGB").getpixel((int(x * picture.width), int(y * picture.height)))  # type: ignore[misc]
    return "red" if red > blue else "blue"


def test_the_pixels_are_sent_upright_and_alone(server: CustomVisionServer) -> None:
    picture = Image.new("RGB", (800, 400), "red")
    ImageDraw.Draw(picture).rectangle((400, 0, 800, 400), "blue")
    exif = Image.Exif()
    exif[0x0112] = 6  # turn clockwise: the left half is the upper one
    exif[0x010E] = "secret description"
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    image = encoded(picture, exif=exif, icc_profile=profile, comment=b"secret comment")
    assert b"secret comment" in image
    assert b"ICC_PROFILE" in image
    provider_for(server).predict(photo.load(image), timeout=PLENTY)
    received = sent(server)
    assert (received.format, received.size) == ("JPEG", (400, 800))
    assert (colour(received, 0.5, 0.25), colour(received, 0.5, 0.75)) == ("red", "blue")
    for marker in (b"Exif", b"ICC_PROFILE", b"secret", b"\xff\xfe", b"\xff\xe1", b"\xff\xe2"):
        assert marker not in server.images[-1].image.partition(b"\xff\xda")[0]


def noise(width: int, height: int) -> Photo:
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Photo(Image.fromarray(pixels), "0" * 64, width, height)


@pytest.mark.slow
def test_a_photo_is_shrunk_until_the_vendor_takes_its_bytes(server: CustomVisionServer) -> None:
    """The server refuses more than 4 MB itself; what is asked here is that no more is lost than must be."""
    provider_for(server, side=4096).predict(noise(2400, 2400), timeout=PLENTY)
    assert 1_000_000 < len(server.images[-1].image) <= 4_000_000


@pytest.mark.slow
def test_a_photo_is_shrunk_until_the_vendor_takes_its_sides(server: CustomVisionServer) -> None:
    picture = Image.linear_gradient("L").convert("RGB").resize((12_000, 500))
    provider_for(server).predict(Photo(picture, "0" * 64, *picture.size), timeout=PLENTY)
    assert max(sent(server).size) == LONGEST_SIDE


@pytest.mark.parametrize(
    ("size", "received"),
    [
        ((640, 480), (640, 480)),
        ((767, 767), (767, 767)),
        ((1600, 1200), (683, 512)),
        ((1200, 1600), (512, 683)),
        ((100, 80), (100, 80)),
    ],
)
def test_the_shorter_side_is_about_what_the_settings_say(
    server: CustomVisionServer, size: tuple[int, int], received: tuple[int, int]
) -> None:
    provider_for(server, side=512).predict(Photo(Image.new("RGB", size), "0" * 64, *size), timeout=PLENTY)
    assert sent(server).size == received


@pytest.mark.slow
@pytest.mark.parametrize("size", [(MOST_ASPECT * 400, 400), (400, MOST_ASPECT * 400), (12_000, 480)])
def test_the_narrowest_photo_is_still_taken(server: CustomVisionServer, size: tuple[int, int]) -> None:
    provider_for(server).predict(Photo(Image.new("RGB", size), "0" * 64, *size), timeout=PLENTY)
    assert server.calls == 1


@pytest.mark.parametrize("size", [(26 * 40, 40), (40, 26 * 40)])
def test_a_narrower_photo_is_rejected_without_asking(server: CustomVisionServer, size: tuple[int, int]) -> None:
    narrow = Photo(Image.new("RGB", size), "0" * 64, *size)
    error = failure(lambda: provider_for(server).predict(narrow, timeout=PLENTY))
    assert isinstance(error, PhotoRejected)
    assert "25:1" in str(error)
    assert server.connections == 0


@pytest.mark.parametrize("store", [False, True])
def test_the_settings_say_whether_the_photo_may_be_kept(server: CustomVisionServer, shown: Photo, store: bool) -> None:
    provider_for(server, store=store).predict(shown, timeout=PLENTY)
    assert server.images[-1].stored is store
    assert server.images[-1].path.endswith("/image" if store else "/image/nostore")


def test_the_photo_is_not_kept_unless_somebody_says_so() -> None:
    assert CustomVisionOptions().store is False


def test_a_published_name_is_quoted_in_the_path(server: CustomVisionServer, shown: Photo) -> None:
    server.published_name = "mon modèle ü+%"
    prediction = provider_for(server).predict(shown, timeout=PLENTY)
    assert "/iterations/mon%20mod%C3%A8le%20%C3%BC%2B%25/image" in server.images[-1].path
    assert prediction.model_version.startswith("mon modèle ü+%@")


def test_a_published_name_cannot_lead_elsewhere(server: CustomVisionServer, shown: Photo) -> None:
    error = failure(lambda: provider_for(server, published_name="triof/image?x=#").predict(shown, timeout=PLENTY))
    assert isinstance(error, ProviderMisconfigured)
    assert server.calls == 0


@pytest.mark.parametrize("change", [{"published_name": "Triof"}, {"project_id": PROJECT}, {"prediction_key": "k3y"}])
def test_what_the_cloud_does_not_know_is_a_mistake_of_the_settings(
    server: CustomVisionServer, shown: Photo, change: dict[str, Any]
) -> None:
    error = failure(lambda: provider_for(server, **change).predict(shown, timeout=PLENTY))
    assert isinstance(error, ProviderMisconfigured)
    assert next(iter(change)) in str(error)


# Connections


def test_one_thread_keeps_one_connection(server: CustomVisionServer, jpeg: bytes) -> None:
    client = client_for(server)
    for _ in range(20):
        client.classify(jpeg, timeout=PLENTY)
    assert (server.calls, server.connections) == (20, 1)


@pytest.mark.slow
def test_each_thread_has_at_most_one_connection(server: CustomVisionServer, jpeg: bytes) -> None:
    client = client_for(server)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: client.classify(jpeg, timeout=PLENTY), range(80)))
    assert server.calls == 80
    assert server.connections <= 8


@pytest.mark.slow
@pytest.mark.parametrize("fault", ["rate_limited", "quota_403", "empty_503", "empty_401", "html_502", "bad_json"])
def test_after_a_refusal_the_connection_is_still_good(server: CustomVisionServer, jpeg: bytes, fault: Fault) -> None:
    client = client_for(server)
    server.fault = fault
    with pytest.raises(ProviderError):
        client.classify(jpeg, timeout=PLENTY)
    server.fault = None
    client.classify(jpeg, timeout=PLENTY)
    assert server.connections == 1


def test_a_kept_connection_that_the_server_closed_is_made_anew(server: CustomVisionServer, jpeg: bytes) -> None:
    client = client_for(server)
    client.classify(jpeg, timeout=PLENTY)
    server.stop()
    server.start()
    # The news that it is closed may still be on its way, and nothing is sent twice.
    try:
        client.classify(jpeg, timeout=PLENTY)
    except ProviderUnavailable:
        client.classify(jpeg, timeout=PLENTY)
    assert server.calls == 2


@pytest.mark.parametrize(("idle_seconds", "connections"), [(-1.0, 3), (60.0, 1)])
def test_a_connection_unused_for_long_is_not_trusted(
    server: CustomVisionServer, idle_seconds: float, connections: int
) -> None:
    connection = HttpConnection(idle_seconds=idle_seconds)
    with requests.Session() as session:
        session.mount(server.endpoint, connection)
        for _ in range(3):
            with connection.call(PLENTY):
                session.get(server.endpoint)
    assert server.connections == connections


@pytest.mark.slow
def test_a_hang_up_of_one_thread_does_not_touch_the_others(server: CustomVisionServer, jpeg: bytes) -> None:
    client = client_for(server)
    server.latency = 5 * AT_ONCE
    with ThreadPoolExecutor(2) as pool:
        patient = pool.submit(client.classify, jpeg, timeout=PLENTY)
        hasty = pool.submit(client.classify, jpeg, timeout=AT_ONCE)
        assert isinstance(hasty.exception(PLENTY), ProviderUnavailable)
        assert patient.result(PLENTY).probabilities


# Tags


def scores(server: CustomVisionServer, answered: Mapping[str, float], **tags: str) -> dict[str, float]:
    """The scores made of what the project answers, with these tags in the settings."""
    server.scores = answered
    shown = Photo(Image.new("RGB", (64, 64)), "0" * 64, 64, 64)
    return dict(provider_for(server, tags=tags).predict(shown, timeout=PLENTY).scores)


@pytest.mark.slow
@pytest.mark.parametrize(("tag", "label"), [*DEFAULT_TAGS.items(), *CLEANLINESS_TAGS.items()])
def test_every_tag_becomes_its_label(server: CustomVisionServer, shown: Photo, tag: str, label: str) -> None:
    task: Task = "cleanliness" if tag in CLEANLINESS_TAGS else "waste_type"
    tags = CLEANLINESS_TAGS if tag in CLEANLINESS_TAGS else DEFAULT_TAGS
    server.scores = {each: 0.91 if each == tag else 0.09 / (len(tags) - 1) for each in tags}
    prediction = provider_for(server, task, tags=CLEANLINESS_TAGS).predict(shown, timeout=PLENTY)
    assert prediction.label == label
    assert prediction.probability == pytest.approx(0.91)
    assert tuple(prediction.scores) == LABELS[task]
    assert sum(prediction.scores.values()) == pytest.approx(1)


def test_the_table_of_the_settings_adds_to_the_default(server: CustomVisionServer) -> None:
    found = scores(server, {"verre": 0.6, "bouteille": 0.4}, verre="other")
    assert found == pytest.approx({"bottle": 0.4, "cup": 0, "cutlery": 0, "other": 0.6})


def test_the_table_of_the_settings_overrules_the_default(server: CustomVisionServer) -> None:
    assert scores(server, {"gobelet": 1.0}, Gobelet="other")["other"] == 1


def test_neither_case_nor_blanks_matter(server: CustomVisionServer) -> None:
    found = scores(server, {" BOUTEILLE": 0.5, "Tasse à café ": 0.3, "negative": 0.2}, **{" tasse À café": "cup"})
    assert found == pytest.approx({"bottle": 0.5, "cup": 0.3, "cutlery": 0, "other": 0.2})


@pytest.mark.parametrize("form", ["NFC", "NFD", "NFKC", "NFKD"])
def test_neither_the_form_of_letters_nor_the_kind_of_blank_matters(
    server: CustomVisionServer, form: UnicodeForm
) -> None:
    told = {unicodedata.normalize(form, "Tasse\xa0à café"): 0.4, "bouteille": 0.6}
    assert scores(server, told, **{unicodedata.normalize("NFD", "tasse à\u202fcafé"): "cup"})["cup"] == pytest.approx(
        0.4
    )


def test_several_tags_of_one_label_add_up(server: CustomVisionServer) -> None:
    found = scores(server, {"flacon": 0.3, "bouteille": 0.3, "gobelet": 0.4}, flacon="bottle")
    assert found == pytest.approx({"bottle": 0.6, "cup": 0.4, "cutlery": 0, "other": 0})


def test_tags_that_are_missing_get_nothing(server: CustomVisionServer) -> None:
    assert scores(server, {"couvert": 1.0}) == {"bottle": 0, "cup": 0, "cutlery": 1, "other": 0}


@pytest.mark.parametrize("total", [0.985, 1.015])
def test_rounding_errors_are_taken_out_of_the_sum(server: CustomVisionServer, total: float) -> None:
    found = scores(server, {"couvert": total - 0.2, "gobelet": 0.2})
    assert sum(found.values()) == pytest.approx(1, abs=1e-9)


def test_every_unknown_tag_is_named(server: CustomVisionServer) -> None:
    with pytest.raises(ProviderMisconfigured, match=r"label: verre, Métal\. Say in custom_vision\.tags") as caught:
        scores(server, {"verre": 0.5, "Métal": 0.3, "bouteille": 0.2})
    assert all(label in str(caught.value) for label in LABELS["waste_type"])


def test_an_unknown_tag_matters_even_when_it_is_unlikely(server: CustomVisionServer) -> None:
    with pytest.raises(ProviderMisconfigured, match="verre"):
        scores(server, {"bouteille": 1.0, "verre": 0.0})


@pytest.mark.parametrize("answered", [{"bouteille": 0.9, "gobelet": 0.8}, {"bouteille": 0.5, "gobelet": 0.2}])
def test_probabilities_of_a_multilabel_project_are_refused(
    server: CustomVisionServer, answered: dict[str, float]
) -> None:
    with pytest.raises(ProviderMisconfigured, match=r"make the project Multiclass .* train it again and publish"):
        scores(server, answered)


def test_a_tag_of_another_task_is_unknown(server: CustomVisionServer) -> None:
    with pytest.raises(ProviderMisconfigured, match="without a label: propre"):
        scores(server, {"bouteille": 0.5, "propre": 0.5}, propre="clean")


def test_a_task_without_a_tag_needs_one(server: CustomVisionServer) -> None:
    with pytest.raises(ProviderMisconfigured, match=r"No tag of custom_vision\.tags means a label of cleanliness"):
        provider_for(server, "cleanliness")


# Settings

SET = {
    "PREDICTION_ENDPOINT": "https://triof.cognitiveservices.azure.com",
    "PREDICTION_KEY": "k3y-of-the-tests",
    "PROJECT_ID": PROJECT,
    "PUBLISHED_NAME": "triof-1",
}


@pytest.fixture
def read(tmp_path: Path) -> Callable[..., CustomVisionOptions]:
    """Reads the settings from variables, as from a ``.env``."""

    def read(variables: Mapping[str, str]) -> CustomVisionOptions:
        lines = [f"TRIOF_CUSTOM_VISION__{name}={value}" for name, value in variables.items()]
        (tmp_path / ".env").write_text("\n".join(lines))
        return load({}, {}, tmp_path / ".env", tmp_path / "no-config").settings.custom_vision

    return read


Read = Callable[[Mapping[str, str]], CustomVisionOptions]


def test_the_settings_of_a_machine(read: Read) -> None:
    options = read(SET)
    assert options.is_set
    assert options.check() == tuple(SET[name] for name in SET)


def test_an_empty_template_sets_nothing(read: Read) -> None:
    template = dict.fromkeys([*SET, "PREDICTION_KEY_FILE", "CALLS_PER_MONTH", "CALLS_PER_SECOND"], "")
    template |= {"EUROS_PER_1000_CALLS": ""}
    options = read(template)
    assert not options.is_set
    assert options == CustomVisionOptions()
    for name in SET:
        assert f"TRIOF_CUSTOM_VISION__{name}" in options.remedy


@pytest.mark.parametrize("missing", SET)
def test_what_is_set_by_half_names_what_is_missing(read: Read, missing: str) -> None:
    options = read({**SET, missing: ""})
    assert options.is_set
    with pytest.raises(ProviderMisconfigured) as caught:
        options.check()
    assert re.findall(r"TRIOF_\w+", str(caught.value)) == [f"TRIOF_CUSTOM_VISION__{missing}"]
    with pytest.raises(ProviderMisconfigured):
        CustomVision("waste_type", options)


@pytest.mark.parametrize("only", [*SET, "PREDICTION_KEY_FILE"])
def test_one_value_alone_is_set_by_half_and_names_the_three_others(read: Read, only: str) -> None:
    options = read({only: SET.get(only, "/run/key")})
    assert options.is_set
    with pytest.raises(ProviderMisconfigured) as caught:
        options.check()
    named = set(re.findall(r"TRIOF_CUSTOM_VISION__(\w+)", str(caught.value)))
    assert named == set(SET) - {only.removesuffix("_FILE")}


def test_what_is_no_address_of_a_resource_alone_does_not_make_it_set() -> None:
    assert not CustomVisionOptions(tier="S0", store=True, tags={"verre": "other"}).is_set


@pytest.mark.parametrize(
    ("given", "taken"),
    [
        ("https://NAME.cognitiveservices.azure.com/", "https://name.cognitiveservices.azure.com"),
        (" https://westeurope.api.cognitive.microsoft.com ", "https://westeurope.api.cognitive.microsoft.com"),
        ("https://vision.test:8443", "https://vision.test:8443"),
        ("http://127.0.0.1:5000", "http://127.0.0.1:5000"),
        ("http://127.9.9.9/", "http://127.9.9.9"),
        ("http://localhost:5000", "http://localhost:5000"),
        ("http://LOCALHOST", "http://localhost"),
        ("http://[::1]:5000", "http://[::1]:5000"),
    ],
)
def test_an_endpoint_is_taken(given: str, taken: str) -> None:
    assert CustomVisionOptions(prediction_endpoint=given).prediction_endpoint == taken


@pytest.mark.parametrize(
    ("given", "words"),
    [
        *(
            (endpoint, "Use https")
            for endpoint in (
                "http://triof.cognitiveservices.azure.com",
                "http://10.0.0.1",
                "http://127.0.0.1.nip.io",
                "http://localhost.example.com",
                "http://0.0.0.0",
            )
        ),
        *(
            (endpoint, "without what comes after the host")
            for endpoint in ("https://vision.test/customvision/v3.1", "http://127.0.0.1/x")
        ),
        *(
            (endpoint, "Give the address of the resource, such as https://")
            for endpoint in (
                "https://user:geheim@vision.test",
                "https://user@vision.test",
                "https://:geheim@vision.test",
                "https://@vision.test",
                "https://vision.test?x=1",
                "https://vision.test#x",
                "ftp://vision.test",
                "vision.test",
                "//vision.test",
                "https://",
                "https://:443",
                "https://vision.test:port",
                "https://vision.test:99999",
                "https://[::1",
                "https://NAME .cognitiveservices.azure.com",
                "https://vision.test:0",
                "   ",
            )
        ),
    ],
)
def test_what_is_no_endpoint_is_refused_with_the_remedy(given: str, words: str) -> None:
    with pytest.raises(ValidationError, match=re.escape(words)):
        CustomVisionOptions(prediction_endpoint=given)


@pytest.mark.parametrize(
    ("name", "value"),
    [("PROJECT_ID", "triof"), ("TIER", "S1"), ("CALLS_PER_MONTH", "0"), ("SIDE", "100"), ("TAGS__VERRE", "glass")],
)
def test_a_wrong_value_is_a_mistake_of_its_setting(read: Read, name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=f"custom_vision.{name.lower().replace('__', '.')} = '{value}'"):
        read({**SET, name: value})


def test_tags_come_from_variables_in_any_case(read: Read) -> None:
    assert read({"TAGS__VERRE": "other"}).tags == {**DEFAULT_TAGS, "verre": "other"}


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, ("F0", 10_000, 2, 0.0)),
        ({"TIER": "F0"}, ("F0", 10_000, 2, 0.0)),
        ({"TIER": "S0"}, ("S0", None, 10, 1.802)),
        ({"CALLS_PER_MONTH": "500", "CALLS_PER_SECOND": "1"}, ("F0", 500, 1, 0.0)),
        ({"TIER": "S0", "CALLS_PER_MONTH": "50", "EUROS_PER_1000_CALLS": "2.5"}, ("S0", 50, 10, 2.5)),
        ({"TIER": "S0", "EUROS_PER_1000_CALLS": "0"}, ("S0", None, 10, 0.0)),
    ],
)
def test_the_allowance_is_the_tiers_but_for_what_is_set(
    read: Read, variables: dict[str, str], expected: tuple[str, int | None, int, float]
) -> None:
    allowance = CustomVision("waste_type", read({**SET, **variables})).allowance
    assert allowance.resource == "triof.cognitiveservices.azure.com"
    assert (allowance.tier, allowance.per_month, allowance.per_second, allowance.euros_per_1000) == expected


# The key


@pytest.mark.parametrize("content", ["k3y-in-a-file", "k3y-in-a-file\n", "\n k3y-in-a-file \r\n"])
def test_the_key_comes_from_a_file(read: Read, tmp_path: Path, content: str) -> None:
    (tmp_path / "key").write_text(content)
    assert read({**SET, "PREDICTION_KEY": "", "PREDICTION_KEY_FILE": str(tmp_path / "key")}).check()[1] == (
        "k3y-in-a-file"
    )


def test_the_key_file_is_read_anew_for_each_provider(server: CustomVisionServer, tmp_path: Path, shown: Photo) -> None:
    (tmp_path / "key").write_text("k3y-of-yesterday")
    options = options_for(server, prediction_key=None, prediction_key_file=tmp_path / "key")
    error = failure(lambda: CustomVision("waste_type", options).predict(shown, timeout=PLENTY))
    assert isinstance(error, ProviderMisconfigured)
    (tmp_path / "key").write_text(server.key)
    assert CustomVision("waste_type", options).predict(shown, timeout=PLENTY).label == "bottle"


@pytest.mark.parametrize("name", ["missing", "folder", "file/below"])
def test_a_key_file_that_cannot_be_read_is_named(read: Read, tmp_path: Path, name: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    options = read({**SET, "PREDICTION_KEY": "", "PREDICTION_KEY_FILE": str(tmp_path / name)})
    with pytest.raises(ProviderMisconfigured, match=r"mend custom_vision\.prediction_key_file") as caught:
        options.check()
    assert str(tmp_path / name) in str(caught.value)


NO_KEYS: dict[str, bytes] = {
    "empty": b"",
    "blank": b" \n",
    "two lines": b"geheim-1\ngeheim-2\n",
    "carriage return": b"geheim-1\rgeheim-2",
    "two words": b"Key1: geheim-1",
    "umlaut": "geheim-ü".encode(),
    "latin-1": "geheim-ü".encode("latin-1"),
    "null": b"geheim-1\0",
    "byte order mark": b"\xef\xbb\xbfgeheim-1\xe2\x80\x8b",
}


@pytest.mark.parametrize("content", NO_KEYS.values(), ids=NO_KEYS)
def test_what_is_no_key_in_a_file_is_refused_without_being_quoted(read: Read, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "key").write_bytes(content)
    options = read({**SET, "PREDICTION_KEY": "", "PREDICTION_KEY_FILE": str(tmp_path / "key")})
    with pytest.raises(ProviderMisconfigured, match="copy the letters and digits of the Azure portal") as caught:
        options.check()
    assert not re.search("g.?e.?h.?e.?i.?m", everything_of(caught.value))


@pytest.mark.parametrize("key", ["geheim\nX-Header: 1", "geheim\r1", "gehéim", "geheim geheim", "\0geheim", " "])
def test_what_is_no_key_is_refused_without_being_quoted(server: CustomVisionServer, key: str) -> None:
    with pytest.raises(ProviderMisconfigured) as caught:
        provider_for(server, prediction_key=key)
    assert "eim" not in everything_of(caught.value)
    assert server.connections == 0


def test_the_drills_stand_in_gets_another_key(read: Read) -> None:
    rehearsed = read(SET).rehearsed("http://127.0.0.1:9")
    assert rehearsed.check()[:2] == ("http://127.0.0.1:9", "rehearsal")


# The key is never shown


def everything_of(error: BaseException) -> str:
    """Whatever a log or a report might print of the error and of all that led to it."""
    seen: list[BaseException] = []
    ahead: list[BaseException | None] = [error]
    while ahead:
        each = ahead.pop()
        if each is None or any(each is other for other in seen):
            continue
        seen.append(each)
        ahead += [each.__cause__, each.__context__, *(arg for arg in each.args if isinstance(arg, BaseException))]
    parts = [f"{each} {each!r} {''.join(traceback.format_exception(each))}" for each in seen]
    return "\n".join(parts)


def logged(caplog: pytest.LogCaptureFixture) -> str:
    return "\n".join([caplog.text, *(f"{record.__dict__}" for record in caplog.records)])


@pytest.mark.slow
@pytest.mark.parametrize("fault", get_args(Fault))
def test_no_fault_shows_the_key(
    server: CustomVisionServer, shown: Photo, caplog: pytest.LogCaptureFixture, fault: Fault
) -> None:
    caplog.set_level(logging.DEBUG)
    server.fault = fault
    provider = provider_for(server)
    error = failure(lambda: provider.predict(shown, timeout=AT_ONCE if fault in HELD else PLENTY))
    assert server.key not in everything_of(error) + repr(provider)
    assert server.key not in logged(caplog)
    assert caplog.records, "nothing was logged, so that nothing was proved"


@pytest.mark.slow
def test_no_network_shows_the_key(
    server: CustomVisionServer, tls_server: CustomVisionServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    key = server.key
    server.stop()
    for endpoint in (server.endpoint, tls_server.endpoint, "https://no-such-host.invalid"):
        error = failure(lambda endpoint=endpoint: client_at(endpoint, key).classify(b"x", timeout=PLENTY))  # type: ignore[misc]
        assert key not in everything_of(error)
    assert key not in logged(caplog)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 500])
def test_a_vendor_that_quotes_the_key_is_not_quoted(status: int) -> None:
    answer = {"error": {"code": "1", "message": "The header Prediction-key: k3y is wrong"}}
    body = json.dumps(answer).encode()
    with RawServer(f"HTTP/1.1 {status} No\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body) as server:
        error = failure(lambda: client_at(server.endpoint, "k3y").classify(b"jpeg", timeout=PLENTY))
    assert "k3y" not in str(error)


def test_no_dump_of_the_settings_shows_the_key(server: CustomVisionServer) -> None:
    options = options_for(server)
    machine = Settings(custom_vision=options)
    for each in (options, machine):
        dumps = [repr(each), str(each), str(each.model_dump()), each.model_dump_json(), str(dict(each))]
        assert server.key not in "\n".join(dumps)
    assert options.check()[1] == server.key


@pytest.mark.parametrize(
    "variable", ["PREDICTION_KEY", "PREDICTION_KEYY", "PREDICTION_KEY__VALUE", "PREDICTION-KEY", "PREDICTIONKEY"]
)
def test_no_misspelt_variable_shows_the_key(read: Read, variable: str) -> None:
    key = "-".join(["geheim", variable])  # not written out in a line that the traceback shows
    with pytest.raises(SettingsError) as caught:
        read({variable: key, "TIER": "F9"})
    assert key not in everything_of(caught.value)


@pytest.fixture
def configured(server: CustomVisionServer, monkeypatch: pytest.MonkeyPatch) -> CustomVisionServer:
    """The server, which the commands find in their environment."""
    variables = {
        "PREDICTION_ENDPOINT": server.endpoint,
        "PREDICTION_KEY": server.key,
        "PROJECT_ID": server.project_id,
        "PUBLISHED_NAME": server.published_name,
    }
    for name, value in variables.items():
        monkeypatch.setenv(f"TRIOF_CUSTOM_VISION__{name}", value)
    return server


def triof(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments)


def everything_printed(ran: Result) -> str:
    return ran.output + (everything_of(ran.exception) if ran.exception else "")


def test_the_table_of_the_settings_hides_the_key(configured: CustomVisionServer) -> None:
    ran = triof("settings")
    assert ran.exit_code == 0
    assert re.search(r"custom_vision\.prediction_key\t\*+\tenvironment", ran.output)
    assert configured.key not in everything_printed(ran)
    assert configured.key not in str(list(rows(load())))


@pytest.mark.slow
@pytest.mark.parametrize("fault", ["forbidden", "quota_403", "unknown_tag", None])
@pytest.mark.parametrize("command", ["doctor", "classify"])
def test_no_command_shows_the_key(
    configured: CustomVisionServer,
    jpeg: bytes,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    command: str,
    fault: Fault | None,
) -> None:
    caplog.set_level(logging.DEBUG)
    configured.fault = fault
    (tmp_path / "photo.jpg").write_bytes(jpeg)
    ran = triof("doctor") if command == "doctor" else triof("classify", "--json", str(tmp_path / "photo.jpg"))
    assert configured.received, ran.output
    assert configured.key not in everything_printed(ran)
    assert configured.key not in logged(caplog)


@pytest.mark.slow
def test_no_command_shows_what_is_no_key(
    configured: CustomVisionServer, jpeg: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRIOF_CUSTOM_VISION__PREDICTION_KEY", "geheim-1\ngehéim-2")
    (tmp_path / "photo.jpg").write_bytes(jpeg)
    for arguments in (["settings"], ["doctor"], ["classify", "--json", str(tmp_path / "photo.jpg")]):
        assert not re.search("geh.im", everything_printed(triof(*arguments)))
    assert configured.connections == 0


def test_every_task_can_be_asked(server: CustomVisionServer) -> None:
    for task in TASKS:
        assert provider_for(server, task, tags=CLEANLINESS_TAGS).task == task


def test_a_proxy_sees_nothing_of_what_stays_on_this_machine(
    server: CustomVisionServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with CustomVisionServer() as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.endpoint)
        client = client_for(server)
        client.ping(timeout=PLENTY)
        client.classify(encoded(Image.new("RGB", (64, 64))), timeout=PLENTY)
        assert server.calls == 1
        assert proxy.connections == 0


@pytest.mark.slow
def test_a_client_that_is_closed_leaves_no_connection_behind(server: CustomVisionServer) -> None:
    def ask_and_close() -> weakref.ref[Client]:
        client = client_for(server)
        jpeg = encoded(Image.new("RGB", (64, 64)))
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(lambda _: client.classify(jpeg, timeout=PLENTY), range(4)))
        assert holds(server)
        client.close()
        assert server.wait_closed(PLENTY)
        return weakref.ref(client)

    closed = [ask_and_close() for _ in range(5)]
    gc.collect()
    assert not [client for client in closed if client()], "none is kept alive by its connections"
