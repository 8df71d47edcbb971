"""Strict versions of click's parameter types, which reject values that no command can use."""

import math
from datetime import datetime
from pathlib import Path
from typing import Any

import click

_EARLIEST, _LATEST = 1970, 9000
"""Range of years for which date arithmetic works in any time zone."""


class _NamedPath(click.Path):
    """Rejects an empty name, which would mean the current folder, and devices, which have no end."""

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
    """Rejects ``nan``, which passes every range check, and infinities."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        number = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value!r} is no finite number.", param, ctx)
        return number


class _CountableDate(click.DateTime):
    """Rejects years for which adding a day or a time zone overflows."""

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
    """Replace the parameter types of ``command`` and its subcommands by strict ones."""
    for parameter in command.params:
        if strict := _STRICT.get(type(parameter.type)):
            former, parameter.type = parameter.type, strict.__new__(strict)
            parameter.type.__dict__.update(former.__dict__)
    for below in command.commands.values() if isinstance(command, click.Group) else ():
        make_strict(below)
    return command
