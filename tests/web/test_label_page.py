"""Looking at labels: the order, what is written when, taking it back; the page by keys, by touch, without scripts."""

import csv
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from PIL import Image
from werkzeug.test import TestResponse

from providers.base import Task
from providers.local_cnn.options import LocalCnnOptions
from testing.image_files import encoded
from tests.support.browsing import Window, served
from tests.support.clock import Clock
from tests.support.compiled_templates import compiled_once
from triof.common.paths import DEMO_PICTURES
from triof.curation import labelling
from triof.curation.label_errors import Suggestion, Twin
from triof.curation.labelling import LabellingSession, ModelSuggestion, Question
from triof.curation.model_suggestions import ModelSuggestions
from triof.datasets import corrections, photo_dataset
from triof.datasets.corrections import Correction
from triof.datasets.photo_dataset import Dataset
from triof.web.labelling import pages as label_page

ROWS = (
    ("a.jpg", "bottle", "clean"),
    ("b.jpg", "cup", "dirty"),
    ("c.jpg", "", ""),
    ("d.jpg", "negative", ""),
    ("e.jpg", "cutlery", "clean"),
)


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    """Five photos: one without any label, one of what does not belong."""
    folder = tmp_path / "set"
    folder.mkdir()
    pictures = sorted(DEMO_PICTURES.glob("*.jpg"))
    for (name, *_), picture in zip(ROWS, pictures, strict=False):
        (folder / name).write_bytes(picture.read_bytes())
    lines = [f"{name},{waste_type},{cleanliness},{name},train" for name, waste_type, cleanliness in ROWS]
    (folder / "manifest.csv").write_text("\n".join(["path,waste_type,cleanliness,group,split", *lines]) + "\n")
    return photo_dataset.read(folder)


def suggestion(dataset: Dataset, name: str, suggested: str, probability: float = 0.9) -> Suggestion:
    item = next(item for item in dataset.photos if item.path.name == name)
    task: Task = "cleanliness" if suggested in ("clean", "dirty") else "waste_type"
    return Suggestion(item, task, item.labels[task], suggested, probability, Twin("twin.jpg", suggested))


def asked(questions: list[Question]) -> list[tuple[str, str, str]]:
    return [(ask.name, ask.task, ask.label) for ask in questions]


def written(path: Path) -> list[tuple[str, str, str, str]]:
    if not path.exists():
        return []
    with path.open(newline="") as file:
        return [(row["path"], row["was"], row["now"], row["why"]) for row in csv.DictReader(file)]


# ---- which, and in which order ----


def test_worst_first_are_those_without_a_label_then_the_doubtful(dataset: Dataset) -> None:
    doubts = labelling.doubts(dataset, [suggestion(dataset, "e.jpg", "cup"), suggestion(dataset, "a.jpg", "cup")])
    found = labelling.questions(dataset, {}, ["waste_type"], "worst", doubts)
    assert [ask.name for ask in found] == ["c.jpg", "e.jpg", "a.jpg"]
    assert found[1].doubt == ModelSuggestion("cup", 0.9, Twin("twin.jpg", "cup"))


def test_tasks_come_one_after_the_other_and_stones_are_never_dirty(dataset: Dataset) -> None:
    found = labelling.questions(dataset, {}, ["waste_type", "cleanliness"], "as-is")
    assert [ask.task for ask in found] == ["waste_type"] * 5 + ["cleanliness"] * 4
    assert [ask.name for ask in found if ask.task == "cleanliness"] == ["a.jpg", "b.jpg", "c.jpg", "e.jpg"]


def test_random_is_the_same_every_time(dataset: Dataset) -> None:
    orders = [asked(labelling.questions(dataset, {}, ["waste_type"], "random")) for _ in range(2)]
    assert orders[0] == orders[1]
    assert orders[0] != asked(labelling.questions(dataset, {}, ["waste_type"], "as-is"))


def test_a_suggestion_said_twice_is_asked_once(dataset: Dataset) -> None:
    twice = [suggestion(dataset, "a.jpg", "cup", 0.9), suggestion(dataset, "a.jpg", "other", 0.3)]
    found = labelling.questions(dataset, {}, ["waste_type"], "worst", labelling.doubts(dataset, twice))
    assert [(ask.name, ask.doubt and ask.doubt.label) for ask in found] == [("c.jpg", None), ("a.jpg", "cup")]


