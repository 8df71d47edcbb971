"""A webcam that delays, repeats, breaks off, is busy, forbidden or not there; and the reader's manners."""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from testing.scripted_pictures import scene
from testing.video_capture import ScriptedWebcam
from tests.support.clock import Clock
from tests.support.paths import ROOT
from tests.support.permissions import binding
from triof.machine.cameras.base import CameraError
from triof.machine.cameras.registry import build_camera
from triof.machine.cameras.webcam import Webcam, open_capture
from triof.settings.sections.machine.camera import CameraSettings

pytestmark = pytest.mark.slow

Build = Callable[..., Webcam]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def webcam(tmp_path: Path) -> ScriptedWebcam:
    return ScriptedWebcam(tmp_path)


@pytest.fixture
def build(tmp_path: Path, webcam: ScriptedWebcam, clock: Clock) -> Iterator[Build]:
    cameras: list[Webcam] = []

    def build(
        pause: Callable[[float], object] = _shortly,
        capture: Any = webcam,
        clock: Callable[[], float] = clock,
        **changes: Any,
    ) -> Webcam:
        settings = CameraSettings.model_validate({"kind": "webcam", "webcam": {"settle_seconds": 0, **changes}})
        cameras.append(Webcam(settings, capture, tmp_path, clock, pause))
        return cameras[-1]

    yield build
    for camera in cameras:
        camera.close()


def _shortly(_: float) -> None:
    Event().wait(0.003)


def test_the_device_is_asked_for_its_size_and_rate(tmp_path: Path, webcam: ScriptedWebcam, build: Build) -> None:
    captures: list[Any] = []

    def capture(device: str) -> Any:
        captures.append(webcam(device))
        return captures[-1]

    build(capture=capture, width=640, height=480, rate=15).ping()
    assert webcam.opened == [str(tmp_path / "video0")]
    assert list(captures[0].properties.items()) == [(6, 1196444237), (3, 640), (4, 480), (5, 15), (38, 1)]


@pytest.mark.parametrize("device", ["usb-cam-index0", "path"])
def test_a_stable_name_or_a_path_finds_the_device(
    tmp_path: Path, webcam: ScriptedWebcam, build: Build, device: str
) -> None:
    link = tmp_path / "v4l" / "by-id" / "usb-cam-index0"
    link.parent.mkdir(parents=True)
    link.symlink_to(tmp_path / "video0")
    build(device=str(link) if device == "path" else device).ping()
    assert webcam.opened == [str(link)]


def test_a_camera_that_is_not_there_names_those_that_are(tmp_path: Path, webcam: ScriptedWebcam, build: Build) -> None:
    with pytest.raises(CameraError, match=r"no camera is plugged in.*camera\.webcam\.device"):
        build(device="7").ping()
    (tmp_path / "v4l" / "by-id").mkdir(parents=True)
    (tmp_path / "v4l" / "by-id" / "usb-Acme-index0").symlink_to(tmp_path / "video0")
    with pytest.raises(CameraError, match=r"There is no .*video7 \(cameras here: usb-Acme-index0\)"):
        build(device="7").ping()


def test_a_busy_camera_says_that_another_program_has_it(webcam: ScriptedWebcam, build: Build) -> None:
    webcam.is_busy = True
    with pytest.raises(CameraError, match="end the program that uses it"):
        build().ping()


def test_a_missing_permission_names_the_group(tmp_path: Path, webcam: ScriptedWebcam, build: Build) -> None:
    (tmp_path / "video0").chmod(0)
    with binding(), pytest.raises(CameraError, match="usermod -aG video"):
        build().ping()


