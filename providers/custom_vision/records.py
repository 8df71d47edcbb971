"""Frozen records of the training API, and their conversion from the SDK's answers.

The SDK turns any JSON into an object full of None; each reader raises whatever error that leads to.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from providers.base import ProviderUnavailable

Kind = tuple[str, str | None]
"""The platform and the flavor of an export."""
TFLITE: Kind = ("TensorFlow", "TensorFlowLite")


@dataclass(frozen=True)
class Project:
    """A project; Triof needs a Multiclass one of an exportable (compact) domain."""

    id: str
    name: str
    domain: str
    classification_type: str


@dataclass(frozen=True)
class Tag:
    """A tag with the number of its photos; ``negative`` marks the vendor's Negative tag."""

    id: str
    name: str
    negative: bool
    photos: int


@dataclass(frozen=True)
class Image:
    """A training photo in the cloud. ``address`` needs no key, so it must be kept secret."""

    id: str
    address: str
    tags: tuple[str, ...]
    metadata: Mapping[str, str]
    created: datetime | None = None


@dataclass(frozen=True)
class Stored:
    """The outcome of one photo of a batch: the vendor's status (``OK``, ``OKDuplicate``, ``Error…``)."""

    name: str
    """The photo's name in the batch; empty if the vendor does not return it."""
    status: str
    image: Image | None
    """The photo in the cloud; None if it is not stored or was not looked up."""


@dataclass(frozen=True)
class Iteration:
    """A trained model, or one that is being trained. ``status``: Training, Completed or Failed."""

    id: str
    name: str
    status: str
    created: datetime
    trained_at: datetime | None
    published_as: str
    """The published name; empty if it is not published."""
    domain: str
    advanced: bool
    minutes: int
    """Of training."""
    failure: str


@dataclass(frozen=True)
class TagPerformance:
    """The vendor's metrics of a tag, each 0 to 1, by cross-validation on the training photos."""

    tag: str
    precision: float
    recall: float
    average_precision: float


@dataclass(frozen=True)
class Performance:
    """The vendor's metrics of an iteration at one threshold."""

    precision: float
    recall: float
    average_precision: float
    tags: tuple[TagPerformance, ...] = field(default=())


@dataclass(frozen=True)
class Export:
    """An exported model. ``status``: Exporting, Done or Failed; ``address`` needs no key and is valid for 24 hours."""

    kind: Kind
    status: str
    address: str


def read_stored(summary: Any) -> list[Stored]:
    """Read the outcome of each photo of a batch."""
    # The status of the whole batch is useless: one duplicate makes it false.
    return [
        Stored(result.source_url or "", str(result.status), read_image(result.image) if result.image else None)
        for result in summary.images
    ]


def read_project(found: Any) -> Project:
    """Read a project."""
    settings = found.settings
    return Project(_id(found), found.name or "", str(settings.domain_id or ""), str(settings.classification_type))


def read_tag(found: Any) -> Tag:
    """Read a tag."""
    return Tag(_id(found), found.name or "", found.type == "Negative", int(found.image_count or 0))


def read_image(found: Any) -> Image:
    """Read a training photo."""
    tags = tuple(str(tag.tag_id) for tag in found.tags or ())
    return Image(_id(found), found.original_image_uri or "", tags, dict(found.metadata or {}), found.created)


def read_iteration(found: Any) -> Iteration:
    """Read an iteration."""
    return Iteration(
        id=_id(found),
        name=found.name or "",
        status=str(found.status),
        created=found.created or datetime.min.replace(tzinfo=UTC),
        trained_at=found.trained_at,
        published_as=found.publish_name or "",
        domain=str(found.domain_id or ""),
        advanced=found.training_type == "Advanced",
        minutes=int(found.training_time_in_minutes or 0),
        failure=found.training_error_details or "",
    )


def read_performance(found: Any) -> Performance:
    """Read the vendor's metrics."""
    tags = (
        TagPerformance(tag.name, _share(tag.precision), _share(tag.recall), _share(tag.average_precision))
        for tag in found.per_tag_performance
    )
    return Performance(_share(found.precision), _share(found.recall), _share(found.average_precision), tuple(tags))


def read_export(found: Any) -> Export:
    """Read an export."""
    return Export((str(found.platform), found.flavor or None), str(found.status), found.download_uri or "")


def _id(found: Any) -> str:
    """Read the id. Raises ProviderUnavailable for the SDK's object full of None."""
    if not found.id:
        raise ProviderUnavailable("The cloud's answer makes no sense: it lacks what was asked for.")
    return str(found.id)


def _share(value: float | None) -> float:
    return float(value or 0.0)
