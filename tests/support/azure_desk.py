"""A technician at a desk: the commands of ``triof azure`` in this process, against the strict service on loopback.

At the end of each test the service must have had nothing to complain of, and no key may lie in any file.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import count
from pathlib import Path
from uuid import uuid4

import pytest
import stamina
from click.testing import CliRunner, Result
from PIL import Image

from testing.azure.training_records import Photo, Tag
from testing.azure.training_server import TrainingServer
from testing.image_files import encoded
from tests.support.clock import Clock
from triof.cli import Timing, main

RATE = 1000
"""Calls a second, where a test is not about the rate."""
ATTEMPTS = 5
TAGS = {"bottle": "bouteille", "cup": "gobelet", "cutlery": "couvert", "other": "Negative"}
LONG_AGO = "2026-01-01T00:00:00.000Z"
_VARIABLE = "TRIOF_CUSTOM_VISION__"
_numbers = count()


class Desk:
    """The desk. Every command ends with sentences: none with a traceback, none that shows a key."""

    def __init__(self, azure: TrainingServer, clock: Clock, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.azure = azure
        self.timing = Timing(clock, clock.pass_)
        self.folder = folder
        self.home = folder / "home"
        self._monkeypatch = monkeypatch

    def set(self, **settings: object) -> None:
        """Set variables of ``custom_vision``; None unsets."""
        for name, value in settings.items():
            variable = _VARIABLE + name.upper()
            if value is None:
                self._monkeypatch.delenv(variable, raising=False)
            else:
                self._monkeypatch.setenv(variable, str(value))

    def run(self, *arguments: str, answer: str | None = None) -> Result:
        """Run ``triof azure …``, and type ``answer`` where it asks."""
        ran = CliRunner().invoke(main, ["azure", *arguments], input=answer, obj=self.timing)
        assert ran.exception is None or isinstance(ran.exception, SystemExit), repr(ran.exception)
        assert "Traceback" not in ran.output
        assert "stamina" not in ran.output
        for key in (self.azure.training_key, self.azure.prediction_key):
            assert key not in ran.output
        return ran

    def well(self, *arguments: str, answer: str | None = None) -> str:
        """What a command that ends well prints."""
        ran = self.run(*arguments, answer=answer)
        assert ran.exit_code == 0, ran.output
        assert ran.stderr == ""
        return ran.stdout

    def fails(self, *arguments: str, answer: str | None = None) -> str:
        """What a command that ends with 1 prints to stderr."""
        ran = self.run(*arguments, answer=answer)
        assert ran.exit_code == 1, ran.output
        assert ran.stderr.startswith("Error: "), ran.output
        return ran.stderr

    def ready(self) -> None:
        """Set the project up."""
        self.well("setup")

    def trained(self, photos: Mapping[str, int] | None = None) -> None:
        """Set up, send photos and train one iteration."""
        self.ready()
        self.well("upload", str(self.photos(photos or {"bottle": 5, "cup": 5})), "--split", "all")
        self.well("train", "--wait")

    def photos(self, counts: Mapping[str, int], folder: str = "photos") -> Path:
        """A folder of new photos, so many of each label."""
        for label, number in counts.items():
            (self.folder / folder / label).mkdir(parents=True, exist_ok=True)
            for _ in range(number):
                (self.folder / folder / label / f"{next(_numbers)}.jpg").write_bytes(a_photo())
        return self.folder / folder

    def upload(self, photos: Path, *options: str) -> str:
        """What a successful upload of all splits prints."""
        return self.well("upload", str(photos), "--split", "all", *options)


def a_photo(side: int = 40, format_: str = "JPEG", **options: object) -> bytes:
    """A photo unlike every other one."""
    number = next(_numbers)
    # Its number in black and white squares, which JPEG leaves apart, and nothing but pixels: it is sent as it is.
    squares = Image.frombytes("L", (5, 5), bytes(255 * (number >> bit & 1) for bit in range(25)))
    return encoded(squares.resize((side, side), Image.Resampling.NEAREST).convert("RGB"), format_, **options)


def crowd(azure: TrainingServer, *, photos: int = 0, tags: int = 0, iterations: int = 0) -> None:
    """Fill the project with so many of these besides; the iterations are like its first one, and published."""
    (project,) = azure.projects.values()
    for number in range(photos):
        id_, tag_ids = str(uuid4()), set(list(project.tags)[:1])
        project.photos[id_] = Photo(id_, project, number, id_, None, b"", 40, 40, tag_ids, {}, created=LONG_AGO)
    for number in range(tags):
        tag = Tag(str(uuid4()), f"tag {number}", None, "Regular")
        project.tags[tag.id] = tag
    for number in range(iterations):
        first = next(iter(project.iterations.values()))
        copy = replace(first, id=str(uuid4()), name=f"Crowd {number}", publish_name=f"crowd{number}", created=LONG_AGO)
        project.iterations[copy.id] = copy


def row(table: str, tag: str) -> list[str]:
    """The cells of a row of a table, without its first one."""
    line = next(line for line in table.splitlines() if line.strip(" │┃").split("│")[0].strip() == tag)
    return [cell.strip() for cell in line.strip(" │┃").split("│")[1:]]


def sent_once(azure: TrainingServer) -> bool:
    """Whether no photo was sent twice."""
    return {photo.times_sent for photo in azure.photos.values()} <= {1}


@pytest.fixture
def azure() -> Iterator[TrainingServer]:
    """The service."""
    with TrainingServer(tier="F0", rate_per_second=RATE) as azure:
        yield azure
        assert azure.violations == []
        assert azure.peak_per_second <= (azure.rate_per_second or RATE)


@pytest.fixture
def clock() -> Clock:
    """The time of the pace and of the looks at a training, which passes only when somebody waits."""
    return Clock()


@pytest.fixture
def desk(
    azure: TrainingServer, clock: Clock, new_journal: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Desk]:
    """A desk whose settings name both resources, and no project yet."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    desk = Desk(azure, clock, tmp_path, monkeypatch)
    desk.home.mkdir()
    (desk.home / "journal.db").write_bytes(new_journal.read_bytes())
    desk.set(
        training_endpoint=azure.endpoint,
        training_key=azure.training_key,
        prediction_endpoint=azure.endpoint,
        prediction_key=azure.prediction_key,
        prediction_resource_id=azure.prediction_resource_id,
        training_calls_per_second=RATE,
        calls_per_second=RATE,
    )
    with stamina.set_testing(True, attempts=ATTEMPTS):
        yield desk
    for path in tmp_path.rglob("*"):
        if path.is_file():
            assert not any(key.encode() in path.read_bytes() for key in (azure.training_key, azure.prediction_key))
