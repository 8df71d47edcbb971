"""The small files that real machines and people produce, and that went wrong once: each through the doors it concerns.

They lie beside the repository and are no part of it; ``README.md`` there says of each what should happen. A file
without a check here is a failure.
"""

import json
import zipfile
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

import pytest
from click.testing import CliRunner, Result

from testing.azure.custom_vision_server import CustomVisionServer
from tests.support.paths import SHARED
from triof.cli import main
from triof.datasets import photo_dataset
from triof.machine.cameras.folder import FolderCamera

CASES = SHARED / "cases"
NAMES = sorted(path.name for path in CASES.glob("*") if path.name != "README.md")
FAKE = ("--set", "routes.waste_type=fake", "--set", "routes.cleanliness=fake")
ALL_SPLITS = tuple(f"--split={split}" for split in photo_dataset.SPLITS)


def triof(*arguments: object) -> Result:
    ran = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert ran.exception is None or isinstance(ran.exception, SystemExit), ran.exception
    return ran


def tree(name: str) -> Path:
    """The unpacked tree, in the current folder."""
    with zipfile.ZipFile(CASES / name) as archive:
        archive.extractall("set")
    return Path("set")


def labels(folder: Path) -> Counter[str]:
    """How many photos of each type a data set has."""
    return Counter(item.labels["waste_type"] for item in photo_dataset.read(folder).photos)


def endings_and_names(case: Path) -> None:
    folder = tree(case.name)
    ran = triof(*FAKE, "classify", "--json", folder)
    assert (ran.exit_code, ran.stderr) == (0, "")
    judged = {Path(json.loads(line)["path"]) for line in ran.stdout.splitlines()}
    assert len(judged) == 18
    assert not [path for path in judged if any(part.startswith(".") for part in path.parts)]
    assert {"e0.jfif", "e1.jpe", "e2.HEIC"} <= {path.name for path in judged}
    camera = FolderCamera(folder)
    assert len({camera.take(None) for _ in range(18)}) == 18
    ran = triof("dataset", "augment", folder, "--out", "copies", "--copies", "1", *ALL_SPLITS)
    assert (ran.exit_code, ran.stderr) == (0, "")
    assert labels(Path("copies")) == {"bottle": 8, "cup": 5, "other": 5}


def train_valid_test(case: Path) -> None:
    found = json.loads(triof("dataset", "check", tree(case.name), "--json", "--no-report").stdout)
    for label in ("bottle", "cup"):
        assert found["counts"]["waste_type"][label] == {"train": 8, "val": 3, "test": 3}


def manifest_of_a_french_excel(case: Path) -> None:
    folder = tree("tree_endings_and_names.zip")
    (folder / "manifest.csv").write_bytes(case.read_bytes())
    ran = triof("dataset", "augment", folder, "--out", "copies", "--copies", "1")
    assert (ran.exit_code, ran.stderr) == (0, "")
    copies = photo_dataset.read(Path("copies")).photos
    assert sorted((item.group, item.split, *item.labels.values()) for item in copies) == [
        ("g0", "train", "bottle", "clean"),
        ("g1", "train", "bottle", "clean"),
    ]


def corrections_with_a_byte_order_mark(case: Path) -> None:
    folder = tree("tree_endings_and_names.zip")
    file = folder / "corrections.csv"
    file.write_bytes(case.read_bytes())
    ran = triof("dataset", "augment", folder, "--out", "copies", "--copies", "1", "--corrections", file, *ALL_SPLITS)
    assert (ran.exit_code, ran.stderr) == (0, "")
    assert labels(Path("copies")) == {"bottle": 7, "cup": 6, "other": 5}


def key_with_a_byte_order_mark(case: Path) -> None:
    with CustomVisionServer() as server, pytest.MonkeyPatch.context() as environment:
        server.key = "2" * 32
        for name, value in (
            ("PREDICTION_ENDPOINT", server.endpoint),
            ("PREDICTION_KEY_FILE", str(case)),
            ("PROJECT_ID", server.project_id),
            ("PUBLISHED_NAME", server.published_name),
        ):
            environment.setenv(f"TRIOF_CUSTOM_VISION__{name}", value)
        ran = triof("classify", "--mode", "cloud", "--json", tree("tree_endings_and_names.zip") / "bottle" / "b0.jpg")
    assert ran.exit_code == 0, ran.output
    assert json.loads(ran.stdout)["waste_type"]["provider"] == "custom_vision"


