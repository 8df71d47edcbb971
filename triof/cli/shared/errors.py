"""Handling of errors other than TriofError: one line on stderr, exit code 1."""

import os
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import TextIOWrapper
from typing import NoReturn

import click

from triof.common.atomic_files import is_no_room


@contextmanager
def told() -> Iterator[None]:
    """Print operating system errors, including output that cannot be written, as one sentence, then exit with 1."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            # A name that the terminal cannot encode must not end the command.
            stream.reconfigure(errors="backslashreplace")
    try:
        try:
            yield
        finally:
            _flush()
    except RecursionError:
        _end("What was read is nested too deeply: mend the file that was named.")
    except OSError as error:
        _end(_unwritten(error) if _is_of_output() else sentence(error))


def sentence(error: OSError) -> str:
    """Return what happened, to which file, and what to do."""
    cause = error.strerror or str(error)
    if is_no_room(error):
        return f"There is no room{f' for {error.filename}' if error.filename else ''} ({cause}): make room on its disk."
    if error.filename is None:
        return f"The system refused ({cause})."
    return f"{error.filename} cannot be used ({cause}): check the path, and that this user may read and write it."


def _flush() -> None:
    """Flush stdout. Raises OSError, also for an error that an earlier write ignored."""
    if sys.stdout:
        sys.stdout.flush()
        with suppress(AttributeError, ValueError):  # not a real stream
            os.write(sys.stdout.fileno(), b"")


def _is_of_output() -> bool:
    """Return whether stdout cannot be written."""
    try:
        number = sys.stdout.fileno()
        if stat.S_ISREG(os.fstat(number).st_mode):
            is_broken = os.fstatvfs(number).f_bavail == 0
        else:
            is_broken = os.write(number, b"") != 0
    except (AttributeError, ValueError):  # not a real stream, or a system without that question
        return False
    except OSError:
        is_broken = True
    if is_broken:
        # Otherwise Python flushes again at exit and prints its own message.
        os.dup2(os.open(os.devnull, os.O_WRONLY), number)
    return is_broken


def _unwritten(error: OSError) -> str:
    return f"The output cannot be written ({error.strerror or error}): send it elsewhere, or make room there."


def _end(message: str) -> NoReturn:
    with suppress(OSError):
        click.echo(f"Error: {message}", err=True)
    sys.exit(1)
