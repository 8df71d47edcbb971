"""Periodic work: ends abandoned deposits, records and shows faults, deletes old photos, and retries failed writes."""

import time
from collections.abc import Callable
from functools import partial
from threading import Event, Thread

from providers.event_log import get_logger
from triof.common.repeated_faults import Complaints
from triof.deposits.deposit import Deposits
from triof.deposits.lamp import MaintenanceLamp
from triof.deposits.slot_watch import SlotWatch
from triof.deposits.status_light import StatusShown
from triof.storage.database_errors import DatabaseUnusable
from triof.storage.disk_reserve import DiskRoom
from triof.storage.photo_store import PhotoStore

log = get_logger(__name__)

_ROOM_SECONDS = 5.0
_FAULT_SECONDS = 1.0
_PRUNE_SECONDS = 3600.0
_SLOT_SECONDS = 1.0
_MEND_SECONDS = (0.5, 1.0, 2.0, 4.0)
"""Seconds between attempts to recover a failed journal; the last one repeats."""


class Housekeeper:
    """Does the work that is due every ``seconds``, until closed."""

    def __init__(
        self,
        deposits: Deposits,
        photo_store: PhotoStore,
        room: DiskRoom | None = None,
        seconds: float = 0.5,
        clock: Callable[[], float] = time.monotonic,
        *,
        slot_watch: SlotWatch | None = None,
    ) -> None:
        self._works: list[tuple[str, float, Callable[[], object]]] = [
            ("expire", 0.0, deposits.expire),
            ("status", 0.0, StatusShown(deposits).look),
            ("lamp", 0.0, MaintenanceLamp(deposits.slot, deposits.maintenance).look),
            ("faults", _FAULT_SECONDS, deposits.faults.look),
            ("prune", _PRUNE_SECONDS, photo_store.prune),
            *([("room", _ROOM_SECONDS, room.look)] if room else []),
        ]
        if slot_watch:
            self._works.append(("slot", _SLOT_SECONDS, partial(self._look_at_slot, slot_watch)))
        self._due = {name: clock() + pause for name, pause, _ in self._works}
        self._deposits = deposits
        self._mend_at = clock()
        self._tries = 0
        self._seconds = seconds
        self._clock = clock
        self._complaints = Complaints(log, clock)
        self._closed = Event()
        self._thread = Thread(target=self._run, name="watch", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def close(self) -> None:
        """Stop the thread."""
        self._closed.set()
        self._thread.join()

    def look(self) -> None:
        """Do the work that is due."""
        for name, pause, work in self._works:
            if self._clock() >= self._due[name]:
                self._due[name] = self._clock() + pause
                self._try(name, work)
        if self._clock() >= self._mend_at:
            self._try("mend", self._mend)

    def _look_at_slot(self, slot_watch: SlotWatch) -> None:
        slot_watch.look(is_idle=self._deposits.is_idle, is_emptied=self._deposits.is_emptied)

    def _run(self) -> None:
        while not self._closed.wait(self._seconds):
            self.look()

    def _mend(self) -> None:
        try:
            self._deposits.mend()
        except DatabaseUnusable:  # the journal has logged it
            self._mend_at = self._clock() + _MEND_SECONDS[min(self._tries, len(_MEND_SECONDS) - 1)]
            self._tries += 1
        else:
            self._tries = 0

    def _try(self, name: str, work: Callable[[], object]) -> None:
        try:
            work()
        except Exception as error:
            self._complaints.failed("watch.failed", error, work=name)
