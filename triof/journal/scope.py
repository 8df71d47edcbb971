"""The scope of a query of the journal: machines and period."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement

from triof.storage.tables import Base


@dataclass(frozen=True)
class Scope:
    """A set of machines and a period, ``since`` included, ``until`` excluded; both aware.

    ``machines`` is None for all machines in this database.
    """

    since: datetime
    until: datetime
    machines: Collection[str] | None = None

    def of(self, table: type[Base]) -> tuple[ColumnElement[bool], ...]:
        """Return the conditions for the rows of ``table``."""
        period = (table.at >= self.since, table.at < self.until)
        return period if self.machines is None else (table.machine_id.in_(self.machines), *period)