def test_what_is_decided_is_not_asked_again_unless_its_label_changed(dataset: Dataset) -> None:
    lines = [
        Correction("a.jpg", "waste_type", "bottle", "bottle"),
        Correction("b.jpg", "waste_type", "bottle", "cup"),  # of an older manifest
        Correction("d.jpg", "waste_type", "other", ""),
    ]
    known = {(line.path, line.task): line for line in lines}
    assert asked(labelling.questions(dataset, known, ["waste_type"], "as-is")) == [
        ("b.jpg", "waste_type", "cup"),
        ("c.jpg", "waste_type", ""),
        ("e.jpg", "waste_type", "cutlery"),
    ]


@pytest.mark.parametrize(("now", "asks"), [("other", False), ("", False), ("cup", True)])
def test_cleanliness_follows_the_type_that_was_decided_before(dataset: Dataset, now: str, asks: bool) -> None:
    known = {("c.jpg", "waste_type"): Correction("c.jpg", "waste_type", "", now)}
    found = labelling.questions(dataset, known, ["cleanliness"], "as-is")  # type: ignore[arg-type]
    assert ("c.jpg" in [ask.name for ask in found]) is asks


# ---- deciding ----


@pytest.fixture
def desk(dataset: Dataset, tmp_path: Path) -> LabellingSession:
    found = labelling.questions(dataset, {}, ["waste_type", "cleanliness"], "as-is")
    return LabellingSession(found, tmp_path / "made" / "corrections.csv", Clock())


def test_each_decision_is_on_the_disk_at_once(desk: LabellingSession) -> None:
    desk.decide(0, "bottle")
    assert written(desk.path) == [("a.jpg", "bottle", "bottle", "looked at")]
    desk.decide(1, "bottle")
    desk.decide(2, "")
    assert written(desk.path)[1:] == [("b.jpg", "cup", "bottle", "looked at"), ("c.jpg", "", "", "looked at")]
    assert desk.position == 3


def test_a_second_press_decides_nothing(desk: LabellingSession) -> None:
    desk.decide(0, "cup")
    desk.decide(0, "other")
    desk.skip(0)
    assert desk.position == 1
    assert len(written(desk.path)) == 1


def test_skipping_writes_nothing(desk: LabellingSession) -> None:
    desk.skip(0)
    assert (desk.position, written(desk.path)) == (1, [])


def test_undo_writes_a_line_that_gives_the_old_label_back(desk: LabellingSession, dataset: Dataset) -> None:
    desk.decide(0, "cup")
    desk.skip(1)
    desk.undo()
    assert (desk.position, len(written(desk.path))) == (1, 1)
    desk.undo()
    assert desk.position == 0
    assert written(desk.path)[-1] == ("a.jpg", "bottle", "bottle", "undone")
    known = corrections.read(desk.path)
    assert corrections.applied(dataset, known) == dataset
    assert asked(labelling.questions(dataset, known, ["waste_type"], "as-is"))[0][0] == "a.jpg"
    desk.undo()
    assert len(written(desk.path)) == 2
    desk.decide(0, "cutlery")
    assert corrections.applied(dataset, corrections.read(desk.path)).photos[0].labels["waste_type"] == "cutlery"


def test_undo_takes_an_unlabelled_photo_back_too(desk: LabellingSession, dataset: Dataset) -> None:
    for position in range(2):
        desk.skip(position)
    desk.decide(2, "cup")
    desk.undo()
    assert corrections.applied(dataset, corrections.read(desk.path)) == dataset
    assert ("c.jpg", "waste_type", "") in asked(
        labelling.questions(dataset, corrections.read(desk.path), ["waste_type"], "worst")
    )


@pytest.mark.parametrize(("now", "follows"), [("other", "e.jpg"), ("", "e.jpg"), ("cup", "c.jpg")])
def test_nobody_is_asked_how_clean_a_stone_is(desk: LabellingSession, now: str, follows: str) -> None:
    for position in range(2):
        desk.skip(position)
    desk.decide(2, now)
    for position in range(3, 7):
        desk.skip(position)
    assert desk.questions[desk.position].name == follows
    desk.undo()
    assert desk.position == 6