def test_a_missing_library_says_what_to_install(build: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(CameraError, match=r"pip install 'triof\[camera\]'.*pip install -e '\.\[camera\]'"):
        build(capture=open_capture).ping()


def test_the_real_library_tells_a_file_that_is_no_camera(build: Build) -> None:
    pytest.importorskip("cv2")
    with pytest.raises(CameraError, match="cannot be opened"):
        build(capture=open_capture).ping()


def test_it_is_built_by_its_settings_and_imports_nothing_heavy_before() -> None:
    camera = build_camera(
        CameraSettings.model_validate({"kind": "webcam", "webcam": {"device": "/dev/no-such-camera"}})
    )
    with pytest.raises(CameraError, match="There is no /dev/no-such-camera"):
        camera.ping()
    camera.close()


def test_the_folder_camera_starts_without_opencv() -> None:
    code = (
        "import sys; from triof.machine.cameras.registry import build_camera; from triof.settings.tree import Settings;"
        " build_camera(Settings().camera).take(None); print('cv2' in sys.modules)"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert ran.stdout.strip() == "False"


def test_half_a_frame_is_never_a_photo(webcam: ScriptedWebcam, build: Build) -> None:
    camera = build()
    camera.take(None)
    webcam.is_half = True
    with pytest.raises(CameraError, match="incomplete pictures"):
        camera.take(None)
    webcam.is_half = False
    assert camera.take(None)


def test_a_read_that_fails_now_and_then_is_tolerated(webcam: ScriptedWebcam, build: Build) -> None:
    camera = build()
    camera.take(None)
    for _ in range(3):
        webcam.failures = 2
        assert camera.take(None)
    assert len(webcam.opened) == 1


def test_a_camera_that_hangs_is_told_and_comes_back(webcam: ScriptedWebcam, build: Build, clock: Clock) -> None:
    camera = build()
    camera.take(None)
    webcam.goes_on.clear()
    clock.pass_(6)
    with pytest.raises(CameraError, match="no picture for 6 s") as silent:
        camera.ping()
    assert silent.value.code == "C1"
    webcam.goes_on.set()
    assert camera.take(None)
    camera.ping()


def test_the_pauses_grow_while_the_camera_is_away_and_begin_anew(webcam: ScriptedWebcam, build: Build) -> None:
    pauses: list[float] = []
    enough = Event()

    def pause(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 7:
            enough.set()
        if len(pauses) >= 7:
            back.wait(10)

    back = Event()
    camera = build(pause)
    camera.take(None)
    webcam.unplug()
    assert enough.wait(10)
    assert pauses == [0.5, 1, 2, 4, 8, 15, 15]
    webcam.plug()
    back.set()
    assert camera.take(None)
    pauses.clear()
    webcam.unplug()
    with pytest.raises(CameraError):
        camera.take(None)
    assert pauses[0] == 0.5


def test_a_frame_is_decoded_only_where_it_is_wanted(webcam: ScriptedWebcam, build: Build, clock: Clock) -> None:
    decoded: list[int] = []
    webcam.decode = lambda: decoded.append(webcam.grabbed)
    camera = build()
    camera.take(None)
    before, grabbed = len(decoded), webcam.grabbed
    while webcam.grabbed < grabbed + 50:
        Event().wait(0.002)
    assert len(decoded) <= before + 1
    clock.pass_(1)
    camera.preview()
    assert len(decoded) <= before + 3


class _Moving(ScriptedWebcam):
    """The item rolls until its ``still_from``-th frame, and is blurred meanwhile."""

    still_from = 0
    shown = 0

    def show(self) -> None:
        self.shown += 1
        is_still = self.shown >= self.still_from
        self.sensor.picture = scene(7) if is_still else _smeared(scene(7 + self.shown))


def _smeared(picture: Any) -> Any:
    return (picture.astype(int) // 2 + 40).astype("uint8")


@pytest.mark.parametrize(("still_from", "frames"), [(1, 2), (3, 4)])
def test_a_burst_ends_once_nothing_moves(tmp_path: Path, build: Build, still_from: int, frames: int) -> None:
    webcam = _Moving(tmp_path)
    camera = build(capture=webcam, clock=time.monotonic)
    camera.take(None)
    webcam.still_from, webcam.decode = still_from, webcam.show
    camera.take(None)
    assert webcam.shown == frames
