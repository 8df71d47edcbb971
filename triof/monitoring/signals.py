"""The monitored signals, and the message for the technician when one drifts."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, NamedTuple

import numpy as np

from providers.base import LABELS, TASKS, Task
from triof.monitoring.baseline import Array
from triof.monitoring.drift import Measure

Topic = Literal[
    "brightness", "sharpness", "asked", "refused", "corrected", "agreement", "confidence", "labels", "embedding"
]

EMBEDDING = 16
"""Monitored components of an embedding; a bundle may have fewer."""

MEASURES: Mapping[Topic, Measure] = {
    "brightness": Measure("number", 0.25, least=0.005),
    "sharpness": Measure("number", 0.25, least=0.05),
    "asked": Measure("share", 0.05),
    "refused": Measure("share", 0.05),
    "corrected": Measure("share", 0.02),
    "agreement": Measure("share", 0.02),
    "confidence": Measure("share", 0.02),
    "labels": Measure("share", 0.10),
    "embedding": Measure("vector", 0.5, EMBEDDING, 0.05),
}
"""Tolerated changes: a menu, a season, a few other people."""


@dataclass(frozen=True)
class Signal:
    """A signal that can raise an alert."""

    topic: Topic
    task: Task | None = None

    @property
    def name(self) -> str:
        """Dotted name in commands, alert settings and the journal."""
        return f"{self.topic}.{self.task}" if self.task else self.topic

    @property
    def measure(self) -> Measure:
        """The measure of the detector."""
        return MEASURES[self.topic]

    @property
    def parts(self) -> tuple[str, ...]:
        """Parts with separate detectors: the embedding of each label, the share of each label."""
        if self.topic == "embedding" and self.task:
            return LABELS[self.task]
        if self.topic == "labels" and self.task:
            # With two labels, one share determines the other.
            return LABELS[self.task][1:] if len(LABELS[self.task]) == 2 else LABELS[self.task]
        return ("",)


OF_THE_PHOTO = tuple(Signal(topic) for topic in ("brightness", "sharpness"))
OF_PEOPLE = tuple(Signal(topic) for topic in ("asked", "refused", "corrected"))
OF_THE_MODELS = tuple(
    Signal(topic, task) for task in TASKS for topic in ("agreement", "confidence", "labels", "embedding")
)
SIGNALS: Mapping[str, Signal] = {signal.name: signal for signal in (*OF_THE_PHOTO, *OF_PEOPLE, *OF_THE_MODELS)}


class MonitoredPrediction(NamedTuple):
    """The prediction for one task: the local model's, or the accepted one if that gave none."""

    label: str
    probability: float
    embedding: tuple[float, ...]
    provider: str
    version: str
    rival: tuple[str, str, str] | None = None
    """Label, provider and version of the cloud's prediction for the same photo."""


class MonitoredDeposit(NamedTuple):
    """The monitored values of one judged deposit."""

    at: datetime
    brightness: float | None
    sharpness: float | None
    action: str
    seen: Mapping[Task, MonitoredPrediction]


def observed(deposit: MonitoredDeposit) -> Iterator[tuple[Signal, str, Array]]:
    """Yield signal, part and value of a deposit."""
    brightness, sharpness = OF_THE_PHOTO
    if deposit.brightness is not None and deposit.sharpness is not None:
        yield brightness, "", np.array([deposit.brightness])
        yield sharpness, "", np.array([deposit.sharpness])
    asked, refused, _ = OF_PEOPLE
    yield asked, "", _happened(deposit.action == "ask")
    yield refused, "", _happened(deposit.action == "refuse")
    for task, seen in deposit.seen.items():
        yield from _of_model(task, seen)


def observed_correction(corrected: bool) -> tuple[Signal, str, Array]:
    """Return the observation of a confirmed deposit: whether the type was corrected."""
    return SIGNALS["corrected"], "", _happened(corrected)


def _of_model(task: Task, seen: MonitoredPrediction) -> Iterator[tuple[Signal, str, Array]]:
    yield SIGNALS[f"confidence.{task}"], "", np.array([1 - seen.probability])
    labels = SIGNALS[f"labels.{task}"]
    for label in labels.parts:
        yield labels, label, _happened(seen.label == label)
    if seen.rival:
        yield SIGNALS[f"agreement.{task}"], "", _happened(seen.rival[0] != seen.label)
    if seen.embedding and seen.label in LABELS[task]:
        numbers = np.zeros(EMBEDDING)
        numbers[: len(seen.embedding)] = seen.embedding[:EMBEDDING]
        yield SIGNALS[f"embedding.{task}"], seen.label, numbers


def _happened(event: bool) -> Array:
    return np.array([1.0 if event else 0.0])


_NUMBERS: Mapping[str, tuple[str, str]] = {
    "brightness": (
        "Photos are brighter than before: another lamp, an open flap, sunlight?",
        "Photos are darker than before: the lamp, or something in front of it?",
    ),
    "sharpness": (
        "Photos are sharper or noisier than before: another camera, too little light, something new in the picture?",
        "Photos are less sharp than before: a dirty lens, mist, a camera that has moved?",
    ),
}
_SHARES: Mapping[str, tuple[str, str]] = {
    "asked": ("The machine asks people more often than before", "The machine asks people less often than before"),
    "refused": ("More items are handed back than before", "Fewer items are handed back than before"),
    "corrected": (
        "People correct the machine more often than before: is it wrong more often, or the items new?",
        "People correct the machine less often than before",
    ),
    "agreement": (
        "The local model and the cloud disagree more often than before about {task}",
        "The local model and the cloud disagree less often than before about {task}",
    ),
    "confidence": (
        "The local model is less sure of {task} than before: do items or photos look unlike those it knows?",
        "The local model is surer of {task} than before",
    ),
    "labels": (
        "'{part}' is seen more often than before: other items, or does the model take something for it?",
        "'{part}' is seen less often than before: other items, or does the model not know it any more?",
    ),
}


def sentence(signal: Signal, part: str, now: float, before: float) -> str:
    """Return a sentence about the drift and its possible causes."""
    if signal.topic == "embedding":
        return (
            f"What the model takes for '{part}' looks different than before: another kind of {part}, or has the"
            " picture changed (lens, lamp, background)?"
        )
    table = _NUMBERS if signal.topic in _NUMBERS else _SHARES
    told = table[signal.topic][0 if now > before else 1].format(task=(signal.task or "").replace("_", " "), part=part)
    return f"{told} ({shown(signal, now)} instead of {shown(signal, before)})"


def shown(signal: Signal, value: float) -> str:
    """Format a value of the signal."""
    return f"{value:.1%}" if signal.measure.kind == "share" else f"{value:.2f}"