def test_what_cannot_be_written_is_not_decided(desk: LabellingSession) -> None:
    desk.path.mkdir(parents=True)
    with pytest.raises(OSError, match="directory"):
        desk.decide(0, "cup")
    assert (desk.position, desk.answered) == (0, ())


def test_the_pace_is_that_of_late(dataset: Dataset, tmp_path: Path) -> None:
    clock = Clock()
    desk = LabellingSession(
        labelling.questions(dataset, {}, ["waste_type", "cleanliness"], "as-is"), tmp_path / "c.csv", clock
    )
    for position in range(6):
        assert desk.per_minute is None
        clock.pass_(3)
        desk.decide(position, "clean" if position > 4 else "cup")
    assert desk.per_minute == pytest.approx(20)


def test_the_machines_opinion_is_that_of_its_networks(dataset: Dataset, desk: LabellingSession, tmp_path: Path) -> None:
    opinions = ModelSuggestions(LocalCnnOptions())
    seen = opinions.of(desk.questions[0])
    assert seen
    assert (seen.label, seen.twin) == ("bottle", None)
    assert 0.25 < seen.probability <= 1
    dataset.photos[0].path.write_bytes(b"<html>")
    assert opinions.of(desk.questions[0]) is None
    assert ModelSuggestions(LocalCnnOptions(waste_type_bundle=tmp_path)).of(desk.questions[1]) is None


# ---- the page ----


class Person:
    """Somebody who looks at the page and presses its buttons."""

    def __init__(self, client: FlaskClient) -> None:
        self.client = client
        self.look()

    def look(self) -> "Person":
        self.page: TestResponse = self.client.get("/")
        return self

    def press(self, path: str, **form: object) -> "Person":
        fields = dict(re.findall(r'name="(csrf_token|position)" value="([^"]+)"', self.page.text))
        self.page = self.client.post(path, data=fields | form, follow_redirects=True)
        return self


@pytest.fixture
def person(desk: LabellingSession) -> Person:
    return Person(compiled_once(label_page.create_app(desk, lambda _: ModelSuggestion("cup", 0.931))).test_client())


def words(person: Person) -> str:
    """What stands on the page."""
    return re.sub(r"[ \n]+", " ", re.sub(r"<.*?>", "", person.page.text))


def test_the_page_shows_the_label_and_the_opinion(person: Person) -> None:
    text = words(person)
    assert "Labelled Bottle. The model says Cup, 93%." in text
    assert "1 of 9" in text
    assert re.search(r'class="label is-now" name="now" value="bottle"[^>]* autofocus', person.page.text)


def test_a_doubtful_label_is_asked_about_as_if_there_were_none(dataset: Dataset, tmp_path: Path) -> None:
    doubts = labelling.doubts(dataset, [suggestion(dataset, "a.jpg", "cup")])
    person = Person(label_page.create_app(LabellingSession(doubts, tmp_path / "c.csv"), lambda _: None).test_client())
    assert "Labelled Bottle. The model says Cup, 90%. Its near-duplicate twin.jpg is called Cup." in words(person)
    person.client.get("/?lang=fr")
    assert "Son quasi-doublon twin.jpg est étiqueté\xa0: Gobelet." in words(person.look())
    assert not re.search("is-now|autofocus|class=.mark", person.page.text)


def test_the_page_speaks_french_and_english(desk: LabellingSession) -> None:
    app = label_page.create_app(desk, lambda _: ModelSuggestion("cup", 0.931), language="fr")
    person = Person(app.test_client())
    assert '<html lang="fr">' in person.page.text
    assert "Étiquette\xa0: Bouteille. Le modèle dit\xa0: Gobelet, 93\xa0%." in words(person)
    assert "Pas encore d’étiquette." in person.press("/decide", now="cup").press("/skip").page.text
    person.client.get("/?lang=en")
    assert "No label yet." in person.look().page.text
    assert person.client.get("/?lang=xx").status_code == 200
    assert '<html lang="en">' in person.look().page.text


def test_pressing_writes_and_goes_on(person: Person, desk: LabellingSession) -> None:
    person.press("/decide", now="cup").press("/skip").press("/decide", now="unusable").press("/undo")
    assert written(desk.path) == [
        ("a.jpg", "bottle", "cup", "looked at"),
        ("c.jpg", "", "", "looked at"),
        ("c.jpg", "", "", "undone"),
    ]
    assert "<b>No label yet.</b>" in person.page.text
    assert "autofocus" not in person.page.text


