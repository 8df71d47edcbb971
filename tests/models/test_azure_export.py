"""An Azure export becomes a bundle that answers as the cloud does, or is refused with the remedy."""

import hashlib
import io
import json
import shutil
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from PIL import Image
from sqlalchemy import text

from providers.base import LABELS, Prediction, ProviderUnavailable, Task
from providers.local_cnn import bundle
from providers.local_cnn.bundle import BundleCard, Input
from providers.local_cnn.options import LocalCnnOptions
from providers.local_cnn.provider import LocalCnn
from testing.azure import azure_export
from testing.azure.azure_export import (
    ITERATION,
    SIDE,
    azure_export_zip,
    expected_scores,
    litert_model,
    manifest,
    metadata,
)
from testing.azure.custom_vision_server import CustomVisionServer
from testing.image_files import encoded
from tests.support.machines import BuildCloudMachine
from triof.cli import main
from triof.common.paths import DEMO_PICTURES
from triof.evaluation import recorded_predictions
from triof.evaluation.recorded_predictions import RecordedPrediction
from triof.judging import photo
from triof.models import acceptance_photos, bundle_store
from triof.settings.tree import Settings
from triof.storage.database import Database

pytestmark = pytest.mark.slow

TAGS = ("Bouteille", "Couvert", "Gobelet", "Negative")
MEANING = {"Bouteille": "bottle", "Couvert": "cutlery", "Gobelet": "cup", "Negative": "other"}
VERSION = "azure-waste_type-35921ec4"
PICTURES: list[Path] = []
"""The demo pictures at the size that the model reads, once they are made."""


