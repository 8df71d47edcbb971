"""What Azure Custom Vision's training service keeps, how it writes that down, and what it refuses to take.

What is unknown about the real service is marked "unknown"; there the stricter guess is taken.
"""

import base64
import binascii
import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any, Literal

from PIL import Image, UnidentifiedImageError

from testing.azure.custom_vision_server import LONGEST_SIDE, MOST_ASPECT
from testing.azure.training_api import EXPORT_PLATFORMS, Misasked, Refused

Tier = Literal["F0", "S0"]
Outcome = Literal["Completed", "Failed"]

MOST_TRAINING_IMAGE_BYTES = 6 * 1024 * 1024
MOST_IMAGES, MOST_TAGS, MOST_IMAGE_TAGS = 64, 20, 128
MOST_METADATA, MOST_KEY, MOST_VALUE = 10, 128, 256
FEWEST_IMAGES, FEWEST_TAGS = 5, 2
FLAVORS: Mapping[str, tuple[str | None, ...]] = {
    "TensorFlow": (None, "TensorFlowNormal", "TensorFlowLite"),
    "ONNX": (None, "ONNX10", "ONNX12"),
    "DockerFile": ("Linux", "Windows", "ARM"),
}


@dataclass(frozen=True)
class Limits:
    """What a tier allows."""

    projects: int
    photos: int
    tags: int
    iterations: int = 20


TIERS: Mapping[Tier, Limits] = {"F0": Limits(2, 5_000, 50), "S0": Limits(100, 100_000, 500)}


@dataclass(frozen=True)
class Domain:
    """A kind of network."""

    id: str
    name: str
    type: str = "Classification"

    @property
    def exportable(self) -> bool:
        return "compact" in self.name


GENERAL = Domain("ee85a74c-405e-4adc-bb47-ffa8ca0c9f31", "General")
COMPACT = Domain("0732100f-1a38-4e49-a514-c9b44c697ab5", "General (compact)")
COMPACT_S1 = Domain("a1db07ca-a19a-4830-bae8-e004a42dc863", "General (compact) [S1]")
DOMAINS = {
    domain.id: domain
    for domain in (
        Domain("2e37d7fb-3a54-486a-b4d6-cfc369af0018", "General [A2]"),
        Domain("a8e3c40f-fb4a-466f-832a-5e457ae4a344", "General [A1]"),
        GENERAL,
        Domain("c151d5b5-dd07-472a-acc8-15d29dea8518", "Food"),
        Domain("b30a91ae-e3c1-4f73-a81e-c270bff27c39", "Retail"),
        COMPACT_S1,
        COMPACT,
        Domain("da2e3a8a-40a5-4171-82f4-58522f70fbc1", "General", "ObjectDetection"),
    )
}


@dataclass
class Tag:
    id: str
    name: str
    description: str | None
    type: str


@dataclass(eq=False)
class Photo:
    """A training photo as the service keeps it."""

    id: str
    project: "Project"
    number: int
    sha256: str
    name: str | None
    contents: bytes
    width: int
    height: int
    tag_ids: set[str]
    metadata: dict[str, str]
    created: str
    times_sent: int = 1
    """How often these contents came, duplicates included."""

    @property
    def tags(self) -> list[str]:
        """The names of its tags."""
        return sorted(self.project.tags[tag].name for tag in self.tag_ids)


@dataclass
class Export:
    platform: str
    flavor: str | None
    polls: int
    ends_as: Literal["Done", "Failed"]

    @property
    def status(self) -> str:
        return "Exporting" if self.polls > 0 else self.ends_as


@dataclass
class Iteration:
    id: str
    name: str
    created: str
    modified: str
    revision: tuple[Any, ...]
    """What it was trained on: one like it needs no training."""
    tags: list[Tag]
    photo_ids: frozenset[str]
    domain: Domain
    classification: str
    training_type: str
    budget: int
    polls: int
    ends_as: Outcome
    trained_at: str | None = None
    publish_name: str | None = None
    exports: dict[tuple[str, str | None], Export] = field(default_factory=dict)

    @property
    def status(self) -> str:
        return "Training" if self.polls > 0 else self.ends_as


