"""The names of all settings, and which of them are secret.

A name is a path such as ``("photo", "max_bytes")``, written ``photo.max_bytes``; its variable is
``TRIOF_PHOTO__MAX_BYTES``.
"""

import difflib
from collections.abc import Iterator, Mapping
from typing import Any, get_args, get_origin

from pydantic import BaseModel, SecretStr

from triof.settings.env_file import PREFIX
from triof.settings.tree import Settings

SettingPath = tuple[str, ...]


def _declared(section: type[BaseModel], above: SettingPath = ()) -> Iterator[tuple[SettingPath, tuple[Any, ...]]]:
    """Yield the path of every setting with its allowed types, in the order of declaration."""
    for name, field in section.model_fields.items():
        annotation = field.annotation
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            yield from _declared(annotation, (*above, name))
        else:
            yield (*above, name), (annotation, *get_args(annotation))


_TYPES = dict(_declared(Settings))
_SECRETS = tuple(path for path, types in _TYPES.items() if SecretStr in types)
_MAPPINGS = frozenset(path for path, types in _TYPES.items() if get_origin(types[0]) is Mapping)
"""Settings that contain user-defined names, such as ``routes``."""
_FIRST_OF = {path[:length]: path for path in reversed(_TYPES) for length in range(1, len(path))}
"""The first setting of each section."""


def dotted(path: SettingPath) -> str:
    """Return the dotted name."""
    return ".".join(path)


def variable(path: SettingPath) -> str:
    """Return the name of the environment variable."""
    return PREFIX + "__".join(path).upper()


def variables() -> list[str]:
    """Return the names of all environment variables that are settings."""
    return [variable(path) for path in _TYPES]


def misplaced(path: SettingPath) -> str:
    """Return an error if a value at ``path`` replaces a section or is below a setting; else an empty string."""
    if path in _FIRST_OF:
        return f"this is a section; set what is in it, such as {dotted(_FIRST_OF[path])}"
    if path in _MAPPINGS:
        return f"this is a section; set what is in it, as docs/reference/settings.md lists under {dotted(path)}"
    for length in range(1, len(path)):
        allowed = length + (path[:length] in _MAPPINGS)
        if path[:length] in _TYPES and len(path) > allowed:
            return f"no such setting; did you mean {dotted(path[:allowed])}?"
    return ""


def closest(path: SettingPath) -> str:
    """Return the name of the setting that is most similar to ``path``; empty if none is."""
    return next(iter(difflib.get_close_matches(dotted(path), map(dotted, _TYPES), n=1)), "")


def is_secret(path: SettingPath) -> bool:
    """Return whether a secret is at, above or below ``path``, as users omit or add a level by mistake."""
    return any(path[: len(secret)] == secret[: len(path)] for secret in _SECRETS)


def is_beside_secret(path: SettingPath) -> bool:
    """Return whether a secret is in the same section, as users paste a value into the wrong place."""
    return any(secret[:-1] == path[:-1] for secret in _SECRETS)


def may_hold_key(name: str) -> bool:
    """Return whether a setting, by its dotted name, is a secret or may hold one by mistake."""
    path = tuple(name.strip().lower().split("."))
    return is_secret(path) or is_beside_secret(path)