def test_the_end_tells_what_came_of_it_and_can_be_undone(person: Person, desk: LabellingSession) -> None:
    for now in ("bottle", "bottle", "other", "other", "unusable", "clean", "dirty"):
        person.press("/decide", now=now)
    person.press("/skip")
    assert 'data-page="finished"' in person.page.text
    # c.jpg was found to be something else, so that nobody asks how clean it is.
    assert "4 confirmed, 2 changed, 1 not usable, 1 skipped." in person.page.text
    assert str(desk.path) in person.page.text
    assert "Is it clean?" in person.press("/undo").page.text


@pytest.mark.slow
@pytest.mark.parametrize(
    "form", [{"now": "clean"}, {"now": "../x"}, {"now": ""}, {"position": "99"}, {"position": "x"}]
)
def test_what_no_button_sends_is_refused(person: Person, desk: LabellingSession, form: dict[str, str]) -> None:
    assert person.press("/decide", **{"now": "cup", **form}).page.status_code == 400
    assert written(desk.path) == []


def test_a_page_of_an_earlier_run_decides_nothing(person: Person, desk: LabellingSession) -> None:
    later = compiled_once(label_page.create_app(desk, lambda _: None)).test_client()
    stranger = Person(later)
    stranger.page = person.page
    assert stranger.press("/decide", now="cup").page.status_code == 400
    assert "earlier run" in stranger.page.text
    assert person.client.post("/decide", data={"position": 0, "now": "cup"}).status_code == 400
    assert written(desk.path) == []


def test_a_full_disk_is_told_and_the_photo_stays(person: Person, desk: LabellingSession) -> None:
    desk.path.mkdir(parents=True)
    person.press("/decide", now="cup")
    assert person.page.status_code == 500
    assert "could not be written" in person.page.text
    assert "1</b> of 9" in person.look().page.text


def photo_url(person: Person) -> str:
    found = re.search(r'id="photo" src="([^"]+)"', person.page.text)
    assert found
    return found[1]


def test_photos_are_served_by_number_upright_and_bare(person: Person, dataset: Dataset) -> None:
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "a maker"
    dataset.photos[0].path.write_bytes(encoded(Image.new("RGB", (60, 40), "red"), "JPEG", exif=exif))
    served = person.client.get(photo_url(person))
    assert served.mimetype == "image/jpeg"
    picture = Image.open(BytesIO(served.data))
    assert picture.size == (40, 60)
    assert not picture.getexif()
    assert "private" in served.headers["Cache-Control"]


@pytest.mark.parametrize("path", ["{}9", "/photo/x/0", "{}-1", "{}../../etc/passwd", "{}%2e%2e%2fmanifest.csv"])
def test_nothing_else_is_served(person: Person, path: str) -> None:
    base = photo_url(person).removesuffix("0")
    assert person.client.get(path.format(base)).status_code == 404


def test_a_photo_that_cannot_be_read_is_not_found(person: Person, dataset: Dataset) -> None:
    dataset.photos[0].path.write_bytes(b"<script>")
    assert person.client.get(photo_url(person)).status_code == 404
    dataset.photos[0].path.unlink()
    assert person.client.get(photo_url(person)).status_code == 404


@pytest.mark.slow
@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:8090", 200),
        ("localhost:8090", 200),
        ("[::1]:8090", 200),
        ("evil.example:8090", 403),
        ("127.0.0.1.evil.example", 403),
        ("[", 403),
    ],
)
def test_only_this_machine_is_served(person: Person, host: str, status: int) -> None:
    for path in ("/", "/static/labels.css"):
        assert person.client.get(path, headers={"Host": host}).status_code == status


def test_the_page_allows_itself_nothing_foreign(person: Person) -> None:
    headers = person.page.headers
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert headers["Cache-Control"] == "no-store"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert not re.search(r"<script>|\son\w+=|style=", person.page.text)


