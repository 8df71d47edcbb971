"""The page of an evaluation: one whole file with the numbers and the worst mistakes; and the command behind it."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from PIL import Image

from providers.base import LABELS, Prediction
from testing.image_files import encoded
from triof.cli import main
from triof.datasets import corrections, photo_dataset
from triof.datasets.corrections import Correction
from triof.datasets.photo_dataset import Dataset, LabelledPhoto
from triof.evaluation import evaluation
from triof.evaluation.evaluation import EvaluatedPhoto, Evaluation
from triof.reporting import evaluation_report, html_page
from triof.reporting.evaluation_report import VendorMetrics

pytestmark = pytest.mark.slow

VOID = {"meta", "img", "br", "line", "circle", "rect", "polyline", "link", "input"}


class Reader(HTMLParser):
    """Checks that every element is closed; keeps the tags with their attributes, and the words."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag, self.getpos()

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join("".join(self.words).replace("\xa0", " ").split())


def photos(folder: Path, labels: Sequence[str], groups: str = "") -> Dataset:
    items = []
    for index, label in enumerate(labels):
        path = folder / f"{label}-{index}.jpg"
        path.write_bytes(encoded(Image.new("RGB", (400, 300), (index * 9 % 256, 80, 0))))
        group = groups[index] if groups else str(index)
        source = {"source": ("web", "machine")[index % 2]}
        items.append(LabelledPhoto(path, {"waste_type": label}, group, "test", source))
    return Dataset(folder / "manifest.csv", tuple(items))


def said(
    dataset: Dataset, answers: Sequence[tuple[str, float]], provider: str = "local_cnn", thresholds: bool = True
) -> Evaluation:
    """The evaluation of these answers, a label and its probability each."""
    believed = {"bottle": 0.6, "cup": 0.9} if thresholds else {}

    def prediction(label: str, probability: float) -> Prediction:
        rest = (1 - probability) / 3
        scores = {name: probability if name == label else rest for name in LABELS["waste_type"]}
        return Prediction("waste_type", label, probability, scores, provider, f"{provider}-7", believed)

    pairs = zip(dataset.photos, answers, strict=True)
    return evaluation.measure("waste_type", [EvaluatedPhoto(item, prediction(*answer)) for item, answer in pairs], [])


def page(path: Path, dataset: Dataset, evaluations: Sequence[Evaluation], **extra: object) -> Reader:
    evaluation_report.write(path, dataset, "test", evaluations, **extra)  # type: ignore[arg-type]
    reader = Reader()
    reader.feed(path.read_text(encoding="utf-8"))
    assert not reader.open
    return reader


def cells(reader_html: str, heading: str) -> list[list[str]]:
    """The rows of the first table after ``heading``."""
    table = reader_html[reader_html.index(heading) :].partition("<table")[2].partition("</table>")[0]
    rows = re.findall(r"<tr>(.*?)</tr>", table, re.DOTALL)
    plain = [[re.sub(r"<.*?>", " ", cell) for cell in re.findall(r"<t[hd].*?</t[hd]>", row, re.DOTALL)] for row in rows]
    return [[" ".join(cell.replace("&nbsp;", " ").split()) for cell in row] for row in plain]


def test_the_page_is_one_file_that_loads_nothing(tmp_path: Path) -> None:
    dataset = photos(tmp_path, ["cup", "bottle"])
    reader = page(tmp_path / "new" / "page.html", dataset, [said(dataset, [("bottle", 0.9), ("bottle", 0.8)])])
    for tag, attributes in reader.tags:
        assert tag not in ("script", "link", "iframe", "object")
        for name in ("src", "href"):
            assert (attributes.get(name) or "data:").startswith(("data:image/jpeg;base64,", "data:", "#"))
    loaded = re.findall(r"url\(.{0,12}", (tmp_path / "new" / "page.html").read_text())
    assert loaded == ['url("data:font/w']
    assert all(attributes.get("alt") for tag, attributes in reader.tags if tag == "img")
    assert all(attributes.get("aria-label") for tag, attributes in reader.tags if tag == "svg")


