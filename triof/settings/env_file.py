"""Reads variables from ``.env``, and reports lines that seem to set something but do not."""

import re
from collections.abc import Collection, Iterable
from io import StringIO
from pathlib import Path

from dotenv import dotenv_values
from dotenv.parser import Binding, parse_stream

from providers.text_files import decoded

PREFIX = "TRIOF_"
_LIKE_OURS = re.compile(r"\W*(?:env:)?triof", re.IGNORECASE)
"""The prefix of variables in PowerShell, ``$env:``."""
_OURS = re.compile(rf"\s*(?:export\s+)?{PREFIX}")


def read_variables(env_file: Path, known: Collection[str], mistakes: list[str]) -> dict[str, str]:
    """Return the variables of a file, which may be missing; ``known`` are the variables of the settings.

    Appends each error to ``mistakes``, one line each, without any value, as it may be a secret.
    """
    try:
        text = decoded(env_file.read_bytes())
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return {}
    except (OSError, UnicodeDecodeError) as error:
        mistakes.append(f"  {env_file}: not readable as text in UTF-8: {error}")
        return {}
    bindings = list(parse_stream(StringIO(text)))
    mistakes += [f"  {env_file}, line {_line(each)}: {why}" for each in bindings if (why := _fault(each, known))]
    understood = "".join(each.original.string for each in bindings if not each.error)
    values = dotenv_values(stream=StringIO(understood))
    return {name: value for name, value in values.items() if value is not None}


def misspelt(names: Iterable[str]) -> list[str]:
    """Return those of ``names`` that resemble names of settings."""
    return [name for name in names if _LIKE_OURS.match(name) and not name.startswith(PREFIX)]


def _fault(binding: Binding, known: Collection[str]) -> str:
    """Return why the binding does not set what it seems to set; empty if it does."""
    written = binding.original.string.strip()
    # Only names of settings are shown, as any other text may be a secret.
    name = max((each for each in known if each in re.sub(r"\W", "_", written.upper())), key=len, default="")
    if binding.error or (binding.value is None and binding.key and binding.key.startswith(PREFIX)):
        quote = ", and close the quote" if {"'", '"'} & set(written) else ""
        return f"this line sets nothing: write {name or 'NAME'}=value{quote}"
    if binding.key and misspelt([binding.key]):
        return f"this is no name of a setting: names are in capitals, such as {name or 'TRIOF_MODE'}"
    lines = written.split("\n")
    if len(lines) > 1 and any(map(_OURS.match, lines)):
        return "the quote that opens on this line closes on a later one: close it on this one"
    return ""


def _line(binding: Binding) -> int:
    """Return the number of the binding's first line."""
    start = binding.original.string
    return binding.original.line + start[: len(start) - len(start.lstrip())].count("\n")
