"""The command line: one file per command, imported only when it is called.

Every error becomes one line on stderr and an exit code: 1 for a failure, 2 for a usage error.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import click

from providers.base import ProviderError
from triof import __version__
from triof.cli.shared import errors
from triof.cli.shared.strict_types import make_strict
from triof.common.errors import TriofError
from triof.observability import terminal
from triof.settings.loader import Loaded, SettingsError, load

_FLAGS = "triof.flags"


@dataclass(frozen=True)
class Timing:
    """How commands that keep to a rate measure time and wait, in seconds; given to ``main`` as click's ``obj``."""

    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] | None = None
    """None: as the client of the command waits by itself."""


class _AskedWrongly(click.ClickException):
    exit_code = 2


class LazyGroup(click.Group):
    """A group that imports each command, when called, from the module of the same name in ``package``.

    A dotted name is that of a command in a module below, such as ``installation.setup``.
    """

    def __init__(self, *args: Any, package: str, names: tuple[str, ...], **options: Any) -> None:
        super().__init__(*args, **options)
        self._package = package
        self._names = {name.rpartition(".")[2]: name for name in names}

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the command names, in the order of the help."""
        return list(self._names)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return the command of that name, or None."""
        if cmd_name not in self._names:
            return None
        module = f"{self._package}.{self._names[cmd_name]}".replace("-", "_")
        command: click.Command = getattr(import_module(module), module.rpartition(".")[2])
        return make_strict(command)


class _Main(LazyGroup):
    def main(self, *arguments: Any, **options: Any) -> Any:
        with errors.told():
            return super().main(*arguments, **options)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (TriofError, ProviderError) as error:
            raise (_AskedWrongly if isinstance(error, SettingsError) else click.ClickException)(str(error)) from error


@click.command(
    cls=_Main,
    package="triof.cli",
    names=(
        *("kiosk", "serve", "classify", "dataset", "train", "evaluation.evaluate", "evaluation.compare"),
        *("bundles", "bundles.package", "models", "azure", "rekognition"),
        *("installation.setup", "installation.install-service", "installation.uninstall-service"),
        *("settings", "doctor", "mode", "quota", "drill", "slot", "reference", "journal", "report", "alerts"),
        *("privacy", "keys", "users", "technician"),
    ),
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(__version__, prog_name="triof")
@click.option(
    "--set", "flags", multiple=True, metavar="NAME=VALUE", help="Overrule one setting, such as server.port=90."
)
@click.pass_context
def main(ctx: click.Context, flags: tuple[str, ...]) -> None:
    """The machine that sorts plastic by looking at it."""
    for flag in flags:
        if "=" not in flag:
            raise click.BadParameter(f"{flag!r} is not NAME=VALUE", param_hint="--set")
    ctx.meta[_FLAGS] = dict(flag.split("=", 1) for flag in flags)
    ctx.ensure_object(Timing)
    terminal.keep_clean()


def load_settings(ctx: click.Context, **flags: object) -> Loaded:
    """Load the settings, overridden by ``--set`` and then by ``flags`` (``__`` for the dot) that are not None."""
    own = {name.replace("__", "."): str(value) for name, value in flags.items() if value is not None}
    return load({**ctx.meta.get(_FLAGS, {}), **own})


def tell(remarks: Iterable[str]) -> None:
    """Print remarks on stderr, so that stdout holds only the result."""
    for remark in filter(None, remarks):
        click.echo(remark, err=True)
