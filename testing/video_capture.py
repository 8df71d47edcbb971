"""A webcam that behaves as one: it is plugged in and out, delays, repeats, and gives half frames.

``ScriptedWebcam`` is called like ``cv2.VideoCapture`` and handed to ``Webcam`` in its place.
"""

from collections.abc import Callable
from pathlib import Path
from threading import Event

import numpy as np
from numpy.typing import NDArray

from testing.scripted_pictures import Sensor, scene

_WIDTH, _HEIGHT = 3, 4
_GREY = 128

Bytes8 = NDArray[np.uint8]


class ScriptedWebcam:
    """The device behind ``devices``/video0. ``decode`` stands for OpenCV's decoder, and takes as long as it does."""

    def __init__(
        self,
        devices: Path,
        picture: Bytes8 | None = None,
        seconds: float = 0.002,
        decode: Callable[[], object] | None = None,
    ) -> None:
        self.sensor = Sensor(scene() if picture is None else picture)
        self.seconds = seconds
        self.decode = decode or (lambda: None)
        self.is_half = False
        self.is_busy = False
        self.failures = 0
        """So many of the next reads fail."""
        self.opened: list[str] = []
        self.released = 0
        self.grabbed = 0
        self.goes_on = Event()
        """While it is not set, reads hang."""
        self.goes_on.set()
        self._file = devices / "video0"
        self.plug()

    def plug(self) -> None:
        """Plug the camera in."""
        self._file.parent.mkdir(parents=True, exist_ok=True)
        self._file.touch()
        # What is open knows nothing of the new connection.
        self._unplugged = Event()

    def unplug(self) -> None:
        """Pull the plug: what is open reads nothing from now on, also after it was plugged in again."""
        self._unplugged.set()
        self._file.unlink(missing_ok=True)

    def __call__(self, device: str) -> "ScriptedCapture":
        """Open the device."""
        self.opened.append(device)
        return ScriptedCapture(self, self._unplugged, is_open=not (self._unplugged.is_set() or self.is_busy))


class ScriptedCapture:
    """What is used of ``cv2.VideoCapture``."""

    def __init__(self, webcam: ScriptedWebcam, unplugged: Event, *, is_open: bool) -> None:
        self.properties: dict[int, float] = {}
        self._webcam = webcam
        self._unplugged = unplugged
        self._is_open = is_open

    def isOpened(self) -> bool:  # noqa: N802
        return self._is_open

    def set(self, prop: int, value: float) -> bool:
        self.properties[prop] = value
        return True

    def get(self, prop: int) -> float:
        height, width, _ = self._webcam.sensor.picture.shape
        return float({_WIDTH: width, _HEIGHT: height}[prop])

    def grab(self) -> bool:
        self._webcam.goes_on.wait(10)
        if self._unplugged.wait(self._webcam.seconds):
            return False
        self._webcam.grabbed += 1
        if self._webcam.failures:
            self._webcam.failures -= 1
            return False
        return True

    def retrieve(self) -> tuple[bool, Bytes8 | None]:
        self._webcam.decode()
        pixels = np.ascontiguousarray(self._webcam.sensor.frame()[:, :, ::-1])
        if self._webcam.is_half:
            # So libjpeg fills what is missing of a JPEG.
            pixels[len(pixels) // 2 :] = _GREY
        return True, pixels

    def release(self) -> None:
        self._is_open = False
        self._webcam.released += 1
