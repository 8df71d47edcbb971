"""One frozen object from five layers: defaults < config files < ``.env`` < environment < flags.

Config files are the shipped ``config/*.toml`` and, above them, ``TRIOF_HOME/config/*.toml``. In the environment
and in ``.env`` a name is ``TRIOF_`` and its path in capitals, joined by ``__``: ``TRIOF_PHOTO__MAX_BYTES``.
Every mistake is reported at once, with its name, its value (never a secret's) and what is allowed.
"""

import difflib
import os
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Self, get_args, get_origin

import platformdirs
from pydantic import AfterValidator, BaseModel, Field, SecretStr, ValidationError, model_validator
from pydantic_core import PydanticCustomError

import providers
from providers.base import Task
from providers.custom_vision.options import CustomVisionOptions
from providers.fake import FakeOptions
from providers.local_cnn.options import LocalCnnOptions
from providers.options import Names, Options
from providers.text_files import decoded
from triof.api_settings import ApiSettings
from triof.breaker import BreakerSettings
from triof.capture import CameraSettings
from triof.env_file import PREFIX, misspelt, read_variables
from triof.errors import TriofError
from triof.monitoring.options import AlertSettings, MonitoringSettings
from triof.paths import CONFIG
from triof.photo import PhotoLimits
from triof.recycling import ReportSettings
from triof.rollout.options import RolloutSettings
from triof.router import Mode
from triof.server_settings import ServerSettings
from triof.slot import SlotSettings
from triof.verdict import Policy

_KEY_LENGTH = 12
"""What is at least so long may be a key."""
NOT_SETTINGS = frozenset({"TRIOF_DATASET"})
"""Variables with our prefix that mean something to the tests alone."""

Language = Literal["fr", "en"]


class SettingsError(TriofError):
    """One or more settings are wrong; ``mistakes`` has a line for each."""

    def __init__(self, mistakes: list[str]) -> None:
        super().__init__("The settings have mistakes, mend them and start again:\n" + "\n".join(mistakes))
        self.mistakes = mistakes


