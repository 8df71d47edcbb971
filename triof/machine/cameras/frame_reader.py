"""Reads a device in a thread of its own, keeps its newest frame, and opens it again after it was unplugged."""

import math
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from threading import Condition, Event, Thread
from typing import NamedTuple, Protocol

from providers.event_log import get_logger
from triof.common.repeated_faults import Complaints
from triof.machine.cameras.base import CameraError, CameraLost
from triof.machine.cameras.frame import CameraFrame
from triof.machine.cameras.frame_checks import FrameChecks

log = get_logger(__name__)

_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 15.0
_LOOK_SECONDS = 1.0
"""Seconds between the frames that are decoded and checked while no picture is wanted."""
_STOP_SECONDS = 2.0
_LOSSES = 2
"""Times that the device is lost while a picture is waited for: it is opened again once."""


class FrameSource(Protocol):
    """An open device, used by one thread alone."""

    is_live: bool
    """Whether frames come by themselves, so that those not read would grow stale."""
    under_way: int
    """Frames that may have left the sensor already when waiting for the next one begins."""

    def next(self, wanted: Callable[[], bool]) -> CameraFrame | None:
        """Wait for the next frame. Returns None without decoding it unless it is ``wanted``, or if it is damaged.

        Raises CameraLost.
        """

    def close(self) -> None:
        """Free the device."""


class ReaderTimes(NamedTuple):
    """The times of a reader, in seconds."""

    settle: float = 0.0
    """After the device was opened: frames before are not used, as its exposure is still changing."""
    silent: float = 5.0
    """Without a frame for so long the device counts as lost."""
    first: float = 3.0
    """How long a question waits for the first frame of a device that is being opened."""
    take: float = 3.0
    """How long a picture is waited for."""


USUAL_TIMES = ReaderTimes()


class _TimedFrame(NamedTuple):
    """A frame, and the moment at which waiting for it began."""

    began: float
    frame: CameraFrame


@dataclass(eq=False)
class _Request:
    """Frames that are waited for: ``count`` after the one with number ``begun``, and from ``moment`` on."""

    begun: int
    moment: float
    count: int
    found: list[CameraFrame] = field(default_factory=list)

    @property
    def is_met(self) -> bool:
        return len(self.found) == self.count

    def wants(self, number: int, began: float) -> bool:
        return number > self.begun and began >= self.moment