def triof(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.fixture(scope="module", autouse=True)
def _small_pictures(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    folder = tmp_path_factory.mktemp("pictures")
    for path in DEMO_PICTURES.glob("*.jpg"):
        Image.open(path).resize((SIDE, SIDE), Image.Resampling.BILINEAR).save(folder / path.name, quality=95)
    PICTURES[:] = sorted(folder.iterdir())
    yield
    PICTURES.clear()


@pytest.fixture
def home(tmp_path: Path, new_journal: Path) -> Path:
    """Of the machine that the commands are typed on."""
    home = tmp_path / "home"
    home.mkdir()
    shutil.copy(new_journal, home / "journal.db")
    return home


@pytest.fixture
def export(tmp_path: Path) -> Callable[..., Path]:
    """Writes an export to the disk."""

    def write(tags: Sequence[str] = TAGS, **how: object) -> Path:
        path = tmp_path / "export.zip"
        path.write_bytes(azure_export_zip(tags, **how))  # type: ignore[arg-type]
        return path

    return write


def installed(home: Path, version: str = VERSION, task: Task = "waste_type") -> BundleCard:
    return bundle.load(home / "bundles" / task / version, task).card


def answer(home: Path, picture: Path, task: Task = "waste_type", version: str = VERSION) -> Prediction:
    """Of the installed bundle."""
    options = LocalCnnOptions.model_validate({f"{task}_bundle": home / "bundles" / task / version})
    return LocalCnn(task, options).predict(photo.load(picture.read_bytes()), timeout=5)


def by_label(scores: Mapping[str, float], meaning: Mapping[str, str] = MEANING) -> dict[str, float]:
    """What the cloud says, in our labels."""
    return {
        label: sum(score for tag, score in scores.items() if meaning[tag] == label) for label in LABELS["waste_type"]
    }


def record(
    home: Path,
    pictures: Sequence[Path] = PICTURES,
    iteration: str = ITERATION,
    wrong: int = 0,
    gain: float = azure_export.GAIN,
) -> None:
    """Let the cloud have answered, the last ``wrong`` of them otherwise than the exported model would."""
    for index, path in enumerate(pictures):
        scores = by_label(expected_scores(path.read_bytes(), TAGS, gain))
        if index >= len(pictures) - wrong:
            scores = {label: float(label == min(scores, key=scores.__getitem__)) for label in scores}
        recorded_predictions.add(
            home, iteration, RecordedPrediction(path, hashlib.sha256(path.read_bytes()).hexdigest(), scores)
        )


@pytest.mark.parametrize("channels", ["Bgr8", "Rgb8"])
@pytest.mark.parametrize("nominal_range", ["NominalRange_0_255", "Normalized_0_1"])
def test_it_answers_as_the_cloud_does_in_whatever_way_it_wants_its_pixels(
    home: Path, export: Callable[..., Path], channels: str, nominal_range: str
) -> None:
    ran = triof("bundles", "install", export(channels=channels, nominal_range=nominal_range))
    assert ran.exit_code == 0, ran.output
    for picture in PICTURES[::4]:
        cloud = by_label(expected_scores(picture.read_bytes(), TAGS))
        assert answer(home, picture).scores == pytest.approx(cloud, abs=2e-3)
    card = installed(home)
    assert (card.task, card.gives, card.temperature, card.thresholds) == ("waste_type", "probabilities", 1, {})
    assert card.trained_on["vendor"] == "azure"
    assert card.trained_on["iteration"] == ITERATION
    assert card.trained_on["tags"] == list(TAGS)
    assert f"triof bundles activate {VERSION}" in ran.output
    assert "Gobelet = cup" in ran.output
    assert "Tried on 20 reference photos" in ran.output


@pytest.mark.parametrize(("crlf", "escaped", "mark"), [(True, True, ""), (False, False, "\ufeff"), (True, False, "")])
def test_labels_are_read_however_they_are_written(
    home: Path, export: Callable[..., Path], crlf: bool, escaped: bool, mark: str
) -> None:
    tags = ["Gobelet fêlé", "BOUTEILLE", "Negative", "Couvert", "R&D <b>"]
    written = [azure_export.html(tag) if escaped else tag for tag in tags]
    labels = (mark + ("\r\n" if crlf else "\n").join([*written, ""])).encode()
    settings = ["--set", "custom_vision.tags.gobelet fêlé=cup", "--set", "custom_vision.tags. r&D <b> =cup"]
    ran = triof(*settings, "bundles", "install", export(tags, changes={"labels.txt": labels}))
    assert ran.exit_code == 0, ran.output
    assert installed(home).labels == ("cup", "bottle", "other", "cutlery", "cup")
    meaning = dict(zip(tags, installed(home).labels, strict=True))
    cloud = by_label(expected_scores(PICTURES[0].read_bytes(), tags), meaning)
    assert answer(home, PICTURES[0]).scores == pytest.approx(cloud, abs=2e-3)


def test_the_task_follows_from_the_tags(home: Path, export: Callable[..., Path]) -> None:
    settings = ["--set", "custom_vision.tags.propre=clean", "--set", "custom_vision.tags.sale=dirty"]
    ran = triof(*settings, "bundles", "install", export(["sale", "propre"]))
    assert ran.exit_code == 0, ran.output
    version = "azure-cleanliness-35921ec4"
    cloud = expected_scores(PICTURES[0].read_bytes(), ["sale", "propre"])
    scores = answer(home, PICTURES[0], "cleanliness", version).scores
    assert scores == pytest.approx({"clean": cloud["propre"], "dirty": cloud["sale"]}, abs=2e-3)


@pytest.mark.parametrize(("folder", "zipped"), [("", False), ("app", False), ("app", True)])
def test_it_may_be_unpacked_and_lie_one_folder_down(tmp_path: Path, home: Path, folder: str, zipped: bool) -> None:
    below = tmp_path / "export" / folder
    below.mkdir(parents=True, exist_ok=True)
    zipfile.ZipFile(io.BytesIO(azure_export_zip(TAGS))).extractall(below)
    source = Path(shutil.make_archive(str(tmp_path / "again"), "zip", tmp_path / "export")) if zipped else below
    ran = triof("bundles", "install", source if zipped or not folder else source.parent)
    assert ran.exit_code == 0, ran.output
    assert installed(home).version == VERSION


def test_one_without_metadata_is_read_as_the_samples_of_microsoft_do(home: Path, export: Callable[..., Path]) -> None:
    old = manifest(litert_model(TAGS))
    del old["MetadataPropsFileName"]
    changes = {"metadata_properties.json": None, "cvexport.manifest": json.dumps(old).encode()}
    assert triof("bundles", "install", export(changes=changes)).exit_code == 0
    assert (installed(home).input.channels, installed(home).input.range) == ("bgr", (0, 255))


def test_one_without_an_iteration_is_called_by_its_contents(home: Path, export: Callable[..., Path]) -> None:
    sha256 = hashlib.sha256(litert_model(TAGS)).hexdigest()
    assert triof("bundles", "install", export(iteration_id="")).exit_code == 0
    assert installed(home, f"azure-waste_type-{sha256[:8]}").sha256 == sha256


def test_metadata_that_lie_about_the_range_are_found_out(home: Path, export: Callable[..., Path]) -> None:
    ran = triof("bundles", "install", export(lying=True))
    assert ran.exit_code == 0, ran.output
    assert "The metadata of the export are wrong: read as they say (BGR from 0 to 1)" in ran.output
    assert "It wants BGR from 0 to 255. It is read so." in ran.output
    cloud = by_label(expected_scores(PICTURES[0].read_bytes(), TAGS))
    assert answer(home, PICTURES[0]).scores == pytest.approx(cloud, abs=2e-3)


@pytest.mark.parametrize("answers", [1, 5, 20])
def test_metadata_that_lie_about_the_channels_are_found_out_by_the_answers_of_the_cloud(
    home: Path, export: Callable[..., Path], answers: int
) -> None:
    record(home, PICTURES[:answers])
    said = json.dumps(metadata("Rgb8", "NominalRange_0_255")).encode()
    ran = triof("bundles", "install", export(changes={"metadata_properties.json": said}))
    assert ran.exit_code == 0, ran.output
    assert installed(home).input.channels == "bgr"
    assert "read as they say (RGB from 0 to 255) it agrees with the cloud on" in ran.output


RANGES = ("NominalRange_0_255", "Normalized_0_1", "Normalized_1_1", "NominalRange_16_235")


@pytest.mark.parametrize("truth", ["NominalRange_0_255", "Normalized_0_1"])
@pytest.mark.parametrize("stated", RANGES)
def test_whatever_the_metadata_say_a_few_answers_of_the_cloud_tell_how_it_is_read(
    home: Path, export: Callable[..., Path], stated: str, truth: str
) -> None:
    """Of a sure model, which gives most photos one probability however it is read."""
    record(home, PICTURES[::3], gain=8.0)
    said = json.dumps({**metadata("Rgb8", "Normalized_0_1"), "Image.NominalPixelRange": stated}).encode()
    ran = triof("bundles", "install", export(nominal_range=truth, gain=8.0, changes={"metadata_properties.json": said}))
    assert ran.exit_code == 0, ran.output
    assert (installed(home).input.channels, installed(home).input.range[1]) == ("bgr", 255 if "255" in truth else 1)
    assert "on 7 of 7 photos (100.0 %), its probabilities to 0.00" in ran.output


def test_a_range_that_is_nearly_right_is_told_by_the_probabilities(home: Path, export: Callable[..., Path]) -> None:
    """Both readings give each of these photos the same label."""
    said = json.dumps({**metadata("Bgr8", "NominalRange_0_255"), "Image.NominalPixelRange": RANGES[3]}).encode()
    source = export(changes={"metadata_properties.json": said})
    assert triof("bundles", "install", source).exit_code == 0
    lied = [picture for picture in PICTURES if answer(home, picture).label == true_label(picture)]
    record(home, lied[:6])
    ran = triof("bundles", "check", VERSION)
    assert "(BGR from 16 to 235) it agrees with the cloud on 6 of 6 photos (100.0 %)" in ran.output
    assert installed(home).input.range == (0, 255)


def true_label(picture: Path) -> str:
    scores = by_label(expected_scores(picture.read_bytes(), TAGS))
    return max(scores, key=scores.__getitem__)


@pytest.mark.parametrize(("count", "decides"), [(24, True), (4, False)])
def test_without_answers_the_photos_whose_label_is_known_decide_if_they_are_enough(
    tmp_path: Path, home: Path, export: Callable[..., Path], count: int, decides: bool
) -> None:
    lines = ["path,waste_type,cleanliness,group,split"]
    for number in range(count):
        picture = tmp_path / f"{number}.png"
        Image.new("RGB", (64, 64), ((255, 120 + number, 0), (0, 120 + number, 255))[number % 2]).save(picture)
        lines.append(f"{picture},{true_label(picture)},,{number},test")
    (tmp_path / "manifest.csv").write_text("\n".join(lines) + "\n")
    said = json.dumps(metadata("Rgb8", "NominalRange_0_255")).encode()
    source = export(changes={"metadata_properties.json": said})
    ran = triof("bundles", "install", source, "--photos", tmp_path / "manifest.csv")
    assert ran.exit_code == 0, ran.output
    assert installed(home).input.channels == ("bgr" if decides else "rgb")
    assert ("reference photos, otherwise about" in ran.output) is decides


def test_answers_that_no_reading_gives_change_nothing(home: Path, export: Callable[..., Path]) -> None:
    record(home, PICTURES[:10], wrong=10)
    assert "metadata of the export are wrong" not in triof("bundles", "install", export()).output
    assert installed(home).input.channels == "bgr"


def test_metadata_that_always_say_the_same_are_found_out(home: Path, export: Callable[..., Path]) -> None:
    """What real exports of the domain General (compact) say, whatever they want."""
    record(home)
    said = json.dumps(metadata("Rgb8", "Normalized_0_1")).encode()
    ran = triof("bundles", "install", export(changes={"metadata_properties.json": said}))
    assert "agrees with the cloud on 20 of 20 photos (100.0 %)" in ran.output
    assert (installed(home).input.channels, installed(home).input.range) == ("bgr", (0, 255))


def test_a_model_that_answers_all_alike_is_refused(home: Path, export: Callable[..., Path]) -> None:
    ran = triof("bundles", "install", export(alike=True))
    assert ran.exit_code == 1
    assert "answers all 20 photos alike: train and export it again" in ran.output
    assert triof("bundles", "install", export(alike=True), "--anyway").exit_code == 1
    assert not list((home / "bundles").glob("*/*"))


def test_photos_of_ones_own_tell_more_than_the_demo_pictures(
    tmp_path: Path, home: Path, export: Callable[..., Path]
) -> None:
    ran = triof("bundles", "install", export(lean=9.0))
    assert ran.exit_code == 1
    assert "--photos FOLDER" in ran.output
    for label, colour in {"bottle": (255, 80, 0), "cup": (0, 80, 255)}.items():
        (tmp_path / "mine" / label).mkdir(parents=True)
        Image.new("RGB", (300, 300), colour).save(tmp_path / "mine" / label / "1.png")
    ran = triof("bundles", "install", export(lean=9.0), "--photos", tmp_path / "mine", "--activate")
    assert ran.exit_code == 0, ran.output
    assert "Tried on 22 reference photos" in ran.output
    assert "answers now" in ran.output


def changed(**fields: object) -> dict[str, bytes]:
    """With another manifest."""
    return {"cvexport.manifest": json.dumps({**manifest(litert_model(TAGS)), **fields}).encode()}


def said(**fields: str) -> dict[str, bytes]:
    """With other metadata."""
    known = metadata("Bgr8", "NominalRange_0_255")
    named = {next(name for name in known if name.endswith(field)): value for field, value in fields.items()}
    return {"metadata_properties.json": json.dumps({**known, **named}).encode()}


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"model.tflite": litert_model(TAGS)[:-1]}, "model.tflite is damaged, its checksum"),
        (changed(ModelFileSHA1=None), "download the export again"),
        ({"model.tflite": None}, "it has no model.tflite"),
        ({"labels.txt": None}, "it has no labels.txt"),
        ({"cvexport.manifest": None}, "no bundle.json and no cvexport.manifest"),
        ({"cvexport.manifest": b"<html>"}, "cvexport.manifest is damaged"),
        ({"cvexport.manifest": b"[]"}, "cvexport.manifest is damaged"),
        ({"metadata_properties.json": None}, "it has no metadata_properties.json"),
        ({"labels.txt": b"gobelet\xe9"}, "not in UTF-8"),
        ({"labels.txt": b""}, "none at all"),
        ({"labels.txt": b"Bouteille\nCouvert"}, "one photo and 2 tags are needed"),
        ({"labels.txt": b"Bouteille\nverre\nGobelet\nNegative"}, "(verre): say in custom_vision.tags which of bottle"),
        ({"labels.txt": b"Bouteille\nBouteille\nBouteille\nBouteille"}, "at least two of"),
        (
            changed(ModelFileName="model.pb"),
            "its model is model.pb, neither TensorFlow Lite nor ONNX: export it again, in",
        ),
        (changed(ModelFileName="model.onnx"), "it has no model.onnx"),
        (changed(ModelFileName="../../model.tflite"), "it has no ../../model.tflite"),
        (changed(DomainType="ObjectDetection"), "project is for ObjectDetection: make one for Classification"),
        (said(Method="ClassificationMultiLabel"), "make it Multiclass"),
        (said(BitmapPixelFormat="Gray8"), "'Gray8', which Triof does not know"),
        (said(NominalPixelRange="Normalized_-7"), "'Normalized_-7', which Triof does not know"),
        (said(NormalizeMean="[123.0, 117.0, 104.0]"), "NormalizeMean [123.0, 117.0, 104.0], which Triof does not do"),
        (said(NormalizeStd="[58, 57, 57]"), "General (compact)"),
        (said(NormalizeStd="58"), "'58' is no list"),
        (
            said(CropMethod="CenterCrop", CropWidth="224", CropHeight="224"),
            "a crop (CropMethod CenterCrop, CropWidth 224",
        ),
        (said(CropMethod="centercrop "), "General (compact)"),
        (said(CropMethod="FullImageShorterSide"), "which Triof does not do"),
        (said(CropHeight="224.0"), "(CropMethod NoCrop, CropWidth 0, CropHeight 224.0)"),
    ],
)
def test_what_does_not_fit_is_refused_with_the_remedy(
    home: Path, export: Callable[..., Path], changes: dict[str, bytes | None], told: str
) -> None:
    ran = triof("bundles", "install", export(changes=changes))
    assert ran.exit_code == 1
    assert told in ran.output
    assert not list((home / "bundles").glob("*/*"))


