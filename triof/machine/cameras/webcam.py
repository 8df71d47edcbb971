"""The camera kind ``webcam``: a USB camera by OpenCV, whose only import it is besides those of training."""

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol, cast

import numpy as np

from providers.event_log import get_logger
from triof.machine.cameras.base import CameraLost
from triof.machine.cameras.frame import Bytes8, CameraFrame, from_pixels
from triof.machine.cameras.frame_reader import ReaderTimes
from triof.machine.cameras.watched import WatchedCamera
from triof.settings.sections.machine.camera import CameraSettings, WebcamSettings

log = get_logger(__name__)

# OpenCV's numbers of properties, as OpenCV itself is imported late.
_WIDTH, _HEIGHT, _RATE, _FOURCC, _BUFFERS = 3, 4, 5, 6, 38
_MJPG = int.from_bytes(b"MJPG", "little")
_TOLERATED = 3
"""Failures in a row after which the device is opened again."""
_HALF_ROWS = 8


class Capture(Protocol):
    """What is used of ``cv2.VideoCapture``."""

    def isOpened(self) -> bool:  # noqa: N802
        """Return whether the device is open."""

    def set(self, prop: int, value: float) -> bool:
        """Ask for a property."""

    def get(self, prop: int) -> float:
        """Return a property."""

    def grab(self) -> bool:
        """Wait for the next frame; False if none came."""

    def retrieve(self) -> tuple[bool, Bytes8 | None]:
        """Decode the frame that was grabbed."""

    def release(self) -> None:
        """Free the device."""


def open_capture(device: str) -> Capture:
    """Open a device, a path or a number, by OpenCV. Raises CameraLost if OpenCV is missing."""
    try:
        import cv2
    except ImportError as error:
        raise CameraLost(
            "The webcam needs OpenCV: install Triof's camera extra, pip install 'triof[camera]'"
            " (in a checkout: .venv/bin/pip install -e '.[camera]')."
        ) from error
    # What goes wrong is told by this project's own messages.
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    by_number = device.isdecimal()
    return cast(Capture, cv2.VideoCapture(int(device)) if by_number else cv2.VideoCapture(device, cv2.CAP_V4L2))


def names_of_webcams(devices: Path = Path("/dev")) -> list[str]:
    """Return the names in /dev/v4l/by-id, which stay the same when cameras are plugged in anew."""
    return sorted(each.name for each in (devices / "v4l" / "by-id").glob("*-index0"))


class Webcam(WatchedCamera):
    """A USB camera; ``capture`` opens a device, ``devices`` is the folder of device files (None: there is none)."""

    def __init__(
        self,
        settings: CameraSettings,
        capture: Callable[[str], Capture] = open_capture,
        devices: Path | None = Path("/dev") if sys.platform == "linux" else None,
        clock: Callable[[], float] = time.monotonic,
        pause: Callable[[float], object] | None = None,
    ) -> None:
        webcam = settings.webcam
        times = ReaderTimes(settle=webcam.settle_seconds, take=3.0 + webcam.settle_seconds)
        super().__init__(settings, lambda: WebcamSource(webcam, capture, devices), times, clock, pause)


class WebcamSource:
    """An open webcam."""

    is_live = True
    under_way = 0

    def __init__(self, settings: WebcamSettings, capture: Callable[[str], Capture], devices: Path | None) -> None:
        self._device = _find(settings.device, devices) if devices else settings.device
        self._capture = capture(self._device)
        self._failures = 0
        if not self._capture.isOpened():
            self._capture.release()
            raise CameraLost(
                f"The camera {self._device} cannot be opened: end the program that uses it (such as a running kiosk),"
                " or name another camera by camera.webcam.device."
            )
        if settings.mjpg:
            # First, as it decides which sizes and rates there are.
            self._capture.set(_FOURCC, _MJPG)
        for prop, value in (
            (_WIDTH, settings.width),
            (_HEIGHT, settings.height),
            (_RATE, settings.rate),
            (_BUFFERS, 1),
        ):
            self._capture.set(prop, value)
        width, height = int(self._capture.get(_WIDTH)), int(self._capture.get(_HEIGHT))
        log.info("camera.opened", device=self._device, width=width, height=height)

    def next(self, wanted: Callable[[], bool]) -> CameraFrame | None:
        """Wait for the next frame; decode it if it is ``wanted``. Raises CameraLost."""
        if not self._capture.grab():
            self._count_failure("gives no picture: check its cable")
            return None
        if not wanted():
            return None
        is_whole, pixels = self._capture.retrieve()
        if not is_whole or pixels is None or pixels.ndim != 3 or _is_half(pixels):
            self._count_failure("gives incomplete pictures: use another cable, or no hub")
            return None
        self._failures = 0
        return from_pixels(pixels)

    def close(self) -> None:
        """Free the device."""
        self._capture.release()

    def _count_failure(self, what: str) -> None:
        self._failures += 1
        if self._failures >= _TOLERATED:
            raise CameraLost(f"The camera {self._device} {what}.")


def _find(device: str, devices: Path) -> str:
    """Return the path of a device: a number, a path, or a name in /dev/v4l/by-id. Raises CameraLost."""
    path = devices / f"video{device}" if device.isdecimal() else devices / "v4l" / "by-id" / device
    if not path.exists():
        names = names_of_webcams(devices)
        known = f"cameras here: {', '.join(names)}" if names else "no camera is plugged in"
        raise CameraLost(f"There is no {path} ({known}): plug the camera in, or set camera.webcam.device.")
    if not os.access(path, os.R_OK | os.W_OK, effective_ids=os.access in os.supports_effective_ids):
        raise CameraLost(
            f"This user may not use {path}: run `sudo usermod -aG video {_user()}`, then log in again"
            " (a service: restart it)."
        )
    return str(path)


def _user() -> str:
    import getpass

    try:
        return getpass.getuser()
    except (OSError, KeyError):  # no name for this number
        return "USER"


def _is_half(pixels: Bytes8) -> bool:
    """Return whether a JPEG broke off: what is missing is filled with one colour, which no sensor's noise allows."""
    end = pixels[-_HALF_ROWS:, ::8]
    filled = end[0, 0]
    return bool((end == filled).all() and 0 < filled.max() < 255 and np.ptp(pixels[::16, ::16]) > 0)
