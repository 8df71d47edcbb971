"""A bundle: the folder that contains a trained model and everything needed to run it.

A model answers one task or several at once. The card of the latter is that of one task and lists the others;
:func:`load` for another task returns the card rearranged for it.

A bundle contains ``model.tflite`` or ``model.onnx``, ``labels.txt`` (one line for each output of the model's tasks),
``bundle.json`` (:class:`BundleCard`), ``model-card.md`` (the same for people), and optionally ``rehearsal.npz``, for
later trainings. A bundle with inconsistent files is refused, because a model with its labels in the wrong order still
answers, but wrongly.

``model-8bit.tflite`` is optional: the same network in 8-bit integers, with the same inputs and outputs. If it is
damaged or missing, ``model.tflite`` answers.
"""

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from errno import EEXIST
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, ValidationError, model_validator

from providers.base import LABELS, TASKS, ProviderMisconfigured, Task
from providers.local_cnn import model_card
from providers.local_cnn.engine import Format
from providers.local_cnn.regular_files import read_regular
from providers.options import Options

MODEL_FILES: Mapping[Format, str] = MappingProxyType({"tflite": "model.tflite", "onnx": "model.onnx"})
MODEL_FILE = MODEL_FILES["tflite"]
EIGHT_BIT_FILE = "model-8bit.tflite"
LABELS_FILE = "labels.txt"
CARD_FILE = "bundle.json"
PAGE_FILE = "model-card.md"
"""For people; generated from the card and never read."""
REHEARSAL_FILE = "rehearsal.npz"
"""Optional: rows that a later training rehearses (:mod:`.rehearsal`). Nothing else reads it."""
_MOST_BYTES = 200_000_000
"""Largest size of a file in bytes; the shipped models have seven million."""
FILES = (MODEL_FILE, LABELS_FILE, CARD_FILE)
"""Required files of a bundle for LiteRT."""
_PARTS = (*MODEL_FILES.values(), LABELS_FILE, CARD_FILE, EIGHT_BIT_FILE, PAGE_FILE, REHEARSAL_FILE)

EMPTY = "empty"
"""An additional label of waste type models: an empty slot, which counts as other."""

Probability = Annotated[float, Field(ge=0, le=1)]


def counted_to(task: Task, told: Sequence[str]) -> NDArray[np.int64]:
    """Return the index in LABELS to which each label in ``told`` counts, EMPTY to other: (labels,)."""
    return np.array([LABELS[task].index("other" if label == EMPTY else label) for label in told], np.int64)


class Input(Options):
    """How a photo is converted to the model's input."""

    width: int = Field(ge=16, le=1024)
    height: int = Field(ge=16, le=1024)
    channels: Literal["rgb", "bgr"] = "rgb"
    range: tuple[float, float]
    """The values of 0 and 255."""
    resize: Literal["stretch"] = "stretch"

    @model_validator(mode="after")
    def _range_rises(self) -> Self:
        if self.range[0] >= self.range[1]:
            raise ValueError("range: the first number must be below the second")
        return self


class Reference(Options):
    """Statistics of the photos that determined temperature and thresholds, for comparison with later photos.

    Means and standard deviations; brightness and sharpness as ``providers.photo_statistics`` measures them.
    """

    photos: int = Field(ge=1)
    brightness: tuple[float, float]
    sharpness: tuple[float, float]
    probability: tuple[float, float]
    """Probability of the predicted label."""
    labels: Mapping[str, Probability]
    """Share of each label among the model's answers."""