@pytest.mark.parametrize(
    "way", [{"CropMethod": ""}, {"CropMethod": "nocrop", "CropWidth": "0.0"}, {"CropMethod": "None"}]
)
def test_metadata_that_ask_for_no_crop_are_read(home: Path, export: Callable[..., Path], way: dict[str, str]) -> None:
    assert triof("bundles", "install", export(changes=said(**way))).exit_code == 0


def test_what_litert_cannot_read_is_refused_even_with_the_right_checksum(
    home: Path, export: Callable[..., Path]
) -> None:
    junk = b"TFL3 not a model"
    changes = {"model.tflite": junk, **changed(ModelFileSHA1=hashlib.sha1(junk).hexdigest())}
    ran = triof("bundles", "install", export(changes=changes))
    assert ran.exit_code == 1
    assert "LiteRT cannot read its model" in ran.output


@pytest.mark.parametrize("tag", ["Canette\xa0métal", "canette me\u0301tal", " CANETTE  MÉTAL\u200b"])
def test_a_tag_in_another_form_is_the_one_of_the_settings(home: Path, export: Callable[..., Path], tag: str) -> None:
    ran = triof("--set", "custom_vision.tags.canette métal=other", "bundles", "install", export(["Bouteille", tag]))
    assert ran.exit_code == 0, ran.output
    assert "Bouteille = bottle" in ran.output
    assert "= other" in ran.output


