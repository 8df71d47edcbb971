"""What a photo may be is a setting, and holds at every door where one is decoded."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from tests.support.drawn_photos import save
from triof.cli import main
from triof.curation.labelling import LabellingSession as Questions
from triof.curation.labelling import questions
from triof.datasets import photo_dataset
from triof.settings.sections.photo import PhotoLimits
from triof.web.labelling import pages as label_page

pytestmark = pytest.mark.slow

WIDE = 16_500
"""Pixels of a side; the default allows 16,384."""
ALLOWED = ("--set", f"photo.max_side={WIDE}")
TOO_LARGE = (*ALLOWED, "--set", "photo.max_pixels=1000000")


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A set whose only photo in the test split is large."""
    monkeypatch.chdir(tmp_path)
    for split, seeds in (("train", range(6)), ("val", range(6, 9))):
        save(tmp_path / "set" / split, "bottle", seeds)
        save(tmp_path / "set" / split, "cup", seeds)
    pixels = np.random.default_rng(0).integers(0, 255, (8, 40, 3), np.uint8)
    wide = tmp_path / "set" / "test" / "cup" / "wide.jpg"
    wide.parent.mkdir(parents=True)
    Image.fromarray(pixels).resize((WIDE, 240)).save(wide, quality=60)
    return tmp_path / "set"


def triof(*arguments: object) -> Result:
    ran = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert "Traceback" not in ran.output
    return ran


def by_evaluate(tree: Path, flags: tuple[str, ...]) -> bool:
    ran = triof(*flags, "evaluate", "waste_type", "--data", tree, "--no-report")
    assert ran.exit_code == 0 or "None of the 1 photos could be read" in ran.output
    return ran.exit_code == 0


def by_check(tree: Path, flags: tuple[str, ...]) -> bool:
    if flags == TOO_LARGE:
        # It is known how the photo looks, as other limits held before.
        triof(*ALLOWED, "dataset", "check", tree, "--no-report")
    copy = tree / "test" / "cup" / "copy.jpg"
    copy.write_bytes((tree / "test" / "cup" / "wide.jpg").read_bytes())
    found = json.loads(triof(*flags, "dataset", "check", tree, "--json", "--report", "page.html").stdout)
    is_read = not found["unreadable"]
    assert is_read == (found["duplicates"] == [["test/cup/copy.jpg", "test/cup/wide.jpg"]])
    shown = re.findall(r'<img[^>]*src="data:image/jpeg[^>]*>', Path("page.html").read_text(encoding="utf-8"))
    assert bool(shown) == is_read
    return is_read


def by_split(tree: Path, flags: tuple[str, ...]) -> bool:
    ran = triof(*flags, "dataset", "split", tree, "--out", "new.csv")
    assert ran.exit_code == 0, ran.output
    return "wide.jpg" in Path("new.csv").read_text()


def by_augment(tree: Path, flags: tuple[str, ...]) -> bool:
    ran = triof(*flags, "dataset", "augment", tree, "--out", "copies", "--split", "test")
    assert (ran.exit_code == 0) != ("Skipped" in ran.output)
    return ran.exit_code == 0


def by_collect(tree: Path, flags: tuple[str, ...]) -> bool:
    ran = triof(*flags, "dataset", "collect", tree / "test", "--label", "cup", "--source", "folder", "--out", "new")
    assert (ran.exit_code == 0) != ("too large" in ran.output)
    return ran.exit_code == 0


def by_train(tree: Path, flags: tuple[str, ...]) -> bool:
    (tree / "test").rename(tree / "bottles")
    (tree / "val").rename(tree.parent / "away")
    (tree / "bottles").rename(tree / "val")
    # It ends before it begins, as one label alone teaches nothing.
    return "Skipped" not in triof(*flags, "train", "waste_type", "--data", tree).output


def by_label_page(tree: Path, flags: tuple[str, ...]) -> bool:
    values = dict(flag.removeprefix("photo.").split("=") for flag in flags[1::2])
    dataset = photo_dataset.read(tree / "test")
    asked = questions(dataset, {}, ["waste_type"], "as-is")
    app = label_page.create_app(Questions(asked, Path("c.csv")), lambda _: None, PhotoLimits.model_validate(values))
    client = app.test_client()
    (address,) = set(re.findall(r'/photo/[^"]+/0', client.get("/").text))
    return client.get(address).status_code == 200


DOORS: dict[str, Callable[[Path, tuple[str, ...]], bool]] = {
    name.removeprefix("by_"): door for name, door in globals().copy().items() if name.startswith("by_")
}


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize(
    ("flags", "taken"), [((), False), (ALLOWED, True), (TOO_LARGE, False)], ids=["default", "allowed", "too large"]
)
def test_the_limits_of_the_settings_hold(tree: Path, door: str, flags: tuple[str, ...], taken: bool) -> None:
    assert DOORS[door](tree, flags) is taken
