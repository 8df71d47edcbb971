"""A place: machines that share a journal."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from PIL import Image
from sqlalchemy import select
from sqlalchemy.orm import Session

from providers.base import Attempt, NoProviderAnswered, Photo, Prediction, Task
from triof.journal.journal import Journal
from triof.judging.sorter import Judgement
from triof.judging.verdict import Verdict
from triof.settings.tree import Settings
from triof.statistics.queries import Statistics
from triof.storage.database import Database
from triof.storage.tables import DailyTotalRow

BASE = datetime(2026, 10, 23, tzinfo=UTC)
"""Two days before clocks are set back in Paris."""


MACHINES = ("a", "b")


PHOTO = Photo(Image.new("RGB", (8, 8)), "0" * 64, 8, 8)


def prediction(task: Task, label: str, provider: str = "local_cnn", version: str = "v1", **more: Any) -> Prediction:
    others = {"waste_type": "other", "cleanliness": "dirty"}
    scores = {label: 0.9, others[task] if label != others[task] else "cup": 0.1}
    attempts = (Attempt(provider, "answered", 0.05),)
    return Prediction(task, label, 0.9, scores, provider, version, **{"attempts": attempts, **more})


def judgement(label: str | None = "bottle", reason: str = "sure", seconds: float = 0.2, **more: Any) -> Judgement:
    action = {"sure": "accept", "dirty": "refuse", "other": "refuse"}.get(reason, "ask")
    predictions: dict[Task, Prediction] = {}
    unanswered: dict[Task, NoProviderAnswered] = {}
    if label:
        predictions["waste_type"] = prediction("waste_type", label, **more)
    else:
        attempts = (Attempt("local_cnn", "ProviderMisconfigured", 0.01),)
        unanswered["waste_type"] = NoProviderAnswered("waste_type", attempts)
    predictions["cleanliness"] = prediction("cleanliness", "dirty" if reason == "dirty" else "clean")
    verdict = Verdict(action, label, reason)  # type: ignore[arg-type]
    return Judgement(PHOTO, predictions, unanswered, verdict, seconds, "auto")


@dataclass
class Place:
    """Some machines on one database, whose clock is in the test's hand; ``rows`` is what was written, as facts."""

    home: Path
    url: str
    now: datetime = BASE
    rows: list[dict[str, Any]] = field(default_factory=list)
    drilled: set[UUID] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.journals = {name: self.journal(name) for name in MACHINES}

    def journal(self, name: str) -> Journal:
        return Journal(Database(self.url, name), now=lambda: self.now)

    def statistics(self, **changes: Any) -> Statistics:
        return Statistics(self.journals["a"].database, Settings(home=self.home, **changes), now=lambda: self.now)

    def deposit(
        self,
        machine: str = "a",
        label: str | None = "bottle",
        reason: str = "sure",
        chosen: str | None = "bottle",
        ending: str = "shredded",
        step: timedelta = timedelta(seconds=3),
        **more: Any,
    ) -> UUID:
        """A whole visit, its events ``step`` apart."""
        deposit, journal = uuid4(), self.journals[machine]

        def happens(kind: str, **facts: Any) -> None:
            self.rows.append({"machine": machine, "deposit": deposit, "at": self.now, "kind": kind, **facts})
            self.now += step

        journal.record("deposit.opened", deposit)
        happens("opened")
        journal.record_judgement(deposit, judgement(label, reason, **more))
        happens("judged", reason=reason, label=label)
        if chosen:
            agreed = "agreed" if chosen == label else "corrected"
            journal.record("deposit.confirmed", deposit, waste_type=chosen, reason=agreed)
            happens("confirmed", label=label, chosen=chosen)
        journal.record(f"deposit.{ending}", deposit, waste_type=chosen, reason="dirty")  # type: ignore[arg-type]
        happens(ending, chosen=chosen)
        return deposit

    def drill(self, machine: str, deposit: UUID) -> None:
        self.journals[machine].record("drill.ended", deposits=[str(deposit)])
        self.drilled.add(deposit)

    def tallies(self) -> list[DailyTotalRow]:
        with self.journals["a"].database.read() as connection, Session(connection) as session:
            return list(session.scalars(select(DailyTotalRow).order_by(DailyTotalRow.until, DailyTotalRow.machine_id)))

    def close(self) -> None:
        for journal in self.journals.values():
            journal.database.close()
