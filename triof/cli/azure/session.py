"""Shared code of ``triof azure``: the trainer of the settings, and writing settings."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import click
from rich.console import Console

from providers.base import ProviderError, ProviderMisconfigured
from providers.custom_vision.options import DOMAINS
from providers.custom_vision.records import Iteration, Project
from providers.custom_vision.trainer import Trainer
from triof.azure.learned_rate import LearnedRateFile
from triof.cli import Timing, load_settings
from triof.common.atomic_files import replace_file
from triof.settings.loader import Loaded
from triof.settings.tree import Settings
from triof.storage import data_folder

WRITTEN = "azure-written.toml"
"""File in the home's config folder, written by ``triof azure``; overrides the shipped files, not ``.env``."""


class Session(NamedTuple):
    """Settings, training resource and output of one command."""

    loaded: Loaded
    trainer: Trainer
    console: Console

    @property
    def settings(self) -> Settings:
        """The settings without their origins."""
        return self.loaded.settings

    def say(self, sentence: str, style: str | None = None) -> None:
        """Print a sentence without wrapping it."""
        self.console.print(sentence, style=style, soft_wrap=True)


@contextmanager
def session(ctx: click.Context) -> Iterator[Session]:
    """Yield the session of a command. Raises SettingsError, ProviderMisconfigured."""
    loaded = load_settings(ctx)
    # Names of projects, tags and files may contain rich markup.
    console = Console(markup=False, emoji=False, highlight=False)
    options = loaded.settings.custom_vision
    rate = LearnedRateFile(loaded.settings.home, options)
    timing = ctx.ensure_object(Timing)
    trainer = Trainer(
        options, timing.clock, timing.sleep, _complaint(console), learned=rate.read(), on_learned=rate.keep
    )
    opened = Session(loaded, trainer, console)
    try:
        yield opened
    except BrokenPipeError:
        raise
    except OSError as error:
        raise click.ClickException(f"{error.filename or 'A file'} cannot be used: {error.strerror}.") from error
    finally:
        opened.trainer.close()


def _complaint(console: Console) -> Callable[[ProviderError], None]:
    """Return a callback that prints the reason of each retry once."""
    said: set[str] = set()

    def say(error: ProviderError) -> None:
        if str(error) not in said:
            said.add(str(error))
            console.print(f"{error} Trying again …", style="yellow", soft_wrap=True)

    return say


def keep(opened: Session, **values: str) -> None:
    """Write these settings of ``custom_vision`` and print that, or which variable overrides them."""
    if file := write(opened.loaded, opened.say, **values):
        opened.say(f"Kept in {file}: {', '.join(values)}. A running kiosk takes it up when it is started again.")


def write(loaded: Loaded, say: Callable[..., None], **values: str) -> Path | None:
    """Write settings of ``custom_vision``; ``say`` which variable overrides them. Return the file if it changed."""
    held = loaded.settings.custom_vision
    file = loaded.settings.home / "config" / WRITTEN
    elsewhere = {name: loaded.origins.get(("custom_vision", name), str(file)) for name in values}
    ours = {name: value for name, value in values.items() if elsewhere[name] == str(file)}
    for name in values.keys() - ours.keys():
        if str(getattr(held, name)) != values[name]:
            variable = f"TRIOF_CUSTOM_VISION__{name.upper()}={values[name]}"
            say(f"Set {variable} in the {elsewhere[name]}, which names another one.", "yellow")
    kept = {name: str(value) for name in ("project_id", "published_name") if (value := _kept(loaded, name, file))}
    if not ours or {**kept, **ours} == kept:
        return None
    data_folder.make(loaded.settings)
    lines = [f"{name} = {json.dumps(value, ensure_ascii=False)}\n" for name, value in {**kept, **ours}.items()]
    replace_file(file, ("# Written by `triof azure`.\n[custom_vision]\n" + "".join(lines)).encode(), 0o644)
    return file


def _kept(loaded: Loaded, name: str, file: object) -> object:
    """Return the file's value of a setting, if no other source overrides it."""
    here = loaded.origins.get(("custom_vision", name)) == str(file)
    return getattr(loaded.settings.custom_vision, name) if here else None


def check_trained(iteration: Iteration) -> None:
    """Raise ProviderMisconfigured for an iteration that cannot answer."""
    if iteration.status == "Failed":
        raise ProviderMisconfigured(f"{iteration.name} could not be trained ({iteration.failure}): choose another one.")
    if iteration.status != "Completed":
        raise ProviderMisconfigured(
            f"{iteration.name} is not trained yet ({iteration.status}): `triof azure train --wait` waits for it."
        )


def project_errors(project: Project) -> str:
    """Return why the machine cannot use the project; empty if it can."""
    if project.classification_type != "Multiclass":
        return "each photo may have several tags there, and the machine needs the one it is: it has to be Multiclass"
    if project.domain not in DOMAINS.values():
        return "its domain cannot be exported, so that its models never come home: it has to be a compact one"
    return ""
