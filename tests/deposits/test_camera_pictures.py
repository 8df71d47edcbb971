"""Real pictures through the whole deposit, judged by the shipped bundles."""

from pathlib import Path

import pytest

from tests.support.machines import Machine, Visitor, assemble
from triof import services
from triof.common.image_files import pictures_in
from triof.common.paths import DEMO_PICTURES
from triof.machine.cameras.folder import FolderCamera
from triof.settings.loader import load
from triof.settings.tree import Settings
from triof.storage.database import Database

pytestmark = pytest.mark.slow

NAMED = {"bouteille": "bottle", "gobelet": "cup", "couvert": "cutlery", "520003": "cup", "product_": "bottle"}
"""What the camera's file names say; the last two were looked at."""


def machine_with(folder: Path, home: Path) -> Machine:
    """A machine with its real judges, in front of a folder of pictures."""
    home.mkdir()
    database = Database(f"sqlite:///{home / 'journal.db'}", "machine-1")
    database.upgrade()
    database.close()
    settings = Settings(home=home, language="en", policy=load().settings.policy)
    return assemble(settings, services.build_sorter(settings), FolderCamera(folder))


def deposit(visitor: Visitor, label: str) -> str:
    """One deposit; a person who sees ``label`` says so. Returns the page at which it ended."""
    visitor.press("/start").press("/waste/pick-type")
    while visitor.shown == "pick_type":
        visitor.press("/confirmation", waste_type=label, sure="1")
    if visitor.shown == "sorting":
        visitor.wait_idle().open("/confirmation")
    assert visitor.page.status_code == 200
    ended_at = visitor.shown
    visitor.press("/done")
    return ended_at


def test_every_picture_of_the_camera_goes_through_a_whole_deposit(dataset: Path, tmp_path: Path) -> None:
    pictures = pictures_in(dataset / "camera")
    labels = [next(label for part, label in NAMED.items() if part in path.name.lower()) for path in pictures]
    machine = machine_with(dataset / "camera", tmp_path / "home")
    visitor = machine.visitor()
    endings = {deposit(visitor, label) for label in labels}
    assert endings <= {"thanks", "returned"}
    seen = [event.waste_type for event in machine.events("deposit.judged")]
    wrong = [(path.name, label) for path, label, of in zip(pictures, seen, labels, strict=True) if label != of]
    assert len(pictures) - len(wrong) >= 34, wrong
    assert machine.services.journal.unfinished() == []


def test_the_demo_pictures_get_the_right_verdict_or_a_question(tmp_path: Path) -> None:
    pictures = pictures_in(DEMO_PICTURES)
    machine = machine_with(DEMO_PICTURES, tmp_path / "home")
    visitor = machine.visitor()
    for path in pictures:
        deposit(visitor, path.name.split("-")[0] if not path.name.startswith("other") else "bottle")
    verdicts = [(event.detail["action"], event.waste_type, event.reason) for event in machine.events("deposit.judged")]
    pairs = [(path.name, verdict) for path, verdict in zip(pictures, verdicts, strict=True)]
    assert len(pairs) == 20
    assert not [pair for pair in pairs if pair[1][0] != "ask" and not is_right(*pair)]
    assert sum(is_right(*pair) for pair in pairs) >= 15, pairs


def is_right(name: str, verdict: tuple[str, str | None, str | None]) -> bool:
    """Whether action, type and reason are those that a demo picture's name asks for."""
    label, state, *_ = name.split("-")
    action, type_, reason = verdict
    if state == "empty":
        return (action, reason) == ("refuse", "nothing_seen")
    if label == "other":
        return verdict == ("refuse", "other", "other")
    if state == "dirty":
        # What is dirty is handed back, whether or not its type is clear.
        return (action, reason) == ("refuse", "dirty") and type_ in (label, None)
    return verdict == ("accept", label, "sure")


@pytest.mark.parametrize("name", ["not-an-image-8.jpg", "not-an-image-9.jpg"])
def test_a_broken_download_is_a_sentence_on_the_page(dataset: Path, tmp_path: Path, name: str) -> None:
    folder = tmp_path / "broken"
    folder.mkdir()
    (folder / name).write_bytes((dataset / "broken" / name).read_bytes())
    visitor = machine_with(folder, tmp_path / "home").visitor().press("/start").press("/waste/pick-type")
    assert (visitor.page.status_code, visitor.shown) == (200, "insert")
    assert "That is not a photo" in visitor.page.text
