"""The checks of the computer around a machine: its network, and the devices that its user may use."""

import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.support.dashboard import CLOUD
from tests.support.permissions import binding
from triof.observability import system_stats
from triof.observability.health_checks.check import CheckedParts, CheckResult
from triof.observability.health_checks.computer_checks import groups, network
from triof.settings.tree import Settings


def found(home: Path, changes: Mapping[str, Any]) -> CheckResult:
    settings = Settings.model_validate({"home": home, **changes})
    result = network.run(CheckedParts(settings, router=lambda: pytest.fail("not asked"), journal=lambda: None))
    assert result
    return result


@pytest.fixture
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError("Network is unreachable")

    monkeypatch.setattr(socket.socket, "connect", refuse)


@pytest.mark.usefixtures("_no_network")
@pytest.mark.parametrize(
    ("changes", "status", "said"),
    [
        ({}, "ok", "none, and nothing needs one"),
        ({"custom_vision": CLOUD}, "warning", "which custom_vision need"),
        ({"custom_vision": CLOUD, "mode": "local"}, "ok", "none"),
        ({"alerts": {"webhook": {"url": "https://hook.example/"}}}, "warning", "Check cable"),
    ],
)
def test_a_missing_network_is_told_where_one_is_needed(
    changes: Mapping[str, Any], status: str, said: str, tmp_path: Path
) -> None:
    result = found(tmp_path, changes)
    assert result.status == status
    assert said in result.text


def test_a_network_is_told_by_the_address_in_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(socket.socket, "connect", lambda *_: None)
    assert found(tmp_path, {"custom_vision": CLOUD}).message == "0.0.0.0"


def test_devices_are_denied_where_none_of_them_may_be_used(tmp_path: Path) -> None:
    for name in ("video0", "video1"):
        (tmp_path / name).touch(0o600)
    (tmp_path / "video0").chmod(0)
    with binding():
        assert system_stats.denied_devices(("video*",), tmp_path) == []
        (tmp_path / "video1").chmod(0)
        assert system_stats.denied_devices(("video*",), tmp_path) == [tmp_path / "video0", tmp_path / "video1"]
        assert system_stats.denied_devices(("gpiochip*",), tmp_path) == []


def test_a_machine_without_devices_needs_no_group(tmp_path: Path) -> None:
    parts = CheckedParts(Settings(home=tmp_path), router=lambda: pytest.fail("not asked"), journal=lambda: None)
    assert groups.run(parts) is None
