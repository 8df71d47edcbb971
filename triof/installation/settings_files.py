"""Writes settings into the machine's own files, and keeps what else stands there."""

import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from providers.text_files import decoded
from triof.common.atomic_files import replace_file
from triof.common.errors import TriofError

_HEADER = (
    "# Written by `triof setup`, which keeps other settings here, but no comments. Files of this folder whose names\n"
    "# come later in the alphabet overrule it, and so do .env and the environment.\n"
)


class SettingUnwritable(TriofError):
    """A value cannot be written into a file of settings, or the file cannot be read."""


def write_toml(path: Path, values: Mapping[str, str]) -> bool:
    """Set ``values``, by dotted names, in a TOML file; return whether it changed. Raises SettingUnwritable, OSError."""
    for name, value in values.items():
        if not value.isprintable():
            raise SettingUnwritable(f"{name} = {value!r} holds signs that cannot be written: give another value.")
    held = _read(path)
    wanted: dict[str, Any] = {**held, **values}
    if wanted == held:
        return False
    sections: dict[str, list[str]] = {}
    for name, value in wanted.items():
        section, _, leaf = name.rpartition(".")
        sections.setdefault(section, []).append(f"{_key(leaf)} = {_value(value)}\n")
    text = _HEADER + "".join(sections.pop("", []))
    for section, lines in sections.items():
        text += f"\n[{'.'.join(map(_key, section.split('.')))}]\n" + "".join(lines)
    replace_file(path, text.encode())
    return True


def write_variables(path: Path, values: Mapping[str, str]) -> None:
    """Set variables in a ``.env`` file, readable by its owner alone. Raises SettingUnwritable, OSError."""
    try:
        lines = decoded(path.read_bytes()).splitlines() if path.exists() else []
    except ValueError as error:
        raise SettingUnwritable(f"{path} is not readable as text ({error}): mend it or move it away.") from error
    for name, value in values.items():
        if not value.isprintable() or not value:
            raise SettingUnwritable(f"The value of {name} is empty or holds signs that cannot be printed.")
        escaped = value.replace("\\", "\\\\").replace("'", "\\'")
        lines = [line for line in lines if not re.match(rf"\s*(export\s+)?{name}\s*=", line)]
        lines.append(f"{name}='{escaped}'")
    replace_file(path, ("\n".join(lines) + "\n").encode())


def _read(path: Path) -> dict[str, Any]:
    if not path.exists():
        return {}
    try:
        return dict(_leaves(tomllib.loads(decoded(path.read_bytes()))))
    except (ValueError, RecursionError) as error:
        raise SettingUnwritable(f"{path} is not readable as TOML ({error}): mend it or move it away.") from error


def _leaves(nested: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in nested.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{above}{name}.")
        else:
            yield f"{above}{name}", value


def _key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else json.dumps(name, ensure_ascii=False)


def _value(value: Any) -> str:
    """Return a value of TOML; JSON writes strings, numbers, lists and truth values alike."""
    try:
        return json.dumps(value, ensure_ascii=False)
    except TypeError:  # a date or a time
        return str(value)
