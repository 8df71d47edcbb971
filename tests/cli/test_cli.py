"""The commands as a technician types them, rightly and wrongly."""

import json
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from click.testing import CliRunner, Result

from providers.base import LABELS
from testing.image_files import HOSTILE
from tests.support.paths import ROOT
from tools.running_kiosk import RunningKiosk
from triof.cli import main
from triof.journal.journal import Journal
from triof.settings.tree import Settings
from triof.storage.data_folder import open_database


def triof(*arguments: str, stdin: str | None = None) -> Result:
    return CliRunner().invoke(main, arguments, input=stdin)


def objects(ran: Result) -> list[dict[str, Any]]:
    return [json.loads(line) for line in ran.stdout.splitlines()]


@pytest.fixture
def pictures(tmp_path: Path, jpeg: bytes) -> Path:
    folder = tmp_path / "shown"
    (folder / "deeper").mkdir(parents=True)
    for name in ("b.jpg", "deeper/à.png", "a.gif"):
        (folder / name).write_bytes(jpeg)
    (folder / "notes.txt").write_text("no photo")
    return folder


@pytest.mark.slow
def test_classify_prints_one_object_a_photo_in_the_order_of_the_input(pictures: Path) -> None:
    ran = triof("classify", "--json", str(pictures / "b.jpg"), str(pictures))
    assert ran.exit_code == 0, ran.output
    answers = objects(ran)
    names = [str(pictures / name) for name in ("b.jpg", "a.gif", "b.jpg", "deeper/à.png")]
    assert [answer["path"] for answer in answers] == names
    answer = answers[0]
    assert set(answer) == {"path", "waste_type", "cleanliness", "verdict", "duration_ms"}
    assert set(answer["waste_type"]) == {"label", "probability", "scores", "provider", "model_version"}
    assert tuple(answer["waste_type"]["scores"]) == LABELS["waste_type"]
    assert tuple(answer["cleanliness"]["scores"]) == LABELS["cleanliness"]
    assert set(answer["verdict"]) == {"action", "label", "reason"}


@pytest.mark.slow
def test_ctrl_c_ends_a_long_classification_at_a_whole_line(pictures: Path) -> None:
    command = [sys.executable, "-m", "triof.cli", "classify", "--json", "-"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True) as running:
        assert running.stdin
        assert running.stdout
        running.stdin.write(f"{pictures / 'b.jpg'}\n" * 20_000)
        running.stdin.close()
        first = running.stdout.readline()
        running.send_signal(signal.SIGINT)
        rest = running.stdout.readlines()
        assert running.stderr
        told = running.stderr.read()
    assert running.returncode == 1
    assert told.strip() == "Aborted!"
    assert len(rest) < 19_000
    assert {json.loads(line)["path"] for line in (first, *rest)} == {str(pictures / "b.jpg")}


def test_classify_reads_a_list_from_standard_input(pictures: Path) -> None:
    ran = triof("classify", "--json", "-", stdin=f"{pictures / 'b.jpg'}\n\n{pictures / 'a.gif'}\n")
    assert [answer["path"] for answer in objects(ran)] == [str(pictures / "b.jpg"), str(pictures / "a.gif")]


def test_what_cannot_be_judged_is_an_object_too_and_the_rest_goes_on(pictures: Path) -> None:
    paths = []
    for name, image in HOSTILE.items():
        paths.append(pictures / f"{name}.jpg")
        paths[-1].write_bytes(image)
    ran = triof("classify", "--json", *map(str, paths), "missing.jpg", str(pictures / "b.jpg"))
    assert ran.exit_code == 1
    *failed, last = objects(ran)
    assert all(answer["error"]["code"] and answer["error"]["message"] for answer in failed)
    assert failed[-1]["error"]["code"] == "not_found"
    assert "waste_type" in last


def test_classify_for_people(pictures: Path) -> None:
    ran = triof("classify", str(pictures / "b.jpg"), "missing.jpg")
    good, bad = ran.stdout.splitlines()
    assert str(pictures / "b.jpg") in good
    assert "%" in good
    assert bad == "error   missing.jpg: There is no such file: check the path."


