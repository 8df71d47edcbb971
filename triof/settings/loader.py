"""Reads the settings from five layers: defaults < config files < ``.env`` < environment < flags.

Config files are the shipped ``config/*.toml`` and, above them, ``TRIOF_HOME/config/*.toml``. The ``.env`` of the
working folder is above that of ``TRIOF_HOME``. In the environment and in ``.env`` a name is ``TRIOF_`` and its path in
capitals, joined by ``__``: ``TRIOF_PHOTO__MAX_BYTES``. All errors are reported together.
"""

import os
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from providers.text_files import decoded
from triof.common.errors import TriofError
from triof.common.paths import CONFIG
from triof.settings.env_file import PREFIX, misspelt, read_variables
from triof.settings.mistakes import named, sentence
from triof.settings.names import SettingPath, dotted, misplaced, variables
from triof.settings.tree import Settings

NOT_SETTINGS = frozenset({"TRIOF_DATASET"})
"""Variables with our prefix that only the tests use."""

_RENAMED: Mapping[SettingPath, SettingPath] = {("reports", "tenant"): ("tenant", "name")}
"""Names of earlier versions, which are still read."""


class SettingsError(TriofError):
    """One or more settings are wrong; ``mistakes`` has one line for each."""

    def __init__(self, mistakes: list[str]) -> None:
        super().__init__("The settings have mistakes, mend them and start again:\n" + "\n".join(mistakes))
        self.mistakes = mistakes


@dataclass(frozen=True)
class Layer:
    """The settings of one source: ``where`` names it, the values are given by path."""

    where: str
    leaves: Mapping[SettingPath, Any]


@dataclass(frozen=True)
class Loaded:
    """The settings and, for each value that is not a default, its source."""

    settings: Settings
    origins: Mapping[SettingPath, str]


def load(
    flags: Mapping[str, str] | None = None,
    environ: Mapping[str, str] | None = None,
    env_file: Path = Path(".env"),
    config: Path = CONFIG,
) -> Loaded:
    """Read all layers. ``flags`` maps dotted names to values. Raises SettingsError with all errors."""
    mistakes: list[str] = []
    environ = os.environ if environ is None else environ
    above = [
        Layer(str(env_file), _by_variables(read_variables(env_file, variables(), mistakes))),
        Layer("environment", _by_variables(environ)),
        Layer("flag", {tuple(name.split(".")): value for name, value in (flags or {}).items()}),
    ]
    mistakes += [f"  environment {name}: names of settings are in capitals" for name in misspelt(environ)]
    homes = [layer.leaves[("home",)] for layer in reversed(above) if ("home",) in layer.leaves]
    home = Path(homes[0] if homes and homes[0] else Settings.model_fields["home"].default)
    files = [
        _read_toml(path, mistakes) for folder in (config, home / "config") for path in _toml_files(folder, mistakes)
    ]
    merged, origins = _merge([*files, *_own_env(home, env_file, mistakes), *above], mistakes)
    try:
        settings = Settings.model_validate(merged)
    except ValidationError as error:
        mistakes += [sentence(dict(fault), origins) for fault in error.errors()]
    if mistakes:
        raise SettingsError(mistakes)
    return Loaded(settings, origins)


def rows(loaded: Loaded) -> Iterator[tuple[str, str, str]]:
    """Yield name, value (secrets hidden) and source of every setting, in the order of declaration."""
    for path, value in _leaves(loaded.settings.model_dump()):
        yield dotted(path), str(value), loaded.origins.get(path, "default")


def _by_variables(variables: Mapping[str, str]) -> dict[SettingPath, str]:
    ours = {name for name in variables if name.startswith(PREFIX)} - NOT_SETTINGS
    return {tuple(name.removeprefix(PREFIX).lower().split("__")): variables[name] for name in sorted(ours)}


def _own_env(home: Path, env_file: Path, mistakes: list[str]) -> Iterator[Layer]:
    """Yield the layer of the home folder's ``.env``, unless it is that of the working folder."""
    path = home / ".env"
    if path.absolute() == env_file.absolute():
        return
    leaves = _by_variables(read_variables(path, variables(), mistakes))
    if ("home",) in leaves:
        mistakes.append(f"  {path}: TRIOF_HOME cannot be set in the home folder: set it in the environment")
    yield Layer(str(path), leaves)


def _toml_files(folder: Path, mistakes: list[str]) -> list[Path]:
    try:
        # Not glob, which silently skips unreadable folders.
        return sorted(path for path in folder.iterdir() if path.suffix == ".toml")
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        mistakes.append(
            f"  {folder}: cannot be read ({error.strerror}): let this user read it, or set TRIOF_HOME to another folder"
        )
        return []


def _read_toml(path: Path, mistakes: list[str]) -> Layer:
    try:
        return Layer(str(path), dict(_leaves(tomllib.loads(decoded(path.read_bytes())))))
    except (OSError, ValueError, RecursionError) as error:
        cause = "it is nested too deeply" if isinstance(error, RecursionError) else error
        mistakes.append(f"  {path}: not readable as TOML: {cause}")
        return Layer(str(path), {})


def _leaves(nested: Mapping[str, Any], above: SettingPath = ()) -> Iterator[tuple[SettingPath, Any]]:
    for name, value in nested.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, (*above, name))
        else:
            yield (*above, name), value


def _merge(layers: list[Layer], mistakes: list[str]) -> tuple[dict[str, Any], dict[SettingPath, str]]:
    """Merge the values of all layers; returns them nested, and their sources in the order of the layers."""
    merged: dict[str, Any] = {}
    origins: dict[SettingPath, str] = {}
    for layer in layers:
        for written, value in layer.leaves.items():
            path = _RENAMED.get(written, written)
            # Checked here, as pydantic does not see values that a later layer overwrites.
            if why := misplaced(path):
                mistakes.append(f"  {named(path, value, path, layer.where)}: {why}")
                continue
            _put(merged, path, value)
            origins.pop(path, None)
            origins[path] = layer.where
    return merged, origins


def _put(nested: dict[str, Any], path: SettingPath, value: Any) -> None:
    for name in path[:-1]:
        nested = nested.setdefault(name, {})
    nested[path[-1]] = value