class LogsSettings(Options):
    """How much of the log is kept, in ``logs`` of the home folder."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    megabytes: float = Field(10, gt=0)
    """Of one file; then a new one is begun."""
    files: int = Field(5, ge=1)
    """So many older ones are kept."""


class DashboardSettings(Options):
    """The pages behind a login."""

    session_hours: float = Field(12, gt=0, le=8760)
    """How long a login holds, then the password is asked for again."""


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
    """Where the journal is and how long photos and copies are kept; 0 days or megabytes keeps none."""

    url: SecretStr | None = None
    """Any SQLAlchemy URL; None: ``journal.db`` in the home folder."""
    keep_photo_days: float = Field(30, ge=0)
    keep_photo_megabytes: float = Field(500, ge=0)
    backup_folder: Path | None = None
    """Where a copy of the journal is put once a day; None: ``backups`` in the home folder."""
    keep_backup_days: float = Field(7, ge=0)
    """How long copies are kept, the newest one longer; 0: none is made."""


def _can_be_loaded(names: tuple[str, ...]) -> tuple[str, ...]:
    unknown = [name for name in names if name not in providers.PROVIDERS and not providers.names_a_class(name)]
    if unknown:
        raise PydanticCustomError(
            "no_provider",
            "No provider is called {unknown}: use {known} or module:Class",
            {"unknown": ", ".join(map(repr, unknown)), "known": ", ".join(sorted(providers.PROVIDERS))},
        )
    return names


def _each_type_its_box(slot: SlotSettings) -> SlotSettings:
    types: dict[int, list[str]] = {}
    for waste_type, number in slot.boxes.model_dump().items():
        types.setdefault(number, []).append(waste_type)
    for number, sharing in types.items():
        if len(sharing) > 1:
            raise PydanticCustomError(
                "shared_box",
                "{sharing} share box {number}: two plastics in one spoil the filament, give each type its own",
                {"sharing": " and ".join(sharing), "number": number, "below": "boxes"},
            )
    return slot


class Settings(Options):
    """What holds for this machine."""

    home: Path = Path(platformdirs.user_data_dir("triof", appauthor=False))
    """The folder of the journal, the photos, the simulated machine's state and the cookie key."""
    machine_id: str | None = Field(None, min_length=1, max_length=64)
    """Stands on every row of the journal; None: an id made at the first start and kept in the home folder."""
    mode: Mode = "auto"
    """``auto``: the routes as written; ``cloud``: a fall-back counts as a fault; ``local``: never the network."""
    language: Language = "fr"
    """The touchscreen's language until somebody chooses another."""
    server: ServerSettings = ServerSettings()
    logs: LogsSettings = LogsSettings()
    routes: Mapping[Task, Annotated[Names, AfterValidator(_can_be_loaded)]] = {
        "waste_type": ("custom_vision", "local_cnn"),
        "cleanliness": ("local_cnn",),
    }
    """Per task the providers to ask, in order: a registered name or any ``module:Class``."""
    deadline_seconds: float = Field(2.5, gt=0)
    """How long one question to a route may take in all."""
    cloud_seconds: float = Field(1.5, gt=0)
    """How much of that a provider in the cloud may take."""
    cascade_probability: float | None = Field(None, ge=0, le=1)
    """From which probability of the local answer the cloud is not asked at all; None: it always is."""
    breaker: BreakerSettings = BreakerSettings()
    photo: PhotoLimits = PhotoLimits()
    camera: CameraSettings = CameraSettings()
    slot: Annotated[SlotSettings, AfterValidator(_each_type_its_box)] = SlotSettings()
    deposit: DepositSettings = DepositSettings()
    journal: JournalSettings = JournalSettings()
    rollout: RolloutSettings = RolloutSettings()
    monitoring: MonitoringSettings = MonitoringSettings()
    alerts: AlertSettings = AlertSettings()
    reports: ReportSettings = ReportSettings()
    dashboard: DashboardSettings = DashboardSettings()
    api: ApiSettings = ApiSettings()
    policy: Policy = Policy()
    local_cnn: LocalCnnOptions = LocalCnnOptions()
    custom_vision: CustomVisionOptions = CustomVisionOptions()
    fake: FakeOptions = FakeOptions()

    @model_validator(mode="after")
    def _leaves_time_for_the_local_answer(self) -> Self:
        if self.cloud_seconds > self.deadline_seconds:
            raise PydanticCustomError(
                "no_time_left",
                "The cloud may take no longer than the whole question: deadline_seconds is {deadline}",
                {"deadline": self.deadline_seconds, "below": "cloud_seconds"},
            )
        return self


Path_ = tuple[str, ...]


@dataclass(frozen=True)
class Layer:
    """Settings as they came from one place: ``where`` a person finds them, and each value by its path."""

    where: str
    leaves: Mapping[Path_, Any]


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
    environ = os.environ if environ is None else environ
    known = [_variable(path) for path in _KNOWN]
    above = [
        Layer(str(env_file), _by_variables(read_variables(env_file, known, mistakes))),
        Layer("environment", _by_variables(environ)),
        Layer("flag", {tuple(name.split(".")): value for name, value in (flags or {}).items()}),
    ]
    mistakes += [f"  environment {name}: names of settings are in capitals" for name in misspelt(environ)]
    homes = [layer.leaves[("home",)] for layer in reversed(above) if ("home",) in layer.leaves]
    home = Path(homes[0] if homes and homes[0] else Settings.model_fields["home"].default)
    files = [
        _read_toml(path, mistakes) for folder in (config, home / "config") for path in _toml_files(folder, mistakes)
    ]
    merged, origins = _merge([*files, *above], mistakes)
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


def _by_variables(variables: Mapping[str, str]) -> dict[Path_, str]:
    ours = {name for name in variables if name.startswith(PREFIX)} - NOT_SETTINGS
    return {tuple(name.removeprefix(PREFIX).lower().split("__")): variables[name] for name in sorted(ours)}


def _toml_files(folder: Path, mistakes: list[str]) -> list[Path]:
    try:
        # Not by glob, which passes over what it must not read.
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


def _leaves(nested: Mapping[str, Any], above: Path_ = ()) -> Iterator[tuple[Path_, Any]]:
    for name, value in nested.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, (*above, name))
        else:
            yield (*above, name), value


