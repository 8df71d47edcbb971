"""What a technician sees of the cloud: doctor, quota, mode, classify, and the drill on a running kiosk."""

import json
import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
import requests
from click.testing import CliRunner, Result
from PIL import Image

from testing.azure.custom_vision_server import CustomVisionServer
from tools.running_kiosk import QUICK, RunningKiosk
from triof.cli import main
from triof.common.paths import DEMO_PICTURES
from triof.drills.fault_file import FAULTS, FaultFile, FaultyCamera, InjectedFault
from triof.drills.visitor import Visitor
from triof.machine.cameras.base import CameraError
from triof.machine.cameras.folder import FolderCamera

pytestmark = pytest.mark.slow

BOTTLE = str(DEMO_PICTURES / "bottle-clean-1.jpg")


def triof(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments)


def line(ran: Result, name: str) -> str:
    """The line of ``triof doctor`` about one part."""
    return next(line for line in ran.output.splitlines() if line.split()[1] == name)


@pytest.fixture
def set_up(cloud: CustomVisionServer, monkeypatch: pytest.MonkeyPatch) -> CustomVisionServer:
    """The machine's environment has the credentials of the loopback cloud."""
    prefix = "TRIOF_CUSTOM_VISION__"
    monkeypatch.setenv(f"{prefix}PREDICTION_ENDPOINT", cloud.endpoint)
    monkeypatch.setenv(f"{prefix}PREDICTION_KEY", cloud.key)
    monkeypatch.setenv(f"{prefix}PROJECT_ID", cloud.project_id)
    monkeypatch.setenv(f"{prefix}PUBLISHED_NAME", cloud.published_name)
    return cloud


def test_without_credentials_the_machine_is_local_and_says_so() -> None:
    ran = triof("doctor")
    assert ran.exit_code == 0
    assert "none, this machine answers by itself; for custom_vision set TRIOF_CUSTOM_VISION__PREDICTION" in ran.output
    assert "TRIOF_CUSTOM_VISION__PREDICTION_KEY" in triof("mode", "cloud").output
    assert "not set up" in triof("quota").stderr
    answer = json.loads(triof("classify", "--json", BOTTLE).stdout)
    assert answer["waste_type"]["provider"] == "local_cnn"


def test_a_kiosk_without_credentials_says_so_at_its_start(tmp_path: Path) -> None:
    with RunningKiosk(tmp_path / "home") as kiosk:
        pass
    assert "answers by itself, without custom_vision" in kiosk.complaints


def test_a_kiosk_without_pictures_does_not_say_that_it_is_ready(tmp_path: Path) -> None:
    missing = tmp_path / "pictures"
    with RunningKiosk(tmp_path / "home", {"TRIOF_CAMERA__FOLDER": str(missing)}) as kiosk:
        ready = requests.get(f"{kiosk.url}/readyz", timeout=30)
    why = f"C1: The camera's folder {missing} does not exist: set camera.folder to one that holds pictures."
    assert "runs but is not ready" in kiosk.greeting
    assert f"Warning: camera: {why}" in kiosk.complaints
    assert ready.status_code == 503
    assert ready.json()["reasons"] == [{"part": "camera", "why": why}]


def test_half_set_credentials_are_a_mistake_that_names_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRIOF_CUSTOM_VISION__PREDICTION_KEY", "0123456789abcdef")
    told = line(triof("doctor"), "cloud")
    assert told.startswith("warn")
    assert "PREDICTION_ENDPOINT, TRIOF_CUSTOM_VISION__PROJECT_ID, TRIOF_CUSTOM_VISION__PUBLISHED_NAME" in told
    assert "0123456789abcdef" not in triof("settings").output


def test_doctor_really_asks_the_cloud(set_up: CustomVisionServer) -> None:
    ran = triof("doctor")
    assert line(ran, "cloud").startswith(f"ok    cloud        custom_vision triof@{set_up.iteration_id} answers in")
    assert ran.exit_code == 0
    assert set_up.calls == 1


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        ("empty_401", "renew custom_vision.prediction_key"),
        ("unknown_tag", "verre"),
        ("multilabel", "Multiclass"),
        ("quota_403", "quota is used up"),
        ("server_error", "status 500"),
    ],
)
def test_doctor_says_what_is_wrong_with_the_cloud(set_up: CustomVisionServer, fault: str, told: str) -> None:
    set_up.fault = fault  # type: ignore[assignment]
    ran = triof("doctor")
    assert ran.exit_code == 0, "the machine works without"
    assert line(ran, "cloud").startswith("warn")
    assert told in line(ran, "cloud")
    ran = triof("--set", "mode=cloud", "doctor")
    assert ran.exit_code == 1
    assert line(ran, "cloud").startswith("FAIL")