# ---- the command ----


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def command(dataset: Dataset, tmp_path: Path) -> Iterator[Callable[..., "subprocess.Popen[str]"]]:
    running: list[subprocess.Popen[str]] = []

    def start(*arguments: object) -> "subprocess.Popen[str]":
        line = [sys.executable, "-m", "triof.cli", "dataset", "label", dataset.root, *arguments]
        out = subprocess.PIPE
        running.append(
            subprocess.Popen(
                [str(word) for word in line], stdout=out, stderr=subprocess.STDOUT, text=True, cwd=tmp_path
            )
        )
        return running[-1]

    yield start
    for process in running:
        # One that a failed test has left.
        process.kill()
        process.communicate()


@pytest.mark.slow
@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM])
def test_the_command_serves_and_ends_with_what_to_do_next(command: Any, dataset: Dataset, end: signal.Signals) -> None:
    import requests

    port = free_port()
    running = command("--order", "as-is", "--task", "waste_type", "--port", port)
    told = [running.stdout.readline() for _ in range(2)]
    assert told[0] == f"Decisions go into {dataset.root / 'corrections.csv'}.\n"
    assert told[1] == f"5 to look at: http://127.0.0.1:{port}  (Ctrl-C ends)\n"
    with requests.Session() as session:
        page = session.get(f"http://127.0.0.1:{port}").text
        fields = dict(re.findall(r'name="(csrf_token|position)" value="([^"]+)"', page))
        session.post(f"http://127.0.0.1:{port}/decide", data={**fields, "now": "cup"})
    running.send_signal(end)
    rest, _ = running.communicate(timeout=20)
    assert running.returncode == 0
    assert "You decided 1 of 5: 0 confirmed, 1 changed, 0 not usable, 0 skipped." in rest
    corrected = f"--corrections {dataset.root / 'corrections.csv'}"
    assert f"triof train waste_type --data {dataset.root} {corrected}" in rest
    assert f"triof azure upload {dataset.root} {corrected}" in rest
    assert "Traceback" not in rest


@pytest.mark.slow
def test_a_rerun_leaves_out_what_is_decided(command: Any, dataset: Dataset) -> None:
    for item in dataset.photos:
        label = item.labels.get("waste_type", "")
        corrections.add(dataset.root / "c.csv", Correction(dataset.name(item), "waste_type", label, "cup"))
    running = command("--order", "as-is", "--task", "waste_type", "--corrections", dataset.root / "c.csv")
    rest, _ = running.communicate(timeout=20)
    assert running.returncode == 0
    assert "5 from before" in rest
    assert "Nothing is left to look at." in rest


@pytest.mark.slow
def test_a_port_that_is_taken_is_one_sentence(command: Any) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        running = command("--order", "as-is", "--port", taken.getsockname()[1])
        rest, _ = running.communicate(timeout=20)
    assert running.returncode == 1
    assert "choose another port with --port" in rest
    assert "Traceback" not in rest


# ---- in a real browser ----


@pytest.fixture
def serve() -> Iterator[Callable[[LabellingSession], str]]:
    opinion = ModelSuggestion("cup", 0.93)
    with ExitStack() as servers:
        yield lambda desk: servers.enter_context(served(label_page.create_app(desk, lambda _: opinion)))


class Screen(Window):
    """The page in a browser; every complaint of the browser is one of the test's."""

    def at(self, number: int) -> "Screen":
        """Wait until that photo can be decided about."""
        self.page.wait_for_selector(f"body[data-ready] .progress b >> text=/^{number}$/")
        return self

    def check(self, name: str) -> None:
        """Nothing to scroll, nothing cut off, nothing too small to touch."""
        measured = self.page.evaluate(
            """() => ({
                wide: document.scrollingElement.scrollWidth - innerWidth,
                high: document.scrollingElement.scrollHeight - innerHeight,
                faults: [...document.querySelectorAll('button')].filter(e => {
                    const r = e.getBoundingClientRect();
                    return Math.min(r.width, r.height) < 64 || r.bottom > innerHeight || r.right > innerWidth
                        || e.scrollWidth > e.clientWidth + 1;
                }).map(e => e.innerText),
                photo: document.getElementById('photo').naturalWidth,
            })"""
        )
        assert max(measured["wide"], measured["high"]) <= 0
        assert measured["faults"] == []
        assert measured["photo"] > 0
        assert not self.complaints
        self.keep(f"labels-{name}")