def test_tags_of_two_questions_are_refused(home: Path, export: Callable[..., Path]) -> None:
    ran = triof("--set", "custom_vision.tags.sale=dirty", "bundles", "install", export(["Bouteille", "sale"]))
    assert ran.exit_code == 1
    assert "bottle, dirty, which answer two questions" in ran.output


def zipped(members: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "cannot be read as a zip"),
        (b"PK\x03\x04 and no more", "cannot be read as a zip"),
        (azure_export_zip(TAGS)[:-500], "cannot be read as a zip"),
        (zipped({"cvexport.manifest": b"{}", "../../evil.txt": b"x"}), "points outside"),
        (zipped({"cvexport.manifest": b"{}", "/etc/evil": b"x"}), "points outside"),
        (zipped({"cvexport.manifest": b"{}", "..\\evil": b"x"}), "points outside"),
        (zipped({f"{number}.txt": b"" for number in range(1001)}), "more than 1000 files"),
        (zipped({"a/b/cvexport.manifest": b"{}"}), "there is no bundle.json and no cvexport.manifest"),
        (zipped({"readme.txt": b"hello"}), "there is no bundle.json and no cvexport.manifest"),
    ],
)
def test_a_zip_that_is_none_or_does_harm_is_refused(tmp_path: Path, home: Path, content: bytes, told: str) -> None:
    before = {path for path in tmp_path.rglob("*") if "journal" not in path.name}
    (tmp_path / "bad.zip").write_bytes(content)
    ran = triof("bundles", "install", tmp_path / "bad.zip")
    assert ran.exit_code == 1
    assert told in ran.output
    assert {path for path in tmp_path.rglob("*") if "journal" not in path.name} == {*before, tmp_path / "bad.zip"}


