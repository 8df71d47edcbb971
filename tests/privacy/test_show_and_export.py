"""``triof privacy show`` and ``export``: all that is held of a period, and nothing of another."""

import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zipfile import ZipFile

import pytest

from tests.support.past_deposits import PastDeposits
from triof.journal.backups import JournalBackups

pytestmark = pytest.mark.slow

TEN = datetime(2026, 11, 3, 9, tzinfo=UTC)  # in Paris
HOUR = timedelta(hours=1)
THE_DAY = ("--since", "2026-11-03", "--until", "2026-11-03")


@pytest.fixture
def past(tmp_path: Path, new_journal: Path) -> PastDeposits:
    past = PastDeposits(tmp_path / "home", new_journal, TEN)
    past.deposit(TEN - 24 * HOUR)
    past.deposit(TEN)
    past.deposit(TEN + HOUR)
    (past.home / "logs").mkdir()
    lines = [json.dumps({"event": "x", "timestamp": f"2026-11-0{day}T09:00:00Z"}) for day in (2, 3)]
    (past.home / "logs" / "kiosk.log").write_text("\n".join(lines) + "\n")
    return past


def shown(past: PastDeposits, *words: str) -> dict[str, int]:
    """The numbers by name."""
    ran = past.run("show", *words, "--json")
    assert ran.exit_code == 0, ran.output
    return {found["name"]: found["number"] for found in map(json.loads, ran.stdout.splitlines())}


def test_show_counts_what_is_held_of_the_period(past: PastDeposits) -> None:
    backup = JournalBackups(past.settings, past.path).take()
    found = shown(past, *THE_DAY)
    assert {name: number for name, number in found.items() if number} == {
        "photos": 2,
        "deposits with their times": 2,
        "embeddings of photos": 2,
        f"deposits in {backup.name}": 2,
        "log lines": 1,
    }
    assert shown(past)["photos"] == 3
    assert past.run("erase", *THE_DAY, "--yes").exit_code == 0
    found = shown(past, *THE_DAY)
    kept = {name: number for name, number in found.items() if number}
    assert kept == {"deposits without times": 2, f"deposits in {backup.name}": 2}


def test_the_other_pictures_of_the_slot_are_shown_exported_and_erased(past: PastDeposits, tmp_path: Path) -> None:
    names = ("empty_slot.png", "setup-picture.jpg")
    for name in names:
        (past.home / name).write_bytes(b"a person")
        os.utime(past.home / name, 2 * (TEN.timestamp(),))
    assert shown(past, *THE_DAY)["other pictures of the slot"] == 2
    assert shown(past, "--since", "2026-11-05")["other pictures of the slot"] == 0
    assert past.run("export", *THE_DAY, "--out", tmp_path / "slot.zip").exit_code == 0
    with ZipFile(tmp_path / "slot.zip") as archive:
        assert [archive.read(f"slot/{name}") for name in names] == [b"a person"] * 2
    assert past.run("erase", "--since", "2026-11-05", "--yes").exit_code == 0
    assert (past.home / names[0]).exists(), "it is older"
    assert past.run("erase", *THE_DAY, "--yes").exit_code == 0
    assert not any((past.home / name).exists() for name in names)
    assert past.said("privacy.erased")[-1].detail["slot_pictures"] == 2


def test_show_says_times_and_rules_in_words(past: PastDeposits) -> None:
    output = past.run("show", *THE_DAY).output
    assert "Held of 2026-11-03 00:00:00 to 2026-11-04 00:00:00 (Europe/Paris):" in output
    assert "2026-11-03 10:00 to 2026-11-03 11:00" in output
    assert "Photos kept: all, 30 days, 500 MB at most; not sent anywhere." in output


def test_show_tells_a_copy_that_cannot_be_read(past: PastDeposits) -> None:
    (past.home / "journal.damaged-2026-11-03-120000.db").write_bytes(b"no database at all, but long enough " * 99)
    output = past.run("show").output
    assert "journal.damaged-2026-11-03-120000.db cannot be read" in output


def test_export_writes_photos_and_events_to_a_private_file(past: PastDeposits, tmp_path: Path) -> None:
    out = tmp_path / "request.zip"
    gone, damaged = (past.store.path(past.deposit(TEN + 2 * HOUR)[1]) for _ in range(2))
    gone.unlink()
    damaged.write_bytes(b"half")
    ran = past.run("export", *THE_DAY, "--out", out, "--why", "request 7")
    assert ran.exit_code == 0, ran.output
    assert "3 photos (1 more are not kept), 16 events, 4 predictions, 1 lines of the log." in ran.output
    assert out.stat().st_mode & 0o777 == 0o600
    with ZipFile(out) as archive:
        names = archive.namelist()
        assert sum(name.startswith("photos/") for name in names) == 3
        assert archive.read(f"photos/{damaged.name}") == b"half"
        assert f"{gone.stem}," in archive.read("photos.csv").decode()
        events = [json.loads(text) for text in archive.read("events.jsonl").decode().splitlines()]
        assert {event["at"][:10] for event in events} == {"2026-11-03"}
        assert archive.read("log.jsonl").count(b"\n") == 1
        assert "machine-1" in archive.read("README.txt").decode()
    (told,) = past.said("privacy.exported")
    assert (told.detail["photos"], told.detail["why"]) == (3, "request 7")


def test_export_replaces_no_file_and_leaves_no_half_one(past: PastDeposits, tmp_path: Path) -> None:
    (tmp_path / "there.zip").write_text("mine")
    ran = past.run("export", *THE_DAY, "--out", tmp_path / "there.zip")
    assert ran.exit_code == 1
    assert "exists and is not replaced" in ran.output
    assert past.run("export", *THE_DAY, "--out", tmp_path / "none" / "x.zip").exit_code == 1
    assert (tmp_path / "there.zip").read_text() == "mine"
    assert not list(tmp_path.rglob("*.part"))
    assert not past.said("privacy.exported")