@dataclass
class Project:
    id: str
    name: str
    description: str | None
    domain: Domain
    classification: str
    platforms: list[str]
    created: str
    modified: str
    tags: dict[str, Tag] = field(default_factory=dict)
    photos: dict[str, Photo] = field(default_factory=dict)
    """By the sha256 of their contents."""
    iterations: dict[str, Iteration] = field(default_factory=dict)
    changes: int = 0
    trainings: int = 0


def classifier(domain_id: str) -> Domain:
    domain = DOMAINS.get(domain_id)
    if domain is None:
        raise Refused(400, "BadRequestProjectUnknownDomain", "Invalid domain")
    if domain.type != "Classification":
        raise Refused(400, "BadRequestUnsupportedDomain", "The fake classifies only")
    return domain


def check_batch(entries: list[Any], common: list[str], metadata: Mapping[str, str]) -> None:
    """Refuse what is wrong with a batch as a whole."""
    if not entries:
        raise Misasked(400, "BadRequestImageBatch", "The batch has no images")
    if len(entries) > MOST_IMAGES:
        raise Misasked(400, "BadRequestExceededBatchSize", f"{len(entries)} images, where {MOST_IMAGES} go")
    tags = {tag.lower() for tag in common} | {tag.lower() for entry in entries for tag in entry.get("tagIds", [])}
    if len(tags) > MOST_TAGS:
        raise Misasked(400, "BadRequestImageTags", f"{len(tags)} tags, where {MOST_TAGS} go")
    if any(entry.get("regions") for entry in entries):
        raise Misasked(400, "BadRequestImageRegions", "A classification project has no regions")
    check_metadata(metadata)


def check_metadata(metadata: Mapping[str, str]) -> None:
    if len(metadata) > MOST_METADATA:
        raise Misasked(400, "BadRequestImageMetadataKey", f"{len(metadata)} pairs, where {MOST_METADATA} go")
    if any(not 0 < len(key) <= MOST_KEY for key in metadata):
        raise Misasked(400, "BadRequestImageMetadataKey", f"a key is empty or longer than {MOST_KEY}")
    if any(len(value) > MOST_VALUE for value in metadata.values()):
        raise Misasked(400, "BadRequestImageMetadataValue", f"a value is longer than {MOST_VALUE}")


def decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise Misasked(400, "BadRequest", "contents are no base64") from error


def size_of(image: bytes) -> tuple[int, int] | str:
    """Width and height of a photo that can be read to its end, or the status that refuses it."""
    try:
        with Image.open(BytesIO(image), formats=["JPEG", "PNG", "BMP", "GIF"]) as picture:
            width, height = picture.size
            if max(width, height) > LONGEST_SIDE or max(width, height) > MOST_ASPECT * min(width, height):
                return "ErrorImageDimensions"
            # A JPEG is read at an eighth of its scale: whether it ends too early shows all the same.
            picture.draft("RGB", (16, 16))
            picture.load()
    except Image.DecompressionBombError:
        return "ErrorImageDimensions"
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError):
        return "ErrorImageFormat"
    return width, height


def untaggable(project: Project, tags: set[str]) -> str | None:
    """The status that refuses these tags together on one photo."""
    if not project.tags.keys() >= tags:
        return "ErrorInvalidTag"
    kinds = {project.tags[tag].type for tag in tags}
    if len(kinds) > 1:
        return "ErrorNegativeAndRegularTagOnSameImage"
    # Unknown: how the service words it that a Multiclass photo has one tag at most.
    return "ErrorTagLimitExceed" if project.classification == "Multiclass" and len(tags) > 1 else None


def check_trainable(project: Project, tags: list[str]) -> None:
    counts = Counter(tag for photo in project.photos.values() for tag in photo.tag_ids)
    # Recorded for object detection: the code names the kind of project, the message is this one.
    kind = "MultiClass" if project.classification == "Multiclass" else "MultiLabel"
    code = f"BadRequest{kind}ClassificationTrainingValidationFailed"
    if len(tags) < FEWEST_TAGS or not any(project.tags[tag].type == "Regular" for tag in tags):
        raise Refused(400, code, "Not enough tags for training")
    if any(counts[tag] < FEWEST_IMAGES for tag in tags):
        raise Refused(400, code, "Not enough images for training")


_CONDITION = re.compile(r"\s*([^\s'=]+)\s+(eq|ne)\s+'((?:[^']|'')*)'\s*")


