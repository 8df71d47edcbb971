"""Alerts: each fires once, clears once, and reaches every channel, even across restarts.

Open alerts are derived from the journal's ``alert.fired`` and ``alert.cleared`` (``reason`` is the name), so that no
restart fires one again; only faults of the journal itself bypass it. Each channel has a bookmark in
that sequence, advanced after delivery: undelivered messages are retried at the next
run, in order, and a message is sent twice only after a power cut between delivery and bookmark.
"""

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple, cast
from uuid import UUID, uuid4

from sqlalchemy import ColumnElement, Row, Table, select

from providers.event_log import get_logger
from triof.common.atomic_files import keep_state, read_json
from triof.common.repeated_faults import Complaints
from triof.journal.journal import Kind
from triof.monitoring.notifiers import Message, Notifier
from triof.storage.database import Database
from triof.storage.tables import Event

log = get_logger(__name__)

_EVENTS = cast(Table, Event.__table__)
_KINDS: tuple[Kind, ...] = ("alert.fired", "alert.cleared")
FILE = "alerts.json"
_FORGOTTEN = timedelta(days=7)
"""Undelivered messages older than this are dropped; they stay in the journal."""


class DetectedFault(NamedTuple):
    """A detected fault: the text for the technician, the measured value, and its code."""

    text: str
    value: float | None = None
    code: str = ""
    """Of docs/reference/faults.md; empty for a fault without one."""


class Open(NamedTuple):
    """An open alert."""

    machine: str
    name: str
    at: datetime
    text: str
    code: str = ""


