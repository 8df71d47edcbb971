"""What harder conditions cost: the conditions themselves, what is lost by them, and the command that shows it."""

import json
import sys
from collections.abc import Callable
from html import unescape
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from numpy.random import Generator, default_rng
from PIL import Image, ImageDraw

from providers.base import Photo, Prediction, Task
from providers.local_cnn.training.cutout import cut_out
from providers.local_cnn.training.scenes import Scenery, rendered
from testing.image_files import encoded
from triof.cli import main
from triof.datasets.photo_dataset import LabelledPhoto
from triof.evaluation import evaluation, robustness
from triof.evaluation.robustness import CORRUPTIONS, EXPLAINED, OTHER_GROUND, Cuttings, Robustness


class Judge:
    """A provider whose answer is a plain rule about the picture: clean where it holds."""

    name = "judge"
    needs_network = False
    needed_side = 32

    def __init__(self, is_clean: Callable[[Image.Image], bool]) -> None:
        self.is_clean = is_clean
        self.seen: list[Image.Image] = []

    def predict(self, photo: Photo, *, timeout: float) -> Prediction:
        self.seen.append(photo.picture)
        label = "clean" if self.is_clean(photo.picture) else "dirty"
        scores = {"clean": 0.0, "dirty": 0.0} | {label: 1.0}
        return Prediction("cleanliness", label, 1.0, scores, self.name, "1")

    def ping(self) -> None: ...
    def close(self) -> None: ...


def brightness(picture: Image.Image) -> float:
    return float(np.asarray(picture).mean())


def cup(ground: str = "white", ink: str = "red") -> Image.Image:
    """A plain item that can be cut out."""
    picture = Image.new("RGB", (120, 90), ground)
    ImageDraw.Draw(picture).rectangle((40, 25, 80, 65), fill=ink)
    return picture


def save(folder: Path, *pictures: Image.Image, label: str = "clean") -> list[LabelledPhoto]:
    items = []
    for index, picture in enumerate(pictures):
        path = folder / f"{index}.png"
        path.write_bytes(encoded(picture, "PNG"))
        items.append(LabelledPhoto(path, {"cleanliness": label}, str(index), "test"))
    return items


def measured(judge: Judge, photos: list[LabelledPhoto], cuttings: Cuttings | None = None) -> Robustness:
    task: Task = "cleanliness"
    return robustness.measure(judge, evaluation.evaluate(judge, task, photos), cuttings or Cuttings({}, []))


def changed(name: str, picture: Image.Image, rng: Generator | None = None) -> np.ndarray:
    return np.asarray(CORRUPTIONS[name](picture, rng or default_rng(3)), float)


# ---- the conditions ----


def test_low_light_keeps_two_fifths_and_adds_a_sensors_noise() -> None:
    dim = changed("low light", Image.new("RGB", (200, 200), (150, 150, 150)))
    assert dim.mean() == pytest.approx(60, abs=0.2)
    assert dim.std() == pytest.approx(4, abs=0.1)


def test_noise_has_sigma_15_and_no_favourite_colour() -> None:
    noisy = changed("noise", Image.new("RGB", (200, 200), (120, 120, 120)))
    assert noisy.mean(axis=(0, 1)) == pytest.approx([120, 120, 120], abs=0.5)
    assert noisy.std() == pytest.approx(15, abs=0.2)


