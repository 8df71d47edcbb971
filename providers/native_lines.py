"""Suppresses the log lines that native libraries write directly to file descriptor 2."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_REDIRECTING = threading.Lock()


@contextmanager
def kept_back() -> Iterator[None]:
    """Discard what native code, and other threads, write to standard error in the meantime."""
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