class TaskCard(Options):
    """The part of a card for one of the model's tasks."""

    task: Task
    labels: tuple[str, ...]
    """The meaning of each output for the task, in order; several may count to one label, and those of the waste type
    may include EMPTY."""
    temperature: float = Field(default=1.0, gt=0, le=100)
    """Divisor of the logits, or of the log probabilities, before the softmax, which calibrates the probabilities."""
    thresholds: Mapping[str, Probability] = Field(default_factory=dict)
    """Probability from which each label is accepted."""
    reference: Reference | None = None
    metrics: Mapping[str, Any] = Field(default_factory=dict)

    @property
    def counted_to(self) -> NDArray[np.int64]:
        """Return the index in LABELS to which each of ``labels`` counts: (labels,)."""
        return counted_to(self.task, self.labels)

    @model_validator(mode="after")
    def _labels_fit(self) -> Self:
        known = LABELS[self.task]
        told = set(self.labels) - ({EMPTY} if self.task == "waste_type" else set())
        if len(told) < 2 or not told <= set(known):
            raise ValueError(f"labels: at least two of {', '.join(known)} are needed for {self.task}, and no other")
        strangers = sorted(set(self.thresholds) - told)
        if strangers:
            raise ValueError(f"thresholds: unknown labels {', '.join(strangers)}")
        return self


class BundleCard(TaskCard):
    """The content of ``bundle.json``."""

    version: str = Field(min_length=1)
    format: Format = "tflite"
    gives: Literal["logits", "probabilities"] = "logits"
    input: Input
    embedding: int = Field(default=0, ge=0)
    """Size of the embedding, whose numbers have mean 0 and standard deviation 1 over ``reference``; 0: no
    embedding."""
    sha256: str = Field(pattern="^[0-9a-f]{64}$")
    """Of :attr:`model_file`."""
    eight_bit_sha256: str | None = Field(default=None, pattern="^[0-9a-f]{64}$")
    """SHA-256 of ``model-8bit.tflite``; None for a bundle without one."""
    rehearsal: str | None = Field(default=None, pattern="^[0-9a-f]{64}$")
    """SHA-256 of ``rehearsal.npz``; None for a bundle without one."""
    trained_on: Mapping[str, Any] = Field(default_factory=dict)
    also: tuple[TaskCard, ...] = ()
    """The other tasks that the model answers in the same call."""
    unfamiliar_from: float | None = Field(default=None, gt=0)
    """Distance from the training photos, an additional output of 0 or more, from which a photo is unfamiliar. None: the
    model does not give it."""

    @model_validator(mode="after")
    def _outputs_differ(self) -> Self:
        if len(set(self.tasks)) < len(self.tasks):
            raise ValueError("also: each task may stand there once")
        lengths = list(self.outputs)
        if len(set(lengths)) < len(lengths):
            raise ValueError(
                "embedding: the numbers of labels of each task, that of the embedding, and 1 for the unfamiliarity must"
                " differ, as the outputs are told apart by them"
            )
        return self

    @property
    def model_file(self) -> str:
        """Name of the file with the network."""
        return MODEL_FILES[self.format]

    @property
    def tasks(self) -> tuple[Task, ...]:
        """All tasks of the model, the card's own one first."""
        return (self.task, *(other.task for other in self.also))

    @property
    def identity(self) -> tuple[object, ...]:
        """A value that is equal for cards of the same bundle."""
        return self.version, self.sha256, self.eight_bit_sha256, self.labels

    @property
    def outputs(self) -> tuple[int, ...]:
        """Sizes of the model's outputs: for the tasks, the embedding, and the unfamiliarity."""
        told = int(self.unfamiliar_from is not None)
        lengths = (len(self.labels), *(len(other.labels) for other in self.also), self.embedding, told)
        return tuple(length for length in lengths if length)

    def of(self, task: Task) -> "BundleCard":
        """Return the card rearranged for ``task``, one of its tasks."""
        own = TaskCard(**{name: getattr(self, name) for name in TaskCard.model_fields})
        parts = {part.task: part for part in (own, *self.also)}
        chosen = parts.pop(task)
        others = tuple(sorted(parts.values(), key=lambda part: TASKS.index(part.task)))
        return self.model_copy(update={**dict(chosen), "also": others})


