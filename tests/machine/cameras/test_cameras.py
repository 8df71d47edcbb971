"""The contract of every kind of camera."""

import shutil
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from testing.ip_camera import IpCamera
from testing.pi_camera import ScriptedPiCamera
from testing.scripted_pictures import scene
from testing.video_capture import ScriptedWebcam
from tests.support.camera_contract import CameraContract, WatchedCameraContract, shortly
from tests.support.clock import Clock
from triof.machine.cameras.base import Camera
from triof.machine.cameras.browser import BrowserCamera
from triof.machine.cameras.folder import FolderCamera
from triof.machine.cameras.http import HttpCamera
from triof.machine.cameras.picamera2 import PiCameraModule
from triof.machine.cameras.webcam import Webcam
from triof.settings.sections.machine.camera import CameraSettings

pytestmark = pytest.mark.slow


def _photo() -> bytes:
    buffer = BytesIO()
    Image.fromarray(scene()).save(buffer, "JPEG")
    return buffer.getvalue()


class TestFolder(CameraContract):
    @pytest.fixture
    def camera(self, tmp_path: Path) -> Camera:
        self.folder, self.aside = tmp_path / "pictures", tmp_path / "aside"
        self.folder.mkdir()
        (self.folder / "one.jpg").write_bytes(_photo())
        return FolderCamera(self.folder)

    def unplug(self) -> None:
        shutil.move(self.folder, self.aside)

    def plug(self) -> None:
        shutil.move(self.aside, self.folder)


class TestBrowser(CameraContract):
    upload = _photo()

    @pytest.fixture
    def camera(self) -> Camera:
        return BrowserCamera()

    def unplug(self) -> None:
        pass

    def plug(self) -> None:
        pass


class TestWebcam(WatchedCameraContract):
    @pytest.fixture
    def camera(self, tmp_path: Path) -> Iterator[Camera]:
        self.device, self.clock = ScriptedWebcam(tmp_path), Clock()
        settings = CameraSettings.model_validate({"kind": "webcam", "webcam": {"settle_seconds": 0}})
        camera = Webcam(settings, self.device, tmp_path, self.clock, shortly)
        yield camera
        camera.close()
        assert self.device.released >= 1


class TestPiCamera(WatchedCameraContract):
    @pytest.fixture
    def camera(self) -> Iterator[Camera]:
        self.device, self.clock = ScriptedPiCamera(), Clock()
        settings = CameraSettings.model_validate({"kind": "picamera2", "picamera2": {"settle_seconds": 0}})
        camera = PiCameraModule(settings, self.device, self.clock, shortly)
        yield camera
        camera.close()
        assert self.device.closed == self.device.opened


class TestHttp(WatchedCameraContract):
    @pytest.fixture(params=["/snapshot.jpg", "/video", "/bare"])
    def camera(self, request: pytest.FixtureRequest) -> Iterator[Camera]:
        with IpCamera() as self.device:
            self.clock = Clock()
            settings = CameraSettings.model_validate({"kind": "http", "http": {"url": self.device.url(request.param)}})
            camera = HttpCamera(settings, self.clock, shortly)
            yield camera
            camera.close()
