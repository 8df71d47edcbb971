"""A bundle: the folder that holds one trained model and everything that must be known to ask it.

``model.tflite``, ``labels.txt`` (one label a line) and ``bundle.json`` (:class:`BundleCard`). A bundle whose parts do
not fit together is refused as a whole: a model that reads its labels in the wrong order still answers, wrongly.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, ValidationError, model_validator

from providers.base import LABELS, ProviderMisconfigured, Task
from providers.options import Options

MODEL_FILE = "model.tflite"
LABELS_FILE = "labels.txt"
CARD_FILE = "bundle.json"

Probability = Annotated[float, Field(ge=0, le=1)]


class Input(Options):
    """How a photo becomes the numbers that the model reads."""

    width: int = Field(ge=16, le=1024)
    height: int = Field(ge=16, le=1024)
    channels: Literal["rgb", "bgr"] = "rgb"
    range: tuple[float, float]
    """What the values 0 and 255 become."""
    resize: Literal["stretch"] = "stretch"

    @model_validator(mode="after")
    def _range_rises(self) -> Self:
        if self.range[0] >= self.range[1]:
            raise ValueError("range: the first number must be below the second")
        return self


class BundleCard(Options):
    """``bundle.json``."""

    task: Task
    version: str = Field(min_length=1)
    labels: tuple[str, ...]
    input: Input
    temperature: float = Field(default=1.0, gt=0, le=100)
    """The logits are divided by it before the softmax, so that 0.9 is right nine times in ten."""
    thresholds: Mapping[str, Probability] = Field(default_factory=dict)
    """From which probability each label is worth believing."""
    sha256: str = Field(pattern="^[0-9a-f]{64}$")
    """Of ``model.tflite``."""
    trained_on: Mapping[str, Any] = Field(default_factory=dict)
    metrics: Mapping[str, Any] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _labels_fit(self) -> Self:
        if self.labels != LABELS[self.task]:
            raise ValueError(f"labels: {self.task} has {', '.join(LABELS[self.task])}, in this order")
        strangers = sorted(set(self.thresholds) - set(self.labels))
        if strangers:
            raise ValueError(f"thresholds: unknown labels {', '.join(strangers)}")
        return self


@dataclass(frozen=True)
class Bundle:
    """A folder that was checked: the card and the bytes of the model."""

    folder: Path
    card: BundleCard
    model: bytes


def load(folder: Path, task: Task) -> Bundle:
    """Read and check the bundle of ``task``. Raises ProviderMisconfigured with the remedy."""
    card = _read_card(folder)
    if card.task != task:
        raise refused(folder, f"it answers {card.task}, not {task}")
    labels = tuple(_read(folder / LABELS_FILE).decode("utf-8", "replace").split())
    if labels != card.labels:
        raise refused(folder, f"{LABELS_FILE} and {CARD_FILE} name different labels")
    model = _read(folder / MODEL_FILE)
    if hashlib.sha256(model).hexdigest() != card.sha256:
        raise refused(folder, f"{MODEL_FILE} is damaged, its checksum is not the one in {CARD_FILE}")
    return Bundle(folder, card, model)


def save(folder: Path, card: BundleCard, model: bytes) -> None:
    """Write a bundle into ``folder``, which appears complete or not at all; one that is there is replaced."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    fresh = folder.with_name(f".{folder.name}.new")
    _clear(fresh)
    fresh.mkdir()
    (fresh / MODEL_FILE).write_bytes(model)
    (fresh / LABELS_FILE).write_text("\n".join(card.labels) + "\n", encoding="utf-8")
    (fresh / CARD_FILE).write_text(json.dumps(card.model_dump(mode="json"), indent=2) + "\n", encoding="utf-8")
    old = folder.with_name(f".{folder.name}.old")
    _clear(old)
    if folder.exists():
        folder.rename(old)
    fresh.rename(folder)
    _clear(old)


def refused(folder: Path, reason: str) -> ProviderMisconfigured:
    """The error for a bundle that cannot be used."""
    return ProviderMisconfigured(
        f"The bundle {folder} cannot be used: {reason}. Reinstall Triof, or make a new one with `triof train`."
    )


def _read_card(folder: Path) -> BundleCard:
    try:
        return BundleCard.model_validate_json(_read(folder / CARD_FILE))
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, fault['loc']))} {fault['msg']}".strip() for fault in error.errors())
        raise refused(folder, f"{CARD_FILE} is wrong ({faults})") from error


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise refused(path.parent, f"{path.name} cannot be read ({error.strerror})") from error


def _clear(folder: Path) -> None:
    if folder.is_dir():
        for name in (MODEL_FILE, LABELS_FILE, CARD_FILE):
            (folder / name).unlink(missing_ok=True)
        folder.rmdir()
