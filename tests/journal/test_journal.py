"""What is written stays, whatever dies; and the tables are those of the migrations."""

import os
import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Thread
from uuid import uuid4

import pytest

from tests.support.machines import BuildMachine, Machine
from triof import services
from triof.journal.journal import ENDINGS, Journal
from triof.settings.tree import Settings
from triof.storage.database import Database
from triof.storage.photo_store import PhotoStore
from triof.storage.tables import Event

pytestmark = pytest.mark.slow


def open_journal(path: Path, machine_id: str = "machine-1") -> Journal:
    journal = Journal(Database(f"sqlite:///{path}", machine_id))
    journal.database.upgrade()
    return journal


def test_a_deposit_is_unfinished_until_its_ending(tmp_path: Path) -> None:
    journal = open_journal(tmp_path / "journal.db")
    for ending in ENDINGS:
        deposit = uuid4()
        journal.record("deposit.opened", deposit)
        journal.record("deposit.confirmed", deposit, waste_type="cup", reason="agreed")
        (event,) = journal.unfinished()
        assert (event.deposit_id, event.kind, event.waste_type) == (deposit, "deposit.confirmed", "cup")
        journal.record(ending, deposit)
        assert journal.unfinished() == []


def test_an_unfinished_deposit_is_found_among_many_and_all_judged_ones_are_told(tmp_path: Path) -> None:
    journal, begun = open_journal(tmp_path / "journal.db"), datetime(2026, 1, 1, tzinfo=UTC)
    deposits = [uuid4() for _ in range(250)]
    # Several at one moment, and more than are read at once.
    rows = [
        Event(machine_id="machine-1", deposit_id=deposit, kind=kind, at=begun + timedelta(minutes=number // 3))
        for number, deposit in enumerate(deposits)
        for kind in ("deposit.opened", "deposit.judged", "deposit.shredded")
        if (number, kind) != (7, "deposit.shredded")
    ]
    journal.write(rows)
    assert [(event.deposit_id, event.kind) for event in journal.unfinished()] == [(deposits[7], "deposit.judged")]
    assert sorted(events[0].deposit_id or uuid4() for events, _ in journal.judged()) == sorted(deposits)


def test_an_unfinished_deposit_is_found_though_endings_stand_alone(tmp_path: Path) -> None:
    """As in a journal of which not every row could be salvaged."""
    journal = open_journal(tmp_path / "journal.db")
    for _ in range(3):
        journal.record("deposit.shredded", uuid4())
    journal.record("deposit.opened", deposit := uuid4())
    assert [event.deposit_id for event in journal.unfinished()] == [deposit]


def test_machines_that_share_a_database_do_not_end_each_others_deposits(tmp_path: Path) -> None:
    mine, other = (open_journal(tmp_path / "journal.db", name) for name in ("mine", "other"))
    mine.record("deposit.opened", uuid4())
    assert len(mine.unfinished()) == 1
    assert other.unfinished() == []


def test_many_threads_write_at_once(tmp_path: Path) -> None:
    journal, deposit = open_journal(tmp_path / "journal.db"), uuid4()
    threads = [Thread(target=lambda: [journal.record("deposit.opened", deposit) for _ in range(10)]) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(journal.events(deposit)) == 80


def test_predictions_are_written_with_their_attempts(machine: Machine) -> None:
    machine.visitor().press("/start").press("/waste/pick-type")
    (event,) = machine.events("deposit.judged")
    assert event.deposit_id
    rows = {row.task: row for row in machine.services.journal.predictions(event.deposit_id)}
    assert rows["waste_type"].label == "bottle"
    assert rows["waste_type"].attempts[0]["outcome"] == "answered"
    assert rows["cleanliness"].scores["clean"] == 0.99
    assert rows["cleanliness"].machine_id == "machine-1"
    assert rows["cleanliness"].photo == event.detail["photo"]


def test_after_a_crash_the_next_start_closes_the_slot_and_marks_what_was_interrupted(
    build_machine: BuildMachine,
) -> None:
    crashed = build_machine()
    crashed.visitor().press("/start")
    crashed.services.journal.record("deposit.confirmed", crashed.events()[-1].deposit_id, waste_type="cup")
    assert crashed.hardware.slot_is_open()

    restarted = build_machine()
    assert not restarted.hardware.slot_is_open()
    assert restarted.happened()[-1] == ("interrupted", "cup", "confirmed")
    assert restarted.services.journal.unfinished() == []


def test_a_clock_that_is_set_back_does_not_mix_up_what_happened(tmp_path: Path) -> None:
    times = iter([datetime(2026, 1, 2, tzinfo=UTC), datetime(1970, 1, 1, tzinfo=UTC)])
    journal = Journal(Database(f"sqlite:///{tmp_path / 'journal.db'}", "machine-1"), now=lambda: next(times))
    journal.database.upgrade()
    deposit = uuid4()
    journal.record("deposit.opened", deposit)
    journal.record("deposit.confirmed", deposit, waste_type="cup")
    assert [event.kind for event in journal.events(deposit)] == ["deposit.opened", "deposit.confirmed"]
    assert journal.unfinished()[0].waste_type == "cup"


def test_the_next_start_removes_old_photos(tmp_path: Path) -> None:
    old = tmp_path / "home" / "photos" / "aa" / "aa.jpg"
    old.parent.mkdir(parents=True)
    old.touch()
    os.utime(old, (0, 0))
    services.build_kiosk(Settings(home=tmp_path / "home")).close()
    assert not old.exists()


def test_a_journal_from_outside_is_readable_by_any_sqlite(machine: Machine, tmp_path: Path) -> None:
    machine.visitor().press("/start")
    with sqlite3.connect(tmp_path / "home" / "journal.db") as connection:
        assert connection.execute("SELECT count(*) FROM events WHERE kind = 'deposit.opened'").fetchone() == (1,)


class TestPhotoStore:
    """Photos go when they are too old or too many."""

    def store(self, tmp_path: Path, days: float = 10, megabytes: float = 1) -> tuple[PhotoStore, list[float]]:
        now = [1_000_000_000.0]
        return PhotoStore(tmp_path / "photos", days, megabytes, lambda: now[0]), now

    def test_what_is_too_old_goes(self, tmp_path: Path) -> None:
        store, now = self.store(tmp_path)
        store.store("aa1", b"old")
        now[0] += 6 * 86_400
        store.store("bb2", b"new")
        assert store.prune() == 0
        now[0] += 5 * 86_400
        assert store.prune() == 1
        assert not store.path("aa1").exists()
        assert store.path("bb2").read_bytes() == b"new"

    def test_the_oldest_go_until_the_rest_fits(self, tmp_path: Path) -> None:
        store, now = self.store(tmp_path)
        for name in ("aa1", "aa2", "aa3"):
            now[0] += 1
            store.store(name, bytes(400_000))
        assert store.prune() == 1
        assert not store.path("aa1").exists()

    def test_nothing_is_kept_where_nothing_may_be(self, tmp_path: Path) -> None:
        for days, megabytes in ((0, 1), (1, 0)):
            store, _ = self.store(tmp_path, days, megabytes)
            store.store("aa1", b"photo")
            assert not store.path("aa1").exists()