def test_a_damaged_member_of_a_zip_is_refused(tmp_path: Path, home: Path) -> None:
    whole = azure_export_zip(TAGS)
    middle = whole.index(b"model.tflite") + 60
    (tmp_path / "bad.zip").write_bytes(whole[:middle] + bytes(20) + whole[middle + 20 :])
    ran = triof("bundles", "install", tmp_path / "bad.zip")
    assert ran.exit_code == 1
    assert "download or copy it again" in ran.output


def test_a_folder_that_is_too_large_is_refused(tmp_path: Path, home: Path) -> None:
    zipfile.ZipFile(io.BytesIO(azure_export_zip(TAGS))).extractall(tmp_path / "export")
    with (tmp_path / "export" / "sparse").open("wb") as sparse:
        sparse.truncate(200_000_001)
    assert "name the export alone" in triof("bundles", "install", tmp_path / "export").output


def test_it_says_how_often_it_agrees_with_the_cloud(home: Path, export: Callable[..., Path]) -> None:
    record(home, wrong=1)
    ran = triof("bundles", "install", export())
    assert ran.exit_code == 0, ran.output
    assert "agrees with the cloud on 19 of 20 photos (95.0 %)" in ran.output
    assert "agrees with the cloud on 19 of 20 photos (95.0 %)" in triof("bundles", "list").output


