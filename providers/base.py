"""The seam between the machine and whoever answers the question "what does this photo show?".

A provider gets a :class:`Photo` and returns a :class:`Prediction`, or raises one of::

    ProviderError
    ├── ProviderUnavailable      network, timeout, 5xx, an answer that makes no sense
    ├── RateLimited              too fast; .retry_after
    ├── QuotaExceeded            the month is used up; .resets_at
    ├── ProviderMisconfigured    no key, unknown project, model missing or unfit
    │   └── ServiceRetired       the vendor has switched the service off
    ├── PhotoRejected            this photo cannot be judged by this provider
    └── NoProviderAnswered       raised by the router only; .attempts

The class of an error tells the router what to do, so the router knows no vendor.
A failure never becomes a prediction.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Any, Literal, Protocol, get_args, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Task = Literal["waste_type", "cleanliness"]
TASKS: tuple[Task, ...] = get_args(Task)

LABELS: Mapping[Task, tuple[str, ...]] = MappingProxyType(
    {
        "waste_type": ("bottle", "cup", "cutlery", "other"),
        "cleanliness": ("clean", "dirty"),
    }
)
"""The labels of each task, in the order in which people and bundles list them."""

Pixels = NDArray[np.uint8]
"""Height x width x 3, RGB, 0 to 255."""


@dataclass(frozen=True, eq=False)
class Photo:
    """A decoded picture: upright, RGB, without metadata, within the limits of the settings.

    ``sha256`` is the hexadecimal digest of the image bytes it came from; ``width`` and ``height`` are the
    upright size of that image in pixels, which may be larger than ``picture`` where the decoder scaled down.
    """

    picture: Image.Image
    sha256: str
    width: int
    height: int
    _resized: dict[tuple[int, int], Pixels] = field(default_factory=dict, repr=False)

    def resized(self, width: int, height: int) -> Pixels:
        """The whole picture stretched to ``width`` x ``height``: (height, width, 3), RGB uint8, read-only.

        Bilinear with antialiasing. Kept, so that models with one input size share the work; two threads
        that come at once do it twice and store the same thing.
        """
        size = (width, height)
        if size not in self._resized:
            pixels = np.asarray(self.picture.resize(size, Image.Resampling.BILINEAR))
            pixels.flags.writeable = False
            self._resized[size] = pixels
        return self._resized[size]


@dataclass(frozen=True)
class Attempt:
    """One provider asked once: what came of it, how long it took, and why the next one was asked."""

    provider: str
    outcome: str
    """``answered``, or the name of the error's class."""
    duration: float
    """Seconds."""
    message: str = ""


@dataclass(frozen=True)
class Prediction:
    """One answer to one task.

    ``scores`` holds a calibrated probability (0 to 1, together 1) for every label of the task;
    ``thresholds`` the probability from which the model's maker found each label worth believing, if any.
    """

    task: Task
    label: str
    probability: float
    scores: Mapping[str, float]
    provider: str
    model_version: str
    thresholds: Mapping[str, float] = field(default_factory=dict)
    attempts: tuple[Attempt, ...] = ()
    embedding: tuple[float, ...] = ()
    """What the model sees besides its labels, if it tells: numbers whose mean is 0 and standard deviation 1 over the
    photos on which it was chosen."""
    unfamiliarity: float | None = None
    """How far the photo lies from what the model has learned, if it tells: 0 or more, unfamiliar from 1 on."""
    nothing: float = 0.0
    """The part of the probability of ``other`` that stands for an empty slot, if the model tells that from an item."""
    alternatives: tuple["Prediction", ...] = ()
    """What other providers answered to the same question at the same moment; nobody acted on it."""

    @property
    def is_unfamiliar(self) -> bool:
        """Whether the photo is so far from what the model has learned that its answer is not to be relied on."""
        return self.unfamiliarity is not None and self.unfamiliarity >= 1


@dataclass(frozen=True)
class Allowance:
    """What a vendor lets us ask, and for how much. None: as often as we like."""

    resource: str
    """What the vendor counts by; everything that asks the same resource shares one count."""
    tier: str
    per_month: int | None
    """Calls in any 30 days."""
    per_second: int | None
    euros_per_1000: float


@runtime_checkable
class Metered(Protocol):
    """A provider whose calls are counted."""

    allowance: Allowance


class Provider(Protocol):
    """Answers one task. Built as ``Class(task, options)``; safe to call from many threads."""

    name: str
    needs_network: bool

    @property
    def needed_side(self) -> int:
        """The shortest side, in pixels, below which a photo loses something for this provider; it may change."""

    def __init__(self, task: Task, options: Any) -> None:
        """Get ready to answer: load, check, connect. Raises ProviderError."""

    def predict(self, photo: Photo, *, timeout: float) -> Prediction:
        """Answer within ``timeout`` seconds or raise ProviderError."""

    def ping(self) -> None:
        """Raise ProviderError if ``predict`` could not answer now."""

    def close(self) -> None:
        """Give everything back; harmless when called twice."""


class ProviderError(Exception):
    """Why a provider did not answer. The message says what happened and what to do about it."""

    sent = True
    """False where the question certainly never reached the vendor, so that it costs nothing."""
    refused = False
    """True where the vendor turned the call away without looking at it, so that it counts against no quota."""


class ProviderUnavailable(ProviderError):
    """The network, a timeout, a server's fault, or an answer that makes no sense."""

    def __init__(self, message: str, *, sent: bool = True) -> None:
        super().__init__(message)
        self.sent = sent


class RateLimited(ProviderError):
    """Asked too fast; ask again after ``retry_after`` seconds."""

    def __init__(self, message: str, retry_after: float) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class QuotaExceeded(ProviderError):
    """The quota is used up until ``resets_at`` (aware datetime)."""

    def __init__(self, message: str, resets_at: datetime) -> None:
        super().__init__(message)
        self.resets_at = resets_at


class ProviderMisconfigured(ProviderError):
    """A key, a project or a model is missing or wrong: somebody has to mend the configuration."""


class ServiceRetired(ProviderMisconfigured):
    """The vendor has switched the service off for good."""


class PhotoRejected(ProviderError):
    """This provider cannot judge this photo; another one may."""

    def __init__(self, message: str, *, sent: bool = True) -> None:
        super().__init__(message)
        self.sent = sent


class NoProviderAnswered(ProviderError):
    """Every provider of the route was asked and none answered."""

    def __init__(self, task: Task, attempts: tuple[Attempt, ...]) -> None:
        causes = "; ".join(f"{attempt.provider}: {attempt.message}" for attempt in attempts)
        super().__init__(f"No provider answered for {task}: {causes or 'the route is empty'}")
        self.task = task
        self.attempts = attempts