@dataclass(frozen=True)
class Bundle:
    """A checked bundle: the card and the bytes of the model."""

    folder: Path
    card: BundleCard
    model: bytes
    """What answers."""
    eight_bit: bytes | None = None
    """The 8-bit network; None if it is missing or damaged."""
    unpacked: bytes | None = None
    """``rehearsal.npz`` of a bundle read from a zip; :func:`rehearsal_of` reads that of a folder."""

    @property
    def lacks_its_eight_bit(self) -> bool:
        """Whether the 8-bit network in the card is missing or damaged."""
        return self.card.eight_bit_sha256 is not None and self.eight_bit is None

    @property
    def answers_in_eight_bits(self) -> bool:
        """Whether the 8-bit network answers."""
        return self.model is self.eight_bit

    def in_eight_bits(self) -> "Bundle":
        """Return the bundle with its 8-bit network, which must exist, as the one that answers."""
        assert self.eight_bit is not None
        return replace(self, model=self.eight_bit)


def load(folder: Path, task: Task | None = None) -> Bundle:
    """Read and check the bundle of ``task`` (None: any task). Raises ProviderMisconfigured with the remedy."""
    files = {name: _read(folder / name) for name in (CARD_FILE, LABELS_FILE)}
    name = _card(folder, files[CARD_FILE]).model_file
    files[name] = _read(folder / name)
    with suppress(OSError):
        files[EIGHT_BIT_FILE] = read_regular(folder / EIGHT_BIT_FILE, _MOST_BYTES)
    return assemble(folder, files, task)


def format_of(place: Path, files: Mapping[str, bytes]) -> Format:
    """Return the format of the network of a bundle whose ``files`` were read from ``place``.

    Raises ProviderMisconfigured.
    """
    return _card(place, _part(place, files, CARD_FILE)).format


def assemble(place: Path, files: Mapping[str, bytes], task: Task | None = None) -> Bundle:
    """Check a bundle whose ``files`` were read from ``place``. Raises ProviderMisconfigured with the remedy."""
    card = _card(place, _part(place, files, CARD_FILE))
    if task and task not in card.tasks:
        raise refused(place, f"it answers {' and '.join(card.tasks)}, not {task}")
    labels = tuple(_part(place, files, LABELS_FILE).decode("utf-8", "replace").split())
    if labels != _labels(card):
        raise refused(place, f"{LABELS_FILE} and {CARD_FILE} name different labels")
    model = _part(place, files, card.model_file)
    if _digest(model) != card.sha256:
        raise refused(place, f"{card.model_file} is damaged, its checksum is not the one in {CARD_FILE}")
    eight_bit = files.get(EIGHT_BIT_FILE)
    if eight_bit is not None and _digest(eight_bit) != card.eight_bit_sha256:
        eight_bit = None
    return Bundle(place, card.of(task) if task else card, model, eight_bit, files.get(REHEARSAL_FILE))


def whole(found: Bundle) -> Bundle:
    """Return ``found``. Raises ProviderMisconfigured if its 8-bit network is missing or damaged."""
    if found.lacks_its_eight_bit:
        raise refused(found.folder, f"its {EIGHT_BIT_FILE} is missing or damaged")
    return found


def rehearsal_of(found: Bundle) -> bytes | None:
    """Read and return ``rehearsal.npz``; None for a bundle without it. Raises ProviderMisconfigured."""
    if not found.card.rehearsal:
        return None
    content = _read(found.folder / REHEARSAL_FILE) if found.unpacked is None else found.unpacked
    if _digest(content) != found.card.rehearsal:
        raise refused(found.folder, f"{REHEARSAL_FILE} is damaged, its checksum is not the one in {CARD_FILE}")
    return content


