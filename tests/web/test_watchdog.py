"""What systemd hears of a server: that it is ready, that it works, and nothing while it hangs."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.clock import Clock
from tests.support.machines import BuildMachine
from tests.support.notify_socket import NotifySocket
from tools.running_kiosk import RunningKiosk, free_port
from triof.common import systemd
from triof.common.liveness import LivenessAnswer, ask_livez, local_url
from triof.services import KioskServices
from triof.storage.disk_reserve import DiskRoom
from triof.web.watchdog import Watchdog


@pytest.fixture
def systemd_hears(tmp_path: Path) -> Iterator[NotifySocket]:
    with NotifySocket(tmp_path) as heard:
        yield heard


@pytest.mark.parametrize(
    ("server", "lives", "hears"),
    [("answers", True, ["READY=1", "WATCHDOG=1", "WATCHDOG=1"]), ("silent", True, []), ("answers", False, [])],
)
def test_the_watchdog_is_fed_only_while_all_is_well(
    systemd_hears: NotifySocket, server: LivenessAnswer, lives: bool, hears: list[str]
) -> None:
    watchdog = Watchdog(lambda: server, lambda: lives, systemd_hears.environ)
    for _ in range(3):
        watchdog.look()
    assert systemd_hears.heard() == hears


def test_a_server_that_hangs_later_is_not_fed_any_more(
    systemd_hears: NotifySocket, caplog: pytest.LogCaptureFixture
) -> None:
    answers: list[LivenessAnswer] = ["silent", "answers", "answers"]
    watchdog = Watchdog(answers.pop, lambda: True, systemd_hears.environ)
    for _ in range(3):
        watchdog.look()
    assert systemd_hears.heard() == ["READY=1", "WATCHDOG=1"]
    assert "watchdog.not_fed" in caplog.text


def test_a_machine_lives_as_long_as_its_housekeeper_does_its_rounds(
    build_machine: BuildMachine, tmp_path: Path
) -> None:
    built, clock = build_machine().services, Clock()
    room = DiskRoom(tmp_path, reserve_bytes=0, clock=clock)
    services = KioskServices(**{**vars(built), "room": room})
    clock.pass_(119)
    assert services.is_alive()
    clock.pass_(2)
    assert not services.is_alive()
    room.look()
    assert services.is_alive()


def test_an_abstract_address_and_a_missing_one(tmp_path: Path) -> None:
    systemd.notify("READY=1", {"NOTIFY_SOCKET": "@triof-nobody-listens"})
    systemd.notify("READY=1", {"NOTIFY_SOCKET": str(tmp_path / "gone")})
    systemd.notify("READY=1", {})


@pytest.mark.parametrize(
    ("environ", "seconds"),
    [
        ({"WATCHDOG_USEC": "60000000"}, 60),
        ({"WATCHDOG_USEC": "60000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({}, None),
    ],
)
def test_the_watchdog_of_another_process_is_not_ours(environ: dict[str, str], seconds: float | None) -> None:
    assert systemd.watchdog_seconds(environ) == seconds


def test_a_server_is_asked_where_this_computer_reaches_it() -> None:
    assert local_url("0.0.0.0", 8080) == "http://127.0.0.1:8080/"
    assert local_url("::", 80) == "http://[::1]:80/"
    assert ask_livez("127.0.0.1", free_port(), 1) == "refused"


@pytest.mark.slow
def test_a_kiosk_tells_systemd_that_it_is_ready_works_and_ends(tmp_path: Path) -> None:
    with NotifySocket(tmp_path, watchdog_seconds=0.6) as heard:
        with RunningKiosk(tmp_path / "home", {"TRIOF_MODE": "local", **heard.environ}) as kiosk:
            assert [heard.wait(), heard.wait(), heard.wait()] == ["READY=1", "WATCHDOG=1", "WATCHDOG=1"]
            kiosk.send(signal.SIGTERM)
            assert kiosk.wait() == 0
        assert heard.heard()[-1] == "STOPPING=1"
