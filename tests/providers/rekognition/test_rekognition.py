"""Amazon Rekognition as a provider: the real library against a server on loopback that misbehaves."""

import logging
import traceback
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, get_args

import pytest

pytest.importorskip("boto3", reason="needs the extra rekognition")

import botocore.exceptions
from botocore.stub import Stubber
from pydantic import ValidationError

from providers.base import (
    TASKS,
    ModelStopped,
    Photo,
    PhotoRejected,
    ProviderError,
    ProviderMisconfigured,
    ProviderUnavailable,
    QuotaExceeded,
    RateLimited,
    ServiceRetired,
)
from providers.rekognition.client import RekognitionClient
from providers.rekognition.errors import CODES, refusal
from providers.rekognition.options import RekognitionOptions, parsed
from providers.rekognition.provider import Rekognition
from testing.aws.rekognition_server import PARAMETERS, RekognitionServer
from testing.aws.replies import AwsFault
from testing.aws.signature import Credentials
from tests.support.rekognition_options import rekognition_options
from triof.judging import photo
from triof.settings.loader import load

PLENTY = 10.0
AT_ONCE = 0.2
HELD: tuple[AwsFault, ...] = ("silent", "hang_before_read", "drip", "drip_headers")
NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
OURS = Credentials("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI-not-a-key")
CREDENTIALS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE")


@pytest.fixture
def server() -> Iterator[RekognitionServer]:
    with RekognitionServer() as server:
        yield server