def test_classify_asks_the_cloud_and_counts_it(set_up: CustomVisionServer) -> None:
    ran = triof("classify", "--json", "--mode", "cloud", BOTTLE)
    assert json.loads(ran.stdout)["waste_type"]["provider"] == "custom_vision"
    triof("classify", "--mode", "local", BOTTLE)
    (usage,) = (json.loads(text) for text in triof("quota", "--json").stdout.splitlines())
    assert usage["used"] == set_up.calls == 1
    assert usage["remaining"] == 9_999


def test_quota_shows_used_remaining_reset_and_cost(set_up: CustomVisionServer) -> None:
    paid = ("--set", "custom_vision.tier=S0", "--set", "custom_vision.euros_per_1000_calls=500")
    triof(*paid, "classify", BOTTLE)
    shown = triof(*paid, "quota").stdout
    for part in ("tier S0", "used       1, no limit", "remaining  no limit; at most 10 a second", "cost       0.50 €"):
        assert part in shown
    set_up.fault = "quota_403"
    triof("classify", BOTTLE)
    shown = triof("quota").stdout
    assert "remaining  0" in shown
    assert "the cloud is asked again from" in shown


def test_the_vendors_word_holds_for_every_process(set_up: CustomVisionServer) -> None:
    set_up.fault = "quota_403"
    for _ in range(3):
        triof("classify", BOTTLE)
    assert set_up.received == 1


CORES = os.cpu_count() or 1


@pytest.fixture
def running(set_up: CustomVisionServer, tmp_path: Path) -> Iterator[RunningKiosk]:
    """A kiosk in a process of its own with the cloud's credentials, which its technician's shell knows too."""
    environ = {name: value for name, value in os.environ.items() if name.startswith("TRIOF_")}
    with RunningKiosk(tmp_path / "home", {**environ, **QUICK, "TRIOF_LANGUAGE": "en"}) as kiosk:
        yield kiosk


def test_a_drill_shows_what_people_see_and_puts_everything_back(
    set_up: CustomVisionServer, running: RunningKiosk, tmp_path: Path
) -> None:
    ran = CliRunner(env={"COLUMNS": "200"}).invoke(main, ["--set", f"server.port={running.port}", "drill", "--yes"])
    assert ran.exit_code == 0, ran.output
    assert all(fault in ran.stdout for fault in FAULTS)
    for sentence in ("asks what it is", "no picture", "is retired"):
        assert sentence in ran.stdout
    assert set_up.calls == 1, "one to compare with, none for the faults"
    # A computer that is busy with other tests may raise an alert of its own.
    left = {path.name for path in (tmp_path / "home").glob("*.json")} - {"alerts.json"}
    assert left == {"mode.json", "simulated_machine.json"}
    with closing(sqlite3.connect(tmp_path / "home" / "journal.db")) as journal:
        kinds = [kind for (kind,) in journal.execute("SELECT kind FROM events ORDER BY at")]
        (noted,) = journal.execute("SELECT detail FROM events WHERE kind = 'drill.ended'").fetchone()
        (judged,) = journal.execute("SELECT count(*) FROM events WHERE kind = 'deposit.judged'").fetchone()
    assert [kinds[1], kinds[-1]] == ["drill.started", "drill.ended"], "all of it is marked as a drill"
    # One without a fault, none without a camera, and two after the retirement.
    assert len(json.loads(noted)["deposits"]) == judged == len(FAULTS) + 1
    assert ran.stdout.count("the cloud service is retired") == 2
    assert "The service behind custom_vision is retired: bring everything home with `triof azure backup" in ran.stdout
    visitor = Visitor(running.url)
    visitor.press("/start")
    visitor.press("/waste/pick-type", (DEMO_PICTURES / "bottle-clean-1.jpg").read_bytes())
    assert set_up.calls == 2, "afterwards the cloud is asked as before"


