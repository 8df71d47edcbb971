"""What differs where the journal is in PostgreSQL: locks, restarts, and many who start at once."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from uuid import uuid4

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine, select
from sqlalchemy.exc import OperationalError, SQLAlchemyError

from tests.support.event_rows import add, count, counted
from tests.support.postgresql import PostgresServer
from triof.storage.database import Database
from triof.storage.database_errors import is_locked
from triof.storage.tables import Base, Event

pytestmark = pytest.mark.slow
OpenDatabase = Callable[[], Database]


@pytest.fixture
def open_database(postgresql_server: PostgresServer, tmp_path: Path) -> Iterator[OpenDatabase]:
    """Opens one database again and again, as several machines do."""
    found: list[Database] = []

    def open_() -> Database:
        found.append(Database(postgresql_server.url(tmp_path), f"machine-{len(found)}"))
        return found[-1]

    yield open_
    for each in found:
        each.close()
    postgresql_server.drop()


def test_of_many_that_open_an_empty_database_each_finds_its_tables(postgresql_server: PostgresServer) -> None:
    url, together = postgresql_server.empty(f"e{uuid4().hex[:8]}"), Barrier(8)

    def start(number: int) -> None:
        database = Database(url, f"machine-{number}")
        together.wait(10)
        database.upgrade()
        with database.write() as connection:
            add(connection)
        database.close()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(start, range(8)))
    database = Database(url, "machine-1")
    assert counted(database) == 8
    database.close()
    with create_engine(url.replace("postgresql:", "postgresql+psycopg:")).connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []


def test_a_reader_cannot_write(open_database: OpenDatabase) -> None:
    database = open_database()
    with database.read() as connection, pytest.raises(SQLAlchemyError, match="read-only"):
        add(connection)
    with database.write() as connection:
        add(connection)
    assert counted(database) == 1


def test_two_programs_write_at_once_unless_one_must_be_alone(open_database: OpenDatabase) -> None:
    first, second = open_database(), open_database()
    with first.write() as one, second.write(0.05) as another:
        add(one)
        add(another)
    assert counted(first) == 2
    for hold, wait in ((first.write(alone=True), second.write(0.05)), (first.write(), second.write(0.05, alone=True))):
        with hold, pytest.raises(OperationalError) as refused, wait:
            pytest.fail("two write at once")
        assert is_locked(refused.value)
    with second.write(0.05, alone=True) as connection:
        add(connection)


def test_what_a_writer_alone_read_holds_until_it_has_written(open_database: OpenDatabase) -> None:
    databases = [open_database() for _ in range(4)]

    def take_a_number(database: Database) -> None:
        with database.write(30, alone=True) as connection:
            add(connection, str(count(connection)))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(take_a_number, databases * 10))
    with databases[0].read() as connection:
        numbers = set(connection.scalars(select(Event.reason)))
    assert numbers == {str(number) for number in range(40)}


@pytest.mark.parametrize("mode", ["fast", "immediate"])
def test_after_a_restart_of_the_server_the_next_call_succeeds(
    open_database: OpenDatabase, postgresql_server: PostgresServer, mode: str
) -> None:
    database = open_database()
    with database.write() as connection:
        add(connection)
    with database.read(), database.read():
        pass
    postgresql_server.stop(mode)
    with pytest.raises(SQLAlchemyError) as refused:
        database.ping()
    assert database.unusable(refused.value).code == "J5"
    postgresql_server.start()
    with database.write() as connection:
        add(connection)
    assert counted(database) == 2


def test_a_password_is_in_no_message(postgresql_server: PostgresServer) -> None:
    database = Database("postgresql://triof:geheim@127.0.0.1:9/nowhere", "machine-1")
    with pytest.raises(SQLAlchemyError) as refused:
        database.ping()
    assert "geheim" not in str(database.unusable(refused.value))