def test_blur_goes_by_the_size_of_the_photo() -> None:
    def softened(side: int) -> float:
        picture = Image.new("L", (side, side))
        picture.paste(255, (side // 2, 0, side, side))
        row = changed("blur", picture.convert("RGB"))[side // 2, :, 0]
        return float(((row > 10) & (row < 245)).mean())

    assert softened(150) > 0.01
    assert softened(600) == pytest.approx(softened(150), rel=0.5)


def test_jpeg_30_packs_and_unpacks() -> None:
    picture = Image.fromarray(default_rng(1).integers(0, 255, (64, 64, 3), np.uint8))
    packed = changed("JPEG 30", picture)
    assert packed.shape == (64, 64, 3)
    assert 5 < np.abs(packed - np.asarray(picture, float)).mean() < 80


def test_rotation_cuts_nothing_off_and_fills_with_the_colour_of_the_border() -> None:
    picture = Image.new("RGB", (160, 60), (10, 200, 30))
    ImageDraw.Draw(picture).rectangle((40, 20, 119, 39), fill=(255, 0, 0))
    for seed in range(5):
        turned = changed("rotation", picture, default_rng(seed))
        assert turned[0, 0] == pytest.approx([10, 200, 30], abs=2)
        assert (turned[..., 0] > 128).sum() == pytest.approx(80 * 20, rel=0.05)


def test_an_item_on_another_ground_stays_itself() -> None:
    pytest.importorskip("cv2")
    cut = cut_out(cup("#303030"))
    assert cut
    blue = Scenery([Image.new("RGB", (64, 64), "blue")], drawn=0)
    laid = np.asarray(robustness.on_other_ground(cup("#303030"), cut, blue, default_rng(3)), float)
    assert laid.shape == (90, 120, 3)
    assert laid[5, 5, 2] > 2 * laid[5, 5, 0]
    assert laid[40, 60, 0] > 120
    assert laid[40, 60, 1] < 60


def test_the_ground_is_never_that_of_the_own_group(tmp_path: Path) -> None:
    mine, other = Image.new("RGB", (8, 8), "red"), Image.new("RGB", (8, 8), "blue")
    cuttings = Cuttings({}, [("a", mine), ("b", other)])
    scenery = cuttings.elsewhere("a")
    assert list(scenery.found) == [other]
    trained = {ground.tobytes() for ground in rendered("grounds")}
    assert scenery.rendered
    assert not trained & {ground.tobytes() for ground in scenery.rendered}


def test_other_ground_is_tried_where_an_item_lay_on_a_plain_light_one(tmp_path: Path) -> None:
    pytest.importorskip("cv2")
    light, dark = save(tmp_path, cup(), cup("#303030"))
    assert list(robustness.cut_out([light, dark]).items) == [light.path]


# ---- what is lost ----


def test_what_a_condition_costs_is_counted_and_averaged(tmp_path: Path) -> None:
    photos = save(tmp_path, *(Image.new("RGB", (64, 64), (100, 100, index)) for index in range(10)))
    found = measured(Judge(lambda picture: brightness(picture) > 50), photos)
    lost = {condition.name: condition.lost.value for condition in found.conditions}
    assert lost == {"blur": 0, "low light": 1, "JPEG 30": 0, "noise": 0, "rotation": 0}
    dark = found.conditions[1]
    assert (dark.photos, dark.unchanged, dark.changed) == (10, 1.0, 0.0)
    assert (dark.lost.low, dark.lost.high) == (1.0, 1.0)
    # Every photo is clean: in the light nobody speaks of dirt, in the dark nobody speaks of anything else.
    assert dark.macro_f1_lost.value == pytest.approx(1.0)
    assert (found.mean_lost.value, found.mean_macro_f1_lost.value) == pytest.approx((0.2, 0.2))


@pytest.mark.slow
def test_the_loss_is_compared_photo_by_photo(tmp_path: Path) -> None:
    # Half of the photos are wrong in any light: paired, that widens nothing.
    photos = save(tmp_path, *(Image.new("RGB", (64, 64), (v, v, v)) for v in (30, 200) * 20))
    (dark,) = (c for c in measured(Judge(lambda p: brightness(p) > 50), photos).conditions if c.name == "low light")
    assert dark.unchanged == dark.changed == 0.5
    assert (dark.lost.low, dark.lost.value, dark.lost.high) == (0, 0, 0)


def test_a_photo_meets_the_same_change_wherever_it_stands(tmp_path: Path) -> None:
    photos = save(tmp_path, *(cup(ink=ink) for ink in ("red", "green", "blue")))
    both, alone = Judge(lambda _: True), Judge(lambda _: True)
    measured(both, photos)
    measured(alone, photos[2:])
    seen = [picture.tobytes() for picture in both.seen]
    assert {picture.tobytes() for picture in alone.seen} <= set(seen)
    assert len(set(seen)) == len(seen)


def test_what_cannot_be_cut_out_is_left_out_of_other_ground_only(tmp_path: Path) -> None:
    pytest.importorskip("cv2")
    photos = save(tmp_path, cup(), Image.new("RGB", (120, 90), "white"))
    cuttings = robustness.cut_out(photos)
    found = {c.name: c for c in measured(Judge(lambda _: True), photos, cuttings).conditions}
    assert {name: c.photos for name, c in found.items()} == {**dict.fromkeys(CORRUPTIONS, 2), OTHER_GROUND: 1}
    assert (found["blur"].labels, found[OTHER_GROUND].labels) == ({"clean": 2, "dirty": 0}, {"clean": 1, "dirty": 0})


def test_examples_show_first_what_was_lost(tmp_path: Path) -> None:
    photos = save(tmp_path, *(Image.new("RGB", (200, 120), (v, v, v)) for v in (100, 100, *(240,) * 6)))
    dark = measured(Judge(lambda picture: brightness(picture) > 50), photos).conditions[1]
    assert [(one.right, one.said) for one in dark.examples] == [("clean", "dirty")] * 2 + [("clean", "clean")] * 4
    assert max(dark.examples[0].picture.size) == 160
    assert brightness(dark.examples[0].picture) == pytest.approx(40, abs=2)


# ---- the command ----


def triof(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["--set", "language=en", *map(str, arguments)])


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with a data set of two drawn photos in its test split."""
    monkeypatch.chdir(tmp_path)
    lines = ["path,waste_type,cleanliness,group,split"]
    for index, (label, ink) in enumerate([("clean", "green"), ("dirty", "brown")]):
        (tmp_path / f"{index}.jpg").write_bytes(encoded(cup(ink=ink)))
        lines.append(f"{index}.jpg,cup,{label},{index},test")
    (tmp_path / "manifest.csv").write_text("\n".join(lines) + "\n")
    return tmp_path


@pytest.mark.slow
def test_the_command_tells_prints_and_shows_what_is_lost(here: Path) -> None:
    pytest.importorskip("cv2")
    ran = triof("evaluate", "cleanliness", "--data", ".", "--robustness", "--report", "p.html")
    assert ran.exit_code == 0, ran.output
    for word in (*CORRUPTIONS, OTHER_GROUND, "macro F1"):
        assert word in ran.output
    text = (here / "p.html").read_text()
    assert "The same photos under harder conditions" in text
    # What is tried on other ground is a part of the photos, and not a fair one.
    assert text.count("<small>clean 1, dirty 1</small>") == 1
    assert all(f"<h4>{name}: {EXPLAINED[name]}" in unescape(text) for name in (*CORRUPTIONS, OTHER_GROUND))
    assert text.count('<div class="photos strip">') == 6
    assert text.partition("harder conditions")[2].partition("worst mistakes")[0].count("<img src=") == 12


@pytest.mark.slow
def test_the_numbers_are_in_the_json(here: Path) -> None:
    pytest.importorskip("cv2")
    ran = triof("evaluate", "cleanliness", "--data", ".", "--robustness", "--no-report", "--json")
    found = json.loads(ran.stdout)["cleanliness"]["robustness"]
    assert list(found["conditions"]) == [*CORRUPTIONS, OTHER_GROUND]
    assert found["conditions"][OTHER_GROUND]["labels"] == {"clean": 1, "dirty": 1}
    blur = found["conditions"]["blur"]
    assert blur["lost"]["value"] == pytest.approx(blur["accuracy_unchanged"] - blur["accuracy_changed"])
    assert set(blur["macro_f1_lost"]) == set(found["mean_lost"]) == {"value", "low", "high"}
    losses = [found["conditions"][name]["lost"]["value"] for name in CORRUPTIONS]
    assert found["mean_lost"]["value"] == pytest.approx(np.mean(losses))


def test_without_the_flag_nothing_is_asked_twice(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cv2", None)
    ran = triof("evaluate", "cleanliness", "--data", ".", "--report", "p.html", "--json")
    assert "robustness" not in json.loads(ran.stdout)["cleanliness"]
    assert "harder conditions" not in (here / "p.html").read_text()


def test_a_missing_opencv_is_one_line_with_the_remedy(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cv2", None)
    ran = triof("evaluate", "cleanliness", "--data", ".", "--robustness")
    assert ran.exit_code == 1
    assert "pip install 'triof[train]'" in ran.output
    assert "Traceback" not in ran.output
    assert not (here / "runs").exists()
