"""How full each box is, counted from the items that were shredded since it was last emptied."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from sqlalchemy import Connection, Row, Table, select

from triof.storage.tables import Event

_EVENTS = cast(Table, Event.__table__).c

NEARLY_FULL = 0.8
"""Share of the capacity from which a box is to be emptied."""


@dataclass(frozen=True)
class BoxFill:
    """The content of one box by its count; an estimate, as items are counted and not weighed."""

    machine_id: str
    waste_type: str
    number: int
    items: int
    grams: float
    capacity_grams: float
    emptied_at: datetime | None
    """When it was last emptied, in local time; None if that was never recorded."""
    emptied_by: str

    @property
    def share(self) -> float:
        """Return the filled share; above 1 if more was shredded than the box holds by the settings."""
        return self.grams / self.capacity_grams


def last_emptied(connection: Connection, machine_id: str, waste_types: Mapping[str, int]) -> Mapping[str, Row[Any]]:
    """Return the latest ``box.emptied`` (``at``, ``detail``) of each type's box that has one."""
    found = {each: connection.execute(_latest(machine_id, each)).first() for each in waste_types}
    return {waste_type: row for waste_type, row in found.items() if row}


def _latest(machine_id: str, waste_type: str) -> Any:
    of = (_EVENTS.machine_id == machine_id, _EVENTS.kind == "box.emptied", _EVENTS.waste_type == waste_type)
    return select(_EVENTS.at, _EVENTS.detail).where(*of).order_by(_EVENTS.at.desc()).limit(1)
