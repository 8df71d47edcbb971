"""A machine with two small bundles: FIRST, which is in production, takes the bottle for a cup, SECOND for cutlery."""

import hashlib
import json
import shutil
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from providers.local_cnn import bundle
from providers.local_cnn.bundle import BundleCard, Input
from providers.local_cnn.isolated import Isolation
from testing.azure.azure_export import SIDE, litert_model
from triof.journal.journal import Journal
from triof.rollout.candidates import Arm, Candidate
from triof.storage.tables import Event, PredictionRow

FIRST, SECOND = "mine-1", "mine-2"
SEEN = {FIRST: "cup", SECOND: "cutlery"}
"""What each takes the bottle for."""


def make_home(folder: Path, journal: Path) -> Path:
    """A home whose bundles are installed, FIRST active."""
    folder.mkdir(parents=True)
    shutil.copy(journal, folder / "journal.db")
    (folder / "machine_id").write_text("machine-1\n")
    for version, labels in (
        (FIRST, ("bottle", "cutlery", "cup", "other")),
        (SECOND, ("bottle", "cup", "cutlery", "other")),
    ):
        model = litert_model(("Bouteille", "Couvert", "Gobelet", "Negative"), logits=True)
        card = BundleCard(
            task="waste_type",
            version=version,
            labels=labels,
            input=Input(width=SIDE, height=SIDE, channels="bgr", range=(0, 255)),
            thresholds={"cup": 0.5, "cutlery": 0.5},
            sha256=hashlib.sha256(model).hexdigest(),
        )
        bundle.save(folder / "bundles" / "waste_type" / version, card, model)
        Isolation(folder / "bundles").remember(model)
    activate(folder, FIRST)
    return folder


def activate(home: Path, version: str) -> None:
    """Point at a bundle."""
    pointer = {"waste_type": {"active": version, "before": []}}
    (home / "bundles" / "active.json").write_text(json.dumps(pointer))


def deposits_of(candidate: Candidate, arm: Arm) -> Callable[[], UUID]:
    """Ids of deposits that fall into one arm."""

    def draw() -> UUID:
        while candidate.arm(drawn := uuid4()) != arm:
            pass
        return drawn

    return draw


class History:
    """Deposits that a machine has had since a candidate was begun, written in one go."""

    def __init__(self, journal: Journal, candidate: Candidate) -> None:
        self._journal = journal
        self._candidate = candidate
        self._at = candidate.since
        self._rows: list[Event | PredictionRow] = []
        self.deposits: list[UUID] = []

    def deposit(
        self,
        arm: Arm,
        candidate: str | None,
        production: str | None,
        truth: str | None,
        *,
        machine: str | None = None,
        seconds: tuple[float, float] = (0.01, 0.01),
        returned: str | None = None,
    ) -> None:
        """One: what both said (None: nothing), and what the person confirmed or why the item came back."""
        deposit_id = deposits_of(self._candidate, arm)()
        self.deposits.append(deposit_id)
        self._at += timedelta(microseconds=50)
        stamp: dict[str, Any] = {"machine_id": machine or self._journal.machine_id, "deposit_id": deposit_id}
        believed = candidate if arm == "candidate" else production
        self._rows.append(Event(kind="deposit.judged", at=self._at, waste_type=believed, detail={}, **stamp))
        if truth:
            reason = "agreed" if truth == believed else "corrected"
            self._rows.append(
                Event(kind="deposit.confirmed", at=self._at, waste_type=truth, reason=reason, detail={}, **stamp)
            )
        if returned:
            self._rows.append(Event(kind="deposit.returned", at=self._at, reason=returned, detail={}, **stamp))
        of = self._candidate
        for model, label, took, ours in (
            (of.model, candidate, seconds[0], "candidate"),
            (of.against, production, seconds[1], "production"),
        ):
            if label:
                attempt = {"provider": of.provider, "outcome": "answered", "duration": took, "message": ""}
                self._rows.append(
                    PredictionRow(
                        at=self._at,
                        task=of.task,
                        label=label,
                        probability=0.9,
                        scores={},
                        provider=of.provider,
                        model_version=model.version,
                        attempts=[attempt],
                        photo="0" * 64,
                        believed=arm == ours,
                        embedding=None,
                        **stamp,
                    )
                )

    def failed(self, times: int) -> None:
        """Questions that the candidate gave no answer to."""
        for _ in range(times):
            self._at += timedelta(microseconds=50)
            detail = {"version": self._candidate.model.name}
            stamp = {"machine_id": self._journal.machine_id, "at": self._at}
            self._rows.append(Event(kind="candidate.failed", reason=self._candidate.task, detail=detail, **stamp))

    def write(self) -> datetime:
        """To the journal; when the last one was over."""
        self._journal.write(self._rows)
        self._rows = []
        return self._at + timedelta(microseconds=50)
