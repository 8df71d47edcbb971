"""A damaged journal stops nothing and loses little; copies are made, checked and put back."""

import os
import random
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from click.testing import CliRunner, Result

from tests.support.deposits import WHOLE, code_shown, kinds, look_again
from tests.support.full_disk import fill, small_disk
from tests.support.machines import BuildMachine, Machine
from triof.access.api_keys import Keys
from triof.cli import main
from triof.journal.backups import BackupImpossible, JournalBackups
from triof.journal.journal import Journal
from triof.settings.tree import Settings
from triof.storage import data_folder
from triof.storage.database import Database
from triof.storage.tables import Event, PredictionRow

pytestmark = pytest.mark.slow

PAGE = 4096


def triof(*arguments: str, stdin: str | None = None) -> Result:
    return CliRunner().invoke(main, ["journal", *arguments], input=stdin)


@pytest.fixture
def path(tmp_path: Path, new_journal: Path) -> Path:
    """The journal of a machine, without anything in it."""
    path = tmp_path / "home" / "journal.db"
    path.parent.mkdir(exist_ok=True)
    (path.parent / "machine_id").write_text("machine-1\n")
    shutil.copy(new_journal, path)
    return path


def write(path: Path, deposits: int, detail: str = "") -> set[UUID]:
    """Let ``deposits`` happen; returns the ids of all their rows."""
    journal = Journal(Database(f"sqlite:///{path}", "machine-1"))
    begun, rows = datetime(2026, 1, 1, tzinfo=UTC), list[Event | PredictionRow]()
    for number in range(deposits):
        deposit, at = uuid4(), begun + timedelta(minutes=number)
        for kind in ("opened", "judged", "confirmed", "shredded"):
            row = journal.event(f"deposit.{kind}", deposit, waste_type="cup", reason=None, text=detail)  # type: ignore[arg-type]
            row.at = at
            rows.append(row)
        rows.append(_prediction(deposit, at))
    journal.write(rows)
    journal.database.close()
    return {row.id for row in rows}


def _prediction(deposit: UUID, at: datetime) -> PredictionRow:
    values: dict[str, Any] = {"task": "waste_type", "label": "cup", "probability": 0.9, "scores": {"cup": 0.9}}
    values |= {"provider": "local_cnn", "model_version": "1", "attempts": [], "photo": "0" * 64, "believed": True}
    return PredictionRow(id=uuid4(), machine_id="machine-1", deposit_id=deposit, at=at, embedding=[0.5] * 16, **values)


def ids(path: Path) -> set[UUID]:
    """The ids of all events and predictions."""
    with closing(sqlite3.connect(path)) as journal:
        rows = journal.execute("SELECT id FROM events UNION ALL SELECT id FROM predictions").fetchall()
    assert len(rows) == len(set(rows))
    return {UUID(row[0]) for row in rows}


def spoil(path: Path, pages: list[int]) -> None:
    """Overwrite whole pages with noise; 0 is the first one."""
    noise = random.Random(7)
    with path.open("r+b") as file:
        for page in pages:
            file.seek(page * PAGE)
            file.write(noise.randbytes(PAGE))


# ---- damaged ----


def _text(path: Path) -> None:
    path.write_bytes(b"this is no database" * 300)


def _header(path: Path) -> None:
    spoil(path, [0])