@pytest.fixture(autouse=True)
def _no_account(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No credentials of the computer on which the tests run, and no proxy."""
    for name in (*CREDENTIALS, "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "REQUESTS_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))


@pytest.fixture
def shown(jpeg: bytes) -> Photo:
    return photo.load(jpeg)


def provider_for(server: RekognitionServer, **changes: Any) -> Rekognition:
    return Rekognition("waste_type", rekognition_options(server, **changes))


def failure(call: Callable[[], Any]) -> ProviderError:
    with pytest.raises(ProviderError) as caught:
        call()
    return caught.value


def test_a_photo_is_answered(server: RekognitionServer, shown: Photo) -> None:
    prediction = provider_for(server).predict(shown, timeout=PLENTY)
    assert (prediction.task, prediction.label, prediction.provider) == ("waste_type", "bottle", "rekognition")
    assert dict(prediction.scores) == pytest.approx({"bottle": 0.95, "cup": 0.03, "cutlery": 0.015, "other": 0.005})
    assert prediction.model_version == "triof.2026-11-30T10.00.00"
    assert (server.calls, server.operations) == (1, ["DetectCustomLabels"])


def test_one_model_may_answer_both_tasks(server: RekognitionServer, shown: Photo) -> None:
    server.scores = {"Gobelet": 0.9, "bouteille": 0.1, "sale": 0.8, "propre": 0.2}
    labels = [Rekognition(task, rekognition_options(server)).predict(shown, timeout=PLENTY).label for task in TASKS]
    assert labels == ["cup", "dirty"]


def test_what_the_vendor_leaves_out_makes_the_machine_less_sure(server: RekognitionServer, shown: Photo) -> None:
    server.fault = "few"
    scores = provider_for(server).predict(shown, timeout=PLENTY).scores
    assert scores == pytest.approx({"bottle": 0.175, "cup": 0.475, "cutlery": 0.175, "other": 0.175})


def test_confidences_above_one_together_are_scaled(server: RekognitionServer, shown: Photo) -> None:
    server.fault = "over_one"
    scores = provider_for(server).predict(shown, timeout=PLENTY).scores
    assert scores == pytest.approx({"bottle": 0.36, "cup": 0.32, "cutlery": 0.28, "other": 0.04})


SENSELESS = (ProviderUnavailable, "makes no sense")
TOLD: dict[AwsFault, tuple[type[ProviderError], str]] = {
    **dict.fromkeys(HELD, (ProviderUnavailable, "no whole answer within 0.2 s")),
    **dict.fromkeys(("half_open", "reset", "truncated", "dropped"), (ProviderUnavailable, "broke off")),
    "cut": SENSELESS,
    "html_200": (ProviderUnavailable, "a Wi-Fi's login page"),
    "redirect": (ProviderUnavailable, "a Wi-Fi's login page"),
    **dict.fromkeys(("bad_json", "json_list", "empty_200", "empty_object", "null_labels", "nan"), SENSELESS),
    "no_labels": (ProviderUnavailable, "names no labels"),
    "empty_503": (ProviderUnavailable, "status 503"),
    "html_502": (ProviderUnavailable, r"status 502\.$"),
    "internal": (ProviderUnavailable, "an error of its own .Internal server error"),
    "unavailable": (ProviderUnavailable, "an error of its own"),
    "retired": (ServiceRetired, "retired .status 410"),
    "throttled": (RateLimited, "too fast .Rate exceeded"),
    "provisioned": (RateLimited, "too fast .Provisioned rate"),
    "limit": (QuotaExceeded, "Service Quotas"),
    "not_ready": (ModelStopped, "`triof rekognition start`"),
    "denied": (ProviderMisconfigured, "permissions of docs/guide/rekognition.md"),
    "empty_403": (ProviderMisconfigured, "permissions of docs/guide/rekognition.md"),
    "expired": (ProviderMisconfigured, "renew the access key"),
    "unknown_client": (ProviderMisconfigured, "renew the access key"),
    "bad_signature": (ProviderMisconfigured, "check the clock"),
    "not_found": (ProviderMisconfigured, "check rekognition.waste_type"),
    "invalid_parameter": (ProviderMisconfigured, "does not take the question"),
    "bad_image": (PhotoRejected, "cannot read this photo"),
    "too_large": (PhotoRejected, "cannot read this photo"),
    "unknown_label": (ProviderMisconfigured, "no meaning here: verre.*rekognition.tags"),
}


@pytest.mark.slow
@pytest.mark.parametrize("fault", [fault for fault in get_args(AwsFault) if fault not in ("few", "over_one")])
def test_every_fault_is_one_error_of_the_tree_and_shows_no_secret(
    server: RekognitionServer, shown: Photo, caplog: pytest.LogCaptureFixture, fault: AwsFault
) -> None:
    provider = provider_for(server)
    server.fault = fault
    error = failure(lambda: provider.predict(shown, timeout=AT_ONCE if fault in HELD else PLENTY))
    kind, words = TOLD[fault]
    assert type(error) is kind
    with pytest.raises(kind, match=words):
        raise error
    assert error.sent
    assert server.connections == 1
    assert server.received <= 1, "the library must not try again"
    assert "s3cret" not in str(error)


def test_nobody_there(server: RekognitionServer, shown: Photo) -> None:
    provider = provider_for(server)
    server.stop()
    error = failure(lambda: provider.predict(shown, timeout=PLENTY))
    assert isinstance(error, ProviderUnavailable)
    assert not error.sent
    assert isinstance(failure(provider.ping), ProviderUnavailable)


def test_a_limit_is_asked_for_again_after_an_hour() -> None:
    error = refusal(400, {}, '{"__type":"LimitExceededException"}', NOW)
    assert isinstance(error, QuotaExceeded)
    assert error.resets_at == NOW + timedelta(hours=1)


@pytest.mark.parametrize(
    "form", ['{"__type":"com.amazonaws.rekognition#%s"}', '{"code":"%s"}', '{"__type":"%s:http://x"}']
)
@pytest.mark.parametrize("code", CODES)
def test_each_code_is_known_in_each_form(code: str, form: str) -> None:
    error = refusal(400, {}, form % code, NOW)
    assert type(error) is type(CODES[code]("", NOW))
    assert type(refusal(400, {"x-amzn-ErrorType": code}, "", NOW)) is type(error)


def test_every_error_that_the_service_model_names_has_a_row(server: RekognitionServer) -> None:
    model = RekognitionClient(parsed(server.arn), endpoint=server.endpoint, connect_seconds=1).sdk.meta.service_model
    named = {shape.name for operation in PARAMETERS for shape in model.operation_model(operation).error_shapes}
    assert named <= CODES.keys()


def _library_errors(kind: type[Exception] = botocore.exceptions.BotoCoreError) -> Iterator[type[Exception]]:
    for below in kind.__subclasses__():
        yield below
        yield from _library_errors(below)


def test_every_error_of_the_library_becomes_one_of_the_tree(server: RekognitionServer) -> None:
    kinds = sorted(set(_library_errors()), key=lambda kind: kind.__name__)
    assert len(kinds) > 50
    client = RekognitionClient(parsed(server.arn), endpoint=server.endpoint, connect_seconds=1)
    raised: list[Exception] = []

    def fail(**_: object) -> None:
        raise raised[-1]

    client.sdk.meta.events.register_first("before-call.rekognition", fail)
    for kind in kinds:
        # Their messages need other arguments each.
        raised.append(kind.__new__(kind))
        assert isinstance(failure(lambda: client.detect(b"x", timeout=PLENTY)), ProviderError), kind
    for kind in (botocore.exceptions.NoCredentialsError, botocore.exceptions.UnauthorizedSSOTokenError):
        raised.append(kind())
        error = failure(lambda: client.detect(b"x", timeout=PLENTY))
        assert isinstance(error, ProviderMisconfigured)
        assert "Credentials" in str(error)
    assert server.received == 0


def test_the_service_model_takes_each_request_and_each_answer(server: RekognitionServer) -> None:
    client = RekognitionClient(parsed(server.arn), endpoint=server.endpoint, connect_seconds=1)
    version = {"Status": "RUNNING", "StatusMessage": "It runs.", "MinInferenceUnits": 2}
    with Stubber(client.sdk) as stub:
        stub.add_response(
            "detect_custom_labels",
            {"CustomLabels": [{"Name": "bouteille", "Confidence": 99.0}]},
            {"ProjectVersionArn": server.arn, "Image": {"Bytes": b"jpeg"}, "MinConfidence": 0},
        )
        stub.add_response(
            "start_project_version", {"Status": "STARTING"}, {"ProjectVersionArn": server.arn, "MinInferenceUnits": 2}
        )
        stub.add_response("stop_project_version", {"Status": "STOPPING"}, {"ProjectVersionArn": server.arn})
        stub.add_response(
            "describe_projects",
            {"ProjectDescriptions": [{"ProjectArn": server.project_arn}]},
            {"ProjectNames": ["triof"]},
        )
        stub.add_response(
            "describe_project_versions",
            {"ProjectVersionDescriptions": [version]},
            {"ProjectArn": server.project_arn, "VersionNames": ["triof.2026-11-30T10.00.00"]},
        )
        assert client.detect(b"jpeg", timeout=PLENTY) == (("bouteille", 0.99),)
        assert client.start(2, timeout=PLENTY) == "STARTING"
        assert client.stop(timeout=PLENTY) == "STOPPING"
        state = client.state(timeout=PLENTY)
        assert (state.status, state.units, state.is_paid) == ("RUNNING", 2, True)
        stub.assert_no_pending_responses()


# Credentials


@pytest.fixture
def account(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RekognitionServer]:
    """A server that knows one access key, with TLS."""
    with RekognitionServer(tls=True, credentials=OURS) as server:
        (tmp_path / "ca.pem").write_bytes(server.ca_pem)
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "ca.pem"))
        yield server


def test_without_credentials_nothing_is_sent(account: RekognitionServer) -> None:
    error = failure(lambda: provider_for(account))
    assert isinstance(error, ProviderMisconfigured)
    assert "AWS_ACCESS_KEY_ID" in str(error)
    assert account.connections == 0


def test_credentials_of_the_environment_sign(
    account: RekognitionServer, shown: Photo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", OURS.id)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", OURS.secret)
    assert provider_for(account).predict(shown, timeout=PLENTY).label == "bottle"
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "another one")
    error = failure(lambda: provider_for(account).predict(shown, timeout=PLENTY))
    assert isinstance(error, ProviderMisconfigured)


def test_credentials_of_a_profile_sign(
    account: RekognitionServer, shown: Photo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = ["[triof]", f"aws_access_key_id={OURS.id}", f"aws_secret_access_key={OURS.secret}"]
    (tmp_path / "credentials").write_text("\n".join(lines))
    monkeypatch.setenv("AWS_PROFILE", "triof")
    assert provider_for(account).predict(shown, timeout=PLENTY).label == "bottle"
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    assert isinstance(failure(lambda: provider_for(account)), ProviderMisconfigured)


def test_no_real_credentials_go_over_plain_http(
    server: RekognitionServer, shown: Photo, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", OURS.id)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", OURS.secret)
    monkeypatch.setenv("AWS_SESSION_TOKEN", "s3cret")
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login geheim password geheim")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    options = RekognitionOptions(waste_type=server.arn).rehearsed(server.endpoint)
    assert Rekognition("waste_type", options).predict(shown, timeout=PLENTY).label == "bottle"
    told = str(server.headers)
    assert "Credential=rehearsal/" in told
    assert not any(secret in told for secret in (OURS.id, "s3cret", "geheim"))


def test_no_secret_is_logged(
    account: RekognitionServer, shown: Photo, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", OURS.id)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", OURS.secret)
    account.fault = "bad_signature"
    error = failure(lambda: provider_for(account).predict(shown, timeout=PLENTY))
    assert OURS.secret not in caplog.text + "".join(traceback.format_exception(error))
    assert caplog.records


# The settings

ARN = "arn:aws:rekognition:eu-west-1:123456789012:project/triof/version/v1/1764496800000"


def test_without_settings_it_is_left_out() -> None:
    options = RekognitionOptions()
    assert not options.is_set
    assert "TRIOF_REKOGNITION__WASTE_TYPE" in options.remedy
    assert isinstance(failure(lambda: options.check("waste_type")), ProviderMisconfigured)


def test_the_settings_come_from_variables(tmp_path: Path) -> None:
    names = {
        "REKOGNITION__WASTE_TYPE": ARN,
        "REKOGNITION__TAGS__VERRE": "other",
        "REKOGNITION__HOURS__MONDAY": "07:30-14:00, 18:00-20:00",
        "ROUTES__WASTE_TYPE": "rekognition,local_cnn",
    }
    environ = {"TRIOF_HOME": str(tmp_path)} | {f"TRIOF_{name}": value for name, value in names.items()}
    options = load(environ=environ, env_file=tmp_path / "none").settings.rekognition
    assert options.check("waste_type").region == "eu-west-1"
    assert options.tags["verre"] == "other"
    assert options.hours.hours_a_week == 8.5
    assert options.allowance.resource == "rekognition.eu-west-1/123456789012"
    assert options.allowance.is_paid_by_the_hour


@pytest.mark.parametrize(
    "arn",
    [
        "triof",
        ARN.replace("version/v1/1764496800000", "1764496800000"),
        ARN.replace(":rekognition:", ":s3:"),
        ARN.replace("123456789012", "12"),
        ARN.replace("eu-west-1", ""),
    ],
)
def test_what_is_no_arn_of_a_version_is_refused(arn: str) -> None:
    with pytest.raises(ValidationError, match="Give the ARN of the model's version"):
        RekognitionOptions(waste_type=arn)


def test_two_models_are_of_one_account() -> None:
    with pytest.raises(ValidationError, match="of one account and region"):
        RekognitionOptions(waste_type=ARN, cleanliness=ARN.replace("eu-west-1", "us-east-1"))


def test_a_model_of_one_task_answers_no_other() -> None:
    error = failure(lambda: Rekognition("cleanliness", RekognitionOptions(waste_type=ARN)))
    assert "TRIOF_REKOGNITION__CLEANLINESS" in str(error)
