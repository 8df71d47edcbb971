"""Rendered views: what a scene shows follows from its number, and the folder is a data set that Triof reads."""

import csv
import re
from collections import Counter
from pathlib import Path

import pytest

from tests.support.paths import ROOT
from tools.views.album import picture, render_all, write_manifest
from tools.views.plan import BLOCK, FOREIGN, GROUNDS, PLASTIC, Scene, scene
from triof.datasets import photo_dataset

SCENES = [scene(number) for number in range(20 * BLOCK)]


def draw(shown: Scene, target: Path) -> None:
    target.write_text(shown.name)


def rendered(out: Path, count: int, **more: int) -> list[str]:
    return [progress.scene.name for progress in render_all(out, count, draw, **more)]


def test_half_of_the_scenes_show_plastic_of_all_types_alike_and_a_third_of_it_is_dirty() -> None:
    for start in range(0, len(SCENES), BLOCK):
        block = SCENES[start : start + BLOCK]
        assert Counter((each.waste_type, each.cleanliness) for each in block) == {
            ("negative", ""): BLOCK // 2,
            **{(waste_type, "clean"): BLOCK // 9 for waste_type in PLASTIC},
            **{(waste_type, "dirty"): BLOCK // 18 for waste_type in PLASTIC},
        }


def test_the_labels_fit_what_is_shown() -> None:
    for each in SCENES:
        if each.waste_type == "negative":
            assert (each.material, each.cleanliness) == (FOREIGN[each.item], "")
        else:
            assert each.item in PLASTIC[each.waste_type]
            assert (each.material, each.residue) == ("plastic", each.cleanliness == "dirty")


def test_every_item_and_ground_appears_in_all_positions_and_lights() -> None:
    items = Counter(each.item for each in SCENES)
    assert set(items) == set(FOREIGN).union(*PLASTIC.values())
    assert {each.ground for each in SCENES} == set(GROUNDS)
    assert {each.stand for each in SCENES} == {"up", "down", "lying"}
    assert {len(each.lamps) for each in SCENES} == {1, 2, 3}
    assert 0.1 < sum(each.view.elevation > 80 for each in SCENES) / len(SCENES) < 0.4
    assert all(0 < each.view.elevation <= 90 and max(each.view.frame) <= 256 for each in SCENES)
    for kind in ("clean", "dirty", ""):
        assert any(each.crush for each in SCENES if each.cleanliness == kind)


def test_residue_and_lights_do_not_tell_plastic_from_foreign_objects() -> None:
    foreign = [each for each in SCENES if each.waste_type == "negative"]
    assert 0.15 < sum(each.residue for each in foreign) / len(foreign) < 0.4
    assert {each.ground for each in foreign} == set(GROUNDS)


def test_a_scene_is_the_same_each_time_and_no_other_is_like_it() -> None:
    assert scene(7) == scene(7)
    assert scene(7).dice().random() == scene(7).dice().random()
    assert len({each.view for each in SCENES}) == len(SCENES)
    assert len({each.name for each in SCENES}) == len(SCENES)


def test_the_folder_is_a_data_set(tmp_path: Path) -> None:
    rendered(tmp_path, BLOCK)
    assert write_manifest(tmp_path) == BLOCK
    with (tmp_path / "manifest.csv").open(newline="") as file:
        assert next(csv.reader(file)) == ["path", "waste_type", "cleanliness", "group", "source", "split", "material"]
    photos = photo_dataset.read(tmp_path).within("train")
    assert len(photos) == BLOCK
    assert len({photo.group for photo in photos}) == BLOCK
    assert {photo.source for photo in photos} == {"rendered"}
    assert all(photo.path.is_file() for photo in photos)
    assert Counter(photo.labels["waste_type"] for photo in photos) == {"other": 9, "bottle": 3, "cup": 3, "cutlery": 3}
    assert Counter(photo.labels.get("cleanliness") for photo in photos) == {None: 9, "clean": 6, "dirty": 3}
    materials = {photo.path.stem: photo.material for photo in photos}
    assert materials == {each.name: each.material for each in SCENES[:BLOCK]}


def test_a_run_goes_on_where_another_stopped(tmp_path: Path) -> None:
    names = [each.name for each in SCENES[:6]]
    assert rendered(tmp_path, 2) == names[:2]
    assert rendered(tmp_path, 4) == names[2:4]
    assert rendered(tmp_path, 2, first=4) == names[4:]
    assert rendered(tmp_path, 6) == []
    assert write_manifest(tmp_path) == 6


def test_an_unfinished_picture_counts_for_nothing(tmp_path: Path) -> None:
    def breaks(shown: Scene, target: Path) -> None:
        target.write_text("half")
        raise OSError("No space left on device")

    with pytest.raises(OSError, match="No space"):
        list(render_all(tmp_path, 1, breaks))
    assert not picture(tmp_path, SCENES[0]).exists()
    assert write_manifest(tmp_path) == 0
    assert rendered(tmp_path, 1) == [SCENES[0].name]
    assert write_manifest(tmp_path) == 1


def test_every_planned_item_and_ground_has_a_builder() -> None:
    foreign = (ROOT / "tools" / "views" / "foreign_items.py").read_text().partition("BUILDERS")[2]
    assert set(re.findall(r'"(\w+)":', foreign)) == set(FOREIGN)
    grounds = (ROOT / "tools" / "demo" / "grounds.py").read_text()
    assert all(f'"{ground}":' in grounds for ground in set(GROUNDS) - {"plain"})
