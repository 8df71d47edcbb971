"""What is wrong with a camera shows as a named check wherever checks are shown, and is over by itself."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from click.testing import CliRunner
from filelock import FileLock

from testing.ip_camera import IpCamera
from testing.scripted_pictures import scene
from testing.video_capture import ScriptedWebcam
from tests.support.camera_contract import FAULTS, shortly
from tests.support.clock import Clock
from tests.support.dashboard import Person, create
from tests.support.machines import BuildMachine, Machine
from triof.cli import main
from triof.machine.cameras.webcam import Webcam
from triof.settings.sections.machine.camera import CameraSettings

pytestmark = pytest.mark.slow


class Watched(NamedTuple):
    """A machine with a webcam, which reads the machine's clock."""

    machine: Machine
    webcam: ScriptedWebcam
    camera: Webcam

    def statuses(self) -> dict[str, str]:
        """The checks of the camera by `/readyz`."""
        found = self.machine.client().get("/readyz").json
        assert found
        return {each["name"]: each["status"] for each in found["checks"] if each["name"].startswith("camera")}

    def alerts(self) -> set[str]:
        """The alerts of the camera that are to be open."""
        return {name for name in self.machine.services.operations.health.alerts(()) if name.startswith("camera")}

    def pass_(self, seconds: float) -> None:
        """Let time pass, and the camera be looked at before and afterwards."""
        self.camera.take(None)
        self.machine.clock.pass_(seconds)
        self.camera.preview()


@pytest.fixture
def watched(build_machine: BuildMachine, tmp_path: Path) -> Iterator[Watched]:
    webcam = ScriptedWebcam(tmp_path / "dev")
    settings = CameraSettings.model_validate({"kind": "webcam", "webcam": {"settle_seconds": 0}})
    clocks = [Clock()]

    def now() -> float:
        return clocks[-1]()

    camera = Webcam(settings, webcam, tmp_path / "dev", now, shortly)
    machine = build_machine(camera=camera)
    clocks.append(machine.clock)
    yield Watched(machine, webcam, camera)
    camera.close()


NAMES = {"C3": "camera_black", "C4": "camera_overexposed", "C5": "camera_blurred", "C6": "camera_covered"}
WELL = dict.fromkeys(("camera", "camera_frozen", *NAMES.values()), "ok")


@pytest.mark.parametrize("code", NAMES)
def test_a_poor_picture_is_a_warning_and_an_alert_until_it_is_over(watched: Watched, code: str) -> None:
    watched.pass_(0.5)
    assert watched.statuses() == WELL
    watched.webcam.sensor.picture = FAULTS[code](scene())
    watched.pass_(11)
    assert watched.statuses() == {**WELL, NAMES[code]: "warning"}
    assert watched.alerts() == {NAMES[code]}
    ready = watched.machine.client().get("/readyz")
    assert ready.status_code == 200
    assert code in ready.text
    create(watched.machine)
    page = Person(watched.machine.client()).log_in("marie").open("/machine").page.text
    assert f'data-check="{NAMES[code]}" data-status="warning"' in page
    watched.webcam.sensor.picture = scene()
    watched.pass_(6)
    assert (watched.statuses(), watched.alerts()) == (WELL, set())


def test_a_frozen_picture_stops_deposits_until_it_is_over(watched: Watched) -> None:
    watched.webcam.sensor.is_frozen = True
    watched.pass_(11)
    assert watched.statuses() == {**WELL, "camera_frozen": "failed"}
    assert watched.alerts() == {"camera_frozen"}
    assert watched.machine.client().get("/readyz").status_code == 503
    visitor = watched.machine.visitor().open("/")
    assert "My picture stands still" in visitor.page.text
    assert "C2" in visitor.page.text
    watched.webcam.sensor.is_frozen = False
    watched.pass_(6)
    assert (watched.statuses(), watched.alerts()) == (WELL, set())
    assert watched.machine.visitor().press("/start").shown == "insert"


def test_a_lost_camera_keeps_the_alert_of_its_picture_as_it_was(watched: Watched) -> None:
    watched.webcam.sensor.picture = FAULTS["C3"](scene())
    watched.pass_(11)
    assert watched.alerts() == {"camera_black"}
    watched.webcam.unplug()
    with pytest.raises(Exception, match="There is no"):
        watched.camera.take(None)
    health = watched.machine.services.operations.health
    assert set(health.alerts(("camera_black",))) == {"camera", "camera_black"}
    assert watched.alerts() == {"camera"}
    watched.machine.clock.pass_(6)
    assert watched.statuses() == {**WELL, "camera": "failed"}


def _doctor(*flags: str) -> dict[str, str]:
    ran = CliRunner().invoke(main, [*(each for flag in flags for each in ("--set", flag)), "doctor"])
    lines = [line.split(maxsplit=2) for line in ran.stdout.splitlines()]
    return {name: f"{word} {text}" for word, name, text in lines if name.startswith("camera")}


@pytest.mark.parametrize("code", NAMES)
def test_doctor_sees_a_poor_picture_at_once(code: str) -> None:
    with IpCamera() as device:
        device.sensor.picture = FAULTS[code](scene())
        told = _doctor("camera.kind=http", f"camera.http.url={device.url()}")
    assert told.pop(NAMES[code]).startswith(f"warn {code}: ")
    assert {text.split()[0] for text in told.values()} == {"ok"}


def test_doctor_names_the_remedy_of_a_camera_that_is_not_there() -> None:
    told = _doctor("camera.kind=webcam", "camera.webcam.device=/dev/no-such-camera")
    assert told["camera"].startswith("FAIL C1: There is no /dev/no-such-camera")


def test_doctor_leaves_the_camera_to_a_running_kiosk(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    with FileLock(home / "machine.lock"):
        told = _doctor("camera.kind=webcam", "camera.webcam.device=/dev/no-such-camera")
    assert list(told) == ["camera"]
    assert "the running kiosk uses" in told["camera"]
