"""Candidates, in a small file that a running kiosk follows like the pointer to the active bundle.

::

    candidates.json    {"candidates": {"waste_type": {"provider": "local_cnn", "mode": "canary", "share": 0.2, ...}},
                        "published": {"name": "triof-next", "instead_of": ["triof"], "before": ["triof"]}}

A candidate is valid while production is the model that it was started against. Any change of production, promotion
included, therefore ends it at once; its entry in the file is removed later.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args
from uuid import UUID

from providers.base import TASKS, Prediction, ProviderMisconfigured, Task
from providers.local_cnn import bundle
from providers.local_cnn.pointer import Pointer, Signature
from triof.common.atomic_files import read_json, replace_file
from triof.models.bundle_store import options
from triof.settings.tree import Settings

FILE = "candidates.json"
LOCAL, AZURE = "local_cnn", "custom_vision"

CandidateMode = Literal["shadow", "canary"]
Arm = Literal["candidate", "production", "alone"]
"""The model whose prediction a deposit accepts, both being called; ``alone``: only production is called."""


class CandidateModel(NamedTuple):
    """A bundle or a published iteration."""

    name: str
    """Its name in commands: a bundle's version, SHIPPED, or the published name of an iteration."""
    version: str
    """The ``model_version`` of its predictions; for an iteration, its beginning."""

    def answered(self, provider: str, model_version: str, *, of: str) -> bool:
        """Return whether a prediction is of this model, which is a model of the provider ``of``."""
        return provider == of and (model_version == self.version or model_version.startswith(f"{self.version}@"))


@dataclass(frozen=True)
class Candidate:
    """A model that is compared with the one in production."""

    task: Task
    provider: str
    model: CandidateModel
    against: CandidateModel
    """What is in production."""
    mode: CandidateMode
    share: float
    """Share of the deposits that call it (shadow) or accept it (canary)."""
    since: datetime
    actor: str
    comment: str

    @property
    def label(self) -> str:
        """Its name in attempts and logs."""
        return f"{self.provider}@{self.model.name}"

    @property
    def accepted_share(self) -> float:
        """The share of the deposits with both predictions that accept the candidate."""
        return self.share / (self.share + self._alternative_share) if self.mode == "canary" else 0.0

    @property
    def asked(self) -> float:
        """The share of the deposits that call both models."""
        return self.share + self._alternative_share if self.mode == "canary" else self.share

    @property
    def _alternative_share(self) -> float:
        # Local predictions are free; cloud calls are limited to as many as the canary's own.
        return 1 - self.share if self.provider == LOCAL else min(self.share, 1 - self.share)

    def arm(self, deposit_id: UUID) -> Arm:
        """Return the arm of a deposit; always the same for one deposit."""
        digest = hashlib.sha256(f"{deposit_id}/{self.task}/{self.model.name}".encode()).digest()
        drawn = int.from_bytes(digest[:8]) / 2**64
        if self.mode == "shadow":
            return "production" if drawn < self.share else "alone"
        if drawn < self.share:
            return "candidate"
        return "production" if drawn < self.share + self._alternative_share else "alone"

    def gave(self, prediction: Prediction) -> bool:
        """Return whether the candidate made the prediction."""
        return self.model.answered(prediction.provider, prediction.model_version, of=self.provider)

    def is_rival(self, prediction: Prediction) -> bool:
        """Return whether the compared production model made the prediction."""
        return self.against.answered(prediction.provider, prediction.model_version, of=self.provider)

    def as_dict(self) -> dict[str, Any]:
        """Return plain values by the names in :data:`FILE` and ``triof models compare --json``."""
        plain = asdict(self)
        actor, comment = plain.pop("actor"), plain.pop("comment")
        return {**plain, "since": self.since.isoformat(), "who": actor, "why": comment}

    def settings(self, settings: Settings) -> Settings:
        """Return the settings for building its provider."""
        if self.provider == AZURE:
            return publishing(settings, self.model.name)
        pointer = Pointer(options(settings))
        chosen = {f"{self.task}_bundle": pointer.folder(self.task, self.model.name)}
        return settings.model_copy(update={LOCAL: settings.local_cnn.model_copy(update=chosen)})