@pytest.mark.parametrize("again", ["install", "check"])
def test_later_answers_of_the_cloud_mend_how_an_installed_one_is_read(
    home: Path, export: Callable[..., Path], again: str
) -> None:
    said = json.dumps(metadata("Rgb8", "NominalRange_0_255")).encode()
    source = export(changes={"metadata_properties.json": said})
    assert "no answer of the cloud" in triof("bundles", "install", source, "--activate").output
    running = LocalCnn("waste_type", bundle_store.options(Settings(home=home)))
    picture = photo.load(PICTURES[0].read_bytes())
    cloud = by_label(expected_scores(PICTURES[0].read_bytes(), TAGS))
    assert running.predict(picture, timeout=5).scores != pytest.approx(cloud, abs=2e-3)
    record(home)
    ran = triof("bundles", again, source if again == "install" else VERSION)
    assert "agrees with the cloud on 20 of 20 photos" in ran.output
    assert "It wants BGR from 0 to 255. It is read so from now on." in ran.output
    assert installed(home).input.channels == "bgr"
    assert running.predict(picture, timeout=5).scores == pytest.approx(cloud, abs=2e-3), "at once in a running machine"
    with Database(f"sqlite:///{home / 'journal.db'}", "machine-1").read() as connection:
        mended = connection.execute(text("SELECT reason FROM events WHERE kind = 'bundle.mended'")).scalars().all()
    assert mended == ["waste_type"]
    assert "wrong" not in triof("bundles", "check", VERSION).output
    assert "agrees with the cloud on 20 of 20 photos" in triof("bundles", "list").output


