"""``triof privacy erase``: what could lead to a person in a period is gone everywhere, and nothing else is."""

import json
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from click.testing import CliRunner
from filelock import FileLock

from tests.support import historical_journals
from tests.support.deposits import WHOLE, code_shown, judged, kinds, look_again
from tests.support.machines import BuildMachine, Machine
from tests.support.past_deposits import PastDeposits, mentions, touch
from tests.support.paths import ROOT
from tests.support.permissions import binding
from triof.cli import main
from triof.journal.backups import JournalBackups
from triof.journal.outbox import UNREAD, Outbox
from triof.statistics.queries import Statistics
from triof.storage.tables import ApiKey, JobRow, UploadRow

pytestmark = pytest.mark.slow

TEN = datetime(2026, 11, 3, 9, tzinfo=UTC)  # in Paris
NIGHT = datetime(2026, 11, 2, 23, tzinfo=UTC)
HOUR = timedelta(hours=1)
AT_TEN = ("--since", "2026-11-03T10:00", "--until", "2026-11-03T10:10", "--yes")


@pytest.fixture
def past(tmp_path: Path, new_journal: Path) -> PastDeposits:
    return PastDeposits(tmp_path / "home", new_journal, TEN)


def confirm(machine: Machine) -> None:
    judged(machine).press("/confirmation", waste_type="bottle").wait_idle().open("/").press("/done")


def erase(machine: Machine, *more: str) -> tuple[int, str]:
    home = machine.services.operations.settings.home
    (home / "machine_id").write_text("machine-1")
    ran = CliRunner().invoke(main, ["privacy", "erase", "--since", "2026-01-01", "--yes", *more])
    assert ran.exception is None or isinstance(ran.exception, SystemExit), ran.exception
    return ran.exit_code, ran.output


# ---- a running machine ----


def test_a_running_machine_goes_on_and_its_deposits_are_anonymous(machine: Machine, tmp_path: Path) -> None:
    home, path = tmp_path / "home", tmp_path / "home" / "journal.db"
    confirm(machine)
    before = machine.happened()
    photo = machine.events("deposit.judged")[0].detail["photo"]
    assert mentions(home, photo)
    code, output = erase(machine, "--why", "request 7")
    assert code == 0, output
    assert mentions(home, photo) == []
    assert sorted(machine.happened()) == sorted(before)
    (time,) = {row.at for row in machine.events() if row.deposit_id}
    assert (time.minute, time.second, time.microsecond) == (0, 0, 0)
    (told,) = machine.events("privacy.erased")
    counts = {name: told.detail[name] for name in ("photos", "deposits", "events", "predictions", "left", "why")}
    assert counts == {"photos": 1, "deposits": 1, "events": 4, "predictions": 2, "left": [], "why": "request 7"}
    assert told.detail["since"] == "2025-12-31T23:00:00+00:00"
    confirm(machine)
    assert code_shown(look_again(machine)) == ""
    assert kinds(path)[-3:] == WHOLE[1:]


def test_erasing_twice_finds_nothing_more(machine: Machine) -> None:
    confirm(machine)
    erase(machine)
    assert erase(machine)[0] == 0
    numbers = {name: value for name, value in machine.events("privacy.erased")[-1].detail.items() if type(value) is int}
    assert set(numbers.values()) == {0}


def test_a_deposit_under_way_is_left_until_it_has_ended(machine: Machine) -> None:
    visitor = judged(machine)
    code, output = erase(machine)
    assert code == 1
    assert "1 deposits have not ended" in output
    visitor.open("/").press("/confirmation", waste_type="bottle").wait_idle().open("/")
    assert visitor.shown == "thanks"
    assert erase(machine)[0] == 0
    assert machine.events("deposit.judged")[0].detail["photo"] == ""


def test_the_outbox_of_a_running_kiosk_is_left_until_it_is_empty(build_machine: BuildMachine, tmp_path: Path) -> None:
    machine = build_machine()
    visitor = judged(machine)
    with closing(sqlite3.connect(tmp_path / "home" / "journal.db")) as other:
        other.execute("BEGIN IMMEDIATE")
        visitor.press("/confirmation", waste_type="bottle").wait_idle()
    with FileLock(tmp_path / "home" / "machine.lock"):
        code, output = erase(machine)
    assert code == 1
    assert "outbox of the running kiosk" in output
    look_again(machine)
    assert erase(machine)[0] == 0
    assert {row.at.minute for row in machine.events() if row.deposit_id} == {0}


# ---- only the period ----


