"""Microsoft's swagger of the training API as a judge of answers. It is no part of this repository."""

import json
import re
import uuid
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from tests.support.paths import SHARED

SWAGGER = SHARED / "azure" / "training-v3.4-preview.json"

# The swagger forbids null here, the service sends it all the same: the first one is recorded, the others go by it,
# for they are strings of the same kind.
NULL_ALL_THE_SAME = frozenset(
    {
        "ImageTag.tagName",
        "Iteration.publishName",
        "Iteration.originalPublishResourceId",
        "ProjectSettings.detectionParameters",
    }
)
_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "array": (list,),
    "object": (dict,),
}


class Swagger:
    """Says what is wrong with an answer."""

    def __init__(self, file: Path = SWAGGER) -> None:
        content = json.loads(file.read_text(encoding="utf-8"))
        self.definitions: dict[str, Any] = content["definitions"]
        self.operations: dict[tuple[str, str], dict[str, Any]] = {
            (method.upper(), path): operation
            for path, methods in content["paths"].items()
            for method, operation in methods.items()
        }
        root = re.escape(content["basePath"])
        self._patterns = {
            key: re.compile(root + re.sub(r"\{\w+\}", "[^/]+", key[1]) + r"(\?.*)?") for key in self.operations
        }

    def wrongs(self, method: str, path: str, status: int, body: bytes) -> list[str]:
        """Everything in an answer that is against the swagger."""
        operation = next(
            self.operations[key]
            for key, pattern in sorted(self._patterns.items(), key=lambda item: "{" in item[0][1].rpartition("/")[2])
            if key[0] == method and pattern.fullmatch(path)
        )
        responses = operation["responses"]
        if status < 400 and str(status) not in responses:
            return [f"{operation['operationId']} has no status {status}"]
        schema = responses.get(str(status), responses["default"]).get("schema")
        if schema is None:
            return [f"{operation['operationId']} has no body with {status}"] if body else []
        return list(self._wrongs(schema, json.loads(body), operation["operationId"]))

    def _wrongs(self, schema: dict[str, Any], value: Any, where: str) -> Iterator[str]:
        if "$ref" in schema:
            name = schema["$ref"].rpartition("/")[2]
            yield from self._wrongs({**self.definitions[name], "title": name}, value, where)
        elif not _has_type(schema["type"], value):
            yield f"{where} {value!r} is no {schema['type']}"
        elif "enum" in schema and value not in schema["enum"]:
            yield f"{where} {value!r} is not one of the enum"
        elif not _has_format(schema.get("format", ""), value):
            yield f"{where} {value!r} is no {schema['format']}"
        elif schema["type"] == "array":
            for index, each in enumerate(value):
                yield from self._wrongs(schema["items"], each, f"{where}[{index}]")
        elif schema["type"] == "object":
            yield from self._wrong_properties(schema, value, where)

    def _wrong_properties(self, schema: dict[str, Any], value: dict[str, Any], where: str) -> Iterator[str]:
        properties = schema.get("properties", {})
        yield from (f"{where} lacks {name}" for name in schema.get("required", []) if name not in value)
        for name, each in value.items():
            kind = properties.get(name) or schema.get("additionalProperties")
            place = f"{schema.get('title', where)}.{name}"
            if kind is None:
                yield f"{place} is unknown"
            elif each is not None:
                yield from self._wrongs(kind, each, place)
            elif kind.get("x-nullable") is False and place not in NULL_ALL_THE_SAME:
                yield f"{place} is null"


def _has_format(format_: str, value: Any) -> bool:
    try:
        if format_ == "uuid":
            uuid.UUID(value)
        elif format_ == "date-time":
            datetime.fromisoformat(value)
    except ValueError:
        return False
    return format_ != "int32" or -(2**31) <= value < 2**31


def _has_type(name: str, value: Any) -> bool:
    return isinstance(value, _TYPES[name]) and (name == "boolean" or not isinstance(value, bool))
