"""Why the machine takes no deposit now, and the record of each such fault: one log line and event at its two ends."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock

from providers.event_log import get_logger
from triof.deposits.deposit_journal import DepositJournal
from triof.deposits.maintenance import Maintenance, UnderMaintenance
from triof.machine.cameras.base import Camera, CameraError, PoorPicture
from triof.machine.slot import Slot, SlotError
from triof.storage.database_errors import DatabaseUnusable

log = get_logger(__name__)

PartFault = SlotError | CameraError | DatabaseUnusable
MachineFault = UnderMaintenance | PartFault
"""Each has a ``code``: docs/reference/faults.md."""

_PING_SECONDS = 3.0
"""Seconds for which the camera's answer is reused, as pages and rounds ask often."""


@dataclass(frozen=True)
class _Begun:
    """The recorded fault: its code, and when it began."""

    code: str
    at: float


class MachineFaults:
    """Looks at slot, camera and journal. Thread-safe. ``clock`` in monotonic seconds."""

    def __init__(
        self,
        slot: Slot,
        camera: Camera,
        journal: DepositJournal,
        maintenance: Maintenance,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._slot = slot
        self._camera = camera
        self._journal = journal
        self._maintenance = maintenance
        self._clock = clock
        self._lock = Lock()
        self._pinged: tuple[float, CameraError | None] | None = None
        self._begun: _Begun | None = None

    def current(self) -> MachineFault | None:
        """Return why no deposit can begin now; None if one can."""
        return self._maintenance.fault() or self._stopping()

    def of_parts(self) -> PartFault | None:
        """Return the fault of slot, camera or journal, also one that stops no deposit."""
        return self._stopping() or self._of_camera()

    def _stopping(self) -> PartFault | None:
        camera = self._of_camera()
        # A poor picture may still be judged.
        stopping = None if isinstance(camera, PoorPicture) else camera
        return self._of_slot() or stopping or self._journal.fault()

    def look(self) -> None:
        """Record a fault that stops deposits and has begun, changed or ended; called periodically."""
        fault = self._stopping()
        with self._lock:
            begun, code = self._begun, fault.code if fault else ""
            if code == (begun.code if begun else ""):
                return
            self._begun = _Begun(code, self._clock()) if fault else None
        if begun:
            self._record_end(begun)
        if fault:
            log.error("machine.out_of_order", code=fault.code, cause=fault)
            # A journal that cannot be written gets both ends when it is over.
            if not isinstance(fault, DatabaseUnusable):
                self._journal.note("machine.out_of_order", fault.code, cause=str(fault))

    def _record_end(self, begun: _Begun) -> None:
        seconds = round(self._clock() - begun.at, 1)
        log.info("machine.in_order", code=begun.code, seconds=seconds)
        self._journal.note("machine.in_order", begun.code, seconds=seconds)

    def _of_slot(self) -> SlotError | None:
        try:
            self._slot.is_open()
        except SlotError as error:
            return error
        return self._slot.fault()

    def _of_camera(self) -> CameraError | None:
        pinged = self._pinged
        if not pinged or self._clock() - pinged[0] >= _PING_SECONDS:
            self._pinged = pinged = self._clock(), self._ping()
        return pinged[1]

    def _ping(self) -> CameraError | None:
        try:
            self._camera.ping()
        except CameraError as error:
            # Without the traceback, which would grow with each raise.
            return error.with_traceback(None)
        return None
