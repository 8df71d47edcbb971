"""What Azure Custom Vision's training API (v3.4-preview) lets one ask: the part of its swagger that the fake speaks.

Written down here, so that the fake needs no other file; ``test_training_server.py`` holds it against the swagger.
"""

import json
import re
import uuid
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from email.message import Message
from types import MappingProxyType
from typing import Any
from urllib.parse import parse_qsl

ROOT = "/customvision/v3.4-preview/training"
EXPORT_PLATFORMS = ("CoreML", "TensorFlow", "DockerFile", "ONNX", "VAIDK", "OpenVino")
ENUMS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "ClassificationType": ("Multiclass", "Multilabel"),
        "ExportPlatform": EXPORT_PLATFORMS,
        "ExportFlavor": ("Linux", "Windows", "ONNX10", "ONNX12", "ARM", "TensorFlowNormal", "TensorFlowLite"),
        "TagType": ("Regular", "Negative", "GeneralProduct"),
        "TaggingStatus": ("All", "Tagged", "Untagged"),
        "OrderBy": ("Newest", "Oldest"),
        "TrainingType": ("Regular", "Advanced"),
        "ProjectStatus": ("Succeeded", "Importing", "Failed"),
    }
)
MOST_TAKEN = 256
_PAGE = "iterationId:uuid tagIds:uuids20 orderBy:OrderBy take:take skip:int"
_FILTER = "iterationId:uuid tagIds:uuids taggingStatus:TaggingStatus $filter:str"
_PROJECT = "/projects/{projectId}"
_ITERATION = _PROJECT + "/iterations/{iterationId}"

# Operation, method, path, query ("name:kind", "!" where it is required), body ("!" where it is required).
_TABLE = (
    ("GetDomains", "GET", "/domains", "", ""),
    ("GetDomain", "GET", "/domains/{domainId}", "", ""),
    ("GetProjects", "GET", "/projects", "", ""),
    (
        "CreateProject",
        "POST",
        "/projects",
        "name:str! description:str domainId:uuid classificationType:ClassificationType "
        "targetExportPlatforms:ExportPlatforms",
        "CreateProjectOptions",
    ),
    ("GetProject", "GET", _PROJECT, "", ""),
    ("UpdateProject", "PATCH", _PROJECT, "", "Project!"),
    ("DeleteProject", "DELETE", _PROJECT, "", ""),
    ("GetTags", "GET", _PROJECT + "/tags", "iterationId:uuid", ""),
    ("CreateTag", "POST", _PROJECT + "/tags", "name:str! description:str type:TagType", ""),
    ("GetTag", "GET", _PROJECT + "/tags/{tagId}", "iterationId:uuid", ""),
    ("UpdateTag", "PATCH", _PROJECT + "/tags/{tagId}", "", "Tag!"),
    ("DeleteTag", "DELETE", _PROJECT + "/tags/{tagId}", "", ""),
    ("CreateImagesFromFiles", "POST", _PROJECT + "/images/files", "", "ImageFileCreateBatch!"),
    ("GetImages", "GET", _PROJECT + "/images", _PAGE + " taggingStatus:TaggingStatus $filter:str", ""),
    ("GetTaggedImages", "GET", _PROJECT + "/images/tagged", _PAGE, ""),
    ("GetUntaggedImages", "GET", _PROJECT + "/images/untagged", _PAGE.replace("tagIds:uuids20 ", ""), ""),
    ("GetImageCount", "GET", _PROJECT + "/images/count", _FILTER, ""),
    ("GetTaggedImageCount", "GET", _PROJECT + "/images/tagged/count", "iterationId:uuid tagIds:uuids", ""),
    ("GetUntaggedImageCount", "GET", _PROJECT + "/images/untagged/count", "iterationId:uuid", ""),
    ("GetImagesByIds", "GET", _PROJECT + "/images/id", "imageIds:uuids256 iterationId:uuid", ""),
    (
        "DeleteImages",
        "DELETE",
        _PROJECT + "/images",
        "imageIds:uuids256 allImages:bool allIterations:bool",
        "",
    ),
    ("CreateImageTags", "POST", _PROJECT + "/images/tags", "", "ImageTagCreateBatch!"),
    ("DeleteImageTags", "DELETE", _PROJECT + "/images/tags", "imageIds:uuids64! tagIds:uuids20!", ""),
    ("UpdateImageMetadata", "POST", _PROJECT + "/images/metadata", "imageIds:uuids256!", "Metadata!"),
    (
        "TrainProject",
        "POST",
        _PROJECT + "/train",
        "trainingType:TrainingType reservedBudgetInHours:int forceTrain:bool notificationEmailAddress:str",
        "TrainingParameters",
    ),
    ("GetIterations", "GET", _PROJECT + "/iterations", "", ""),
    ("GetIteration", "GET", _ITERATION, "", ""),
    ("UpdateIteration", "PATCH", _ITERATION, "", "Iteration!"),
    ("DeleteIteration", "DELETE", _ITERATION, "", ""),
    ("GetIterationPerformance", "GET", _ITERATION + "/performance", "threshold:float overlapThreshold:float", ""),
    ("PublishIteration", "POST", _ITERATION + "/publish", "publishName:str! predictionId:str! overwrite:bool", ""),
    ("UnpublishIteration", "DELETE", _ITERATION + "/publish", "", ""),
    ("GetExports", "GET", _ITERATION + "/export", "", ""),
    ("ExportIteration", "POST", _ITERATION + "/export", "platform:ExportPlatform! flavor:ExportFlavor", ""),
)

