"""The names of the machines that write to the journal."""

from collections.abc import Collection

from triof.monitoring.event_reader import latest_first
from triof.settings.tree import Settings
from triof.storage.database import Database


def machine_names(settings: Settings, database: Database, machines: Collection[str]) -> dict[str, str]:
    """Return the name of each machine by its id: ``machine.name`` of its settings at its last start, else the id.

    Raises SQLAlchemyError.
    """
    with database.read() as connection:
        started = {each: latest_first(connection, each, "machine.started", 1) for each in machines}
    names = {each: str(rows[0].detail.get("name") or each) if rows else each for each, rows in started.items()}
    return names | ({database.machine_id: settings.machine.name} if settings.machine.name else {})