class FrameReader:
    """Keeps the newest frame of the device that ``open_device`` opens. Thread-safe.

    ``clock`` in monotonic seconds; ``pause`` waits for so many seconds before the device is opened again.
    """

    def __init__(
        self,
        open_device: Callable[[], FrameSource],
        checks: FrameChecks,
        times: ReaderTimes = USUAL_TIMES,
        clock: Callable[[], float] = time.monotonic,
        pause: Callable[[float], object] | None = None,
    ) -> None:
        self._open = open_device
        self._checks = checks
        self._times = times
        self._clock = clock
        self._wake = Event()
        self._pause = pause or self._sleep
        self._changed = Condition()
        self._requests: list[_Request] = []
        self._losses = 0
        self._begun = self._under_way = 0
        self._newest: _TimedFrame | None = None
        self._lost: CameraLost | None = None
        self._alive_at = self._looked_at = clock()
        self._closed = False
        self._complaints = Complaints(log, clock)
        self._thread = Thread(target=self._run, name="camera", daemon=True)
        self._thread.start()

    def newest(self, seconds: float) -> CameraFrame:
        """Return the newest frame if it is at most ``seconds`` old, or else the next one. Raises CameraLost."""
        with self._changed:
            newest = self._newest
            if newest and not self._lost and self._clock() - newest.began <= seconds:
                return newest.frame
        return self.next_frame()

    def next_two(self) -> Sequence[CameraFrame]:
        """Return the next two frames; waiting for the first may have begun before this call. Raises CameraLost."""
        with self._changed:
            request = _Request(self._begun + self._under_way - 1, -math.inf, 2)
        return self._wait_for(request, self._times.take)

    def next_frame(self, *, wait: float = 0.0, limit: float | None = None) -> CameraFrame:
        """Return a frame that was waited for from ``wait`` seconds after this call on.

        Raises CameraLost unless it comes within ``limit`` seconds.
        """
        with self._changed:
            request = _Request(self._begun + self._under_way, self._clock() + wait, 1)
        return self._wait_for(request, self._times.take if limit is None else limit)[0]

    def _wait_for(self, request: _Request, limit: float) -> Sequence[CameraFrame]:
        with self._changed:
            self._requests.append(request)
            # A person who waits is a reason to try the device again now.
            self._wake.set()
            self._changed.notify_all()
            allowed = self._losses + _LOSSES
            self._changed.wait_for(lambda: self._closed or request.is_met or self._losses >= allowed, limit)
            if request.is_met:
                return request.found
            self._requests.remove(request)
            raise self._lost or CameraLost("The camera gave no picture in time: check its cable and its power.")

    def fault(self) -> CameraError | None:
        """Return what is wrong now; waits for the first frame of a device that is being opened."""
        with self._changed:
            self._changed.wait_for(lambda: self._newest or self._lost or self._closed, self._times.first)
            if self._lost:
                return self._lost
            silent = self._clock() - self._alive_at
            if not self._newest or silent > self._times.silent:
                return CameraLost(f"The camera has given no picture for {silent:.0f} s: check its cable and its power.")
            return self._checks.fault()

    def close(self) -> None:
        """Stop the thread, which frees the device."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._wake.set()
        # A driver may hang: the thread is a daemon then.
        self._thread.join(_STOP_SECONDS)

    def _sleep(self, seconds: float) -> None:
        self._wake.wait(seconds)
        self._wake.clear()

    def _run(self) -> None:
        pause = _FIRST_PAUSE
        while not self._closed:
            if self._read_until_lost():
                pause = _FIRST_PAUSE
            if not self._closed:
                self._wake.clear()
                self._pause(_FIRST_PAUSE if self._requests else pause)
                pause = min(2 * pause, _LONGEST_PAUSE)

    def _read_until_lost(self) -> bool:
        """Open the device and read it; return whether it gave any frame."""
        gave_frames = False
        source: FrameSource | None = None
        try:
            source = self._open()
            self._under_way = source.under_way
            self._checks.forget()
            usable_from = self._clock() + self._times.settle
            while not self._closed:
                gave_frames |= self._read(source, usable_from)
        except CameraLost as error:
            self._lose(error)
        except Exception as error:  # a driver's own: the thread must live on
            self._lose(
                CameraLost(f"The camera failed ({type(error).__name__}): unplug it and plug it in again."), error
            )
        finally:
            if source:
                with suppress(Exception):  # a driver's own, of a device that is gone
                    source.close()
        return gave_frames

    def _read(self, source: FrameSource, usable_from: float) -> bool:
        """Read one frame; return whether it was decoded and kept."""
        if not source.is_live:
            self._wait_until_wanted()
        with self._changed:
            self._begun += 1
            number, began = self._begun, self._clock()
        frame = source.next(lambda: self._wants(number, began))
        with self._changed:
            if not frame:
                return False
            self._alive_at = self._clock()
            if began < usable_from:
                return False
            self._checks.look(frame)
            self._newest, self._looked_at = _TimedFrame(began, frame), began
            self._hand_out(frame, number, began)
            if self._lost:
                log.info("camera.found")
            self._lost = None
            self._changed.notify_all()
        return True

    def _wants(self, number: int, began: float) -> bool:
        with self._changed:
            is_due = self._lost or not self._newest or began - self._looked_at >= _LOOK_SECONDS
            return bool(is_due or any(each.wants(number, began) for each in self._requests))

    def _hand_out(self, frame: CameraFrame, number: int, began: float) -> None:
        for request in self._requests:
            if request.wants(number, began):
                request.found.append(frame)
        self._requests = [request for request in self._requests if not request.is_met]

    def _wait_until_wanted(self) -> None:
        with self._changed:
            left = _LOOK_SECONDS - (self._clock() - self._looked_at)
            if self._newest and not self._lost:
                self._changed.wait_for(lambda: self._closed or self._requests, max(left, 0))

    def _lose(self, error: CameraLost, cause: Exception | None = None) -> None:
        self._complaints.failed("camera.lost", cause or error)
        with self._changed:
            self._lost = error
            self._losses += 1
            self._changed.notify_all()