def test_the_confusion_matrix_counts_and_shares(tmp_path: Path) -> None:
    dataset = photos(tmp_path, ["cup", "cup", "cup", "bottle"])
    answers = [("cup", 0.9), ("cup", 0.9), ("bottle", 0.7), ("bottle", 0.8)]
    page(tmp_path / "page.html", dataset, [said(dataset, answers)])
    html = (tmp_path / "page.html").read_text()
    rows = cells(html, "What it is, and what was said")
    assert rows[1] == ["bottle", "1 100.0 %", "0 0.0 %", "0 0.0 %", "0 0.0 %"]
    assert rows[2] == ["cup", "1 33.3 %", "2 66.7 %", "0 0.0 %", "0 0.0 %"]
    assert rows[3] == ["cutlery", "0 –", "0 –", "0 –", "0 –"]
    assert cells(html, "Label by label")[1] == ["bottle", "0.500", "1.000", "0.667", "1.000", "1"]


def test_the_worst_mistakes_are_shown_the_most_confident_first(tmp_path: Path) -> None:
    dataset = photos(tmp_path, ["cup"] * 30)
    answers = [("bottle", 0.5 + index / 100) for index in range(29)] + [("cup", 0.99)]
    reader = page(tmp_path / "page.html", dataset, [said(dataset, answers)])
    shown = re.findall(r"cup → bottle ([\d.]+) % sure; cup got [\d.]+ % ?(\S+)", reader.text)
    assert len(shown) == 24
    assert shown[0] == ("78.0", "cup-28.jpg")
    assert [float(sure) for sure, _ in shown] == sorted((float(sure) for sure, _ in shown), reverse=True)
    assert sum(tag == "img" for tag, _ in reader.tags) == 24
    assert "24 of 29, the most confident first" in reader.text
    assert "1 of 30 photos right, 29 wrong. Most often cup was called bottle (29)." in reader.text


def test_a_photo_that_is_gone_since_is_named_without_picture(tmp_path: Path) -> None:
    dataset = photos(tmp_path, ["cup", "cup"])
    measured = said(dataset, [("bottle", 0.9), ("cup", 0.9)])
    dataset.photos[0].path.unlink()
    assert "cannot be read any more" in page(tmp_path / "page.html", dataset, [measured]).text


def test_nothing_wrong_is_said_in_words(tmp_path: Path) -> None:
    dataset = photos(tmp_path, ["cup", "bottle"])
    reader = page(tmp_path / "page.html", dataset, [said(dataset, [("cup", 0.9), ("bottle", 0.9)])])
    assert "2 of 2 photos right, 0 wrong." in reader.text
    assert "There is none." in reader.text
    assert "No group of several photos holds a wrong one." in reader.text


def test_groups_and_sources_got_wrong_are_listed(tmp_path: Path) -> None:
    dataset = photos(tmp_path, ["cup"] * 6, groups="aabbbc")
    answers = [("cup", 0.9), ("bottle", 0.9), ("other", 0.9), ("other", 0.9), ("cup", 0.9), ("bottle", 0.9)]
    page(tmp_path / "page.html", dataset, [said(dataset, answers)])
    html = (tmp_path / "page.html").read_text()
    assert cells(html, "Groups of near-duplicates")[1:] == [
        ["cup-2.jpg", "cup", "other (2)", "3", "2", "33.3 %"],
        ["cup-0.jpg", "cup", "bottle (1)", "2", "1", "50.0 %"],
    ]
    assert cells(html, "Where the photos come from")[1:] == [
        ["machine", "cup", "bottle (2), other (1)", "3", "3", "0.0 %"],
        ["web", "cup", "other (1)", "3", "1", "66.7 %"],
    ]


