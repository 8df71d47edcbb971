"""``triof evaluate --by source``: what the machine would have done with photos, source by source."""

import csv
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from providers.base import TASKS
from tests.support import colour_models
from tests.support.colour_models import shown
from triof.cli import main
from triof.datasets.photo_dataset import LabelledPhoto
from triof.evaluation import by_source
from triof.settings.sections.policy import Policy

pytestmark = pytest.mark.slow

ROWS = (
    # source, folder, what people say, material, what the models take it for
    ("home", "cup", ("cup", "clean"), "plastic", ("cup", "clean")),
    ("home", "cup", ("cup", "clean"), "plastic", ("cup", "")),
    ("home", "cup", ("cup", "dirty"), "plastic", ("cup", "dirty")),
    ("home", "cup", ("cup", "clean"), "plastic", ("bottle", "clean")),
    ("home", "can", ("negative", ""), "metal", ("cup", "clean")),
    ("home", "can", ("negative", ""), "metal", ("other", "dirty")),
    ("tray", "bottle", ("bottle", "clean"), "", ("other", "clean")),
    ("tray", "bottle", ("bottle", "clean"), "", ("", "clean")),
    ("tray", "cup", ("cup", "clean"), "paper", ("cup", "clean")),
    ("tray", "cup", ("cup", "clean"), "Paper", ("cutlery", "")),
    ("tray", "box", ("", ""), "paper", ("cup", "")),
    ("web", "cup", ("cup", "dirty"), "mixed", ("cup", "clean")),
    ("web", "cup", ("cup", "dirty"), "plastic", ("cup", "clean")),
)


def triof(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["--set", "language=en", *map(str, arguments)])


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with ROWS as a manifest and two bundles that read colours."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "120")
    lines = ["path,waste_type,cleanliness,group,source,split,material"]
    for index, (source, folder, labels, material, seen) in enumerate(ROWS):
        path = tmp_path / folder / f"{index}.png"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(shown(*seen))
        lines.append(f"{folder}/{index}.png,{','.join(labels)},{index},{source},test,{material}")
    (tmp_path / "manifest.csv").write_text("\n".join(lines))
    for task in TASKS:
        colour_models.save(tmp_path / "models" / task, task)
    return tmp_path


def evaluated(*arguments: object) -> Result:
    bundles = [f"--set=local_cnn.{task}_bundle=models/{task}" for task in TASKS]
    return triof(*bundles, "evaluate", "--data", ".", "--by", "source", *arguments)


def values(part: Mapping[str, Any]) -> dict[str, float]:
    return {name: round(figure["value"], 3) for name, figure in part["figures"].items()}


def test_each_source_is_judged_by_itself_and_all_together(here: Path) -> None:
    ran = evaluated("--json", "--no-report")
    assert ran.exit_code == 0, ran.output
    home, tray, web, everything = json.loads(ran.stdout)["by_source"]
    assert [part["name"] for part in (home, tray, web, everything)] == ["home", "tray", "web", "all"]
    assert (home["photos"], home["groups"], everything["photos"]) == (6, 6, 13)
    found = values(home)
    assert found.pop("calibration error") == pytest.approx(0.333, abs=0.01)
    assert found == {
        "type over plastic": 0.75,
        "plastic refused": 0.0,
        "foreign called other": 0.5,
        "dirty caught at 5 % of clean refused": 1.0,
        "foreign not accepted": 0.5,
        "of all accepted, wrong": 0.667,
        "accepted": 0.5,
        "asked": 0.167,
        "refused": 0.333,
        "clean plastic asked about": 0.333,
        "clean plastic refused": 0.0,
        "unfamiliar": 0.0,
    }
    found = values(tray)
    assert (found["plastic refused"], found["clean plastic refused"], found["clean plastic asked about"]) == (
        0.5,
        0.5,
        0.5,
    )
    assert (found["foreign called other"], found["foreign not accepted"]) == (0.0, 0.667)
    assert found["paper cups accepted"] == 0.5
    assert "dirty caught at 5 % of clean refused" not in found
    # The mixed one says nothing of the type, so that it is in no verdict.
    assert values(web)["of all accepted, wrong"] == 1.0
    assert web["figures"]["accepted"] == {"value": 1.0, "low": pytest.approx(0.207, abs=0.001), "high": 1.0}


def test_a_foreign_material_is_other_and_an_uncertain_one_says_nothing_of_the_type(here: Path) -> None:
    ran = evaluated("--json", "--no-report")
    numbers = json.loads(ran.stdout)
    assert numbers["waste_type"]["labels"]["other"]["support"] == 5
    assert (numbers["waste_type"]["photos"], numbers["cleanliness"]["photos"]) == (12, 8)
    assert "1 photos of manifest.csv say nothing of the waste type, as their material is not certain." in ran.stderr


