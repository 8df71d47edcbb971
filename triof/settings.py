"""One frozen object from five layers: defaults < config files < ``.env`` < environment < flags.

Config files are the shipped ``config/*.toml`` and, above them, ``TRIOF_HOME/config/*.toml``. In the environment
and in ``.env`` a name is ``TRIOF_`` and its path in capitals, joined by ``__``: ``TRIOF_PHOTO__MAX_BYTES``.
Every mistake is reported at once, with its name, its value (never a secret's) and what is allowed.
"""

import difflib
import os
import socket
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self, get_args

import platformdirs
from dotenv import dotenv_values
from pydantic import BaseModel, Field, SecretStr, ValidationError, model_validator

from providers.base import Task
from providers.fake import FakeOptions
from providers.local_cnn.options import LocalCnnOptions
from providers.options import Names, Options
from triof.capture import CameraSettings
from triof.errors import TriofError
from triof.paths import CONFIG
from triof.photo import PhotoLimits
from triof.slot import SlotSettings
from triof.verdict import Policy

PREFIX = "TRIOF_"
NOT_SETTINGS = frozenset({"TRIOF_DATASET"})
"""Variables with our prefix that mean something to the tests alone."""

Mode = Literal["auto", "cloud", "local"]
Language = Literal["fr", "en"]


class SettingsError(TriofError):
    """One or more settings are wrong; ``mistakes`` has a line for each."""

    def __init__(self, mistakes: list[str]) -> None:
        super().__init__("The settings have mistakes, mend them and start again:\n" + "\n".join(mistakes))
        self.mistakes = mistakes


class ServerSettings(Options):
    """Where the touchscreen's pages are served."""

    host: str = "127.0.0.1"
    port: int = Field(8080, ge=1, le=65535)
    threads: int = Field(8, ge=1, le=64)


class DepositSettings(Options):
    """How long a step may stand without a touch, in seconds."""

    idle_seconds: float = Field(60, ge=21)
    """After this the item is handed back."""
    warning_seconds: float = Field(25, ge=20)
    """For so long before that the person is asked whether they are still there (EN 301 549: 20 s at least)."""
    return_seconds: float = Field(20, ge=1)
    """For so long the slot stays open for an item handed back."""
    thanks_seconds: float = Field(12, ge=1)

    @model_validator(mode="after")
    def _warns_before_the_end(self) -> Self:
        if self.warning_seconds >= self.idle_seconds:
            raise ValueError("warning_seconds must be less than idle_seconds")
        return self


class JournalSettings(Options):
    """Where the journal is and how long photos are kept; 0 days or megabytes keeps none."""

    url: SecretStr | None = None
    """Any SQLAlchemy URL; None: ``journal.db`` in the home folder."""
    keep_photo_days: float = Field(30, ge=0)
    keep_photo_megabytes: float = Field(500, ge=0)


class Settings(Options):
    """What holds for this machine."""

    home: Path = Path(platformdirs.user_data_dir("triof", appauthor=False))
    """The folder of the journal, the photos and the installed bundles."""
    machine_id: str = Field(socket.gethostname()[:64] or "triof", min_length=1, max_length=64)
    """Stands on every row of the journal."""
    mode: Mode = "auto"
    """``auto``: the routes as written; ``cloud``: a fall-back counts as a fault; ``local``: never the network."""
    language: Language = "fr"
    """The touchscreen's language until somebody chooses another."""
    server: ServerSettings = ServerSettings()
    routes: Mapping[Task, Names] = {"waste_type": ("local_cnn",), "cleanliness": ("local_cnn",)}
    """Per task the providers to ask, in order: a registered name or any ``module:Class``."""
    deadline_seconds: float = Field(2.5, gt=0)
    """How long one question to a route may take in all."""
    photo: PhotoLimits = PhotoLimits()
    camera: CameraSettings = CameraSettings()
    slot: SlotSettings = SlotSettings()
    deposit: DepositSettings = DepositSettings()
    journal: JournalSettings = JournalSettings()
    policy: Policy = Policy()
    local_cnn: LocalCnnOptions = LocalCnnOptions()
    fake: FakeOptions = FakeOptions()


Path_ = tuple[str, ...]


@dataclass(frozen=True)
class Layer:
    """Settings as they came from one place: ``where`` a person finds them, and the nested values."""

    where: str
    values: Mapping[str, Any]


@dataclass(frozen=True)
class Loaded:
    """The settings and, for each leaf that is not a default, where its value came from."""

    settings: Settings
    origins: Mapping[Path_, str]


