"""Tokens of Entra ID in place of keys: azure-identity and the vendor's SDK against strict servers on loopback."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

pytest.importorskip("azure.identity", reason="needs the extra entra")

from providers.base import Photo, ProviderError, ProviderMisconfigured, ProviderUnavailable
from providers.custom_vision.provider import CustomVision
from testing.azure.custom_vision_server import CustomVisionServer
from testing.azure.entra_server import CLIENT, TENANT, EntraServer
from testing.azure.training_server import TrainingServer
from tests.support.cloud_options import options_for
from triof.cli import main
from triof.judging import photo

PLENTY = 10.0


@pytest.fixture(autouse=True)
def _nobody(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No identity of the computer on which the tests run."""
    for name in ("IDENTITY_ENDPOINT", "IDENTITY_HEADER", "IMDS_ENDPOINT", "MSI_ENDPOINT", "HTTPS_PROXY", "https_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def cloud() -> Iterator[CustomVisionServer]:
    """A resource that takes no keys."""
    with CustomVisionServer() as cloud:
        cloud.keys_disabled = True
        yield cloud


@pytest.fixture
def entra(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[EntraServer]:
    with EntraServer() as entra:
        (tmp_path / "ca.pem").write_bytes(entra.ca_pem)
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "ca.pem"))
        yield entra


@pytest.fixture
def shown(jpeg: bytes) -> Photo:
    return photo.load(jpeg)


def principal(entra: EntraServer, **changes: Any) -> dict[str, Any]:
    given = {"kind": "service_principal", "tenant_id": TENANT, "client_id": CLIENT, "client_secret": entra.secret}
    return {**given, "authority": entra.endpoint, **changes}


def provider_for(cloud: CustomVisionServer, identity: dict[str, Any]) -> CustomVision:
    return CustomVision("waste_type", options_for(cloud, prediction_key=None, entra=identity))


def failure(call: Callable[[], Any]) -> ProviderError:
    with pytest.raises(ProviderError) as caught:
        call()
    return caught.value


def test_a_service_principal_is_let_in_and_its_token_is_kept(
    cloud: CustomVisionServer, entra: EntraServer, shown: Photo
) -> None:
    cloud.tokens = {"token-0-of-entra"}
    provider = provider_for(cloud, principal(entra))
    assert [provider.predict(shown, timeout=PLENTY).label for _ in range(2)] == ["bottle", "bottle"]
    assert entra.grants == ["client_credentials"]
    assert not any("Prediction-key" in image.headers for image in cloud.images)


def test_a_token_that_is_about_to_expire_is_renewed(
    cloud: CustomVisionServer, entra: EntraServer, shown: Photo
) -> None:
    cloud.tokens = {f"token-{number}-of-entra" for number in range(9)}
    entra.lifetime = 60
    provider = provider_for(cloud, principal(entra))
    provider.predict(shown, timeout=PLENTY)
    provider.predict(shown, timeout=PLENTY)
    assert len(entra.issued) == 2


def test_the_secret_may_be_in_a_file(
    cloud: CustomVisionServer, entra: EntraServer, shown: Photo, tmp_path: Path
) -> None:
    cloud.tokens = {"token-0-of-entra"}
    (tmp_path / "secret").write_text(f"{entra.secret}\n")
    identity = principal(entra, client_secret=None, client_secret_file=str(tmp_path / "secret"))
    assert provider_for(cloud, identity).predict(shown, timeout=PLENTY).label == "bottle"


def test_a_computer_with_a_managed_identity_needs_no_secret(
    cloud: CustomVisionServer, shown: Photo, monkeypatch: pytest.MonkeyPatch
) -> None:
    cloud.tokens = {"token-0-of-entra"}
    with EntraServer(tls=False) as computer:
        monkeypatch.setenv("IDENTITY_ENDPOINT", f"{computer.endpoint}/msi/token")
        monkeypatch.setenv("IDENTITY_HEADER", computer.header)
        provider = provider_for(cloud, {"kind": "managed_identity"})
        assert provider.predict(shown, timeout=PLENTY).label == "bottle"
        assert computer.grants == ["managed_identity"]


def test_a_refused_principal_is_a_wrong_setting_that_costs_no_call(
    cloud: CustomVisionServer, entra: EntraServer, shown: Photo
) -> None:
    provider = provider_for(cloud, principal(entra, client_secret="wrong-s3cret"))
    error = failure(lambda: provider.predict(shown, timeout=PLENTY))
    assert isinstance(error, ProviderMisconfigured)
    assert not error.sent
    assert "AADSTS7000215" in str(error)
    assert "s3cret" not in str(error)
    assert cloud.received == 0