class Alerts:
    """Manages the alerts of ``machines`` and delivers them by ``notifiers``; ``name_of`` returns a machine's name."""

    def __init__(
        self,
        home: Path,
        database: Database,
        notifiers: Sequence[Notifier],
        machines: Collection[str],
        now: Callable[[], datetime],
        *,
        name_of: Callable[[str], str] = lambda machine: "",
    ) -> None:
        self._path = home / FILE
        self._database = database
        self._notifiers = notifiers
        self._machines = machines
        self._now = now
        self._name_of = name_of
        self._executor = ThreadPoolExecutor(1, "alerts")
        self._complaints = Complaints(log)
        self._sending: Future[None] | None = None
        self._announced: DetectedFault | None = None
        self._direct: Sequence[tuple[Message, set[str]]] = ()
        """Messages that bypass the journal, with the channels that have not got them yet."""

    def announce(self, machine: str, name: str, fault: DetectedFault | None) -> None:
        """Send one message about a fault of the journal, and one when it is over (None).

        A restart sends it again.
        """
        if (fault is None) == (self._announced is None):
            return
        told = fault or _over(self._announced or DetectedFault(""))
        kind: Kind = "alert.fired" if fault else "alert.cleared"
        message = Message(
            str(uuid4()),
            self._now(),
            machine,
            kind,
            name,
            told.text,
            code=told.code,
            machine_name=self._name_of(machine),
        )
        untold = [each for each in self._direct if each[1]]
        self._direct = [*untold, (message, {notifier.name for notifier in self._notifiers})]
        self._announced = fault

    def reconcile(
        self, machine: str, faults: Mapping[str, DetectedFault], now: datetime, among: Callable[[str], bool]
    ) -> None:
        """Fire new alerts and clear those that are over, of the names ``among`` those checked."""
        before = {alert.name: alert for alert in self.open([machine]) if among(alert.name)}
        fired = [
            _event(machine, "alert.fired", name, now, fault) for name, fault in faults.items() if name not in before
        ]
        cleared = [
            _event(machine, "alert.cleared", name, now, _over(DetectedFault(alert.text, code=alert.code)))
            for name, alert in before.items()
            if name not in faults
        ]
        if fired or cleared:
            # One transaction: a reader of the sequence must not see the second before the first.
            with self._database.write() as connection:
                connection.execute(_EVENTS.insert(), [*fired, *cleared])

    def open(self, machines: Collection[str] | None = None) -> Sequence[Open]:
        """Return the open alerts, oldest first."""
        found: dict[tuple[str, str], Open] = {}
        for row in self._events(self._machines if machines is None else machines, None):
            key = (row.machine_id, str(row.reason))
            if row.kind == "alert.fired":
                found[key] = Open(*key, row.at, str(row.detail.get("message", "")), str(row.detail.get("code", "")))
            else:
                found.pop(key, None)
        return list(found.values())

    def accept(self, machine: str, name: str, actor: str, comment: str) -> None:
        """Mark the change behind the alert ``name`` as intended; the next check begins a new baseline."""
        detail = {"name": name, "who": actor, "why": comment}
        event = {"id": uuid4(), "machine_id": machine, "at": self._now(), "kind": "alert.acknowledged"}
        with self._database.write() as connection:
            connection.execute(_EVENTS.insert().values(**event, reason=name, detail=detail))

    def deliver(self) -> None:
        """Send undelivered messages from a separate thread, so that a hanging channel does not block the caller."""
        if self._sending is None or self._sending.done():
            self._sending = self._executor.submit(self._send_all)

    def finish(self) -> None:
        """Wait until current deliveries have succeeded or failed."""
        if self._sending:
            with suppress(Exception):
                self._sending.result()

    def close(self) -> None:
        """Finish the current delivery and stop."""
        self._executor.shutdown(wait=True, cancel_futures=True)

    def _send_all(self) -> None:
        for notifier in self._notifiers:
            try:
                self._send_direct(notifier)
                self._send(notifier)
            except Exception as error:
                self._complaints.failed("alert.not_delivered", error, channel=notifier.name)

    def _send_direct(self, notifier: Notifier) -> None:
        for message, waiting in self._direct:
            if notifier.name in waiting:
                notifier.send(message)
                waiting.discard(notifier.name)

    def _send(self, notifier: Notifier) -> None:
        for row in self._events(self._machines, self._mark(notifier)):
            detail = row.detail
            notifier.send(
                Message(
                    str(row.id),
                    row.at,
                    row.machine_id,
                    row.kind,
                    str(row.reason),
                    str(detail.get("message", "")),
                    detail.get("value"),
                    str(detail.get("code", "")),
                    self._name_of(row.machine_id),
                )
            )
            self._set_mark(notifier, row.at, row.id)

    def _mark(self, notifier: Notifier) -> tuple[datetime, UUID]:
        """Return the channel's bookmark; a new channel starts at the present."""
        now = self._now()
        kept: Any = read_json(self._path).get(notifier.name)
        try:
            at, last = datetime.fromisoformat(kept[0]), UUID(kept[1])
        except (TypeError, ValueError, IndexError, KeyError):
            at, last = now - timedelta(minutes=5), UUID(int=0)
            self._set_mark(notifier, at, last)
        return max((at, last), (now - _FORGOTTEN, UUID(int=0)))

    def _set_mark(self, notifier: Notifier, at: datetime, last: UUID) -> None:
        marks: dict[str, Any] = {**read_json(self._path), notifier.name: [at.isoformat(), str(last)]}
        keep_state(self._path, json.dumps(marks).encode())

    def _events(self, machines: Collection[str], after: tuple[datetime, UUID] | None) -> Sequence[Row[Any]]:
        row = _EVENTS.c
        where: list[ColumnElement[bool]] = [row.machine_id.in_(machines), row.kind.in_(_KINDS)]
        if after:
            at, last = after
            where.append((row.at > at) | ((row.at == at) & (row.id > last)))
        with self._database.read() as connection:
            return connection.execute(select(_EVENTS).where(*where).order_by(row.at, row.id)).all()


def _event(machine: str, kind: Kind, name: str, at: datetime, fault: DetectedFault) -> dict[str, Any]:
    detail = {"name": name, "message": fault.text, "value": fault.value, "code": fault.code}
    return {"id": uuid4(), "machine_id": machine, "at": at, "kind": kind, "reason": name, "detail": detail}


def _over(fault: DetectedFault) -> DetectedFault:
    return DetectedFault(f"Over: {fault.text}", code=fault.code)