def test_one_task_is_evaluated_and_the_other_asked_for_the_verdict(here: Path) -> None:
    ran = evaluated("waste_type", "--bundle", "models/waste_type", "--json", "--no-report")
    assert ran.exit_code == 0, ran.output
    numbers = json.loads(ran.stdout)
    assert set(numbers) == {"waste_type", "by_source"}
    assert values(numbers["by_source"][0])["accepted"] == 0.5


def test_the_terminal_and_the_page_show_it(here: Path) -> None:
    ran = evaluated("--report", "page.html")
    assert ran.exit_code == 0, ran.output
    assert "What the machine would have done" in ran.output
    (row,) = [line for line in ran.output.split("would have done")[1].splitlines() if line.startswith("│ home")]
    assert [cell.strip() for cell in row.strip("│").split("│")] == [
        "home",
        "0.500",
        "0.667",
        "0.167",
        "0.333",
        "0.333",
        "",
    ]
    page = (here / "page.html").read_text()
    assert "Source by source" in page
    assert "clean plastic asked about" in page


def test_the_verdicts_are_those_of_this_machines_policy(here: Path) -> None:
    ran = triof(
        *(f"--set=local_cnn.{task}_bundle=models/{task}" for task in TASKS),
        *(f"--set=policy.thresholds.{label}=1.0" for label in ("bottle", "cup", "cutlery")),
        *("evaluate", "--data", ".", "--by", "source", "--json", "--no-report"),
    )
    assert ran.exit_code == 0, ran.output
    assert values(json.loads(ran.stdout)["by_source"][-1])["accepted"] == 0.0


def test_photos_without_a_source_are_said(here: Path) -> None:
    (here / "manifest.csv").write_text("path,waste_type,cleanliness,split\ncup/0.png,cup,clean,test\n")
    ran = evaluated("--no-report")
    assert ran.exit_code == 1
    assert "names its source: add a column called source" in ran.output


def test_scores_of_a_model_that_is_no_provider_are_judged_alike() -> None:
    photos = [
        LabelledPhoto(Path(f"{n}.jpg"), {"waste_type": "cup", "cleanliness": "clean"}, str(n), "test") for n in range(3)
    ]
    types: list[list[float]] = [[0, 1, 0, 0], [0, 0.6, 0.4, 0], [0, 0, 0, 1]]
    dirt = [[0.9, 0.1]] * 3
    judged = by_source.judge(
        photos,
        {
            "waste_type": by_source.predictions("waste_type", types, {"cup": 0.7}),
            "cleanliness": by_source.predictions("cleanliness", dirt, {"clean": 0.8}),
        },
        Policy(),
    )
    assert [one.verdict.action for one in judged] == ["accept", "ask", "refuse"]
    parts = by_source.measure(judged, part_of=lambda item: f"fold {item.group}")
    assert [part.name for part in parts] == ["fold 0", "fold 1", "fold 2", "all"]


def test_real_photos_of_every_source_are_judged(dataset: Path, tmp_path: Path) -> None:
    if not (dataset / "all.csv").is_file():
        pytest.skip("the photos of other sources are not there")
    with (dataset / "all.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["split"] == "test"]
    names = sorted({row["source"] for row in rows})
    few = [row for name in names for row in [one for one in rows if one["source"] == name][:2]]
    few += [row for row in rows if row["material"] == "paper"][:6]
    with (tmp_path / "manifest.csv").open("w") as file:
        writer = csv.DictWriter(file, [*rows[0]])
        writer.writeheader()
        writer.writerows({**row, "path": dataset / row["path"]} for row in few)
    ran = triof("evaluate", "--data", tmp_path, "--by", "source", "--json", "--no-report")
    assert ran.exit_code == 0, ran.output
    parts = {part["name"]: part for part in json.loads(ran.stdout)["by_source"]}
    assert list(parts) == [*names, "all"]
    assert "paper cups accepted" in parts["all"]["figures"]


def test_the_card_of_a_bundle_keeps_what_was_measured_by_source(here: Path) -> None:
    both = colour_models.save_both(here / "models" / "both")
    ran = triof("evaluate", "--data", ".", "--by", "source", "--json", "--no-report", "--record", "--bundle", both)
    home = json.loads(ran.stdout)["by_source"][0]
    page = (both / "model-card.md").read_text(encoding="utf-8")
    (row,) = [line for line in page.splitlines() if line.startswith(f"| home, {home['photos']} |")]
    assert f"| {values(home)['of all accepted, wrong']:.2f} (" in row
    again = triof("evaluate", "--data", ".", "--no-report", "--record", "--bundle", both)
    assert again.exit_code == 0, again.output
    assert row in (both / "model-card.md").read_text(encoding="utf-8"), "another measurement leaves it there"
