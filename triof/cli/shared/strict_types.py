"""Types of click's that take values no command can use: made strict for every command at once."""

import math
from datetime import datetime
from pathlib import Path
from typing import Any

import click

_EARLIEST, _LATEST = 1970, 9000
"""Years that every system's calendar can count with, in any time zone."""


class _NamedPath(click.Path):
    """An empty name would be the current folder, which nobody means by an empty variable; a device has no end."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if value == "":
            self.fail("the name is empty: name a file or a folder.", param, ctx)
        if isinstance(value, str) and "\0" in value:
            self.fail("no name holds a zero byte.", param, ctx)
        path = super().convert(value, param, ctx)
        if self.exists and Path(value).exists() and Path(value).is_char_device():
            self.fail(f"{value} is a device, not a file or a folder.", param, ctx)
        return path


class _FiniteRange(click.FloatRange):
    """``nan`` lies in every range, as it is smaller and greater than nothing."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        number = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value!r} is no finite number.", param, ctx)
        return number


class _CountableDate(click.DateTime):
    """The first and the last years lead out of the calendar as soon as a day or a time zone is added."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        moment: datetime = super().convert(value, param, ctx)
        if not _EARLIEST <= moment.year <= _LATEST:
            self.fail(f"{value!r} is not between the years {_EARLIEST} and {_LATEST}.", param, ctx)
        return moment


_STRICT: dict[type[Any], type[click.ParamType[Any]]] = {
    click.Path: _NamedPath,
    click.FloatRange: _FiniteRange,
    click.DateTime: _CountableDate,
}


def make_strict(command: click.Command) -> click.Command:
    """Let the parameters of ``command``, and of those below it, refuse what looks right and is of no use."""
    for parameter in command.params:
        if strict := _STRICT.get(type(parameter.type)):
            former, parameter.type = parameter.type, strict.__new__(strict)
            parameter.type.__dict__.update(former.__dict__)
    for below in command.commands.values() if isinstance(command, click.Group) else ():
        make_strict(below)
    return command
