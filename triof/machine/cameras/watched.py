"""A camera whose device a thread reads and watches; what webcam, picamera2 and http have in common."""

import time
from collections.abc import Callable

from triof.machine.cameras.base import CameraLost, FrozenPicture
from triof.machine.cameras.burst import is_still, sharpest
from triof.machine.cameras.frame import CameraFrame
from triof.machine.cameras.frame_checks import FrameChecks
from triof.machine.cameras.frame_reader import USUAL_TIMES, FrameReader, FrameSource, ReaderTimes
from triof.settings.sections.machine.camera import CameraSettings

_PREVIEW_SECONDS = 0.2
"""Maximum age of a preview in seconds."""
_LATE_SECONDS = 0.2
"""How long the last frames of a burst are waited for."""


class WatchedCamera:
    """Takes a burst and returns its sharpest frame; ``clock`` and ``pause`` are those of FrameReader."""

    def __init__(
        self,
        settings: CameraSettings,
        open_device: Callable[[], FrameSource],
        times: ReaderTimes = USUAL_TIMES,
        clock: Callable[[], float] = time.monotonic,
        pause: Callable[[float], object] | None = None,
    ) -> None:
        self.kind: str = settings.kind
        self._settings = settings
        self._clock = clock
        self._reader = FrameReader(open_device, FrameChecks(settings.fault_seconds, clock), times, clock, pause)

    def take(self, upload: bytes | None) -> bytes:
        """Return the sharpest frame of a burst as JPEG; ``upload`` is ignored. Raises CameraLost, FrozenPicture."""
        frames = self._burst()
        # Asked afterwards, as the burst is the latest that was seen.
        if isinstance(fault := self._reader.fault(), FrozenPicture):
            raise fault
        return sharpest(frames).encode()

    def preview(self) -> bytes:
        """Return the newest frame as JPEG. Raises CameraLost."""
        return self._reader.newest(_PREVIEW_SECONDS).encode()

    def ping(self) -> None:
        """Raise the CameraError that describes what is wrong now, if anything."""
        if fault := self._reader.fault():
            raise fault

    def close(self) -> None:
        """Stop the reader and free the device."""
        self._reader.close()

    def _burst(self) -> list[CameraFrame]:
        """Return the frames of a burst, which ends early once nothing moves."""
        count, seconds = self._settings.burst_frames, self._settings.burst_seconds
        if count == 1:
            return [self._reader.next_frame()]
        # The one before may be older than the closing of the slot: it only tells whether anything moves.
        before, latest = self._reader.next_two()
        frames, is_quiet = [latest], is_still(before, latest)
        ends = self._clock() + seconds
        while not is_quiet and len(frames) < count and (left := ends - self._clock()) > 0:
            wait = min(seconds / (count - 1), left)
            try:
                frames.append(self._reader.next_frame(wait=wait, limit=wait + _LATE_SECONDS))
            except CameraLost:
                break  # the first one is there
            is_quiet = is_still(*frames[-2:])
        return frames
