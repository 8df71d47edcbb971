"""Formats errors in the settings: name, value (never a secret's), source, and what is allowed."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from triof.settings.names import SettingPath, closest, dotted, is_beside_secret, is_secret, variable

_KEY_LENGTH = 12
"""Length from which a value may be a key."""


def sentence(fault: Mapping[str, Any], origins: dict[SettingPath, str]) -> str:
    """Format one of pydantic's errors; ``origins`` maps the settings that were set, in the order of the layers."""
    below = fault.get("ctx", {}).get("below")
    path = tuple(str(part) for part in fault["loc"] if isinstance(part, str) and part != "[key]")
    path = (*path, *below.split(".")) if below else path
    # Of several contradicting settings, the one set last is most likely wrong.
    leaf, origin = next((found for found in reversed(origins.items()) if found[0][: len(path)] == path), (path, ""))
    if fault["type"] == "extra_forbidden":
        close = closest(path)
        hint = f"did you mean {close}?" if close else "`triof settings` lists those there are"
        return f"  {named(path, None, leaf, origin)}: no such setting; {hint}"
    value = None if isinstance(fault["input"], Mapping | BaseModel) else fault["input"]
    return f"  {named(path, value, leaf, origin)}: {fault['msg']}"


def named(path: SettingPath, value: Any, leaf: SettingPath, origin: str) -> str:
    """Format the setting at ``path`` with value and source; ``leaf`` was set in ``origin``, at or below it."""
    hidden = value is None or is_secret(path) or (is_beside_secret(path) and len(str(value)) >= _KEY_LENGTH)
    shown = "" if hidden else f" = {value!r}"
    where = f"{origin} {variable(leaf)}" if origin == "environment" or origin.endswith(".env") else origin
    return f"{dotted(path)}{shown}{f' (from {where})' if where else ''}"
