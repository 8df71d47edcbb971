"""`triof reference`: take, show and forget the reference picture of the empty slot."""

import json
import stat
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from PIL import Image

from tests.support.lit_hardware import KIND, lamp_record
from tests.support.photo_host import Answer, PhotoHost
from tests.support.slot_scenes import MIDDLE, SIZE, photo_of, slot
from triof.cli import main
from triof.machine.reference_store import FILE

pytestmark = pytest.mark.slow


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """The home folder of a machine in front of the pictures of a folder."""
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures" / "1.jpg").write_bytes(photo_of(slot(MIDDLE)))
    (tmp_path / "empty.jpg").write_bytes(photo_of(slot()))
    return tmp_path / "home"


def run(home: Path, *arguments: str, kind: str = "folder") -> Result:
    settings = [f"camera.folder={home.parent / 'pictures'}", f"camera.kind={kind}"]
    options = [part for setting in settings for part in ("--set", setting)]
    return CliRunner().invoke(main, [*options, "reference", *arguments])


def test_a_picture_is_taken_shown_and_forgotten(home: Path, tmp_path: Path) -> None:
    none = run(home, "show")
    assert none.exit_code == 1
    assert "triof reference take" in none.stderr
    taken = run(home, "take", "--picture", str(tmp_path / "empty.jpg"))
    assert taken.exit_code == 0, taken.output
    assert "640 x 360" in taken.output
    kept = home / FILE
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    with Image.open(kept) as picture:
        about = json.loads(picture.info["triof"])
    assert (about["width"], about["height"]) == SIZE
    shown = run(home, "show", "--out", str(tmp_path / "shown.png"))
    assert "640 x 360" in shown.output
    with Image.open(tmp_path / "shown.png") as picture:
        assert picture.size == SIZE
    assert run(home, "show", kind="browser").exit_code == 1
    assert "removed" in run(home, "forget").output
    assert "no reference" in run(home, "forget").output


def test_the_slot_is_lit_for_the_reference_as_for_a_deposit(home: Path) -> None:
    with PhotoHost() as host:
        url = host.serve("/shot.jpg", Answer(photo_of(slot()), headers={"Content-Type": "image/jpeg"}))
        options = [f"camera.http.url={url}", "camera.kind=http", f"slot.kind={KIND}"]
        words = [part for option in options for part in ("--set", option)]
        taken = CliRunner().invoke(main, [*words, "reference", "take"])
    assert taken.exit_code == 0, taken.output
    assert lamp_record(home) == ["on", "off"]
    assert (home / FILE).exists()


@pytest.mark.parametrize("kind", ["folder", "browser"])
def test_a_camera_that_does_not_show_the_slot_needs_a_picture(home: Path, kind: str) -> None:
    refused = run(home, "take", kind=kind)
    assert refused.exit_code == 1
    assert "--picture FILE" in refused.stderr
    assert not (home / FILE).exists()


def test_what_is_no_photo_is_refused(home: Path, tmp_path: Path) -> None:
    (tmp_path / "text.jpg").write_text("no photo")
    refused = run(home, "take", "--picture", str(tmp_path / "text.jpg"))
    assert refused.exit_code == 1
    assert "not a photo" in refused.stderr