def line_without_an_equals_sign(case: Path) -> None:
    Path(".env").write_bytes(case.read_bytes())
    ran = triof("settings")
    assert ran.exit_code == 2
    assert ".env, line 1: this line sets nothing: write TRIOF_MODE=value" in ran.stderr


def label_in_another_form(case: Path) -> None:
    assert "tags without a label" in triof("bundles", "install", case).stderr
    config = Path("home") / "config"
    config.mkdir(parents=True, exist_ok=True)
    (config / "tags.toml").write_text('[custom_vision.tags]\n"canette métal" = "other"\n', encoding="utf-8")
    ran = triof("bundles", "install", case, "--anyway")
    assert ran.exit_code == 0, ran.output
    assert "= other" in ran.stdout


def judged(case: Path) -> None:
    assert refusal(case) == ""


def refused_as(*codes: str) -> Callable[[Path], None]:
    def check(case: Path) -> None:
        assert refusal(case) in codes

    return check


def refusal(case: Path) -> str:
    """The code with which a photo is refused, by the command line and as part of a data set; empty if it is not."""
    answer = json.loads(triof(*FAKE, "classify", "--json", case).stdout)
    Path("set/cup").mkdir(parents=True)
    Path("set/cup", case.name).write_bytes(case.read_bytes())
    ran = triof("dataset", "augment", "set", "--out", "copies", *ALL_SPLITS)
    code: str = answer.get("error", {}).get("code", "")
    assert ran.exit_code == bool(code)
    assert ("Skipped" in ran.output) == bool(code)
    return code


def not_installed_as(reason: str) -> Callable[[Path], None]:
    def check(case: Path) -> None:
        ran = triof("bundles", "install", case)
        assert ran.exit_code == 1
        assert reason in ran.stderr

    return check


CHECKS: Mapping[str, Callable[[Path], None]] = MappingProxyType(
    {
        "bmp_32bit_v4_alpha_zero.bmp": judged,
        "corrections_bom.csv": corrections_with_a_byte_order_mark,
        "env_without_equals.env": line_without_an_equals_sign,
        "export_crop_center.zip": not_installed_as("ask for a crop"),
        "export_custom_TFLite_Detection_PostProcess.zip": not_installed_as("its model cannot be run"),
        "export_label_nfd.zip": label_in_another_form,
        "jpeg_cut40_then_eoi_paper.jpg": refused_as("damaged"),
        "jpeg_half_then_eoi_bottle.jpg": refused_as("damaged"),
        "jpeg_progressive_600_scans.jpg": refused_as("too_costly"),
        "jpeg_without_eoi.jpg": judged,
        "manifest_excel_fr_semicolon.csv": manifest_of_a_french_excel,
        "png_16bit_grey_of_12.png": judged,
        "png_grey_alpha_50_megapixels.png": refused_as("transparent", "too_costly"),
        "png_itxt_over_1mb.png": judged,
        "prediction_key_bom.txt": key_with_a_byte_order_mark,
        "tree_endings_and_names.zip": endings_and_names,
        "tree_train_valid_test.zip": train_valid_test,
        "webp_34_bytes_50_megapixels.webp": refused_as("too_costly"),
    }
)


@pytest.mark.skipif(not NAMES, reason=f"no cases in {CASES}")
def test_every_case_has_a_check() -> None:
    assert sorted(CHECKS) == NAMES, "a case has no check in CHECKS, or is gone"


@pytest.mark.parametrize("name", CHECKS)
def test_what_went_wrong_once_goes_right(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if not (CASES / name).exists():
        pytest.skip(f"there is no {CASES / name}")
    monkeypatch.chdir(tmp_path)
    CHECKS[name](CASES / name)
