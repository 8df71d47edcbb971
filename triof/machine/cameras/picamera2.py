"""The camera kind ``picamera2``: a camera on a Raspberry Pi's CSI connector, by the system's package picamera2."""

import time
from collections.abc import Callable
from typing import Any, Protocol

from triof.machine.cameras.base import CameraLost
from triof.machine.cameras.frame import Bytes8, CameraFrame, from_pixels
from triof.machine.cameras.frame_reader import ReaderTimes
from triof.machine.cameras.watched import WatchedCamera
from triof.settings.sections.machine.camera import CameraSettings, PiCameraSettings


class PiCamera(Protocol):
    """What is used of ``picamera2.Picamera2``."""

    def create_video_configuration(self, main: dict[str, Any], controls: dict[str, Any]) -> Any:
        """Return a configuration."""

    def configure(self, camera_config: Any) -> Any:
        """Apply a configuration."""

    def start(self) -> Any:
        """Begin to give frames."""

    def capture_array(self, name: str) -> Bytes8:
        """Return the next frame of a stream."""

    def capture_metadata(self) -> Any:
        """Wait for the next frame."""

    def close(self) -> Any:
        """Free the device."""


def open_camera(number: int) -> PiCamera:
    """Open camera ``number`` by picamera2. Raises CameraLost if it is missing."""
    try:
        from picamera2 import Picamera2
    except ImportError as error:
        raise CameraLost(
            "The camera needs picamera2, a package of Raspberry Pi OS: sudo apt install python3-picamera2, and make"
            " Triof's environment with python3 -m venv --system-site-packages."
        ) from error
    opened: PiCamera = Picamera2(number)
    return opened


class PiCameraSource:
    """An open CSI camera; ``open_device`` returns camera ``settings.number``."""

    is_live = True
    under_way = 0

    def __init__(self, settings: PiCameraSettings, open_device: Callable[[int], PiCamera]) -> None:
        try:
            self._camera = open_device(settings.number)
        # IndexError: there is no such camera; RuntimeError: in use, or not permitted.
        except (IndexError, RuntimeError, OSError) as error:
            raise CameraLost(
                f"Camera {settings.number} cannot be opened ({error}): check its ribbon cable with"
                " `rpicam-hello --list-cameras`, end the program that uses it, and let this user join the group video."
            ) from error
        # In picamera2's names RGB888 is B, G, R in memory.
        main = {"size": (settings.width, settings.height), "format": "RGB888"}
        try:
            self._camera.configure(
                self._camera.create_video_configuration(main=main, controls={"FrameRate": settings.rate})
            )
            self._camera.start()
        except Exception:
            self._camera.close()
            raise

    def next(self, wanted: Callable[[], bool]) -> CameraFrame | None:
        """Wait for the next frame; copy it if it is ``wanted``."""
        if not wanted():
            self._camera.capture_metadata()
            return None
        return from_pixels(self._camera.capture_array("main"))

    def close(self) -> None:
        """Free the device."""
        self._camera.close()


class PiCameraModule(WatchedCamera):
    """A camera on the CSI connector."""

    def __init__(
        self,
        settings: CameraSettings,
        open_device: Callable[[int], PiCamera] = open_camera,
        clock: Callable[[], float] = time.monotonic,
        pause: Callable[[float], object] | None = None,
    ) -> None:
        chosen = settings.picamera2
        times = ReaderTimes(settle=chosen.settle_seconds, take=3.0 + chosen.settle_seconds)
        super().__init__(settings, lambda: PiCameraSource(chosen, open_device), times, clock, pause)