def test_only_the_period_is_erased(past: PastDeposits) -> None:
    deposits = [past.deposit(TEN + number * HOUR) for number in (-1, 0, 1)]
    across, photo = past.deposit(TEN + timedelta(minutes=9, seconds=59))
    past.at = TEN + timedelta(minutes=12)
    past.journal.record("deposit.returned", across)
    assert past.run("erase", *AT_TEN).exit_code == 0
    assert [past.times(id_) for id_, _ in deposits] == [{TEN - HOUR}, {NIGHT}, {TEN + HOUR}]
    assert past.times(across) == {NIGHT}, "a deposit is erased as a whole"
    assert [past.store.path(name).exists() for _, name in deposits] == [True, False, True]
    assert not past.store.path(photo).exists()
    events, predictions = past.rows()
    assert [row.detail["photo"] for row in events if row.kind == "deposit.judged"].count("") == 2
    assert [row.embedding for row in predictions].count(None) == 2
    assert all(row.detail["brightness"] == 0.5 for row in events if row.kind == "deposit.judged")


def test_other_machines_in_the_same_journal_are_left_alone(past: PastDeposits) -> None:
    id_, _ = past.deposit(TEN)
    (past.home / "machine_id").write_text("machine-2")
    assert past.run("erase", *AT_TEN).exit_code == 0
    assert past.times(id_) == {TEN}


def test_the_numbers_of_the_day_stay_as_they_are(past: PastDeposits) -> None:
    for number in range(3):
        past.deposit(TEN + number * HOUR)

    def totals() -> object:
        statistics = Statistics(past.database, past.settings)
        return statistics.totals(statistics.days(TEN.date(), TEN.date(), None))

    before = totals()
    assert past.run("erase", *AT_TEN).exit_code == 0
    assert totals() == before


def test_photos_without_a_row_go_by_their_time(past: PastDeposits) -> None:
    past.at = TEN
    for name in ("a" * 64, "b" * 64):
        past.store.store(name, b"x")
    past.store.path("b" * 64).rename(past.store.path("b" * 64).with_suffix(".part"))
    stray = past.store.path("a" * 64).with_name("notes.txt")
    stray.write_text("of another program")
    assert past.run("erase", *AT_TEN).exit_code == 0
    assert [path for path in (past.home / "photos").rglob("*") if path.is_file()] == [stray]


def test_a_missing_and_a_damaged_photo_are_no_obstacle_and_a_stubborn_one_is_told(past: PastDeposits) -> None:
    missing, damaged, stubborn = (past.store.path(past.deposit(TEN)[1]) for _ in range(3))
    missing.unlink()
    damaged.write_bytes(b"\xff\xd8 half")
    stubborn.unlink()
    stubborn.mkdir()
    ran = past.run("erase", *AT_TEN)
    assert ran.exit_code == 1
    assert str(stubborn) in ran.output
    assert not damaged.exists()
    stubborn.rmdir()
    assert past.run("erase", *AT_TEN).exit_code == 0
    assert past.said("privacy.erased")[-1].detail["left"] == []


def test_nothing_stays_readable_in_the_file_of_the_journal(past: PastDeposits) -> None:
    photos = [past.deposit(TEN + timedelta(seconds=number))[1] for number in range(30)]
    assert past.run("erase", *AT_TEN).exit_code == 0
    written = b"".join(path.read_bytes() for path in past.home.glob("journal.db*"))
    assert not [photo for photo in photos if photo.encode() in written]
    assert b"2026-11-03 09:00:" not in written


# ---- copies of the journal ----


def backup(past: PastDeposits) -> Path:
    """Make a backup of that hour."""
    return JournalBackups(past.settings, past.path, now=(TEN + HOUR).timestamp).take()


def test_backups_and_journals_that_were_set_aside_are_erased_too(past: PastDeposits) -> None:
    id_, photo = past.deposit(TEN)
    other, kept = past.deposit(TEN + HOUR)
    copy = backup(past)
    aside = past.home / "journal.replaced-2026-11-03-120000.db"
    shutil.copy(copy, aside)
    before = copy.stat()
    assert past.run("erase", *AT_TEN).exit_code == 0
    assert mentions(past.home, photo) == []
    assert set(mentions(past.home, kept)) >= {copy.name, aside.name, "journal.db", f"{kept}.jpg"}
    assert copy.stat().st_mtime == before.st_mtime, "it is a backup of then"
    assert [path.name for path in copy.parent.iterdir()] == [copy.name]
    with closing(sqlite3.connect(copy)) as read:
        assert read.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        times = dict(read.execute("SELECT deposit_id, min(at) FROM events GROUP BY deposit_id"))
    assert times == {id_.hex: "2026-11-02 23:00:00.000000", other.hex: "2026-11-03 10:00:00.000000"}
    assert past.said("privacy.erased")[-1].detail["copies"] == 2