def test_what_the_machine_believes_stands_on_the_curve(tmp_path: Path) -> None:
    dataset = photos(tmp_path, ["bottle", "bottle", "cup", "bottle"])
    answers = [("bottle", 0.9), ("bottle", 0.65), ("bottle", 0.7), ("bottle", 0.5)]
    reader = page(tmp_path / "page.html", dataset, [said(dataset, answers)])
    assert "believed from 0.600: precision 0.667, recall 0.667" in reader.text
    (figures,) = [row[1] for row in cells((tmp_path / "page.html").read_text(), "How often") if row[0] == "believed"]
    assert figures.startswith("0.750 ")
    assert "believed and wrong" in reader.text


def test_a_model_without_thresholds_makes_no_claim_about_belief(tmp_path: Path) -> None:
    dataset = photos(tmp_path, ["bottle"])
    reader = page(tmp_path / "page.html", dataset, [said(dataset, [("bottle", 0.9)], thresholds=False)])
    assert "believed from" not in reader.text
    names = [row[0] for row in cells((tmp_path / "page.html").read_text(), "How often")]
    assert "accuracy" in names
    assert not {"believed", "believed and wrong"} & set(names)


def test_the_figures_stand_on_top_with_their_intervals(tmp_path: Path) -> None:
    dataset = photos(tmp_path, ["cup"] * 8 + ["other"] * 2)
    cloud = said(dataset, [("cup", 0.9)] * 9 + [("other", 0.9)], "custom_vision", thresholds=False)
    local = said(dataset, [("cup", 0.95)] * 4 + [("other", 0.9)] * 6)
    page(tmp_path / "page.html", dataset, [cloud, local])
    rows = {row[0]: row[1:] for row in cells((tmp_path / "page.html").read_text(), "How often")}
    caught, accuracy = cloud.figures["foreign caught"], local.figures["accuracy"]
    assert rows["foreign caught"][0] == f"0.500 {caught.low:.3f} to {caught.high:.3f}"
    assert rows["accuracy"][1] == f"0.600 {accuracy.low:.3f} to {accuracy.high:.3f}"
    assert accuracy.low < 0.6 < accuracy.high
    assert rows["believed"][0] == "–"
    assert (rows["photos"], rows["groups"]) == (["10", "10"], ["10", "10"])


def test_two_that_answered_the_same_photos_are_compared(tmp_path: Path) -> None:
    dataset = photos(tmp_path, ["cup"] * 7, groups="aabcdef")
    right, wrong = ("cup", 0.9), ("bottle", 0.9)
    cloud = said(dataset, [right, right, right, right, wrong, wrong, right], "custom_vision", thresholds=False)
    local = said(dataset, [wrong, wrong, right, wrong, right, wrong, right])
    # The last photo was measured by one of them only.
    local = evaluation.measure("waste_type", local.answers[:-1], [])
    reader = page(tmp_path / "page.html", dataset, [cloud, local])
    rows = cells((tmp_path / "page.html").read_text(), "custom_vision against local_cnn")
    assert rows[1:] == [["custom_vision: right", "1", "3"], ["custom_vision: wrong", "1", "1"]]
    assert "On the 6 photos that both have answered" in reader.text
    assert "custom_vision is the better one in 2 groups, local_cnn in 1" in reader.text
    assert "this does not show that one is better" in reader.text
    assert "waste_type by custom_vision" in reader.text


def test_two_models_of_one_provider_are_told_apart(tmp_path: Path) -> None:
    dataset = photos(tmp_path, ["cup"] * 12)
    old, new = said(dataset, [("bottle", 0.9)] * 12), said(dataset, [("cup", 0.9)] * 12)
    old = replace(old, model_version="old")
    text = page(tmp_path / "page.html", dataset, [old, new]).text
    assert "old against local_cnn-7" in text
    assert "in less than 0.1 % of such comparisons: the difference is hardly chance" in text


