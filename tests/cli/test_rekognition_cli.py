"""``triof rekognition``, and the schedule of a machine, against the strict service on loopback."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from click.testing import CliRunner, Result

pytest.importorskip("boto3", reason="needs the extra rekognition")

from providers.base import ProviderUnavailable
from providers.rekognition.opening_hours import OpeningHours
from testing.aws.rekognition_server import RekognitionServer
from tests.support.clock import Clock
from tests.support.rekognition_options import rekognition_options
from triof.cli import Timing, main
from triof.operations.model_schedule import ModelSchedule, tasks
from triof.settings.loader import load
from triof.settings.modes import Mode

ZONE = ZoneInfo("Europe/Paris")
MONDAY = datetime(2026, 11, 30, tzinfo=ZONE)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[RekognitionServer]:
    with RekognitionServer() as server:
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv("TRIOF_HOME", str(tmp_path))
        monkeypatch.setenv("TRIOF_REKOGNITION__WASTE_TYPE", server.arn)
        monkeypatch.setenv("TRIOF_REKOGNITION__ENDPOINT", server.endpoint)
        yield server


def triof(*arguments: str, answer: str | None = None) -> Result:
    clock = Clock()
    return CliRunner().invoke(main, ["rekognition", *arguments], input=answer, obj=Timing(clock, clock.pass_))


def test_start_says_what_it_costs_and_asks(server: RekognitionServer) -> None:
    server.status = "STOPPED"
    ran = triof("start", answer="n\n")
    assert ran.exit_code == 1
    assert "This costs 4.00 € an hour" in ran.output
    assert server.status == "STOPPED"


def test_start_waits_until_the_model_answers(server: RekognitionServer) -> None:
    server.status, server.slow_steps = "TRAINING_COMPLETED", 3
    ran = triof("start", "--wait", "--yes")
    assert ran.output == "triof.2026-11-30T10.00.00 is RUNNING.\n"
    assert triof("start", "--yes").exit_code == 0, "a model that runs is left alone"
    assert server.operations.count("StartProjectVersion") == 1


def test_stop_stops(server: RekognitionServer) -> None:
    server.slow_steps = 2
    assert triof("stop", "--wait").output == "triof.2026-11-30T10.00.00 is STOPPED.\n"
    assert triof("stop").exit_code == 0
    assert server.operations.count("StopProjectVersion") == 1


def test_a_model_on_its_way_is_not_turned_back(server: RekognitionServer) -> None:
    server.slow_steps = 9
    assert triof("stop").exit_code == 0
    assert "just stopping" in triof("start", "--yes").output


def test_a_model_that_failed_says_so(server: RekognitionServer) -> None:
    server.status = "TRAINING_FAILED"
    ran = triof("start", "--yes")
    assert ran.exit_code == 1
    assert "cannot be started (TRAINING_FAILED)" in ran.output


def test_status_says_what_the_hours_save(server: RekognitionServer, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "the models run until they are stopped, for 2,912 € a month" in triof("status").output
    monkeypatch.setenv("TRIOF_REKOGNITION__HOURS__MONDAY", "08:00-18:00")
    told = triof("status").output
    assert "RUNNING (The model is running), which costs 4.00 € an hour." in told
    assert "10 h a week: 173 € a month; without a pause 2,912 €" in told


def test_without_a_model_it_says_what_to_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    ran = triof("status")
    assert ran.exit_code == 1
    assert "TRIOF_REKOGNITION__WASTE_TYPE" in ran.output


# The schedule


class Canteen:
    """A machine with hours, whose time is told."""

    def __init__(self, home: Path, server: RekognitionServer) -> None:
        self.server = server
        self.mode: Mode = "auto"
        self.moment = MONDAY
        hours = OpeningHours.model_validate({"monday": "08:00-14:00"})
        options = rekognition_options(server, hours=hours, lead_minutes=20)
        self.schedule = ModelSchedule(
            home, options, ZONE, mode=lambda: self.mode, now=lambda: self.moment.astimezone(UTC)
        )

    def at(self, hour: int, minute: int = 0) -> str:
        """The model's status after a round at this time."""
        self.moment = MONDAY + timedelta(hours=hour, minutes=minute)
        self.schedule.keep()
        return self.server.status


@pytest.fixture
def canteen(server: RekognitionServer, tmp_path: Path) -> Canteen:
    return Canteen(tmp_path, server)


def test_the_model_runs_during_the_hours_and_a_little_before(canteen: Canteen) -> None:
    assert [canteen.at(7, 30), canteen.at(7, 40), canteen.at(13, 59), canteen.at(14)] == [
        "STOPPED",
        "RUNNING",
        "RUNNING",
        "STOPPED",
    ]
    assert canteen.server.operations.count("StartProjectVersion") == 1


def test_what_a_person_does_meanwhile_stays(canteen: Canteen, server: RekognitionServer) -> None:
    canteen.at(9)
    server.status = "STOPPED"
    assert canteen.at(10) == "STOPPED"
    asked = server.received
    canteen.at(11)
    assert server.received == asked, "within the hours nothing is asked"


def test_a_model_on_its_way_is_turned_later(canteen: Canteen, server: RekognitionServer) -> None:
    server.slow_steps = 2
    assert [canteen.at(7), canteen.at(8), canteen.at(8, 1), canteen.at(8, 2)] == [*3 * ["STOPPING"], "STARTING"]


def test_a_failed_round_is_repeated(canteen: Canteen, server: RekognitionServer) -> None:
    server.status, server.fault = "STOPPED", "empty_503"
    with pytest.raises(ProviderUnavailable):
        canteen.at(9)
    server.fault = None
    assert canteen.at(9, 1) == "RUNNING"


def test_in_mode_local_nothing_is_asked(canteen: Canteen, server: RekognitionServer) -> None:
    canteen.mode = "local"
    canteen.at(9)
    assert server.connections == 0


def test_only_a_machine_that_asks_a_model_with_hours_has_the_task(
    server: RekognitionServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def names() -> list[str]:
        return [task.name for task in tasks(load().settings, lambda: "auto")]

    monkeypatch.setenv("TRIOF_REKOGNITION__HOURS__FRIDAY", "08:00-14:00")
    assert names() == []
    monkeypatch.setenv("TRIOF_ROUTES__WASTE_TYPE", "rekognition,local_cnn")
    assert names() == ["rekognition.hours"]