def image_filter(text: str, form: str = "both") -> Callable[[Mapping[str, str]], bool]:
    """``metadata=key1 eq 'value1' and key2 ne 'value2'`` as a question to a photo's metadata; "and" binds closer."""
    if text and form not in ("both", "prefixed" if text.startswith("metadata=") else "bare"):
        # No violation: that the client can only find out.
        raise Refused(400, "BadRequest", f"$filter {text!r} is not understood")
    alternatives: list[list[tuple[str, str, str]]] = [[]]
    rest = text.removeprefix("metadata=")
    while rest or alternatives != [[]]:
        condition = _CONDITION.match(rest)
        if not condition:
            raise Misasked(400, "BadRequest", f"$filter {text!r} is not understood")
        alternatives[-1].append((condition[1], condition[2], condition[3].replace("''", "'")))
        rest = rest[condition.end() :]
        if not rest:
            break
        operator = re.match(r"(and|or)\s", rest)
        if not operator:
            raise Misasked(400, "BadRequest", f"$filter {text!r} is not understood")
        rest = rest[operator.end() :]
        if operator[1] == "or":
            alternatives.append([])
    return lambda metadata: any(
        all((metadata.get(key) == value) == (word == "eq") for key, word, value in each) for each in alternatives
    )


def shrunk(photo: Photo, side: int | None) -> tuple[str, bytes]:
    with Image.open(BytesIO(photo.contents)) as picture:
        if side is None:
            return f"image/{str(picture.format).lower()}", photo.contents
        small = picture.convert("RGB")
    small.thumbnail((side, side))
    buffer = BytesIO()
    small.save(buffer, "JPEG")
    return "image/jpeg", buffer.getvalue()


def measures(precision: float, recall: float) -> dict[str, float]:
    return {
        "precision": round(precision, 4),
        "precisionStdDeviation": 0.01,
        "recall": round(recall, 4),
        "recallStdDeviation": 0.02,
        "averagePrecision": round((precision + recall) / 2, 4),
    }


def domain_json(domain: Domain) -> dict[str, Any]:
    size = {"estimatedModelSizeInMegabytes": 6 if domain.exportable else None}
    return {
        "id": domain.id,
        "name": domain.name,
        "type": domain.type,
        "exportable": domain.exportable,
        "enabled": True,
        "exportablePlatforms": list(EXPORT_PLATFORMS) if domain.exportable else [],
        "modelInformation": {**size, "description": f"A model of the domain {domain.name}"},
    }


def project_json(project: Project) -> dict[str, Any]:
    return {
        "id": project.id,
        "name": project.name,
        "description": project.description,
        "settings": {
            "domainId": project.domain.id,
            "classificationType": project.classification,
            "targetExportPlatforms": project.platforms,
            "useNegativeSet": any(tag.type == "Negative" for tag in project.tags.values()),
            "detectionParameters": None,
            "imageProcessingSettings": {"augmentationMethods": {"rotation": True, "scaling": True}},
            "exportModelContainerUri": None,
            "notificationQueueUri": None,
        },
        "created": project.created,
        "lastModified": project.modified,
        "thumbnailUri": None,
        "drModeEnabled": False,
        "status": "Succeeded",
    }


def tag_json(tag: Tag, count: int) -> dict[str, Any]:
    return {"id": tag.id, "name": tag.name, "description": tag.description, "type": tag.type, "imageCount": count}


def iteration_json(project: Project, iteration: Iteration, prediction_resource_id: str) -> dict[str, Any]:
    return {
        "id": iteration.id,
        "name": iteration.name,
        "status": iteration.status,
        "created": iteration.created,
        "lastModified": iteration.modified,
        "trainedAt": iteration.trained_at,
        "projectId": project.id,
        "exportable": iteration.domain.exportable,
        "exportableTo": None,
        "domainId": iteration.domain.id,
        "classificationType": iteration.classification,
        "trainingType": iteration.training_type,
        "reservedBudgetInHours": iteration.budget,
        "trainingTimeInMinutes": 0 if iteration.trained_at is None else 4,
        "publishName": iteration.publish_name,
        "originalPublishResourceId": prediction_resource_id if iteration.publish_name else None,
        "customBaseModelInfo": None,
        "trainingErrorDetails": "The model did not converge" if iteration.status == "Failed" else None,
    }
