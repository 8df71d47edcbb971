"""Events to write and count, for tests of the database itself."""

from datetime import UTC, datetime
from uuid import uuid4

from sqlalchemy import Connection, func, insert, select

from triof.storage.database import Database
from triof.storage.tables import Event


def add(connection: Connection, reason: str = "") -> None:
    event = {"id": uuid4(), "machine_id": "machine-1", "at": datetime.now(UTC), "kind": "machine.started"}
    connection.execute(insert(Event), {**event, "reason": reason, "detail": {}})


def count(connection: Connection) -> int:
    return connection.scalar(select(func.count()).select_from(Event)) or 0


def counted(database: Database) -> int:
    with database.read() as connection:
        return count(connection)
