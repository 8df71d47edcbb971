"""Whole deposits through HTTP with each kind of camera, and the plug pulled in each stage of one."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from testing.ip_camera import IpCamera
from testing.pi_camera import ScriptedPiCamera
from testing.video_capture import ScriptedWebcam
from tests.support.camera_contract import Device, shortly
from tests.support.machines import BuildMachine, Machine, Visitor
from triof.machine.cameras.base import Camera
from triof.machine.cameras.folder import FolderCamera
from triof.machine.cameras.http import HttpCamera
from triof.machine.cameras.picamera2 import PiCameraModule
from triof.machine.cameras.webcam import Webcam
from triof.settings.sections.machine.camera import CameraSettings

pytestmark = pytest.mark.slow


class PluggedFolder:
    """The folder camera, whose folder is renamed in place of pulling a plug."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def plug(self) -> None:
        self.folder.with_name("aside").rename(self.folder)

    def unplug(self) -> None:
        self.folder.rename(self.folder.with_name("aside"))


class Bench(NamedTuple):
    """A machine, and the device of its camera."""

    machine: Machine
    device: Any

    @property
    def is_watched(self) -> bool:
        return not isinstance(self.device, PluggedFolder)


def _settings(kind: str, **section: Any) -> CameraSettings:
    return CameraSettings.model_validate({"kind": kind, "burst_seconds": 0.1, kind: section})


def _build(kind: str, tmp_path: Path, opened: ExitStack) -> tuple[Device | PluggedFolder, Camera]:
    match kind:
        case "webcam":
            webcam = ScriptedWebcam(tmp_path / "dev")
            return webcam, Webcam(_settings(kind, settle_seconds=0), webcam, tmp_path / "dev", pause=shortly)
        case "picamera2":
            module = ScriptedPiCamera()
            return module, PiCameraModule(_settings(kind, settle_seconds=0), module, pause=shortly)
        case "folder":
            return PluggedFolder(tmp_path / "pictures"), FolderCamera(tmp_path / "pictures")
    device = opened.enter_context(IpCamera())
    return device, HttpCamera(_settings("http", url=device.url(kind), timeout_seconds=1), pause=shortly)


@pytest.fixture(params=["folder", "webcam", "picamera2", "/snapshot.jpg", "/video"])
def bench(request: pytest.FixtureRequest, build_machine: BuildMachine, tmp_path: Path) -> Iterator[Bench]:
    with ExitStack() as opened:
        device, camera = _build(request.param, tmp_path, opened)
        opened.callback(camera.close)
        yield Bench(build_machine(waste_type=["bottle"] * 9, cleanliness=["clean"] * 9, camera=camera), device)


def whole_deposit(visitor: Visitor) -> str:
    """One deposit up to its end; returns the page at which it ended."""
    visitor.open("/").press("/start").press("/waste/pick-type")
    visitor.press("/confirmation", waste_type="bottle", sure="1").wait_idle().open("/confirmation")
    ended_at = visitor.shown
    visitor.press("/done")
    return ended_at


def lose(bench: Bench) -> None:
    """Pull the plug, and wait until that is known."""
    bench.device.unplug()
    with pytest.raises(Exception, match="camera"):
        bench.machine.services.camera.take(None)


def find(bench: Bench) -> None:
    """Put the plug back in, and wait until that is known."""
    bench.device.plug()
    bench.machine.services.camera.preview()


def test_whole_deposits(bench: Bench) -> None:
    visitor = bench.machine.visitor()
    assert [whole_deposit(visitor) for _ in range(3)] == ["thanks"] * 3
    assert bench.machine.client().get("/readyz").status_code == 200


def test_unplugged_before_a_deposit_nothing_begins_until_it_is_back(bench: Bench) -> None:
    visitor = bench.machine.visitor()
    lose(bench)
    bench.machine.clock.pass_(5)
    visitor.press("/start")
    if bench.is_watched:
        assert visitor.shown == "out_of_order"
        assert 'data-state="C1"' in visitor.page.text
        assert not bench.machine.hardware.slot_is_open()
    assert bench.machine.client().get("/readyz").status_code == 503
    find(bench)
    bench.machine.clock.pass_(5)
    assert bench.machine.client().get("/readyz").status_code == 200
    assert whole_deposit(visitor) == "thanks"


def test_unplugged_while_the_item_goes_in_the_person_tries_again(bench: Bench) -> None:
    visitor = bench.machine.visitor().press("/start")
    bench.device.unplug()
    visitor.press("/waste/pick-type")
    assert (visitor.shown, bench.machine.hardware.slot_is_open()) == ("insert", True)
    assert "The camera gave no picture. Please try again." in visitor.page.text
    find(bench)
    assert visitor.press("/waste/pick-type").shown == "pick_type"


def test_unplugged_while_the_item_goes_in_the_person_takes_it_back(bench: Bench) -> None:
    visitor = bench.machine.visitor().press("/start")
    lose(bench)
    assert visitor.press("/waste/pick-type").press("/return").shown == "returned"
    assert bench.machine.hardware.slot_is_open()
    find(bench)
    visitor.press("/done")
    assert whole_deposit(visitor) == "thanks"


@pytest.mark.parametrize("stage", ["choosing", "sorting", "thanks", "returned"])
def test_unplugged_after_the_photo_the_deposit_ends_as_it_would(bench: Bench, stage: str) -> None:
    visitor = bench.machine.visitor().press("/start").press("/waste/pick-type")
    pull: Callable[[], None] = lambda: lose(bench)  # noqa: E731
    if stage == "choosing":
        pull()
    if stage == "returned":
        visitor.press("/return")
        pull()
        assert visitor.open("/confirmation").shown == "returned"
        assert bench.machine.hardware.slot_is_open()
    else:
        bench.machine.hardware.instead["move_box"] = lambda _: pull() if stage == "sorting" else None
        visitor.press("/confirmation", waste_type="bottle", sure="1").wait_idle().open("/confirmation")
        if stage == "thanks":
            pull()
        assert visitor.open("/confirmation").shown == "thanks"
    visitor.press("/done")
    find(bench)
    assert whole_deposit(visitor) == "thanks"
    assert bench.machine.services.journal.unfinished() == []
