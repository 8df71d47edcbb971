"""The OpenAPI document, generated from the routes and the models."""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from typing import Any

from pydantic.json_schema import models_json_schema

from triof import __version__
from triof.settings.sections.api import BATCH, ApiSettings
from triof.web.api import problems, request_parsing
from triof.web.api.models import ApiModel, Problem
from triof.web.api.routes import Parameter, Route, RouteResponse

Document = dict[str, Any]
Translate = Callable[[str], str]

_REFERENCE = "#/components/schemas/{model}"
_FILE = {"type": "string", "format": "binary"}
_HEADERS: Document = {
    "RateLimit": {"description": "r: requests left; t: seconds until there is one more.", "schema": {"type": "string"}},
    "RateLimit-Policy": {"description": "q: requests in w seconds.", "schema": {"type": "string"}},
}
_RETRY_AFTER = {"description": "Seconds to wait.", "schema": {"type": "string", "pattern": "^[0-9]+$"}}


def document(settings: ApiSettings, routes: Sequence[Route], translate: Translate = str) -> Document:
    """Return the OpenAPI document of ``routes``; every text in it is passed through ``translate``."""
    paths: defaultdict[str, Document] = defaultdict(dict)
    for route in routes:
        path = re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", route.rule)
        paths[path][route.method.lower()] = _operation(route, settings, translate)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Triof",
            "version": __version__,
            "description": translate("What does this photo show, a bottle, a cup or cutlery, and is it clean?"),
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": "/"}],
        "paths": dict(paths),
        "components": {
            "schemas": _translated(_schemas(tuple(_models(routes))), translate),
            "securitySchemes": {
                "key": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": translate("A key made by `triof keys create`."),
                }
            },
        },
    }


def _models(routes: Sequence[Route]) -> Iterable[type[ApiModel]]:
    models = [answer.model for route in routes for answer in route.answers if answer.model]
    return dict.fromkeys([*models, Problem])


@cache
def _schemas(models: tuple[type[ApiModel], ...]) -> Document:
    kinds = [(model, "serialization") for model in models]
    _, definitions = models_json_schema(kinds, ref_template=_REFERENCE)  # type: ignore[arg-type]
    schemas: Document = definitions["$defs"]
    return schemas


def _translated(node: Any, translate: Translate) -> Any:
    """Return a copy of a schema, or of a part of it, with its descriptions translated."""
    match node:
        case {"description": str(text), **rest}:
            return {"description": translate(text), **_translated(rest, translate)}
        case dict():
            return {name: _translated(part, translate) for name, part in node.items()}
        case list():
            return [_translated(part, translate) for part in node]
    return node


def _operation(route: Route, settings: ApiSettings, translate: Translate) -> Document:
    description = translate(route.description)
    if route.scopes:
        scopes = translate(" or ").join(route.scopes)
        description += " " + translate("Needs a key with the scope %(scopes)s.") % {"scopes": scopes}
    operation: Document = {
        "operationId": route.name,
        "summary": translate(route.summary),
        "description": description,
        "tags": [route.version or "document"],
        "parameters": [_parameter(parameter, translate) for parameter in route.parameters],
        "responses": {
            **{str(answer.status): _success(answer, route, translate) for answer in route.answers},
            **_failures(route, translate),
        },
        "security": [{"key": []}] if route.scopes else [],
    }
    if route.body:
        operation["requestBody"] = {"required": True, "content": _content(route)}
    if route.version == "v1" and settings.v1_deprecated_on:
        operation["deprecated"] = True
    return operation


def _parameter(parameter: Parameter, translate: Translate) -> Document:
    return {
        "name": parameter.name,
        "in": parameter.where,
        "required": parameter.where == "path",
        "schema": parameter.schema,
        "description": translate(parameter.description),
    }


def _content(route: Route) -> Document:
    several = {"type": "array", "items": _FILE, "minItems": 1, "maxItems": BATCH}
    field = several if route.body == "photos" else _FILE
    form = {"type": "object", "properties": {request_parsing.FIELD: field}, "required": [request_parsing.FIELD]}
    content: Document = {request_parsing.FORM_TYPE: {"schema": form}}
    if route.body == "photo":
        content |= {type_: {"schema": _FILE} for type_ in request_parsing.RAW_TYPES}
    return content


def _success(answer: RouteResponse, route: Route, translate: Translate) -> Document:
    schema = {"$ref": _REFERENCE.format(model=answer.model.__name__)} if answer.model else {"type": "object"}
    headers = {
        name: {"description": translate(description), "schema": {"type": "string"}, "required": True}
        for name, description in answer.headers.items()
    }
    return {
        "description": translate(answer.description),
        "content": {"application/json": {"schema": schema}},
        "headers": {**headers, **(_translated(_HEADERS, translate) if route.scopes else {})},
    }


def _failures(route: Route, translate: Translate) -> Document:
    by_status: defaultdict[int, list[str]] = defaultdict(list)
    for code in route.all_problems:
        by_status[problems.KINDS[code].status].append(code)
    if route.scopes:
        by_status[500].append("internal")
    return {str(status): _failure(status, codes, translate) for status, codes in sorted(by_status.items())}


def _failure(status: int, codes: Sequence[str], translate: Translate) -> Document:
    described = [
        translate("%(code)s: %(title)s.") % {"code": code, "title": translate(problems.KINDS[code].title)}
        for code in codes
    ]
    headers: Document = {}
    if status == 401:
        headers["WWW-Authenticate"] = {"schema": {"type": "string"}, "required": True}
    if status in (409, 429, 503):
        headers["Retry-After"] = {**_translated(_RETRY_AFTER, translate), "required": True}
    return {
        "description": " ".join(described),
        "content": {problems.MEDIA_TYPE: {"schema": {"$ref": _REFERENCE.format(model="Problem")}}},
        "headers": headers,
    }