@pytest.mark.parametrize("size", [(800, 480), (1024, 600), (1280, 800), (390, 844)], ids=lambda size: f"{size[0]}")
def test_the_page_fits_the_screen(desk: LabellingSession, browser: Any, serve: Any, size: tuple[int, int]) -> None:
    shown = Screen(browser, serve(desk), size)
    shown.at(1).check(f"{size[0]}")
    shown.page.click("text=Français")
    shown.at(1).check(f"{size[0]}-fr")
    for position in range(5):
        desk.skip(position)
    shown.page.reload()
    shown.at(6).check(f"{size[0]}-cleanliness")


def test_keys_decide_confirm_undo_skip_and_turn_away(desk: LabellingSession, browser: Any, serve: Any) -> None:
    shown = Screen(browser, serve(desk), (1280, 800))
    keyboard = shown.at(1).page.keyboard
    keyboard.press("Enter")  # confirms
    shown.at(2)
    keyboard.press("1")
    shown.at(3)
    keyboard.press("Enter")  # there is no label to confirm
    keyboard.press("x")
    shown.at(4)
    keyboard.press("u")
    shown.at(3)
    keyboard.press("s")
    shown.at(4)
    keyboard.press("ArrowUp")  # from something else to cutlery
    keyboard.press("Enter")
    shown.at(5)
    assert [(path, now) for path, _, now, _ in written(desk.path)] == [
        ("a.jpg", "bottle"),
        ("b.jpg", "bottle"),
        ("c.jpg", ""),
        ("c.jpg", ""),
        ("d.jpg", "cutlery"),
    ]
    assert not shown.complaints


def test_a_key_held_down_or_pressed_twice_decides_once(desk: LabellingSession, browser: Any, serve: Any) -> None:
    shown = Screen(browser, serve(desk), (800, 480)).at(1)
    # Both in one turn of the browser, before it can leave the page.
    shown.page.evaluate(
        "document.querySelectorAll('.label')[1].click(), document.querySelectorAll('.label')[2].click()"
    )
    shown.at(2)
    shown.page.keyboard.down("1")
    shown.at(3)
    for _ in range(5):
        shown.page.keyboard.down("1")  # what the keyboard sends as long as it is held
    shown.page.keyboard.up("1")
    assert desk.position == 2
    assert [now for _, _, now, _ in written(desk.path)] == ["cup", "bottle"]


def test_nobody_decides_about_a_photo_that_has_not_come_yet(desk: LabellingSession, browser: Any, serve: Any) -> None:
    context = browser.new_context()
    page = context.new_page()
    held: list[Any] = []
    page.route("**/photo/**", lambda route: held.extend([route]))  # Playwright takes no method of a list
    page.goto(serve(desk), wait_until="commit")
    page.wait_for_selector(".labels")
    page.keyboard.press("2")
    page.click(".label >> nth=1")
    assert desk.position == 0
    for route in held:
        route.continue_()
    page.wait_for_selector("body[data-ready]")
    page.keyboard.press("2")
    page.wait_for_selector(".progress b >> text=/^2$/")
    assert len(written(desk.path)) == 1


def test_it_works_without_javascript_and_with_fingers(desk: LabellingSession, browser: Any, serve: Any) -> None:
    shown = Screen(browser, serve(desk), (390, 844), java_script_enabled=False, has_touch=True)
    shown.page.tap(".label >> nth=1")
    shown.page.wait_for_selector(".progress b >> text=/^2$/")
    shown.page.tap("text=Skip")
    shown.page.wait_for_selector(".progress b >> text=/^3$/")
    shown.page.tap("text=Undo")
    shown.page.wait_for_selector(".progress b >> text=/^2$/")
    shown.page.keyboard.press("Enter")  # the label has the focus
    shown.page.wait_for_selector(".progress b >> text=/^3$/")
    assert [(path, now) for path, _, now, _ in written(desk.path)] == [("a.jpg", "cup"), ("b.jpg", "cup")]


def test_the_next_photo_is_there_before_it_is_asked_for(desk: LabellingSession, browser: Any, serve: Any) -> None:
    shown = Screen(browser, serve(desk), (800, 480)).at(1)
    following = shown.page.get_attribute("img[hidden]", "src")
    assert following
    assert following.endswith("/1")
    assert shown.page.evaluate("document.querySelector('img[hidden]').decode().then(() => true)")
