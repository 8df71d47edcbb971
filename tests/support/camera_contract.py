"""What every camera must do; each kind's test class inherits it and says how its device is plugged in and out."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from threading import Event
from typing import Any, Protocol

import numpy as np
import pytest
from PIL import Image, ImageFilter

from testing.scripted_pictures import Bytes8, Sensor, scene
from tests.support.clock import Clock
from triof.machine.cameras.base import Camera, CameraError
from triof.settings.sections.machine.camera import CameraSettings


def shortly(_: float) -> None:
    """Waits before a device is opened again, for a test."""
    Event().wait(0.003)


def red(image: bytes) -> int:
    """The red of the upper left corner."""
    picture = Image.open(BytesIO(image)).convert("RGB")
    return int(np.asarray(picture)[2:8, 2:8, 0].mean())


class CameraContract:
    """Inherit, and build a camera in front of a scene; ``upload`` is what the touchscreen sends."""

    upload: bytes | None = None

    @pytest.fixture
    def camera(self) -> Any:
        raise NotImplementedError

    def unplug(self) -> None:
        raise NotImplementedError

    def plug(self) -> None:
        raise NotImplementedError

    def test_it_takes_a_whole_photo(self, camera: Camera) -> None:
        picture = Image.open(BytesIO(camera.take(self.upload)))
        picture.load()
        assert min(picture.size) >= 32

    def test_it_knows_its_kind(self, camera: Camera) -> None:
        assert camera.kind in CameraSettings.model_json_schema()["properties"]["kind"]["enum"]

    def test_a_preview_is_an_image_or_says_why_not(self, camera: Camera) -> None:
        try:
            Image.open(BytesIO(camera.preview())).load()
        except CameraError as error:
            assert "touchscreen" in str(error)

    def test_it_is_ready(self, camera: Camera) -> None:
        camera.ping()

    def test_many_threads_take_photos(self, camera: Camera) -> None:
        with ThreadPoolExecutor(4) as pool:
            for image in pool.map(lambda _: camera.take(self.upload), range(8)):
                Image.open(BytesIO(image)).load()

    def test_unplugged_it_says_so_with_the_code_and_plugged_in_again_it_goes_on(self, camera: Camera) -> None:
        camera.take(self.upload)
        for _ in range(2):
            self.unplug()
            with pytest.raises(CameraError) as lost:
                camera.take(None)
            assert lost.value.code == "C1"
            self.plug()
            assert camera.take(self.upload)
            camera.ping()

    def test_closing_twice_is_harmless(self, camera: Camera) -> None:
        camera.close()
        camera.close()


class Device(Protocol):
    """A device of a test."""

    sensor: Sensor

    def plug(self) -> None: ...

    def unplug(self) -> None: ...


def _blurred(picture: Bytes8) -> Bytes8:
    return np.asarray(Image.fromarray(picture).filter(ImageFilter.GaussianBlur(5)))


def _even(picture: Bytes8) -> Bytes8:
    return np.full_like(picture, 90)


FAULTS: dict[str, Callable[[Bytes8], Bytes8]] = {
    "C3": lambda picture: picture // 32,
    "C4": lambda picture: np.full_like(picture, 254),
    "C5": _blurred,
    "C6": _even,
}


class WatchedCameraContract(CameraContract):
    """Of the kinds that a thread watches: inherit, and give a ``device`` and a camera that reads it."""

    device: Any
    clock: Clock

    def unplug(self) -> None:
        self.device.unplug()

    def plug(self) -> None:
        self.device.plug()

    def pass_time(self, camera: Camera, seconds: float) -> None:
        """Let time pass, and the reader look before and afterwards."""
        camera.take(None)
        self.clock.pass_(seconds)
        camera.preview()

    def test_a_photo_shows_what_is_there_now(self, camera: Camera) -> None:
        for level in (40, 200, 80):
            self.device.sensor.picture = np.where(scene() > 127, scene(), np.uint8(level))
            self.device.sensor.picture[:16, :16] = level
            assert abs(red(camera.take(None)) - level) < 6
            assert abs(red(camera.preview()) - level) < 6

    def test_a_frozen_picture_is_told_once_it_lasts_and_is_over_by_itself(self, camera: Camera) -> None:
        self.pass_time(camera, 60)
        camera.ping()
        self.device.sensor.is_frozen = True
        self.pass_time(camera, 9)
        camera.ping()
        self.pass_time(camera, 2)
        for call in (camera.ping, lambda: camera.take(None)):
            with pytest.raises(CameraError, match="same picture for 11 s") as frozen:
                call()
            assert frozen.value.code == "C2"
        self.device.sensor.is_frozen = False
        assert camera.take(None)
        camera.ping()

    @pytest.mark.parametrize("code", FAULTS)
    def test_a_poor_picture_is_told_once_it_lasts_but_is_taken(self, camera: Camera, code: str) -> None:
        self.device.sensor.picture = FAULTS[code](scene())
        self.pass_time(camera, 9)
        camera.ping()
        self.pass_time(camera, 2)
        with pytest.raises(CameraError) as poor:
            camera.ping()
        assert poor.value.code == code
        assert camera.take(None)
        self.device.sensor.picture = scene()
        self.pass_time(camera, 0.5)
        camera.ping()