def load(
    flags: Mapping[str, str] | None = None,
    environ: Mapping[str, str] | None = None,
    env_file: Path = Path(".env"),
    config: Path = CONFIG,
) -> Loaded:
    """Read all layers. ``flags`` maps dotted names to values. Raises SettingsError with every mistake at once."""
    mistakes: list[str] = []
    dotenv = {name: value for name, value in dotenv_values(env_file).items() if value is not None}
    variables = [
        (str(env_file), _by_variables(dotenv)),
        ("environment", _by_variables(os.environ if environ is None else environ)),
    ]
    above = [Layer(where, values) for where, values in variables]
    above.append(Layer("flag", _nest({tuple(name.split(".")): value for name, value in (flags or {}).items()})))
    home = next((Path(layer.values["home"]) for layer in reversed(above) if "home" in layer.values), None)
    home = home or Settings.model_fields["home"].default
    files = [
        _read_toml(path, mistakes) for folder in (config, home / "config") for path in sorted(folder.glob("*.toml"))
    ]
    layers = files + above
    merged: dict[str, Any] = {}
    origins: dict[Path_, str] = {}
    for layer in layers:
        for path, value in _leaves(layer.values):
            _put(merged, path, value)
            origins[path] = layer.where
    try:
        settings = Settings.model_validate(merged)
    except ValidationError as error:
        mistakes += [_sentence(dict(fault), origins) for fault in error.errors()]
    if mistakes:
        raise SettingsError(mistakes)
    return Loaded(settings, origins)


def rows(loaded: Loaded) -> Iterator[tuple[str, str, str]]:
    """Name, value (secrets hidden) and origin of every setting, in the order of the declaration."""
    for path, value in _leaves(loaded.settings.model_dump()):
        yield ".".join(path), str(value), loaded.origins.get(path, "default")


def _by_variables(variables: Mapping[str, str]) -> dict[str, Any]:
    ours = {name for name in variables if name.startswith(PREFIX)} - NOT_SETTINGS
    return _nest({tuple(name.removeprefix(PREFIX).lower().split("__")): variables[name] for name in sorted(ours)})


def _nest(leaves: Mapping[Path_, str]) -> dict[str, Any]:
    nested: dict[str, Any] = {}
    for path, value in leaves.items():
        _put(nested, path, value)
    return nested


def _put(nested: dict[str, Any], path: Path_, value: Any) -> None:
    for name in path[:-1]:
        inner = nested.get(name)
        nested[name] = inner if isinstance(inner, dict) else {}
        nested = nested[name]
    nested[path[-1]] = value


def _leaves(nested: Mapping[str, Any], above: Path_ = ()) -> Iterator[tuple[Path_, Any]]:
    for name, value in nested.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, (*above, name))
        else:
            yield (*above, name), value


def _read_toml(path: Path, mistakes: list[str]) -> Layer:
    try:
        return Layer(str(path), tomllib.loads(path.read_bytes().decode()))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        mistakes.append(f"  {path}: not readable as TOML: {error}")
        return Layer(str(path), {})


def _sentence(fault: dict[str, Any], origins: Mapping[Path_, str]) -> str:
    path = tuple(str(part) for part in fault["loc"] if isinstance(part, str) and part != "[key]")
    name = ".".join(path)
    origin = next((origin for leaf, origin in origins.items() if leaf[: len(path)] == path), "")
    where = f" (from {_spelled(path, origin)})" if origin else ""
    if fault["type"] == "extra_forbidden":
        close = difflib.get_close_matches(name, [".".join(known) for known in _known(Settings)], n=1)
        hint = f"did you mean {close[0]}?" if close else "`triof settings` lists those there are"
        return f"  {name}{where}: no such setting; {hint}"
    secret = SecretStr in _known(Settings).get(path, ()) or isinstance(fault["input"], Mapping)
    value = "" if secret else f" = {fault['input']!r}"
    return f"  {name}{value}{where}: {fault['msg']}"


def _spelled(path: Path_, origin: str) -> str:
    variable = PREFIX + "__".join(path).upper()
    return f"{origin} {variable}" if origin == "environment" or origin.endswith(".env") else origin


def _known(model: type[BaseModel], above: Path_ = ()) -> dict[Path_, tuple[Any, ...]]:
    """The path of every declared setting with the types it may take."""
    known: dict[Path_, tuple[Any, ...]] = {}
    for name, field in model.model_fields.items():
        annotation = field.annotation
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            known |= _known(annotation, (*above, name))
        else:
            known[*above, name] = (annotation, *get_args(annotation))
    return known
