"""What is written stays, whatever dies; and the tables are those of the migrations."""

import os
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Thread
from uuid import uuid4

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine, inspect
from sqlalchemy.orm import Session

from tests.conftest import BuildMachine, Machine
from triof import services
from triof.journal import ENDINGS, Journal
from triof.photo_store import PhotoStore
from triof.settings.tree import Settings
from triof.tables import Base, Event


def open_journal(path: Path, machine_id: str = "machine-1") -> Journal:
    journal = Journal(f"sqlite:///{path}", machine_id)
    journal.upgrade()
    return journal


def test_the_migrations_make_the_tables_that_the_code_uses(tmp_path: Path) -> None:
    open_journal(tmp_path / "journal.db").close()
    with create_engine(f"sqlite:///{tmp_path / 'journal.db'}").connect() as connection:
        context = MigrationContext.configure(connection)
        differences = compare_metadata(context, Base.metadata)
        columns = {table: inspect(connection).get_columns(table) for table in ("events", "predictions")}
    assert differences == []
    assert all(any(column["name"] == "machine_id" for column in of) for of in columns.values())


def test_upgrading_twice_is_harmless(tmp_path: Path) -> None:
    journal = open_journal(tmp_path / "journal.db")
    journal.record("machine.started")
    journal.upgrade()
    journal.ping()


def test_sqlite_survives_power_cuts_and_waits_for_others(tmp_path: Path) -> None:
    journal = open_journal(tmp_path / "journal.db")
    with journal._engine.connect() as connection:
        pragmas = [
            connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "busy_timeout")
        ]
    assert pragmas == ["wal", 2, 5000]


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
    with Session(journal._engine) as session, session.begin():
        session.add_all(rows)
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
    journal = Journal(f"sqlite:///{tmp_path / 'journal.db'}", "machine-1", now=lambda: next(times))
    journal.upgrade()
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


def test_an_upgrade_that_a_power_cut_interrupted_is_made_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = Journal(f"sqlite:///{tmp_path / 'journal.db'}", "machine-1")
    with monkeypatch.context() as broken:
        broken.setattr("alembic.op.add_column", lambda *_, **__: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            journal.upgrade()
    journal.upgrade()
    journal.record("machine.started")
    journal.close()


def test_many_may_open_a_new_journal_at_once(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        for opened in pool.map(lambda _: open_journal(tmp_path / "journal.db"), range(8)):
            opened.close()
