"""One lock for all who write, a connection that only reads for the others; and the tables are the migrations'."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from threading import Event as ThreadEvent
from uuid import uuid4

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, create_engine, delete, insert, inspect, select, update
from sqlalchemy.exc import OperationalError, StatementError

from tests.support.event_rows import add, count, counted
from triof.storage.database import Database
from triof.storage.tables import Base, Event

pytestmark = pytest.mark.slow

OpenDatabase = Callable[[], Database]


@pytest.fixture
def open_database(tmp_path: Path) -> Iterator[OpenDatabase]:
    """Opens one file again and again, as several programs do."""
    found: list[Database] = []

    def open_() -> Database:
        found.append(Database(f"sqlite:///{tmp_path / 'journal.db'}", "machine-1"))
        found[-1].upgrade()
        return found[-1]

    yield open_
    for each in found:
        each.close()


@pytest.fixture
def database(open_database: OpenDatabase) -> Database:
    return open_database()


# Writing


@pytest.mark.parametrize("programs", [1, 2])
def test_a_second_writer_waits_for_the_first(open_database: OpenDatabase, programs: int) -> None:
    first, second = (open_database() for _ in range(2)) if programs == 2 else [open_database()] * 2
    begun = ThreadEvent()

    def follow() -> int:
        begun.set()
        with second.write(30) as connection:
            add(connection)
            return count(connection)

    with ThreadPoolExecutor(1) as pool:
        with first.write() as connection:
            following = pool.submit(follow)
            assert begun.wait(10)
            add(connection)
            assert not following.done()
        assert following.result(30) == 2


def test_a_program_that_writes_for_too_long_is_told_as_such(open_database: OpenDatabase) -> None:
    first, second = open_database(), open_database()
    with first.write(), pytest.raises(OperationalError) as refused, second.write(0.05):
        pytest.fail("two write at once")
    told = second.unusable(refused.value)
    assert (told.code, "another program holds it" in str(told)) == ("J2", True)


@pytest.mark.parametrize(("timeout", "patience", "waits"), [(0.05, 1.0, 50), (3.0, 1.0, 1000), (3.0, None, 3000)])
def test_a_writer_waits_no_longer_than_it_and_the_url_say(
    database: Database, tmp_path: Path, timeout: float, patience: float | None, waits: int
) -> None:
    hasty = Database(f"sqlite:///{tmp_path / 'journal.db'}?timeout={timeout}", "machine-1")
    with hasty.write(patience) as connection:
        assert connection.exec_driver_sql("PRAGMA busy_timeout").scalar() == waits
    hasty.close()


def test_nobody_waits_for_ever_for_a_thread_and_nobody_briefly(database: Database) -> None:
    hasty = Database(f"sqlite:///{database.path}?timeout=0.01", "machine-1")
    started = time.monotonic()
    with hasty.write(), pytest.raises(OperationalError) as refused, hasty.write():
        pytest.fail("two write at once")
    assert 4 < time.monotonic() - started < 30
    assert hasty.unusable(refused.value).code == "J2"
    hasty.close()


@pytest.mark.parametrize("programs", [1, 2])
def test_what_a_writer_read_holds_until_it_has_written(open_database: OpenDatabase, programs: int) -> None:
    databases = [open_database() for _ in range(programs)]

    def take_a_number(database: Database) -> None:
        with database.write(30) as connection:
            add(connection, str(count(connection)))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(take_a_number, databases * (40 // programs)))
    with databases[0].read() as connection:
        numbers = set(connection.scalars(select(Event.reason)))
    assert numbers == {str(number) for number in range(40)}


def test_a_writer_that_fails_leaves_nothing_and_lets_the_next_one_write(database: Database) -> None:
    def fail() -> None:
        with database.write() as connection:
            add(connection)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    with database.write(0.05) as connection:
        add(connection)
    assert counted(database) == 1


# Reading


def test_reading_waits_for_no_writer_and_sees_nothing_half_written(database: Database) -> None:
    with database.write() as connection:
        add(connection)
        assert counted(database) == 0
    assert counted(database) == 1


@pytest.mark.parametrize(
    "change",
    [
        add,
        lambda connection: connection.execute(delete(Event)),
        lambda connection: connection.execute(update(Event).values(reason="other")),
        lambda connection: connection.exec_driver_sql("DROP TABLE events"),
    ],
)
def test_nothing_can_be_written_but_by_a_writer(database: Database, change: Callable[[Connection], object]) -> None:
    with database.read() as connection, pytest.raises(OperationalError, match="readonly"):
        change(connection)
    with database.write() as connection:
        add(connection)
    with pytest.raises(ZeroDivisionError), database.write():
        _ = 1 / 0
    # On the connections that were written with.
    with database.read() as connection, database.read() as another:
        for each in (connection, another):
            with pytest.raises(OperationalError, match="readonly"):
                change(each)
    assert counted(database) == 1


# What no database takes


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "k" * 33},
        {"reason": "r" * 33},
        {"machine_id": "m" * 65},
        {"reason": "nul\0"},
        {"detail": {"sharpness": float("nan")}},
        {"detail": {"sharpness": float("inf")}},
    ],
)
def test_texts_too_long_and_numbers_that_are_none_are_refused(
    url_of: Callable[[Path], str], tmp_path: Path, wrong: dict[str, object]
) -> None:
    database = Database(url_of(tmp_path / "both.db"), "machine-1")
    event = {"id": uuid4(), "machine_id": "machine-1", "at": datetime.now(UTC), "kind": "machine.started", "detail": {}}
    with pytest.raises(StatementError), database.write() as connection:
        connection.execute(insert(Event), event | wrong)
    with database.write() as connection:
        connection.execute(insert(Event), event | {"kind": "k" * 32, "reason": "é" * 32})
    assert counted(database) == 1
    with database.read() as connection:
        assert not connection.execute(select(Event).where(Event.kind == "k" * 99)).all()
    database.close()


# Tables and file


def test_the_migrations_make_the_tables_that_the_code_uses(database: Database) -> None:
    with create_engine(f"sqlite:///{database.path}").connect() as connection:
        context = MigrationContext.configure(connection)
        differences = compare_metadata(context, Base.metadata)
        columns = {table: inspect(connection).get_columns(table) for table in ("events", "predictions")}
    assert differences == []
    assert all(any(column["name"] == "machine_id" for column in of) for of in columns.values())


def test_upgrading_twice_is_harmless(database: Database) -> None:
    with database.write() as connection:
        add(connection)
    database.upgrade()
    database.ping()
    assert counted(database) == 1


def test_sqlite_survives_power_cuts_and_waits_for_others(database: Database) -> None:
    for way, query_only in ((database.read, 1), (database.write, 0), (database.read, 1)):
        with way() as connection:
            pragmas = [
                connection.exec_driver_sql(f"PRAGMA {name}").scalar()
                for name in ("journal_mode", "synchronous", "query_only", "busy_timeout")
            ]
        assert pragmas[:3] == ["wal", 2, query_only]
        assert 4900 < (pragmas[3] or 0) <= 5000


def test_an_upgrade_that_a_power_cut_interrupted_is_made_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    database = Database(f"sqlite:///{tmp_path / 'journal.db'}", "machine-1")
    with monkeypatch.context() as broken:
        broken.setattr("alembic.op.add_column", lambda *_, **__: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            database.upgrade()
    database.upgrade()
    with database.write() as connection:
        add(connection)
    database.close()


def test_many_may_open_a_new_database_at_once(open_database: OpenDatabase) -> None:
    with ThreadPoolExecutor(8) as pool:
        assert [opened.check_version() for opened in pool.map(lambda _: open_database(), range(8))]