def save(
    folder: Path, card: BundleCard, model: bytes, eight_bit: bytes | None = None, rehearsal: bytes | None = None
) -> None:
    """Write a bundle to ``folder`` atomically and durably, replacing an existing bundle.

    The card gets the checksums of ``eight_bit``, the 8-bit network, and of ``rehearsal``, or None for those that are
    missing. Raises OSError, also if the folder contains other files.
    """
    strangers = sorted(path.name for path in folder.iterdir() if path.name not in _PARTS) if folder.is_dir() else []
    if strangers:
        raise FileExistsError(EEXIST, f"it holds {strangers[0]}, which is no part of a bundle", str(folder))
    folder.parent.mkdir(parents=True, exist_ok=True)
    fresh = folder.with_name(f".{folder.name}.new")
    clear(fresh)
    fresh.mkdir()
    _write(fresh / card.model_file, model)
    if eight_bit is not None:
        _write(fresh / EIGHT_BIT_FILE, eight_bit)
    if rehearsal is not None:
        _write(fresh / REHEARSAL_FILE, rehearsal)
    sums = {"eight_bit_sha256": eight_bit, "rehearsal": rehearsal}
    sums_of = {name: None if content is None else _digest(content) for name, content in sums.items()}
    card = _in_order(card.model_copy(update=sums_of))
    _write(fresh / LABELS_FILE, ("\n".join(_labels(card)) + "\n").encode())
    _write(fresh / PAGE_FILE, model_card.render(card).encode())
    _write(fresh / CARD_FILE, _as_json(card))
    old = folder.with_name(f".{folder.name}.old")
    clear(old)
    if folder.exists():
        folder.rename(old)
    fresh.rename(folder)
    clear(old)


def rewrite(folder: Path, card: BundleCard) -> None:
    """Replace the card of the bundle in ``folder`` atomically. Raises OSError."""
    card = _in_order(card)
    for name, content in ((PAGE_FILE, model_card.render(card).encode()), (CARD_FILE, _as_json(card))):
        fresh = folder.with_name(f".{folder.name}.{name}")
        _write(fresh, content)
        fresh.replace(folder / name)


def clear(folder: Path) -> None:
    """Remove the folder of a bundle, if it exists. Raises OSError, for example if it contains other files."""
    if folder.is_dir():
        for name in _PARTS:
            (folder / name).unlink(missing_ok=True)
        folder.rmdir()


def refused(folder: Path, reason: str) -> ProviderMisconfigured:
    """Return the error for a bundle that cannot be used."""
    return ProviderMisconfigured(
        f"The bundle {folder} cannot be used: {reason}. Reinstall it (one that ships with Triof: Triof itself), or make"
        " a new one with `triof train`."
    )


def validation_errors(error: ValidationError) -> str:
    """Format the errors of a card in one line."""
    return "; ".join(f"{'.'.join(map(str, fault['loc']))} {fault['msg']}".strip() for fault in error.errors())


def _in_order(card: BundleCard) -> BundleCard:
    """Return the card as it is written, independently of the task it was loaded for."""
    return card.of(min(card.tasks, key=TASKS.index))


def _labels(card: BundleCard) -> tuple[str, ...]:
    """Return the labels of all tasks in sequence."""
    return (*card.labels, *(label for other in card.also for label in other.labels))


def _as_json(card: BundleCard) -> bytes:
    # Without unused fields, an earlier Triof can read the card.
    optional = ("also", "unfamiliar_from", "eight_bit_sha256", "rehearsal")
    left_out = {name for name in optional if not getattr(card, name)}
    if card.format == "tflite":
        left_out.add("format")
    return (json.dumps(card.model_dump(mode="json", exclude=left_out), indent=2) + "\n").encode()


def _card(place: Path, content: bytes) -> BundleCard:
    try:
        return BundleCard.model_validate_json(content)
    except ValidationError as error:
        raise refused(place, f"{CARD_FILE} is wrong ({validation_errors(error)})") from error


def _part(place: Path, files: Mapping[str, bytes], name: str) -> bytes:
    if name not in files:
        raise refused(place, f"it has no {name}")
    return files[name]


def _read(path: Path) -> bytes:
    try:
        return read_regular(path, _MOST_BYTES)
    except OSError as error:
        raise refused(path.parent, f"{path.name} cannot be read ({error.strerror})") from error


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _write(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        # Synced, as a later pointer to the bundle must not survive a power cut without its content.
        os.fsync(file.fileno())
