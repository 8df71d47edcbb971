"""A stand-in for ``picamera2.Picamera2``, which exists on a Raspberry Pi only."""

from threading import Event
from typing import Any

import numpy as np
from numpy.typing import NDArray

from testing.scripted_pictures import Sensor, scene

Bytes8 = NDArray[np.uint8]


class ScriptedPiCamera:
    """Camera 0 on the ribbon cable; called like the class, it opens the camera."""

    def __init__(self, picture: Bytes8 | None = None) -> None:
        self.sensor = Sensor(scene() if picture is None else picture)
        self.configured: list[dict[str, Any]] = []
        self.opened = 0
        self.closed = 0
        self._is_there = True
        self._tick = Event()

    def plug(self) -> None:
        self._is_there = True

    def unplug(self) -> None:
        self._is_there = False

    def __call__(self, number: int) -> "ScriptedPiCamera":
        if not self._is_there or number:
            raise IndexError("list index out of range")
        self.opened += 1
        return self

    def create_video_configuration(self, main: dict[str, Any], controls: dict[str, Any]) -> dict[str, Any]:
        return {"main": main, "controls": controls}

    def configure(self, camera_config: dict[str, Any]) -> None:
        self.configured.append(camera_config)

    def start(self) -> None:
        pass

    def capture_array(self, name: str) -> Bytes8:
        assert name == "main"
        self.capture_metadata()
        # RGB888 is B, G, R in memory.
        return np.ascontiguousarray(self.sensor.frame()[:, :, ::-1])

    def capture_metadata(self) -> dict[str, Any]:
        self._tick.wait(0.002)
        if not self._is_there:
            raise RuntimeError("Camera frontend has timed out!")
        return {}

    def close(self) -> None:
        self.closed += 1
