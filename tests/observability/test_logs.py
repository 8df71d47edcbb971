"""What is in the log and what must never be, that every line is one event, and that a log in trouble harms nobody."""

import json
import logging
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

from providers.base import Photo, Prediction
from providers.event_log import get_logger
from providers.fake import FakeProvider
from tests.support.machines import BuildCloudMachine, Machine
from triof.machine.slot import Jammed
from triof.observability import logs
from triof.settings.sections.logs import LogsSettings

log = get_logger("triof.something")


class Kept:
    """The log of a test."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.terminal = StringIO()

    @property
    def text(self) -> str:
        return "".join(path.read_text(encoding="utf-8") for path in self.folder.glob("test.log*"))

    def lines(self, event: str = "") -> list[dict[str, Any]]:
        """Every line, in order; of one ``event`` where it is named."""
        lines = [json.loads(line) for line in (self.folder / "test.log").read_text(encoding="utf-8").splitlines()]
        return [line for line in lines if event in ("", line["event"])]


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Kept]:
    kept = Kept(tmp_path / "logs")
    logs.begin()
    with logs.kept(LogsSettings(level="debug"), kept.folder, "test", kept.terminal):
        yield kept


class Broken(FakeProvider):
    """A provider in the cloud that breaks in a way of its own."""

    name = "broken"
    needs_network = True

    def __init__(self, task: str, options: object) -> None:
        super().__init__("waste_type", ["bottle"])

    def predict(self, photo: Photo, *, timeout: float) -> Prediction:
        raise ZeroDivisionError


# ---- what a line is ----


def test_a_name_and_fields_become_an_event_with_fields(kept: Kept) -> None:
    log.warning("quota.warned", resource="azure", used="8 of 10", share=0.81239)
    log.info("breaker.closed", provider=None, name="cloud", from_="open")
    fields = [{k: v for k, v in line.items() if k not in ("timestamp", "logger")} for line in kept.lines()]
    assert fields == [
        {"event": "quota.warned", "resource": "azure", "used": "8 of 10", "share": 0.8124, "level": "warning"},
        {"event": "breaker.closed", "provider": None, "name": "cloud", "from": "open", "level": "info"},
    ]


def test_what_a_field_holds_is_never_taken_for_another_field(kept: Kept) -> None:
    log.warning("router.fell_back", cause='no answer status=200 level=info"}\n{"event": "made.up"}')
    (line,) = kept.lines()
    assert line["cause"] == 'no answer status=200 level=info"}\n{"event": "made.up"}'
    assert line["level"] == "warning"
    assert "status" not in line


def test_without_the_log_a_line_is_text(caplog: pytest.LogCaptureFixture) -> None:
    log.warning("provider.rests", provider="cloud", seconds=7.0, share=0.81239, cause="100 %s")
    (record,) = caplog.records
    assert record.getMessage() == "provider.rests provider=cloud seconds=7 share=0.8124 cause=100 %s"
    assert record.filename == "test_logs.py"


def test_what_other_libraries_say_is_kept_as_they_say_it(kept: Kept) -> None:
    other = logging.getLogger("urllib3.connectionpool")
    other.warning("Pool is full, %s: 100%% of size=%s, %s", "host", 10, "discarding")
    other.warning("Named %(one)s", {"one": 1})
    other.debug("https://host/with?key=geheim")
    assert [line["event"] for line in kept.lines()] == [
        "Pool is full, host: 100% of size=10, discarding",
        "Named 1",
    ]
    assert "size" not in kept.lines()[0]


def test_an_error_keeps_its_traceback_on_one_line_and_nothing_of_its_variables(kept: Kept) -> None:
    password = "geheim"
    try:
        raise ValueError(len(password))
    except ValueError:
        log.exception("something.broke")
    (line,) = kept.lines()
    assert "Traceback" in line["exception"]
    assert "ValueError: 6" in line["exception"]
    assert kept.text.count("\n") == 1


def test_secrets_and_photos_stay_out_wherever_they_stand(kept: Kept, jpeg: bytes) -> None:
    log.warning(
        "call.failed",
        url="https://api.example/predict?code=geheim",
        database="postgresql://me:geheim@host/db",
        key="triof_geheimgeheimgeheimgeheim",
        photo=jpeg,
    )
    assert "geheim" not in kept.text + kept.terminal.getvalue()
    (line,) = kept.lines()
    assert line["photo"] == f"{len(jpeg)} bytes"
    assert line["url"] == "https://api.example/predict?…"


def test_somebody_at_a_terminal_sees_all_and_a_service_what_is_wrong(kept: Kept, tmp_path: Path) -> None:
    class Terminal(StringIO):
        def isatty(self) -> bool:
            return True

    terminal = Terminal()
    with logs.kept(LogsSettings(), tmp_path / "other", "test", terminal):
        log.info("all.well", count=3)
        log.debug("too.much")
        log.warning("some.trouble")
    assert "all.well" in terminal.getvalue()
    assert "too.much" not in terminal.getvalue()
    assert "all.well" not in kept.terminal.getvalue()
    assert "some.trouble" in kept.terminal.getvalue()


def test_the_lines_of_libraries_are_in_the_file_and_not_on_the_terminal(kept: Kept) -> None:
    logging.getLogger("urllib3.connectionpool").warning("Retrying %s", "photo")
    logging.getLogger("triofs_friend").error("not ours")
    log.warning("some.trouble")
    assert [line["event"] for line in kept.lines()] == ["Retrying photo", "not ours", "some.trouble"]
    assert kept.terminal.getvalue().count("\n") == 1


# ---- requests and deposits ----


@pytest.mark.slow
def test_every_line_of_a_deposit_tells_whose_it_is(kept: Kept, machine: Machine) -> None:
    def jam() -> None:
        raise Jammed("shredder")

    machine.hardware.instead["shred"] = jam
    visitor = machine.visitor().press("/start").press("/waste/pick-type")
    visitor.press("/confirmation", waste_type="bottle").wait_idle()
    (opened,) = machine.events("deposit.opened")
    requests = kept.lines("http.request")
    routes = {line["route"] for line in requests if line.get("deposit_id") == str(opened.deposit_id)}
    assert routes - {"/", "/waste/judging"} == {"/start", "/waste/pick-type", "/confirmation"}
    assert all(line["request_id"] and line["status"] and line["seconds"] >= 0 for line in requests)
    # It failed in the thread that sorts, for the request that confirmed.
    (failed,) = kept.lines("deposit.failed")
    confirmed = [line for line in requests if (line["method"], line["route"]) == ("POST", "/confirmation")]
    assert failed["deposit_id"] == str(opened.deposit_id)
    assert failed["request_id"] in {line["request_id"] for line in confirmed}


@pytest.mark.slow
def test_what_a_worker_logs_tells_for_which_request(kept: Kept, cloud_machine: BuildCloudMachine) -> None:
    machine = cloud_machine(
        routes={"waste_type": ("tests.observability.test_logs:Broken", "local_cnn"), "cleanliness": ("local_cnn",)}
    )
    machine.visitor().press("/start").press("/waste/pick-type")
    (broke,), (fell_back,) = kept.lines("provider.broke"), kept.lines("router.fell_back")
    assert "ZeroDivisionError" in broke["exception"]
    assert broke["request_id"] == fell_back["request_id"]
    assert broke["deposit_id"] == fell_back["deposit_id"]
    assert fell_back["task"] == "waste_type"


@pytest.mark.slow
def test_neither_keys_nor_photos_nor_addresses_are_in_the_log(kept: Kept, machine: Machine, jpeg: bytes) -> None:
    client, operations = machine.client(), machine.services.operations
    secret = operations.keys.create("somebody", ["predict"])
    machine.visitor().press("/start").press("/waste/pick-type").press("/confirmation", waste_type="bottle").wait_idle()
    headers = {"Authorization": f"Bearer {secret}", "Content-Type": "image/jpeg", "X-Request-Id": "asked-by-test"}
    assert client.post("/api/v2/predict", data=jpeg, headers=headers).status_code == 200
    client.get("/nowhere?token=geheim", headers={"Authorization": "Bearer geheim", "Cookie": "session=geheim"})
    client.get("/livez")
    asked = [line for line in kept.lines("http.request") if line["request_id"] == "asked-by-test"]
    assert [(line["method"], line["route"], line["status"]) for line in asked] == [("POST", "/api/v2/predict", 200)]
    for unwanted in (secret, "geheim", "somebody", "192.0.2", "127.0.0.1", "JFIF", "nowhere"):
        assert unwanted not in kept.text
    assert kept.lines("http.request")[-1]["level"] == "debug", "health is asked too often to be told"


# ---- trouble ----


def test_old_lines_make_room(tmp_path: Path) -> None:
    with logs.kept(LogsSettings(megabytes=0.001, files=2), tmp_path, "test", StringIO()):
        for number in range(50):
            log.info("number.counted", number=number)
    files = sorted(tmp_path.iterdir())
    assert [file.name for file in files] == ["test.log", "test.log.1", "test.log.2"]
    assert all(file.stat().st_size <= 1000 for file in files)
    assert json.loads((tmp_path / "test.log").read_text().splitlines()[-1])["number"] == 49


def test_a_log_that_cannot_rotate_goes_on_where_it_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "test.log.1" / "in the way").mkdir(parents=True)
    with logs.kept(LogsSettings(megabytes=0.001, files=1), tmp_path, "test", StringIO()):
        for number in range(50):
            log.info("number.counted", number=number)
    assert len((tmp_path / "test.log").read_text().splitlines()) == 50
    assert capsys.readouterr().err.count("The log cannot be written") == 1


@pytest.mark.slow
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
def test_a_full_disk_stops_no_deposit(
    kept: Kept, machine: Machine, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "test.log").symlink_to("/dev/full")
    with logs.kept(LogsSettings(), tmp_path / "full", "test", StringIO()):
        visitor = machine.visitor().press("/start").press("/waste/pick-type")
        visitor.press("/confirmation", waste_type="bottle").wait_idle()
    assert ("shredded", "bottle", None) in machine.happened()
    assert capsys.readouterr().err.count("The log cannot be written (") == 1


def test_a_folder_that_cannot_be_made_stops_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("")
    with logs.kept(LogsSettings(), tmp_path / "file" / "logs", "test", StringIO()):
        log.info("something.happened")
        log.info("something.else")
    assert capsys.readouterr().err.count("The log cannot be written") == 1