def test_without_entra_id_the_local_model_has_to_answer(
    cloud: CustomVisionServer, entra: EntraServer, shown: Photo
) -> None:
    provider = provider_for(cloud, principal(entra))
    entra.stop()
    error = failure(lambda: provider.predict(shown, timeout=PLENTY))
    assert isinstance(error, ProviderUnavailable)
    assert not error.sent


def test_a_token_that_the_resource_does_not_know_names_the_remedy(
    cloud: CustomVisionServer, entra: EntraServer, shown: Photo
) -> None:
    provider = provider_for(cloud, principal(entra))
    error = failure(lambda: provider.predict(shown, timeout=PLENTY))
    assert isinstance(error, ProviderMisconfigured)
    assert "refuses the token of Entra ID" in str(error)
    cloud.tokens, cloud.fault = {"token-0-of-entra"}, "no_role"
    assert "give it a role on the prediction resource" in str(failure(lambda: provider.predict(shown, timeout=PLENTY)))


def test_a_key_where_keys_are_switched_off_says_what_to_set(cloud: CustomVisionServer, shown: Photo) -> None:
    error = failure(lambda: CustomVision("waste_type", options_for(cloud)).predict(shown, timeout=PLENTY))
    assert isinstance(error, ProviderMisconfigured)
    assert "custom_vision.entra.kind" in str(error)


@pytest.mark.parametrize("missing", ["tenant_id", "client_id", "client_secret"])
def test_a_principal_in_parts_is_refused_before_anything_is_sent(
    cloud: CustomVisionServer, entra: EntraServer, missing: str
) -> None:
    error = failure(lambda: provider_for(cloud, principal(entra, **{missing: None})))
    assert "custom_vision.entra.tenant_id, .client_id" in str(error)
    assert entra.connections == cloud.connections == 0


def test_an_address_of_a_region_takes_no_tokens(cloud: CustomVisionServer, entra: EntraServer) -> None:
    options = options_for(
        cloud, prediction_endpoint="https://westeurope.api.cognitive.microsoft.com", entra=principal(entra)
    )
    assert "custom subdomain" in str(failure(lambda: CustomVision("waste_type", options)))


def test_the_drill_sends_no_token(cloud: CustomVisionServer, entra: EntraServer) -> None:
    options = options_for(cloud, entra=principal(entra)).rehearsed("http://127.0.0.1:9")
    assert options.check()[1] == "rehearsal"


# By the command line


@pytest.fixture
def azure(entra: EntraServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[TrainingServer]:
    """A training resource without keys, and settings to reach it by device code."""
    with TrainingServer(rate_per_second=1000) as azure:
        azure.keys_disabled = True
        azure.tokens = {f"token-{number}-of-entra" for number in range(9)}
        variables = {
            "TRAINING_ENDPOINT": azure.endpoint,
            "ENTRA__KIND": "device_code",
            "ENTRA__TENANT_ID": TENANT,
            "ENTRA__CLIENT_ID": CLIENT,
            "ENTRA__AUTHORITY": entra.endpoint,
            "ENTRA__LOGIN_FILE": str(tmp_path / "login.json"),
        }
        monkeypatch.setenv("TRIOF_HOME", str(tmp_path / "home"))
        for name, value in variables.items():
            monkeypatch.setenv(f"TRIOF_CUSTOM_VISION__{name}", value)
        yield azure


def triof(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["azure", *arguments])


@pytest.mark.slow
def test_a_person_signs_in_once_and_commands_go_on(azure: TrainingServer, entra: EntraServer) -> None:
    before = triof("status")
    assert before.exit_code == 1
    assert "`triof azure login`" in before.output
    ran = triof("login")
    assert ran.exit_code == 0, ran.output
    assert "Open https://microsoft.test/devicelogin" in ran.output
    assert "ABC123" in ran.output
    assert "marie@example.org is signed in" in ran.output
    after = triof("status")
    assert after.exit_code == 0, after.output
    assert azure.violations == []
    entra.revoked = True
    entra.issued.clear()


def test_only_a_device_code_signs_in(monkeypatch: pytest.MonkeyPatch) -> None:
    ran = triof("login")
    assert ran.exit_code == 1
    assert "custom_vision.entra.kind to device_code" in ran.output
