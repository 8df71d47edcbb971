"""The interface between the machine and the providers, which answer what a photo shows.

A provider gets a :class:`Photo` and returns a :class:`Prediction`, or raises one of::

    ProviderError
    ├── ProviderUnavailable      network, timeout, 5xx, invalid answer
    ├── RateLimited              too many calls; .retry_after
    ├── QuotaExceeded            the monthly quota is used up; .resets_at
    ├── ProviderMisconfigured    no key, unknown project, missing or unsuitable model
    │   ├── ServiceRetired       the vendor has shut the service down
    │   └── ModelStopped         the vendor's model is not running
    ├── PhotoRejected            the provider cannot judge this photo
    └── NoProviderAnswered       raised by the router only; .attempts

The router decides by the class of the error, without knowing any vendor.
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
"""The labels of each task, in the order used by the user interface and by bundles."""

Pixels = NDArray[np.uint8]
"""Height x width x 3, RGB, 0 to 255."""


@dataclass(frozen=True, eq=False)
class Photo:
    """A decoded photo: upright, RGB, without metadata, within the limits of the settings.

    ``sha256`` is the hexadecimal digest of the encoded image; ``width`` and ``height`` are the upright
    size of that image in pixels, which may be larger than ``picture`` if the decoder scaled it down.
    """

    picture: Image.Image
    sha256: str
    width: int
    height: int
    _resized: dict[tuple[int, int], Pixels] = field(default_factory=dict, repr=False)

    def resized(self, width: int, height: int) -> Pixels:
        """Return the whole picture stretched to ``width`` x ``height``: (height, width, 3), RGB uint8, read-only.

        Bilinear with antialiasing. The result is cached, so that models with the same input size share it. Two
        threads that call at the same time may both compute it.
        """
        size = (width, height)
        if size not in self._resized:
            pixels = np.asarray(self.picture.resize(size, Image.Resampling.BILINEAR))
            pixels.flags.writeable = False
            self._resized[size] = pixels
        return self._resized[size]


@dataclass(frozen=True)
class Attempt:
    """One call of one provider: its outcome, its duration, and why the router went on to the next provider."""

    provider: str
    outcome: str
    """``answered``, or the name of the error's class."""
    duration: float
    """Seconds."""
    message: str = ""


@dataclass(frozen=True)
class Prediction:
    """A provider's answer to one task.

    ``scores`` holds a calibrated probability (0 to 1, together 1) for every label of the task;
    ``thresholds`` the probability from which each label is accepted, if the model defines any.
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
    """The model's embedding of the photo, if it has one. Each number has mean 0 and standard deviation 1 over the
    reference photos of the model."""
    unfamiliarity: float | None = None
    """Distance of the photo from the training photos, if the model gives one: 0 or more, unfamiliar from 1 on."""
    nothing: float = 0.0
    """The part of the probability of ``other`` that means an empty slot, if the model distinguishes it."""
    alternatives: tuple["Prediction", ...] = ()
    """Answers of other providers to the same question, for comparison only; the machine does not act on them."""

    @property
    def is_unfamiliar(self) -> bool:
        """Whether the photo is too far from the training photos for the answer to be reliable."""
        return self.unfamiliarity is not None and self.unfamiliarity >= 1


@dataclass(frozen=True)
class Allowance:
    """What a vendor allows and what it costs. None: unlimited."""

    resource: str
    """What the vendor counts by; all callers of the same resource share one count."""
    tier: str
    per_month: int | None
    """Calls in any 30 days."""
    per_second: int | None
    euros_per_1000: float
    is_paid_by_the_hour: bool = False
    """Whether the vendor charges for the time that a model runs, instead of for calls."""


@runtime_checkable
class Metered(Protocol):
    """A provider whose calls count against a quota."""

    allowance: Allowance


class Provider(Protocol):
    """Answers one task. Built as ``Class(task, options)``; safe to call from many threads."""

    name: str
    needs_network: bool

    @property
    def needed_side(self) -> int:
        """The shorter side, in pixels, below which a photo loses detail for this provider; it may change."""

    def __init__(self, task: Task, options: Any) -> None:
        """Load, check and connect what is needed to answer. Raises ProviderError."""

    def predict(self, photo: Photo, *, timeout: float) -> Prediction:
        """Return a prediction within ``timeout`` seconds. Raises ProviderError."""

    def ping(self) -> None:
        """Raise ProviderError if ``predict`` could not answer now."""

    def close(self) -> None:
        """Release all resources; may be called twice."""


class ProviderError(Exception):
    """A provider did not answer. The message says what happened and how to fix it."""

    sent = True
    """False if the request certainly did not reach the vendor, so that it costs nothing."""
    refused = False
    """True if the vendor refused the call without processing it, so that it does not count against a quota."""


class ProviderUnavailable(ProviderError):
    """A network error, a timeout, a server error, or an invalid answer."""

    def __init__(self, message: str, *, sent: bool = True) -> None:
        super().__init__(message)
        self.sent = sent


class RateLimited(ProviderError):
    """Too many calls; retry after ``retry_after`` seconds."""

    def __init__(self, message: str, retry_after: float) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class QuotaExceeded(ProviderError):
    """The quota is used up until ``resets_at`` (aware datetime)."""

    def __init__(self, message: str, resets_at: datetime) -> None:
        super().__init__(message)
        self.resets_at = resets_at


class ProviderMisconfigured(ProviderError):
    """A key, a project or a model is missing or wrong; the technician has to change the configuration."""


class ServiceRetired(ProviderMisconfigured):
    """The vendor has shut the service down for good."""


class ModelStopped(ProviderMisconfigured):
    """The vendor's model is not running, as one that is paid by the hour outside its hours."""


class PhotoRejected(ProviderError):
    """This provider cannot judge this photo; another one may."""

    def __init__(self, message: str, *, sent: bool = True) -> None:
        super().__init__(message)
        self.sent = sent


class NoProviderAnswered(ProviderError):
    """Every provider of the route failed."""

    def __init__(self, task: Task, attempts: tuple[Attempt, ...]) -> None:
        causes = "; ".join(f"{attempt.provider}: {attempt.message}" for attempt in attempts)
        super().__init__(f"No provider answered for {task}: {causes or 'the route is empty'}")
        self.task = task
        self.attempts = attempts