# Each property's kind: a scalar, an enum, [a list of it], another body; "!" where it is required.
BODIES: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "CreateProjectOptions": {"exportModelContainerUri": "str", "notificationQueueUri": "str"},
        "Project": {
            "id": "uuid",
            "name": "str!",
            "description": "str?!",
            "settings": "ProjectSettings!",
            "created": "str",
            "lastModified": "str",
            "thumbnailUri": "str?",
            "drModeEnabled": "bool?",
            "status": "ProjectStatus",
        },
        "ProjectSettings": {
            "domainId": "uuid",
            "classificationType": "ClassificationType?",
            "targetExportPlatforms": "[ExportPlatform]?",
            "useNegativeSet": "bool?",
            "detectionParameters": "str?",
            "imageProcessingSettings": "ImageProcessingSettings?",
            "exportModelContainerUri": "str?",
            "notificationQueueUri": "str?",
        },
        "ImageProcessingSettings": {"augmentationMethods": "Flags?"},
        "Flags": {"*": "bool"},
        "Tag": {"id": "uuid", "name": "str!", "description": "str?!", "type": "TagType!", "imageCount": "int"},
        "Metadata": {"*": "str"},
        "ImageFileCreateBatch": {"images": "[ImageFileCreateEntry]", "tagIds": "[uuid]", "metadata": "Metadata?"},
        "ImageFileCreateEntry": {"name": "str", "contents": "str", "tagIds": "[uuid]", "regions": "[Region]"},
        "Region": {"tagId": "uuid!", "left": "float!", "top": "float!", "width": "float!", "height": "float!"},
        "ImageTagCreateBatch": {"tags": "[ImageTagCreateEntry]"},
        "ImageTagCreateEntry": {"imageId": "uuid", "tagId": "uuid"},
        "TrainingParameters": {"selectedTags": "[uuid]", "customBaseModelInfo": "CustomBaseModelInfo"},
        "CustomBaseModelInfo": {"projectId": "uuid!", "iterationId": "uuid!"},
        "Iteration": {
            "id": "uuid",
            "name": "str!",
            "status": "str",
            "created": "str",
            "lastModified": "str",
            "trainedAt": "str?",
            "projectId": "uuid",
            "exportable": "bool",
            "exportableTo": "[ExportPlatform]?",
            "domainId": "uuid?",
            "classificationType": "ClassificationType?",
            "trainingType": "TrainingType",
            "reservedBudgetInHours": "int",
            "trainingTimeInMinutes": "int",
            "publishName": "str?",
            "originalPublishResourceId": "str?",
            "customBaseModelInfo": "CustomBaseModelInfo?",
            "trainingErrorDetails": "str?",
        },
    }
)