def test_a_drill_without_a_kiosk_or_with_somebody_at_it_is_one_sentence(running: RunningKiosk) -> None:
    assert "start it with `triof kiosk`" in triof("--set", "server.port=1", "drill", "--yes").stderr
    somebody = Visitor(running.url)
    somebody.press("/start")
    ran = triof("--set", f"server.port={running.port}", "drill", "--yes", "cloud_dead")
    assert ran.exit_code == 1
    assert "takes nothing now" in ran.stderr
    somebody.open("/start")
    assert somebody.shown == "insert", "and they go on undisturbed"


def test_the_mode_is_turned_in_a_running_kiosk(set_up: CustomVisionServer, running: RunningKiosk) -> None:
    visitor = Visitor(running.url)
    for mode, calls in (("local", 0), ("auto", 1)):
        assert triof("mode", mode, "--why", "a test").exit_code == 0
        visitor.press("/start")
        visitor.press("/waste/pick-type")
        assert set_up.calls == calls
        if visitor.shown == "pick_type":
            visitor.press("/return")
        visitor.press("/done")


def test_the_drill_s_stage_leads_nowhere_else_and_ends_by_itself(tmp_path: Path) -> None:
    now = time.time()
    fault_file = FaultFile(tmp_path, lambda: now)
    fault_file.set(InjectedFault("cloud_dead", "https://example.org"), 60)
    assert fault_file.current() is None, "photos never go to another machine"
    fault_file.set(InjectedFault("camera_gone", "http://127.0.0.1:1"), 60)
    camera = FaultyCamera(FolderCamera(DEMO_PICTURES), tmp_path)
    with pytest.raises(CameraError, match="drill"):
        camera.take(None)
    now += 61
    assert fault_file.current() is None
    fault_file.set(InjectedFault("camera_gone", "http://127.0.0.1:1"), -62)
    assert camera.take(None)
    fault_file.set(InjectedFault("camera_gone", "http://[::1"), 60)
    assert fault_file.current() is None
    (tmp_path / "rehearsal.json").write_text("{")
    assert camera.take(None)


def test_a_kiosk_starts_and_serves_while_the_cloud_is_away(set_up: CustomVisionServer, tmp_path: Path) -> None:
    set_up.stop()
    environ = {name: value for name, value in os.environ.items() if name.startswith("TRIOF_")}
    with RunningKiosk(tmp_path / "home", {**environ, **QUICK}) as kiosk:
        assert requests.get(f"{kiosk.url}/livez", timeout=5).ok
    assert "custom_vision cannot judge waste_type: The cloud cannot be reached" in kiosk.complaints


def test_classify_takes_the_time_that_the_tier_needs(set_up: CustomVisionServer) -> None:
    ran = triof("classify", "--mode", "cloud", *[BOTTLE] * 3)
    assert ran.exit_code == 0, ran.output
    assert ran.stdout.count("(custom_vision)") == set_up.calls == 3


def usage() -> dict[str, object]:
    (told,) = (json.loads(text) for text in triof("quota", "--json").stdout.splitlines())
    return dict(told)


def test_classify_asks_once_more_where_the_vendor_finds_it_too_fast_and_then_believes_the_local_answer(
    set_up: CustomVisionServer,
) -> None:
    set_up.fault = "rate_limited"
    started = time.monotonic()
    ran = triof("classify", BOTTLE, BOTTLE)
    assert ran.exit_code == 0, ran.output
    assert ran.stdout.count("(local_cnn)") == 2
    assert set_up.received <= 4
    # The vendor wants a second each time.
    assert time.monotonic() - started < 5
    assert (usage()["used"], usage()["refused"]) == (0, set_up.received)
    assert f"refused    {set_up.received} calls beside these" in triof("quota").stdout


def test_classify_does_not_wait_as_long_as_a_vendor_may_want(set_up: CustomVisionServer) -> None:
    set_up.fault = "rate_limited"
    set_up.canned["rate_limited"] = replace(set_up.canned["rate_limited"], headers={"Retry-After": "120"})
    started = time.monotonic()
    assert triof("classify", *[BOTTLE] * 3).stdout.count("(local_cnn)") == 3
    assert time.monotonic() - started < 5
    assert set_up.received <= CORES, "those that were under way at the refusal"