def test_the_vendors_numbers_stand_beside_ours(tmp_path: Path) -> None:
    dataset = photos(tmp_path, ["cup"])
    rows = [VendorMetrics("gobelet", 0.91, 0.82, 0.93)]
    page(tmp_path / "page.html", dataset, [said(dataset, [("cup", 0.9)])], vendor=rows, notes=["<b>Iteration 4"])
    html = (tmp_path / "page.html").read_text()
    assert cells(html, "What the vendor says")[1] == ["gobelet", "0.910", "0.820", "0.930"]
    assert "&lt;b&gt;Iteration 4" in html


def test_the_page_names_its_data_and_stays_small(tmp_path: Path) -> None:
    dataset = photos(tmp_path, ["cup"] * 200)
    measured = said(dataset, [("bottle", 0.4 + index / 400) for index in range(200)])
    assert photo_dataset.fingerprint(dataset.photos) in page(tmp_path / "page.html", dataset, [measured]).text
    assert (tmp_path / "page.html").stat().st_size < 500_000


# ---- the command ----


def triof(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with a data set of four photos in its test split."""
    monkeypatch.chdir(tmp_path)
    labels: Mapping[str, str] = {"a": "clean", "b": "dirty", "c": "clean", "d": "dirty"}
    lines = ["path,waste_type,cleanliness,group,split"]
    for index, (name, label) in enumerate(labels.items()):
        (tmp_path / f"{name}.jpg").write_bytes(encoded(Image.new("RGB", (64, 64), (60 * index, 99, 9))))
        lines.append(f"{name}.jpg,cup,{label},{name},test")
    (tmp_path / "manifest.csv").write_text("\n".join(lines) + "\n")
    return tmp_path


def test_evaluate_writes_a_page_into_runs(here: Path) -> None:
    ran = triof("evaluate", "cleanliness", "--data", ".")
    assert ran.exit_code == 0, ran.output
    (written,) = (here / "runs").iterdir()
    assert re.fullmatch(r"evaluation-\d{8}-\d{6}\.html", written.name)
    assert f"To look at: runs/{written.name}" in ran.output


def test_a_split_that_says_little_is_told_beside_its_figures(here: Path) -> None:
    ran = triof("evaluate", "--data", ".", "--report", "page.html", "--json")
    json.loads(ran.stdout)
    few = "cleanliness: fewer than 20 photos in test of clean (2), dirty (2): one photo more or less"
    missing = "waste_type: no photo of bottle, cutlery, other in test, so the figures say nothing about that."
    for told in (ran.stderr, (here / "page.html").read_text()):
        assert missing in told
        assert "waste_type: fewer than 20 photos in test of cup (4)" in told
        assert few in told
    assert "near-duplicates" not in ran.stderr, "the manifest says which split each photo is in"


def test_enough_photos_of_each_label_are_told_nothing(here: Path) -> None:
    rows = [f"a.jpg,,{label},{label},test" for label in ("clean", "dirty") for _ in range(20)]
    (here / "manifest.csv").write_text("\n".join(["path,waste_type,cleanliness,group,split", *rows]))
    assert "photos in test" not in triof("evaluate", "cleanliness", "--data", ".", "--no-report").stderr


def test_of_plain_folders_it_is_told_that_near_duplicates_may_cross(here: Path) -> None:
    (here / "own" / "cup").mkdir(parents=True)
    for name in range(40):
        (here / "own" / "cup" / f"{name}.jpg").write_bytes(encoded(Image.new("RGB", (64, 64), (6 * name, 9, 9))))
    told = triof("evaluate", "waste_type", "--data", "own", "--no-report").stderr
    assert "`triof dataset split own --out own/manifest.csv` keeps them together" in told


def test_the_page_is_written_in_french(tmp_path: Path) -> None:
    dataset = photos(tmp_path, ["cup"] * 5 + ["bottle"])
    measured = [said(dataset, [("cup", 0.8)] * 4 + [("bottle", 0.9)] * 2, name) for name in ("local_cnn", "fake")]
    reader = page(tmp_path / "page.html", dataset, measured, language="fr")
    assert "Combien de fois a-t-il raison ? waste_type sur test" in reader.text
    assert "waste_type par fake" in reader.text
    assert "gobelet dit bouteille (1)" in reader.text
    assert re.search("0,833\\s*de 0,", reader.text)
    left = r"\b(the|of|and|photo by|right|wrong|bottle|cup|accuracy|recall|called)\b"
    assert not [word for word in re.findall(left, reader.text.partition("Ce qui a été mesuré")[0]) if word != "photo"]


def test_the_page_goes_where_it_is_told_or_nowhere(here: Path) -> None:
    ran = triof("evaluate", "--data", ".", "--report", "out/page.html", "--json")
    assert ran.exit_code == 0, ran.output
    assert json.loads(ran.stdout)["cleanliness"]["photos"] == 4
    assert "To look at: out/page.html" in ran.stderr
    text = (here / "out" / "page.html").read_text()
    assert "waste_type et cleanliness sur test" in text, "the page is in the language of the settings"
    assert not (here / "runs").exists()
    ran = triof("evaluate", "cleanliness", "--data", ".", "--no-report")
    assert ran.exit_code == 0, ran.output
    assert "To look at" not in ran.output
    assert not (here / "runs").exists()


def test_corrected_labels_are_the_right_ones(here: Path) -> None:
    before = json.loads(triof("evaluate", "cleanliness", "--data", ".", "--json", "--no-report").stdout)["cleanliness"]
    for name, was in (("a", "clean"), ("b", "dirty"), ("c", "clean")):
        now = "dirty" if was == "clean" else "clean"
        corrections.add(here / "mended.csv", Correction(f"{name}.jpg", "cleanliness", was, now))
    corrections.add(here / "mended.csv", Correction("d.jpg", "cleanliness", "dirty", ""))
    ran = triof("evaluate", "cleanliness", "--data", ".", "--corrections", "mended.csv", "--report", "p.html", "--json")
    after = json.loads(ran.stdout)["cleanliness"]
    assert (before["photos"], after["photos"]) == (4, 3)
    assert (after["labels"]["clean"]["support"], after["labels"]["dirty"]["support"]) == (1, 2)
    assert "With the corrections in mended.csv: 4 of 4 photos changed." in (here / "p.html").read_text()


@pytest.mark.parametrize("form", ["--set {}", "--set={}"])
@pytest.mark.parametrize("name", ["custom_vision.prediction_key", "CUSTOM_VISION.endpoint", "custom_vision"])
def test_the_page_shows_no_key(form: str, name: str, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = form.format(f"{name}=0123456789abcdef").split()
    monkeypatch.setattr("sys.argv", ["/bin/triof", *secret, "--set", "server.port=90", "evaluate", "--data", "x=y"])
    ran = triof("evaluate", "cleanliness", "--data", ".", "--report", "p.html")
    assert ran.exit_code == 0, ran.output
    text = (here / "p.html").read_text()
    assert "0123456789abcdef" not in text
    assert f"{name}=…" in text
    assert "--set server.port=90 evaluate --data x=y" in text


@pytest.mark.parametrize(
    ("arguments", "code", "reason"),
    [
        (["--corrections", "nowhere.csv"], 1, "There are no corrections in nowhere.csv"),
        (["--report", "manifest.csv/page.html"], 1, "cannot be written"),
        (["--report", "page.html", "--no-report"], 2, "give one of them"),
    ],
)
def test_a_mistake_is_one_sentence(here: Path, arguments: list[str], code: int, reason: str) -> None:
    ran = triof("evaluate", "cleanliness", "--data", ".", *arguments)
    assert ran.exit_code == code
    assert reason in ran.output
    assert "Traceback" not in ran.output


def test_a_page_that_cannot_be_written_is_a_sentence_for_every_command(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(html_page.ReportUnwritable, match="name another place with --report"):
        html_page.write(tmp_path / "file" / "page.html", "_charts.html")