def test_a_copy_that_cannot_be_erased_is_told_and_done_by_the_next_call(past: PastDeposits) -> None:
    _, photo = past.deposit(TEN)
    copy = backup(past)
    whole = copy.read_bytes()
    copy.write_bytes(whole[:4096] + bytes(len(whole) - 4096))
    ran = past.run("erase", *AT_TEN)
    assert ran.exit_code == 1
    assert f"{copy} cannot be read and written" in ran.output
    assert mentions(past.home, photo) == []
    copy.write_bytes(whole)
    past.store.store(photo, b"brought back with it")
    assert past.run("erase", *AT_TEN).exit_code == 0
    assert mentions(past.home, photo) == []


def test_a_backup_that_is_being_made_is_waited_for(past: PastDeposits) -> None:
    part = past.home / "backups" / ".journal-2026-11-03-100500.db.part"
    part.parent.mkdir()
    part.touch()
    ran = past.run("erase", *AT_TEN)
    assert ran.exit_code == 1
    assert "A backup of the journal is being made" in ran.output


@pytest.mark.parametrize("version", historical_journals.JOURNALS)
def test_copies_of_earlier_versions_are_erased(past: PastDeposits, version: str, tmp_path: Path) -> None:
    copy = tmp_path / "old.db"
    historical_journals.make(copy, version)
    ran = past.run("erase", "--since", "2026-10-01", "--until", "2026-10-01", "--yes", "--copy", copy)
    assert ran.exit_code == 0, ran.output
    with closing(sqlite3.connect(copy)) as old:
        rows = old.execute("SELECT at, '' FROM events UNION SELECT at, photo FROM predictions")
        assert set(rows) == {("2026-09-30 22:00:00.000000", "")}


# ---- logs, the API, the outbox, copied photos ----


def line(at: datetime, **fields: str) -> str:
    return json.dumps({**fields, "event": "http.request", "timestamp": at.isoformat().replace("+00:00", "Z")})


def test_log_lines_of_the_period_are_overwritten_where_they_are(past: PastDeposits) -> None:
    logs = past.home / "logs"
    logs.mkdir()
    before, of_it, after = (line(TEN + number * HOUR, deposit_id=f"d{number}") for number in (-1, 0, 1))
    half = '{"event": "cut off by a power cut'
    for name in ("kiosk.log", "kiosk.log.1"):
        (logs / name).write_text("\n".join(("not ours", before, of_it, half, "é", after, "")), "utf-8")
    size = (logs / "kiosk.log").stat().st_size
    with (logs / "kiosk.log").open("a") as kiosk:
        assert past.run("erase", *AT_TEN).exit_code == 0
        kiosk.write(f"{after}\n")
    lines = (logs / "kiosk.log").read_text("utf-8").splitlines()
    assert [text.strip() for text in lines] == ["not ours", before, *['{"event": "log.erased"}'] * 2, "", after, after]
    assert (logs / "kiosk.log.1").stat().st_size == size
    assert past.said("privacy.erased")[-1].detail["log_lines"] == 6
    assert past.run("erase", *AT_TEN).exit_code == 0
    assert past.said("privacy.erased")[-1].detail["log_lines"] == 0


def test_what_waits_for_the_api_goes_with_its_photo(past: PastDeposits) -> None:
    queue = past.home / "queue"
    queue.mkdir()
    ids = [uuid4(), uuid4()]
    for id_, at in zip(ids, (TEN, TEN + HOUR), strict=True):
        (queue / f"{id_}.photo").write_bytes(b"x")
        touch(queue / f"{id_}.photo", at)
        job = JobRow(id=id_, machine_id="machine-1", at=at, key_id=uuid4(), fingerprint="f" * 64, status="queued")
        past.journal.write([job])  # type: ignore[list-item]
    assert past.run("erase", *AT_TEN).exit_code == 0
    assert [path.stem for path in queue.iterdir()] == [str(ids[1])]
    detail = past.said("privacy.erased")[-1].detail
    assert (detail["api_photos"], detail["api_predictions"]) == (1, 1)


def test_rows_in_the_outbox_of_a_stopped_kiosk(past: PastDeposits) -> None:
    outbox = Outbox(past.home)
    past.at = TEN
    of_it = past.journal.event("deposit.judged", uuid4(), photo="e" * 64)
    past.at = TEN + HOUR
    other = past.journal.event("deposit.judged", uuid4(), photo="f" * 64)
    outbox.put([of_it])
    outbox.put([other])
    lines = [f'[["events",{{"at":"{at.isoformat()}","id' for at in (TEN, TEN + HOUR)]
    (past.home / UNREAD).write_text("\n".join(lines) + "\n")
    assert past.run("erase", *AT_TEN).exit_code == 0
    rows = {row.id: row for row in outbox.rows()}
    assert (rows[of_it.id].at, rows[other.id].at) == (NIGHT, TEN + HOUR)
    assert mentions(past.home, "e" * 64) == []
    assert mentions(past.home, "f" * 64) == ["outbox.jsonl"]
    assert (past.home / UNREAD).read_text() == lines[1] + "\n"


