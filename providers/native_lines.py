"""Keeps the lines of native libraries from the terminal, which they write to file descriptor 2 whatever is set."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_REDIRECTING = threading.Lock()


@contextmanager
def kept_back() -> Iterator[None]:
    """Drop what is written to standard error past Python, and by other threads, meanwhile."""
    with _REDIRECTING:
        try:
            terminal = os.dup(2)
        except OSError:  # there is no standard error
            yield
            return
        try:
            with Path(os.devnull).open("wb") as nothing:
                os.dup2(nothing.fileno(), 2)
            yield
        finally:
            os.dup2(terminal, 2)
            os.close(terminal)