def test_when_no_provider_answers_the_cause_is_told(pictures: Path) -> None:
    ran = triof(
        "--set", "routes.waste_type=fake", "--set", "fake.waste_type=asleep", "classify", "--json", str(pictures)
    )
    assert ran.exit_code == 1
    assert all(answer["error"]["code"] == "no_provider_answered" for answer in objects(ran))
    assert "asleep" in ran.stdout


def test_cloud_mode_without_a_provider_in_the_cloud_is_a_mistake(pictures: Path) -> None:
    ran = triof("classify", "--mode", "cloud", str(pictures))
    assert ran.exit_code == 2
    assert "There is no cloud to ask: set TRIOF_CUSTOM_VISION__PREDICTION_ENDPOINT" in ran.stderr
    ran = triof("--set", "routes.waste_type=local_cnn", "classify", "--mode", "cloud", str(pictures))
    assert "no provider of the routes is in the cloud" in ran.stderr


@pytest.mark.parametrize(
    "arguments", [["classify"], ["--set", "nonsense", "settings"], ["dance"], ["slot", "jam", "lid"]]
)
def test_what_is_asked_wrongly_exits_with_2(arguments: Sequence[str]) -> None:
    assert triof(*arguments).exit_code == 2


def test_help_names_every_command() -> None:
    ran = triof("--help")
    for command in ("classify", "doctor", "drill", "evaluate", "kiosk", "mode", "quota", "settings", "slot", "train"):
        assert f"  {command} " in ran.stdout


@pytest.mark.slow
def test_doctor_finds_a_machine_that_works() -> None:
    ran = triof("doctor")
    assert ran.exit_code == 0, ran.output
    assert "FAIL" not in ran.output


@pytest.mark.slow
@pytest.mark.parametrize(
    ("mistake", "part", "remedy"),
    [
        ("camera.folder=/nowhere", "camera", "camera.folder"),
        ("local_cnn.waste_type_bundle=/nowhere", "waste_type", "/nowhere"),
        ("home=/proc/triof", "home", "/proc"),
        ("mode=no", "settings", "auto"),
    ],
)
def test_doctor_names_what_is_wrong_and_the_remedy(mistake: str, part: str, remedy: str) -> None:
    ran = triof("--set", mistake, "doctor")
    assert ran.exit_code == 1
    failures = [line for line in ran.output.splitlines() if line.startswith("FAIL")]
    assert failures[0].split()[1] == part
    assert remedy in ran.output


@pytest.mark.slow
def test_doctor_sees_a_jam_and_slot_clears_it() -> None:
    assert triof("slot", "jam", "shredder").exit_code == 0
    assert "jammed: shredder" in triof("slot").stdout
    assert "triof slot clear" in triof("doctor").output
    triof("slot", "clear")
    assert triof("doctor").exit_code == 0


@pytest.mark.slow
def test_classifying_loads_neither_web_nor_database_nor_tensorflow(pictures: Path) -> None:
    code = (
        "import sys; from triof.cli import main\n"
        f"try: main(['classify', {str(pictures / 'b.jpg')!r}])\n"
        "except SystemExit: pass\n"
        "heavy = {'flask', 'sqlalchemy', 'alembic', 'tensorflow', 'rich', 'babel', 'azure', 'requests'}\n"
        "heavy |= {'structlog', 'psutil', 'prometheus_client', 'waitress'}\n"
        "heavy &= set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT, capture_output=True)


def test_a_provider_that_is_none_is_told_for_each_photo(pictures: Path) -> None:
    ran = triof("--set", "routes.waste_type=os:path", "classify", str(pictures / "b.jpg"))
    assert ran.exit_code == 1
    assert "'os:path' is no provider" in ran.stdout


def test_names_that_no_file_can_have_are_objects_too(pictures: Path) -> None:
    ran = triof("classify", "--json", "-", stdin=f"a\0b.jpg\n{'x' * 5000}\n{pictures / 'b.jpg'}\n")
    assert ran.exit_code == 1
    assert [answer.get("error", {}).get("code") for answer in objects(ran)] == ["not_found", "unreadable", None]


def test_where_no_photo_is_found_that_is_said(tmp_path: Path) -> None:
    for arguments, source in (([str(tmp_path)], str(tmp_path)), (["-"], "standard input")):
        ran = triof("classify", *arguments, stdin="")
        assert ran.exit_code == 1
        assert "No photo was found in" in ran.stderr
        assert source in ran.stderr


def test_what_is_too_large_or_endless_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "huge.jpg").open("wb") as huge:
        huge.truncate(10_000_000_000)
    ran = triof("classify", "--json", str(tmp_path / "huge.jpg"), "/dev/zero")
    assert [answer["error"]["code"] for answer in objects(ran)] == ["too_many_bytes", "not_a_photo"]