@pytest.mark.parametrize(("answers", "wrong", "refused"), [(20, 5, True), (20, 4, False), (19, 19, False)])
def test_one_that_contradicts_the_cloud_is_refused(
    home: Path, export: Callable[..., Path], answers: int, wrong: int, refused: bool
) -> None:
    record(home, PICTURES[:answers], wrong=wrong)
    ran = triof("bundles", "install", export())
    assert ran.exit_code == refused, ran.output
    assert f"agrees with the cloud on {answers - wrong} of {answers} photos" in ran.output
    assert ("--anyway" in ran.output) is refused
    assert triof("bundles", "install", export(), "--anyway").exit_code == 0
    assert installed(home).version == VERSION


def test_answers_of_its_own_iteration_are_preferred(home: Path, export: Callable[..., Path]) -> None:
    record(home, iteration="another", wrong=20)
    record(home, PICTURES[:3], iteration=ITERATION.upper())
    assert "on 3 of 3 photos" in triof("bundles", "install", export()).output
    source = export(iteration_id="ffffffff-0000")
    ran = triof("bundles", "install", source)
    assert f"agrees with the cloud's iterations {ITERATION[:8]}, another on 3 of 20 photos (15.0 %)" in ran.output
    assert ran.exit_code == 0, "another iteration may be worse than this one"


def test_another_iteration_s_answers_neither_refuse_nor_change_how_it_is_read(
    home: Path, export: Callable[..., Path]
) -> None:
    record(home, iteration="another")
    said = json.dumps(metadata("Rgb8", "NominalRange_0_255")).encode()
    ran = triof("bundles", "install", export(changes={"metadata_properties.json": said}))
    assert ran.exit_code == 0, ran.output
    assert "agrees with the cloud's iteration another on" in ran.output
    assert "metadata of the export are wrong" not in ran.output
    assert installed(home).input.channels == "rgb"


def test_answers_about_photos_that_are_gone_or_changed_do_not_count(
    tmp_path: Path, home: Path, export: Callable[..., Path]
) -> None:
    copies = [Path(shutil.copy(path, tmp_path)) for path in PICTURES[:4]]
    record(home, copies)
    copies[0].unlink()
    copies[1].write_bytes(PICTURES[9].read_bytes())
    other = PICTURES[10]
    recorded_predictions.add(
        home, ITERATION, RecordedPrediction(other, hashlib.sha256(other.read_bytes()).hexdigest(), {"clean": 1})
    )
    recorded_predictions.add(home, ITERATION, RecordedPrediction(tmp_path, "0" * 64, {"cup": 1}))
    assert "on 2 of 2 photos" in triof("bundles", "install", export()).output