def _all_but_the_header(path: Path) -> None:
    spoil(path, list(range(1, path.stat().st_size // PAGE)))


def _half(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2 // PAGE * PAGE)


def _whole_deposit(machine: Machine) -> None:
    """Make one, by a person who comes back when the machine is out of order at first."""
    visitor = machine.visitor()
    for _ in range(3):
        if visitor.press("/start").shown == "insert":
            break
        visitor = look_again(machine).visitor()
    visitor.press("/waste/pick-type").press("/confirmation", waste_type="bottle").wait_idle().open("/confirmation")
    assert visitor.shown == "thanks"
    visitor.press("/done")


@pytest.mark.parametrize("damage", [_text, _header, _all_but_the_header, _half])
def test_a_damaged_journal_is_set_aside_and_the_machine_works(
    build_machine: BuildMachine, path: Path, damage: Callable[[Path], None]
) -> None:
    write(path, 40)
    damage(path)
    before = path.stat().st_size
    _whole_deposit(look_again(build_machine()))
    (aside,) = path.parent.glob("journal.damaged-*.db")
    assert aside.stat().st_size == before
    assert kinds(path) == WHOLE


def test_a_journal_that_gets_damaged_while_the_machine_runs_is_set_aside_too(
    build_machine: BuildMachine, path: Path
) -> None:
    # More than SQLite holds in memory.
    write(path, 1500)
    machine = build_machine()
    spoil(path, list(range(1, path.stat().st_size // PAGE)))
    _whole_deposit(machine)
    assert list(path.parent.glob("journal.damaged-*.db"))
    assert code_shown(machine) == ""


def test_the_operator_is_told_what_was_set_aside_until_it_is_salvaged(build_machine: BuildMachine, path: Path) -> None:
    written = write(path, 40)
    spoil(path, [3])
    path.rename(aside := path.with_name("journal.damaged-2026-11-30-101500.db"))
    machine = build_machine()
    monitoring = machine.services.operations.monitoring
    monitoring.look()
    (alert,) = monitoring.alerts.open()
    assert alert.name == "journal"
    assert f"{aside}. Run `triof journal salvage`" in alert.text
    assert f"warn  journal      A journal was damaged or deleted, and what is left of it lies in {aside}" in (
        CliRunner().invoke(main, ["doctor"]).output
    )
    ran = triof("salvage")
    assert ran.exit_code == 0, ran.output
    assert not aside.exists()
    assert len(ids(path) & written) > 0.8 * len(written)
    monitoring.look()
    assert monitoring.alerts.open() == []


# ---- salvaged ----


@pytest.mark.parametrize(
    ("spoilt", "at_least"),
    [
        (lambda count: [], 1.0),
        (lambda count: [0], 0.99),
        (lambda count: random.Random(1).sample(range(1, count), count // 10), 0.8),
        (lambda count: range(1, count // 3), 0.5),
        (lambda count: range(count // 2), 0.4),
    ],
)
def test_rows_on_pages_that_are_whole_are_salvaged(
    path: Path, tmp_path: Path, new_journal: Path, spoilt: Callable[[int], list[int]], at_least: float
) -> None:
    # Some so long that they reach over several pages.
    written = write(path, 2, detail="x" * 20_000) | write(path, 150)
    with closing(sqlite3.connect(path)) as journal:
        journal.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    path.rename(damaged := tmp_path / "found.db")
    spoil(damaged, list(spoilt(damaged.stat().st_size // PAGE)))
    shutil.copy(new_journal, path)
    more = write(path, 3)
    ran = triof("salvage", str(damaged))
    assert ran.exit_code == 0, ran.output
    there = ids(path)
    assert more <= there <= written | more
    assert len(there & written) >= at_least * len(written)
    again = triof("salvage", str(damaged))
    assert again.exit_code == 0
    assert ids(path) == there


def test_what_is_in_the_wal_alone_is_salvaged_without_any_header(path: Path, tmp_path: Path, new_journal: Path) -> None:
    keeper = sqlite3.connect(path)
    keeper.execute("SELECT count(*) FROM events").fetchone()
    written = write(path, 20)
    for suffix in ("", "-wal"):
        shutil.copy(f"{path}{suffix}", tmp_path / f"found.db{suffix}")
    keeper.close()
    spoil(tmp_path / "found.db", [0, 1])
    shutil.copy(new_journal, path)
    # What SQLite would do with such a -wal is not asked: it does not even open the file.
    assert triof("salvage", str(tmp_path / "found.db")).exit_code == 0
    assert ids(path) == written


def test_keys_and_users_are_salvaged_but_not_over_those_there_are(
    path: Path, tmp_path: Path, new_journal: Path
) -> None:
    database = Database(f"sqlite:///{path}", "machine-1")
    Journal(database).record("machine.started")
    old = Keys(database, 100).create("till", ["predict"])
    gone = Keys(database, 100).create("erp", ["read"])
    Keys(database, 100).revoke("erp")
    database.close()
    path.rename(found := tmp_path / "found.db")
    shutil.copy(new_journal, path)
    database = Database(f"sqlite:///{path}", "machine-1")
    fresh = Keys(database, 100).create("till", ["admin"])
    assert triof("salvage", str(found)).exit_code == 0
    assert len(Keys(database, 100).all()) == 1, "of a copy that may be old they are left out"
    found.rename(found := tmp_path / "journal.damaged-2026-11-30-101500.db")
    assert triof("salvage", str(found)).exit_code == 0
    rows = {row.name: row for row in Keys(database, 100).all()}
    assert rows["till"].scopes == ["admin"]
    assert rows["erp"].revoked_at
    assert len({old, gone, fresh}) == 3
    database.close()


def test_a_journal_in_service_that_is_damaged_is_salvaged_while_no_kiosk_runs(path: Path) -> None:
    written = write(path, 150)
    spoil(path, [path.stat().st_size // PAGE // 2])
    checked = triof("check")
    assert checked.exit_code == 1
    assert "is damaged" in checked.output
    lock = data_folder.take_machine(Settings(home=path.parent))
    refused = triof("salvage")
    assert refused.exit_code == 1
    assert "Another kiosk runs the machine" in refused.output
    lock.release()
    assert triof("salvage").exit_code == 0
    assert triof("check").exit_code == 0
    assert len(ids(path) & written) > 0.9 * len(written)
    assert list(path.parent.glob("journal.salvaged-*.db"))


def test_what_holds_no_row_is_told(path: Path, tmp_path: Path) -> None:
    for content in (b"", b"no journal at all", bytes(50_000), random.Random(3).randbytes(50_000)):
        (tmp_path / "found.db").write_bytes(content)
        ran = triof("salvage", str(tmp_path / "found.db"))
        assert ran.exit_code == 1
        assert "Nothing could be read" in ran.output


# ---- backed up and restored ----


def test_a_backup_holds_everything_and_is_its_owners_alone(path: Path, tmp_path: Path) -> None:
    written = write(path, 5)
    with closing(sqlite3.connect(path)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert triof("backup").exit_code == 0
    (copy,) = (path.parent / "backups").iterdir()
    assert ids(copy) == written
    assert (copy.stat().st_mode & 0o777, copy.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    assert triof("backup", "--out", str(tmp_path / "here.db")).exit_code == 0
    assert ids(tmp_path / "here.db") == written
    assert "is not replaced" in triof("backup", "--out", str(tmp_path / "here.db")).output
    assert triof("check", str(copy)).exit_code == 0


def test_a_damaged_journal_is_not_backed_up_over_good_copies(path: Path) -> None:
    write(path, 150)
    assert triof("backup").exit_code == 0
    spoil(path, [path.stat().st_size // PAGE // 2])
    ran = triof("backup")
    assert ran.exit_code == 1
    assert "triof journal salvage" in ran.output
    (copy,) = (path.parent / "backups").iterdir()
    assert triof("check", str(copy)).exit_code == 0


def test_a_copy_a_day_is_made_and_old_ones_go(path: Path, tmp_path: Path) -> None:
    now = [datetime(2026, 11, 1, tzinfo=UTC).timestamp()]
    settings = Settings.model_validate({"home": path.parent, "journal": {"keep_backup_days": 3}})
    backups = JournalBackups(settings, path, lambda: now[0])
    for hour in range(10 * 24):
        now[0] += 3600
        backups.take_if_due()
        assert len(backups.all()) == min(hour // 24 + 1, 4)
    assert len(list(backups.folder.iterdir())) == 4
    assert backups.make_room(1) > 0
    assert len(backups.all()) == 3
    backups.make_room(10**12)
    assert len(backups.all()) == 1, "the newest one stays"
    none = JournalBackups(
        settings.model_copy(update={"journal": settings.journal.model_copy(update={"keep_backup_days": 0})}), path
    )
    none.take_if_due()
    assert len(backups.all()) == 1


def test_copies_take_no_more_than_a_share_of_the_disk(path: Path, tmp_path: Path) -> None:
    with small_disk(tmp_path / "other", "2m") as disk:
        now = [datetime(2026, 11, 1, tzinfo=UTC).timestamp()]
        settings = Settings.model_validate({"home": path.parent, "journal": {"backup_folder": disk}})
        backups = JournalBackups(settings, path, lambda: now[0])
        for _ in range(8):
            now[0] += 90_000
            backups.take_if_due()
        assert sum(copy.size for copy in backups.all()) <= 0.25 * 2e6
        assert len(backups.all()) >= 1
        fill(disk)
        now[0] += 90_000
        with pytest.raises(BackupImpossible, match="make room"):
            backups.take_if_due()
        assert len(backups.all()) >= 1


def test_a_restored_copy_is_the_journal_and_nothing_is_lost(build_machine: BuildMachine, path: Path) -> None:
    first = write(path, 3)
    triof("backup")
    (copy,) = (path.parent / "backups").iterdir()
    second = write(path, 2)
    # A server without a machine has it open all the while.
    other = Database(f"sqlite:///{path}", "machine-1")
    other.ping()
    ran = triof("restore", str(copy), "--yes")
    assert ran.exit_code == 0, ran.output
    assert ids(path) == first
    Journal(other).record("machine.started")
    other.close()
    (former,) = path.parent.glob("journal.replaced-*.db")
    assert ids(former) == first | second
    assert triof("salvage", str(former)).exit_code == 0
    assert first | second < ids(path)
    assert code_shown(build_machine()) == ""


def test_only_a_sound_journal_is_restored_and_not_under_a_running_kiosk(path: Path, tmp_path: Path) -> None:
    written = write(path, 50)
    triof("backup")
    (copy,) = (path.parent / "backups").iterdir()
    (tmp_path / "text.db").write_text("no journal")
    with closing(sqlite3.connect(tmp_path / "other.db")) as other:
        other.execute("CREATE TABLE something (else_ TEXT)")
    shutil.copy(copy, tmp_path / "damaged.db")
    spoil(tmp_path / "damaged.db", [5, 6])
    for name, why in (("text.db", "damaged"), ("other.db", "no journal of Triof"), ("damaged.db", "is damaged")):
        ran = triof("restore", str(tmp_path / name), "--yes")
        assert ran.exit_code == 1
        assert why in ran.output
    assert "itself" in triof("restore", str(path), "--yes").output
    assert triof("restore", str(copy), stdin="n\n").exit_code == 1
    lock = data_folder.take_machine(Settings(home=path.parent))
    assert "Another kiosk" in triof("restore", str(copy), "--yes").output
    lock.release()
    assert ids(path) == written
    spoil(path, [0, 1, 2])
    assert triof("restore", str(copy), "--yes").exit_code == 0
    assert ids(path) == written
    assert list(path.parent.glob("journal.damaged-*.db"))


def test_a_journal_in_another_database_is_cared_for_there() -> None:
    for arguments in (["check"], ["backup"], ["salvage"]):
        ran = CliRunner().invoke(main, ["--set", "journal.url=postgresql://u:geheim@h/db", "journal", *arguments])
        assert ran.exit_code == 1
        assert "that database's own tools" in ran.output
        assert "geheim" not in ran.output
