"""A machine's home with deposits of past days, written as they would have happened."""

import os
import shutil
from collections.abc import Sequence
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from uuid import UUID, uuid4

from click.testing import CliRunner, Result
from sqlalchemy import select
from sqlalchemy.orm import Session

from triof.cli import main
from triof.journal.journal import Journal
from triof.settings.tree import Settings
from triof.storage.database import Database
from triof.storage.photo_store import PhotoStore
from triof.storage.tables import Event, PredictionRow


class PastDeposits:
    """The home folder, its journal and its photos; ``at`` is the time of what is written next."""

    def __init__(self, home: Path, new_journal: Path, at: datetime) -> None:
        self.home = home
        self.at = at
        home.mkdir(exist_ok=True)
        (home / "machine_id").write_text("machine-1\n")
        self.path = home / "journal.db"
        shutil.copy(new_journal, self.path)
        self.database = Database(f"sqlite:///{self.path}", "machine-1")
        self.journal = Journal(self.database, now=lambda: self.at)
        self.settings = Settings(home=home)
        self.store = PhotoStore(home / "photos", 1000, 500, now=self._unix_time)

    def _unix_time(self) -> float:
        return self.at.timestamp()

    def deposit(self, at: datetime, *, ended: bool = True) -> tuple[UUID, str]:
        """Write one deposit at this time; return its id and the name of its photo."""
        self.at, id_ = at, uuid4()
        photo = sha256(id_.bytes).hexdigest()
        self.store.store(photo, b"\xff\xd8 a hand")
        self.journal.record("deposit.opened", id_)
        prediction = PredictionRow(
            id=uuid4(),
            machine_id="machine-1",
            deposit_id=id_,
            at=at,
            task="waste_type",
            label="cup",
            probability=0.9,
            scores={"cup": 0.9},
            provider="local_cnn",
            model_version="1",
            attempts=[],
            photo=photo,
            believed=True,
            embedding=[0.5, 0.25],
        )
        detail = {"action": "accept", "photo": photo, "brightness": 0.5}
        judged = self.journal.event("deposit.judged", id_, waste_type="cup", reason="sure", **detail)
        self.journal.write([judged, prediction])
        if ended:
            self.journal.record("deposit.confirmed", id_, waste_type="cup", reason="agreed")
            self.journal.record("deposit.shredded", id_, waste_type="cup")
        return id_, photo

    def rows(self) -> tuple[Sequence[Event], Sequence[PredictionRow]]:
        """Every event of a deposit, and every prediction."""
        with self.database.read() as connection, Session(connection) as session:
            events = session.scalars(select(Event).where(Event.deposit_id.is_not(None))).all()
            return events, session.scalars(select(PredictionRow)).all()

    def times(self, deposit: UUID) -> set[datetime]:
        """The times of all rows of a deposit."""
        events, predictions = self.rows()
        times = {event.at for event in events if event.deposit_id == deposit}
        return times | {prediction.at for prediction in predictions if prediction.deposit_id == deposit}

    def said(self, kind: str) -> list[Event]:
        """The events of one kind."""
        with self.database.read() as connection, Session(connection) as session:
            return list(session.scalars(select(Event).where(Event.kind == kind).order_by(Event.at)))

    def run(self, *words: object, **options: str) -> Result:
        """Run ``triof privacy …`` on this home."""
        command = ["--set", f"home={self.home}", "privacy", *map(str, words)]
        return CliRunner().invoke(main, command, **options)  # type: ignore[arg-type]


def mentions(home: Path, text: str) -> list[str]:
    """The files below ``home`` whose bytes hold ``text``, or whose names do."""
    files = [path for path in home.rglob("*") if path.is_file()]
    return [path.name for path in files if text.encode() in path.read_bytes() or text in path.name]


def touch(path: Path, at: datetime) -> None:
    """Set the time of a file."""
    os.utime(path, (at.timestamp(), at.timestamp()))