class Published(NamedTuple):
    """The published name that a promotion has set, valid until the settings name another."""

    name: str
    instead_of: tuple[str, ...] = ()
    before: tuple[str, ...] = ()
    """The names in production before, latest last."""

    def now(self, configured: str | None) -> str | None:
        """Return the name in production if the settings name ``configured``."""
        return self.name if configured in self.instead_of else configured

    def turned(self, name: str, configured: str, before: tuple[str, ...]) -> "Published":
        """Return a copy with another name in production."""
        return Published(name, tuple(sorted({*self.instead_of, self.name, configured} - {name, ""})), before)


def publishing(settings: Settings, name: str) -> Settings:
    """Return the settings with another published name."""
    return settings.model_copy(update={AZURE: settings.custom_vision.model_copy(update={"published_name": name})})


class Candidates:
    """The candidates of one home folder; the files are read again only after a change."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._path = settings.home / FILE
        self._pointer = Pointer(options(settings))
        self._seen: tuple[Signature, Signature] | None = None
        self._holding: Mapping[Task, Candidate] = {}
        self._published = Published("")

    def of(self, task: Task) -> Candidate | None:
        """Return the valid candidate, or None."""
        self._look()
        return self._holding.get(task)

    def published(self) -> str | None:
        """Return the published name in production."""
        self._look()
        return self._published.now(self._settings.custom_vision.published_name)

    def written(self, task: Task) -> Candidate | None:
        """Return the candidate in the file, even if production has changed since."""
        return _candidate(task, _section(read_json(self._path), "candidates").get(task))

    def promoted(self) -> Published:
        """Return the published name after promotions."""
        return _published(read_json(self._path).get("published"))

    def production(self, task: Task, provider: str) -> CandidateModel:
        """Return the model in production. Raises ProviderMisconfigured if it cannot be determined."""
        if provider == AZURE:
            name = self.published() or ""
            return CandidateModel(name, name)
        active = self._pointer.version(task)
        return CandidateModel(active, bundle.load(self._pointer.folder(task, active), task).card.version)

    def keep(self, task: Task, candidate: Candidate | None, published: Published | None = None) -> None:
        """Write the candidate, or its absence, atomically and durably. Raises OSError."""
        kept = read_json(self._path)
        there = {name: value for name, value in _section(kept, "candidates").items() if name != task}
        if candidate:
            there[task] = candidate.as_dict()
        content = {**kept, "candidates": there, **({"published": published._asdict()} if published else {})}
        replace_file(self._path, json.dumps(content, indent=2).encode() + b"\n")

    def _look(self) -> None:
        signatures = _signature(self._path), self._pointer.signature()
        if signatures == self._seen:
            return
        found = {task: candidate for task in TASKS if (candidate := self.written(task))}
        self._published = self.promoted()
        self._holding = {task: candidate for task, candidate in found.items() if self._holds(candidate)}
        self._seen = signatures

    def _holds(self, candidate: Candidate) -> bool:
        if candidate.provider == AZURE:
            return self._published.now(self._settings.custom_vision.published_name) == candidate.against.name
        if self._settings.local_cnn.chosen(candidate.task):
            return False
        try:
            return self._pointer.version(candidate.task) == candidate.against.name
        except ProviderMisconfigured:
            return False


def _signature(path: Path) -> Signature:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size


def _section(kept: Mapping[str, Any], name: str) -> dict[str, Any]:
    found = kept.get(name)
    return found if isinstance(found, dict) else {}


def _candidate(task: Task, kept: Any) -> Candidate | None:
    """Return the candidate; None if the entry is invalid, so that production answers alone."""
    try:
        share, since = float(kept["share"]), datetime.fromisoformat(kept["since"])
        if kept["mode"] not in get_args(CandidateMode) or not 0 < share <= 1 or not since.tzinfo:
            return None
        models = CandidateModel(*map(str, kept["model"])), CandidateModel(*map(str, kept["against"]))
        return Candidate(
            task, str(kept["provider"]), *models, kept["mode"], share, since, str(kept["who"]), str(kept["why"])
        )
    except (KeyError, TypeError, ValueError):
        return None


def _published(kept: Any) -> Published:
    try:
        return Published(str(kept["name"]), tuple(map(str, kept["instead_of"])), tuple(map(str, kept["before"])))
    except (KeyError, TypeError):
        return Published("")