def test_what_cannot_pass_is_no_call_and_what_was_answered_is_no_refusal(
    set_up: CustomVisionServer, tmp_path: Path
) -> None:
    Image.new("RGB", (1100, 40)).save(tmp_path / "thin.png")
    triof("classify", str(tmp_path / "thin.png"))
    assert (usage()["used"], usage()["refused"], set_up.received) == (0, 0, 0)
    set_up.scores = {"verre": 1.0}
    triof("classify", BOTTLE)
    assert (usage()["used"], usage()["refused"]) == (1, 0)


def test_a_retired_service_is_said_and_asked_no_more_until_somebody_says_so(set_up: CustomVisionServer) -> None:
    set_up.fault = "retired"
    for _ in range(3):
        assert "(local_cnn)" in triof("classify", BOTTLE).stdout
    assert set_up.received == 1, "every process knows"
    assert "retired" in line(triof("doctor"), "cloud")
    assert "quota --resume" in line(triof("doctor"), "cloud")
    assert set_up.received == 1
    assert "the cloud says that it is retired; it is asked once more from" in triof("quota").stdout
    assert usage()["retired_until"]
    set_up.fault = None
    triof("quota", "--resume")
    assert "(custom_vision)" in triof("classify", BOTTLE).stdout
    assert usage()["retired_until"] is None


def test_classify_in_cloud_mode_fails_where_the_cloud_does(set_up: CustomVisionServer) -> None:
    set_up.fault = "server_error"
    ran = triof("classify", "--json", "--mode", "cloud", BOTTLE)
    assert ran.exit_code == 1
    assert json.loads(ran.stdout)["error"]["code"] == "fell_back"
    assert json.loads(triof("classify", "--json", BOTTLE).stdout)["waste_type"]["provider"] == "local_cnn"


def test_doctor_asks_although_the_breaker_is_open(set_up: CustomVisionServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRIOF_CUSTOM_VISION__CALLS_PER_SECOND", "1000")
    set_up.fault = "server_error"
    triof("classify", *[BOTTLE] * (4 + CORES))
    assert 3 <= set_up.received < 3 + CORES, "the breaker is open; some were under way"
    assert "status 500" in line(triof("doctor"), "cloud"), "the cause, not that it was not asked"
    set_up.fault = None
    assert line(triof("doctor"), "cloud").startswith("ok")


def test_a_breaker_that_opened_for_another_address_says_nothing(
    set_up: CustomVisionServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRIOF_CUSTOM_VISION__PREDICTION_ENDPOINT", "http://127.0.0.1:1")
    triof("classify", *[BOTTLE] * 4)
    monkeypatch.setenv("TRIOF_CUSTOM_VISION__PREDICTION_ENDPOINT", set_up.endpoint)
    assert "(custom_vision)" in triof("classify", BOTTLE).stdout


def test_calls_of_the_free_tier_cost_nothing_later(set_up: CustomVisionServer) -> None:
    triof("classify", BOTTLE)
    paid = ("--set", "custom_vision.tier=S0", "--set", "custom_vision.euros_per_1000_calls=500")
    assert "0.00 €" in triof(*paid, "quota").stdout
    triof(*paid, "classify", BOTTLE)
    assert "0.50 €" in triof(*paid, "quota").stdout


def test_a_drill_that_rehearsed_nothing_does_not_say_well(running: RunningKiosk, tmp_path: Path) -> None:
    other = ("--set", f"home={tmp_path / 'other'}", "--set", f"server.port={running.port}")
    ran = triof(*other, "drill", "--yes", "cloud_dead", "camera_gone")
    assert ran.exit_code == 1
    assert ran.stdout.count("not rehearsed") == 2


def test_a_drill_whose_kiosk_dies_is_one_sentence(set_up: CustomVisionServer, running: RunningKiosk) -> None:
    def kill() -> float:
        running.kill()
        return time.monotonic()

    set_up.clock = kill  # looked at while the kiosk waits for the cloud's answer
    ran = triof("--set", f"server.port={running.port}", "drill", "--yes", "cloud_dead")
    assert ran.exit_code == 1
    assert "No kiosk answers" in ran.stderr


@pytest.mark.parametrize("name", ["PROJECT_ID", "PREDICTION_ENDPOINT", "TIER"])
def test_a_key_in_the_wrong_place_is_not_shown(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(f"TRIOF_CUSTOM_VISION__{name}", "https://x?key=0123456789secret")
    ran = triof("settings")
    assert ran.exit_code == 2
    assert "secret" not in ran.output
    assert f"custom_vision.{name.lower()} (from environment" in ran.stderr