def _merge(layers: list[Layer], mistakes: list[str]) -> tuple[dict[str, Any], dict[Path_, str]]:
    """The values of all layers, nested, and their origins: what stands later in these came from a later layer."""
    merged: dict[str, Any] = {}
    origins: dict[Path_, str] = {}
    for layer in layers:
        for path, value in layer.leaves.items():
            # Checked here, as pydantic sees only what is left when a later layer has overwritten it.
            if misplaced := _misplaced(path):
                mistakes.append(f"  {_named(path, value, path, layer.where)}: {misplaced}")
                continue
            _put(merged, path, value)
            origins.pop(path, None)
            origins[path] = layer.where
    return merged, origins


def _misplaced(path: Path_) -> str:
    """What is wrong with a value at ``path``: it stands for a section, or below a setting that is none."""
    below = [".".join(known) for known in _KNOWN if known[: len(path)] == path and len(known) > len(path)]
    if below:
        return f"this is a section; set what is in it, such as {below[0]}"
    if path in _KNOWN and _is_mapping(path):
        return f"this is a section; set what is in it, as docs/reference/settings.md lists under {'.'.join(path)}"
    for known in _KNOWN:
        if path[: len(known)] == known and len(path) > len(known) + _is_mapping(known):
            return f"no such setting; did you mean {'.'.join(path[: len(known) + _is_mapping(known)])}?"
    return ""


def _put(nested: dict[str, Any], path: Path_, value: Any) -> None:
    for name in path[:-1]:
        nested = nested.setdefault(name, {})
    nested[path[-1]] = value


def _sentence(fault: dict[str, Any], origins: dict[Path_, str]) -> str:
    below = fault.get("ctx", {}).get("below")
    path = tuple(str(part) for part in fault["loc"] if isinstance(part, str) and part != "[key]")
    path = (*path, below) if below else path
    # Of several settings that do not fit together, the one set last is the likeliest mistake.
    leaf, origin = next((set_ for set_ in reversed(origins.items()) if set_[0][: len(path)] == path), (path, ""))
    if fault["type"] == "extra_forbidden":
        return f"  {_named(path, None, leaf, origin)}: no such setting; {_hint(path)}"
    value = None if isinstance(fault["input"], Mapping | BaseModel) else fault["input"]
    return f"  {_named(path, value, leaf, origin)}: {fault['msg']}"


def _named(path: Path_, value: Any, leaf: Path_, origin: str) -> str:
    """The setting at ``path`` as a mistake names it; ``leaf`` is what was set in ``origin``."""
    hidden = value is None or _is_secret(path) or (_is_beside_secret(path) and len(str(value)) >= _KEY_LENGTH)
    shown = "" if hidden else f" = {value!r}"
    variable = _variable(leaf)
    where = f"{origin} {variable}" if origin == "environment" or origin.endswith(".env") else origin
    return f"{'.'.join(path)}{shown}{f' (from {where})' if where else ''}"


def _variable(path: Path_) -> str:
    return PREFIX + "__".join(path).upper()


def _hint(path: Path_) -> str:
    close = difflib.get_close_matches(".".join(path), [".".join(known) for known in _KNOWN], n=1)
    return f"did you mean {close[0]}?" if close else "`triof settings` lists those there are"


def may_hold_key(name: str) -> bool:
    """Whether a setting, by its dotted name, is a secret or may have been given one by mistake."""
    path = tuple(name.strip().lower().split("."))
    return _is_secret(path) or _is_beside_secret(path)


def _is_secret(path: Path_) -> bool:
    """Whether a secret stands at ``path``, above it or below it: people forget a level, or add one."""
    secrets = [known for known, types in _KNOWN.items() if SecretStr in types]
    return any(path[: len(secret)] == secret[: len(path)] for secret in secrets)


def _is_beside_secret(path: Path_) -> bool:
    """Whether a secret stands in the same section: people paste one value into the place of another."""
    return any(SecretStr in types and known[:-1] == path[:-1] for known, types in _KNOWN.items())


def _is_mapping(path: Path_) -> bool:
    return get_origin(_KNOWN[path][0]) is Mapping


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


_KNOWN = _known(Settings)
