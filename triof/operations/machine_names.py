"""The names of the machines that write to the journal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from triof.monitoring.event_reader import latest_first

if TYPE_CHECKING:
    from triof.journal.journal import Journal
    from triof.settings.tree import Settings


def machine_names(settings: Settings, journal: Journal, machines: Sequence[str]) -> dict[str, str]:
    """Return the name of each machine by its id: ``machine.name`` of its settings at its last start, else the id.

    Raises SQLAlchemyError.
    """
    with journal.database.read() as connection:
        started = {each: latest_first(connection, each, "machine.started", 1) for each in machines}
    names = {each: str(rows[0].detail.get("name") or each) if rows else each for each, rows in started.items()}
    return names | ({journal.machine_id: settings.machine.name} if settings.machine.name else {})
