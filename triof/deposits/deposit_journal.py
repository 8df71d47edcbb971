"""The journal of deposits: no event is lost while the journal cannot be written.

The first event of a deposit must be in the journal. Later events go to the journal or, if that fails, to the outbox
on the disk, together with all earlier events of the deposit, so that any later journal has the whole deposit. After
the first failure no deposit begins until :meth:`DepositJournal.mend` has written the outbox to the journal.
"""

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock
from typing import Any
from uuid import UUID

from sqlalchemy.exc import SQLAlchemyError

from providers.event_log import get_logger
from triof.common.repeated_faults import Complaints
from triof.journal.journal import ENDINGS, Journal, Kind, Row
from triof.journal.outbox import Outbox
from triof.judging.sorter import Judgement
from triof.storage import database_errors
from triof.storage.database_errors import DatabaseUnusable
from triof.storage.database_file import DatabaseFile
from triof.storage.disk_reserve import DiskRoom
from triof.storage.tables import Event

log = get_logger(__name__)

_SHORT_SECONDS = 0.5
"""Seconds to wait for another writer, for operations that are retried."""
_PATIENCE = 3
"""Checks before the content of a missing file is copied, as a file may be moved back."""


class DepositJournal:
    """Writes to ``journal``, with an outbox in the ``home`` folder. Thread-safe.

    ``room`` reserves and frees space on the disk. ``now`` gives aware datetimes. ``machine_name`` is written at each
    start, so that others who read the journal can call the machine by it.
    """

    def __init__(
        self,
        journal: Journal,
        home: Path,
        room: DiskRoom | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        machine_name: str | None = None,
    ) -> None:
        self._journal = journal
        self._started: dict[str, Any] = {"name": machine_name} if machine_name else {}
        self._file = DatabaseFile(path) if (path := journal.database.path) else None
        self._outbox = Outbox(home)
        self._room = room
        self._now = now
        self._lock = Lock()
        self._fault: DatabaseUnusable | None = None
        self._under_way: Sequence[Row] = ()
        """All rows of the deposit under way, unless they are in the outbox."""
        self._unkept: Sequence[Row] = ()
        """Rows that could not be written to the disk either."""
        self._missed = 0
        self._rescued: Path | None = None
        self._complaints = Complaints(log)

    def fault(self) -> DatabaseUnusable | None:
        """Return why no deposit can begin now; None if one can."""
        if not self._fault and self._file and not self._file.is_claimed():
            self._fail(database_errors.missing(self._file.path))
        if not self._fault and self._room and self._room.is_full:
            self._fail(self._room.fault())
        # Without the previous traceback, which would grow with each raise.
        return self._fault.with_traceback(None) if self._fault else None

    def begin(self, deposit_id: UUID) -> None:
        """Record the start of a deposit, in the journal only. Raises DatabaseUnusable."""
        opened = [self._journal.event("deposit.opened", deposit_id)]
        with self._lock:
            if fault := self.fault():
                raise fault
            self._write(opened)
            self._under_way = opened
        self._journal.tell(opened)

    def confirm(self, deposit_id: UUID, waste_type: str, reason: str, **detail: str) -> None:
        """Record the employee's confirmation. Raises DatabaseUnusable if it is not durable: then nothing may move."""
        self.record("deposit.confirmed", deposit_id, waste_type, reason, **detail)
        if self._file and not self._file.is_claimed():
            raise database_errors.missing(self._file.path)

    def record(
        self, kind: Kind, deposit_id: UUID, waste_type: str | None = None, reason: str | None = None, **detail: str
    ) -> None:
        """Record an event of the deposit under way, in the outbox if the journal fails.

        On return it is on the disk. Raises DatabaseUnusable if both failed; it is written when one of them recovers.
        """
        self._keep([self._journal.event(kind, deposit_id, waste_type=waste_type, reason=reason, **detail)])

    def record_judgement(self, deposit_id: UUID, judgement: Judgement) -> None:
        """Record the verdict and its predictions, like :meth:`record`."""
        self._keep(self._journal.judgement(deposit_id, judgement))

    def note(self, kind: Kind, reason: str, **detail: Any) -> None:
        """Record an event that belongs to no deposit; a failing journal is logged and holds up nothing."""
        try:
            self._journal.record(kind, reason=reason, **detail)
        except (SQLAlchemyError, sqlite3.Error, OSError, DatabaseUnusable) as error:
            self._complaints.failed("journal.not_written", error, kind=kind)

    def mend(self) -> None:
        """Write the outbox to the journal, after replacing a damaged journal by a new one.

        Raises DatabaseUnusable while the fault persists.
        """
        with self._lock:
            try:
                self._mend()
            except DatabaseUnusable:
                if not self._is_damaged():
                    raise
                self._mend()

    def interrupt_unfinished(self) -> Sequence[Event]:
        """End each unfinished deposit after a crash; returns the latest event of each. Raises DatabaseUnusable."""
        with self._lock, self._translated_errors():
            unfinished = self._journal.unfinished()
            rows = [
                self._journal.event(
                    "deposit.interrupted",
                    event.deposit_id,
                    waste_type=event.waste_type,
                    reason=event.kind.removeprefix("deposit."),
                )
                for event in unfinished
            ]
            rows.append(self._journal.event("machine.started", interrupted=len(unfinished), **self._started))
            self._write(rows, again=True)
        self._journal.tell(rows)
        return unfinished

    def was_interrupted(self) -> bool:
        """Return whether the latest deposit ended by a stop or a crash. Raises DatabaseUnusable."""
        with self._lock, self._translated_errors():
            return self._journal.was_interrupted()

    def close(self) -> None:
        """Close the file; its content is copied if it is no longer at its path."""
        with self._lock:
            if self._file:
                if not self._file.is_claimed():
                    self._rescue(self._file)
                self._file.release()

    def _keep(self, rows: Sequence[Row]) -> None:
        with self._lock:
            try:
                if fault := self.fault():
                    raise fault
                self._write(rows)
                self._under_way = [*self._under_way, *rows]
            except DatabaseUnusable:
                self._put(rows)
            if any(isinstance(row, Event) and row.kind in ENDINGS for row in rows):
                self._under_way = ()
        self._journal.tell(rows)

    def _write(self, rows: Sequence[Row], *, again: bool = False) -> None:
        with self._translated_errors():
            self._journal.write(rows, again=again, patience=_SHORT_SECONDS if again else None)
        # Writes to a deleted file still succeed.
        if self._file and not self._file.is_claimed():
            raise self._fail(database_errors.missing(self._file.path))

    def _put(self, rows: Sequence[Row]) -> None:
        self._unkept = [*self._unkept, *self._under_way, *rows]
        self._under_way = ()
        if self._room and self._fault and self._fault.code == "D1":
            self._room.give_way()
        try:
            self._outbox.put(self._unkept)
        except OSError as error:
            self._complaints.failed("outbox.not_written", error)
            assert self._fault
            raise self._fault from error
        log.warning("outbox.written", rows=len(self._unkept))
        self._unkept = ()

    def _is_damaged(self) -> bool:
        return self._file is not None and self._fault is not None and self._fault.code == "J3"

    def _mend(self) -> None:
        with self._translated_errors():
            if self._file and not self._file.is_claimed():
                self._miss(self._file)
            if self._file and self._is_damaged():
                self._begin_anew(self._file)
            if self._room and not self._room.look():
                raise self._room.fault()
            if self._file and self._file.create():
                log.info("journal.begun", path=self._file.path)
            self._journal.database.upgrade()
            if self._file and not self._file.is_open:
                self._file.claim()
            rows = [*self._outbox.rows(), *self._unkept]
        if rows:
            self._write(rows, again=True)
            self._outbox.clear()
        if self._fault or rows:
            log.warning("journal.mended", rows=len(rows))
        self._unkept, self._fault, self._missed = (), None, 0
        if self._rescued:
            # The file is back, so that its copy is not needed.
            self._rescued.unlink(missing_ok=True)
            self._rescued = None

    def _miss(self, file: DatabaseFile) -> None:
        self._missed += 1
        if file.is_replaced() or self._missed >= _PATIENCE:
            self._rescue(file)
        raise database_errors.missing(file.path)

    def _rescue(self, file: DatabaseFile) -> None:
        if self._rescued:
            return
        try:
            self._rescued = file.rescue(self._now())
        except (OSError, sqlite3.Error) as error:
            self._complaints.failed("journal.not_rescued", error)
        if self._rescued:
            log.error("journal.rescued", path=self._rescued)

    def _begin_anew(self, file: DatabaseFile) -> None:
        self._journal.database.close()
        log.error("journal.set_aside", path=file.set_aside(self._now()), cause=self._fault)

    @contextmanager
    def _translated_errors(self) -> Iterator[None]:
        """Store an error as the fault. Raises DatabaseUnusable."""
        try:
            yield
        except DatabaseUnusable as error:
            raise self._fail(error) from None
        except (SQLAlchemyError, sqlite3.Error, OSError) as error:
            raise self._fail(self._journal.database.unusable(error)) from None

    def _fail(self, fault: DatabaseUnusable) -> DatabaseUnusable:
        if not self._fault or self._fault.code != fault.code:
            log.error("journal.failed", code=fault.code, cause=fault)
        self._fault = fault
        return fault