def test_what_the_cloud_said_of_deposits_counts_as_long_as_their_photos_are_kept(
    cloud: CustomVisionServer, cloud_machine: BuildCloudMachine, tmp_path: Path, export: Callable[..., Path]
) -> None:
    cloud.scores = {"Gobelet": 0.9, "Bouteille": 0.1}  # as the exported model says of that photo
    machine = cloud_machine()
    machine.visitor().press("/start").press("/waste/pick-type")
    source = export(iteration_id=cloud.iteration_id)
    own = ["--set", "machine_id=machine-1"]
    assert "agrees with the cloud on 1 of 1 photos" in triof(*own, "bundles", "install", source).output
    shutil.rmtree(tmp_path / "home" / "photos")
    source = export(iteration_id="ffffffff-0000")
    assert "no answer of the cloud" in triof(*own, "bundles", "install", source).output


def test_probabilities_that_are_none_are_unavailable(tmp_path: Path) -> None:
    model = litert_model(TAGS, logits=True)
    card = BundleCard(
        task="waste_type",
        version="logits",
        labels=tuple(MEANING.values()),
        gives="probabilities",
        input=Input(width=SIDE, height=SIDE, channels="bgr", range=(0, 255)),
        sha256=hashlib.sha256(model).hexdigest(),
    )
    shown = photo.load(PICTURES[0].read_bytes())
    bundle.save(tmp_path / "b", card, model)
    options = LocalCnnOptions(waste_type_bundle=tmp_path / "b")
    with pytest.raises(ProviderUnavailable, match="its probabilities add up to"):
        LocalCnn("waste_type", options).predict(shown, timeout=5)
    bundle.save(tmp_path / "b", card.model_copy(update={"gives": "logits"}), model)
    cloud = by_label(expected_scores(PICTURES[0].read_bytes(), TAGS))
    assert LocalCnn("waste_type", options).predict(shown, timeout=5).scores == pytest.approx(cloud, abs=2e-3)
    ran = triof("bundles", "install", tmp_path / "b")
    assert ran.exit_code == 0, ran.output


def test_a_temperature_softens_probabilities_as_it_does_logits(tmp_path: Path) -> None:
    answers = []
    for gives in ("logits", "probabilities"):
        model = litert_model(TAGS, logits=gives == "logits")
        card = BundleCard(
            task="waste_type",
            version="warm",
            labels=tuple(MEANING.values()),
            gives=gives,
            input=Input(width=SIDE, height=SIDE, channels="bgr", range=(0, 255)),
            temperature=2.5,
            sha256=hashlib.sha256(model).hexdigest(),
        )
        bundle.save(tmp_path / gives, card, model)
        provider = LocalCnn("waste_type", LocalCnnOptions(waste_type_bundle=tmp_path / gives))
        answers.append(provider.predict(photo.load(PICTURES[0].read_bytes()), timeout=5).scores)
    assert answers[0] == pytest.approx(answers[1], abs=1e-5)
    assert max(answers[0].values()) < 0.7


def test_the_references_are_the_demo_pictures_and_what_they_show(tmp_path: Path) -> None:
    card = BundleCard(
        task="cleanliness",
        version="x",
        labels=("clean", "dirty"),
        input=Input(width=64, height=32, range=(0, 1)),
        sha256="0" * 64,
    )
    shown = acceptance_photos.demo(card)
    labels = [item.label for item in shown]
    assert (labels.count("clean"), labels.count("dirty"), labels.count(None)) == (7, 6, 7)
    assert shown[0].photo.picture.size == (64, 32)
    assert acceptance_photos.demo(card)[0].photo is shown[0].photo, "they are decoded once"
    (tmp_path / "p.png").write_bytes(encoded(Image.new("RGB", (640, 480), "grey"), "PNG"))