@pytest.mark.parametrize(
    "url",
    [
        "nonsense-geheim",
        "postgresql://u:geheim@h:x/db",
        "postgresql+nodriver://u:geheim@h/db",
        "postgresql://u:ge/heim@h/db",
        "sqlite:////nowhere/journal.db",
    ],
)
def test_a_journal_that_cannot_be_used_is_one_sentence_without_the_password(url: str) -> None:
    ran = triof("--set", f"journal.url={url}", "kiosk")
    assert ran.exit_code == 1
    assert "journal.url" in ran.stderr
    assert "heim" not in ran.output
    assert isinstance(ran.exception, SystemExit)


@pytest.mark.slow
def test_a_corrupt_journal_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "journal.db").write_bytes(b"this is no database" * 100)
    for command in (["doctor"], ["keys", "list"], ["serve"]):
        ran = triof(*command)
        assert ran.exit_code == 1
        assert "file is not a database" in ran.output
        assert "triof journal salvage" in ran.output


def test_a_home_that_is_a_file_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("")
    for command in (["kiosk"], ["slot"], ["slot", "jam", "box"], ["slot", "clear"]):
        ran = triof(*command)
        assert ran.exit_code == 1
        assert "set TRIOF_HOME" in ran.stderr


@pytest.mark.slow
def test_an_address_that_is_none_is_one_sentence() -> None:
    ran = triof("kiosk", "--host", "300.1.1.1")
    assert ran.exit_code == 1
    assert "--host" in ran.stderr
    assert triof("kiosk", "--host", "").exit_code == 2


@pytest.mark.slow
def test_doctor_makes_no_journal_and_counts_in_right_english(tmp_path: Path) -> None:
    home = tmp_path / "what?#home"
    assert "there is none yet" in triof("--set", f"home={home}", "doctor").output
    assert not (home / "journal.db").exists()
    settings = Settings(home=home)
    database = open_database(settings)
    assert (home / "journal.db").exists()
    Journal(database).record("deposit.opened", uuid4())
    database.close()
    assert "answers, 1 deposit under way" in triof("--set", f"home={home}", "doctor").output


@pytest.mark.slow
def test_doctor_shows_the_thresholds_in_force() -> None:
    ran = triof("--set", "policy.thresholds.cup=0.99", "--set", "routes.cleanliness=fake", "doctor")
    waste_type, cleanliness = (line for line in ran.output.splitlines() if " believes " in line)
    assert "local_cnn waste_type-" in waste_type
    assert "cup from 0.99 (policy)" in waste_type
    assert "(model)" in waste_type
    assert "fake script believes clean from 0.8 (default), dirty from 0.8 (default)" in cleanliness


@pytest.mark.slow
def test_a_body_too_large_is_refused_before_it_is_sent(tmp_path: Path) -> None:
    with RunningKiosk(tmp_path / "home") as kiosk, socket.create_connection(("127.0.0.1", kiosk.port), 10) as client:
        client.sendall(b"POST /waste/judge HTTP/1.1\r\nHost: x\r\nContent-Length: 300000000\r\n\r\n")
        assert b" 413 " in client.recv(100)