def test_copied_photos_go_where_the_folder_is_named(past: PastDeposits, tmp_path: Path) -> None:
    names = [past.deposit(TEN + number * HOUR)[1] for number in range(2)]
    for name in names:
        touch(past.store.path(name), datetime.now(UTC))
    out = tmp_path / "set"
    copied = CliRunner().invoke(
        main, ["--set", f"home={past.home}", "dataset", "from-journal", "--out", str(out), "--which", "confirmed"]
    )
    assert "2 photos copied" in copied.output
    upload = UploadRow(
        machine_id="machine-1",
        at=TEN,
        project_id="p",
        photo="1" * 64,
        path=str(out / "photos" / f"{names[0]}.jpg"),
        tag_id="t",
        batch=uuid4(),
        outcome="sent",
        reason="",
        image_id="i",
    )
    past.journal.write([upload])  # type: ignore[list-item]
    ran = past.run("erase", *AT_TEN, "--copy", out)
    assert ran.exit_code == 0
    assert "1 of these photos were uploaded for training" in ran.output
    assert [path.stem for path in (out / "photos").iterdir()] == names[1:]
    assert mentions(out, names[0]) == []
    assert mentions(out, names[1])


# ---- the command ----


def test_it_asks_first(past: PastDeposits) -> None:
    id_, _ = past.deposit(TEN)
    ran = past.run("erase", *AT_TEN[:-1], input="n\n")
    assert ran.exit_code == 1
    assert "Erase for ever what is held of 2026-11-03 10:00:00 to 2026-11-03 10:10:00 (Europe/Paris)?" in ran.output
    assert past.times(id_) == {TEN}
    assert not past.said("privacy.erasure_begun")


def test_one_that_was_killed_is_finished_by_the_next(past: PastDeposits) -> None:
    photos = [past.deposit(TEN + timedelta(seconds=number))[1] for number in range(40)]
    copy = backup(past)
    command = [sys.executable, "-m", "triof.cli", "--set", f"home={past.home}", "privacy", "erase", *AT_TEN]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL) as erasing:
        while all(past.store.path(photo).exists() for photo in photos):
            with suppress(subprocess.TimeoutExpired):
                erasing.wait(0.01)
        erasing.kill()
    assert len(past.said("privacy.erasure_begun")) == 1
    ran = past.run("erase", *AT_TEN)
    assert ran.exit_code == 0, ran.output
    events, predictions = past.rows()
    assert {row.at for row in (*events, *predictions)} == {NIGHT}
    in_copy = copy.read_bytes()
    assert not [photo for photo in photos if past.store.path(photo).exists() or photo.encode() in in_copy]


def test_two_at_once_are_one_too_many(past: PastDeposits) -> None:
    with FileLock(past.home / "privacy.lock"):
        ran = past.run("erase", *AT_TEN)
    assert ran.exit_code == 1
    assert "Another process erases" in ran.output


@pytest.mark.parametrize(
    "period",
    [
        (),
        ("--until", "2026-11-03"),
        ("--since", "2026-11-03", "--until", "2026-11-02"),
        ("--since", "2026-11-03", "--until", "2026-11-03T00:00"),
        ("--since", "2900-01-01"),
        ("--since", "2026-11-03", "--until", "9999-12-31"),
        ("--since", "2026-11-03", "--until", "tomorrow"),
    ],
)
def test_a_period_without_sense_is_refused(past: PastDeposits, period: tuple[str, ...]) -> None:
    ran = past.run("erase", *period, "--yes")
    assert ran.exit_code == 2, ran.output
    assert not past.said("privacy.erasure_begun")


def test_staff_and_keys_are_left(past: PastDeposits) -> None:
    past.at = TEN
    past.journal.record("mode.changed", reason="local", who="marie")
    key = ApiKey(machine_id="machine-1", at=TEN, name="till", digest="d" * 64, scopes=[], per_minute=None)
    past.journal.write([key])  # type: ignore[list-item]
    assert past.run("erase", *AT_TEN).exit_code == 0
    assert [row.detail["who"] for row in past.said("mode.changed")] == ["marie"]
    assert "API keys" in past.run("show", "--since", "2026-11-03").output


def test_a_folder_that_cannot_be_read_does_not_pass_for_an_empty_one(past: PastDeposits) -> None:
    past.deposit(TEN)
    (past.home / "photos").chmod(0)
    try:
        with binding():
            ran = past.run("erase", *AT_TEN)
    finally:
        (past.home / "photos").chmod(0o700)
    assert ran.exit_code == 1
    assert f"{past.home / 'photos'}" in ran.output
    (past.home / "outbox.jsonl").mkdir()
    ran = past.run("erase", *AT_TEN)
    assert (ran.exit_code, "outbox.jsonl" in ran.output) == (1, True)