@dataclass(frozen=True)
class Operation:
    """One row of the table."""

    name: str
    method: str
    template: str
    query: Mapping[str, str]
    body: str

    @property
    def pattern(self) -> re.Pattern[str]:
        """Matches the path; the parameters are its groups."""
        return re.compile(ROOT + re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", self.template))


OPERATIONS = tuple(
    Operation(name, method, template, dict(part.split(":") for part in query.split()), body)
    for name, method, template, query, body in _TABLE
)
_PATTERNS = tuple((operation, operation.pattern) for operation in OPERATIONS)


@dataclass(frozen=True)
class Call:
    """A request understood: what is asked, with its parameters, all of the right kind."""

    operation: str
    path: Mapping[str, str]
    query: Mapping[str, Any] = field(default_factory=dict)
    body: Any = None


class Refused(Exception):
    """What the service does not do as things stand: the status, its code, and why."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message


class Misasked(Refused):
    """A request that is wrong in any state: against the swagger, or above a limit that a client can know."""


def understood(method: str, path: str, query: str, headers: Message, body: bytes) -> Call:
    """The call that a request makes. Raises Misasked."""
    operation, places = _addressed(method, path)
    for name, value in places.items():
        if not _is_uuid(value):
            raise Misasked(400, "BadRequestInvalidIds", f"{name} {value!r} is no uuid")
    return Call(
        operation.name,
        {name: value.lower() for name, value in places.items()},
        _asked(operation, query),
        _told(operation, headers, body),
    )


def _addressed(method: str, path: str) -> tuple[Operation, dict[str, str]]:
    for operation, pattern in _PATTERNS:
        match = pattern.fullmatch(path)
        if match and operation.method == method:
            return operation, match.groupdict()
    raise Misasked(404, "NotFound", f"the fake has no {method} {path}")


def _asked(operation: Operation, query: str) -> dict[str, Any]:
    asked: dict[str, Any] = {}
    for name, text in parse_qsl(query, keep_blank_values=True):
        if name not in operation.query:
            raise Misasked(400, "BadRequest", f"{operation.name} has no parameter {name!r}")
        if name in asked:
            raise Misasked(400, "BadRequest", f"{name!r} came twice")
        asked[name] = _read(name, operation.query[name].rstrip("!"), text)
    for name, kind in operation.query.items():
        if kind.endswith("!") and not asked.get(name):
            raise Misasked(400, "BadRequestRequiredParamIsNull", f"{operation.name} needs {name!r}")
    return asked


def _read(name: str, kind: str, text: str) -> Any:
    """A query parameter of this kind."""
    wrong = Misasked(400, "BadRequest", f"{name} {text[:80]!r} is no {kind}")
    if kind.startswith("uuids"):
        ids = [each.lower() for each in text.split(",") if each]
        if not all(map(_is_uuid, ids)):
            raise Misasked(400, "BadRequestInvalidIds", f"{name} holds something that is no uuid")
        if len(ids) > int(kind.removeprefix("uuids") or 1_000_000):
            raise Misasked(400, "BadRequestExceededBatchSize", f"{len(ids)} {name}, which is too many")
        return ids
    if kind == "ExportPlatforms":
        return [_read(name, "ExportPlatform", each) for each in text.split(",")]
    if kind == "bool":
        if text not in ("true", "false"):
            raise wrong
        return text == "true"
    if kind in ("int", "take", "float"):
        with suppress(ValueError):
            number = float(text) if kind == "float" else int(text)
            if kind != "take" or 0 <= number <= MOST_TAKEN:
                return number
        raise wrong
    if (kind == "uuid" and not _is_uuid(text)) or text not in ENUMS.get(kind, (text,)):
        raise wrong
    return text.lower() if kind == "uuid" else text


def _told(operation: Operation, headers: Message, body: bytes) -> Any:
    if not operation.body:
        return None
    if not body:
        if operation.body.endswith("!"):
            raise Misasked(400, "BadRequestRequiredParamIsNull", f"{operation.name} needs a body")
        return None
    if headers.get_content_type() != "application/json":
        raise Misasked(415, "UnsupportedMediaType", f"{operation.name} takes application/json only")
    try:
        told = json.loads(body)
    except ValueError as error:
        raise Misasked(400, "BadRequest", f"the body is no JSON: {error}") from error
    for complaint in wrongs(operation.body.rstrip("!"), told, operation.body.rstrip("!")):
        raise Misasked(400, "BadRequest", complaint)
    return told


def wrongs(kind: str, value: Any, where: str) -> Iterator[str]:
    """What in a body is against the swagger."""
    if value is None and "?" in kind:
        return
    kind = kind.rstrip("!?")
    if kind.startswith("["):
        if not isinstance(value, list):
            yield f"{where} is no list"
            return
        for index, each in enumerate(value):
            yield from wrongs(kind.strip("[]"), each, f"{where}[{index}]")
    elif kind in BODIES:
        yield from _wrong_properties(BODIES[kind], value, where)
    elif not _is_of(kind, value):
        yield f"{where} {str(value)[:80]!r} is no {kind}"


def _wrong_properties(properties: Mapping[str, str], value: Any, where: str) -> Iterator[str]:
    if not isinstance(value, dict):
        yield f"{where} is no object"
        return
    for name, each in value.items():
        kind = properties.get(name) or properties.get("*")
        if kind is None:
            yield f"{where} has no property {name!r}"
        else:
            yield from wrongs(kind, each, f"{where}.{name}")
    for name, kind in properties.items():
        if kind.endswith("!") and name not in value:
            yield f"{where} needs {name!r}"


def _is_of(kind: str, value: Any) -> bool:
    if kind == "uuid":
        return isinstance(value, str) and _is_uuid(value)
    if kind in ENUMS:
        return value in ENUMS[kind]
    if kind == "bool":
        return isinstance(value, bool)
    types: dict[str, tuple[type, ...]] = {"str": (str,), "int": (int,), "float": (int, float)}
    return isinstance(value, types[kind]) and not isinstance(value, bool)


def _is_uuid(text: str) -> bool:
    with suppress(ValueError):
        return str(uuid.UUID(text)) == text.lower()
    return False
