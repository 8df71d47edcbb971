"""A process lock for a folder that photos are written to."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from triof.common.errors import TriofError

LOCK = ".triof.lock"


class FolderUnusable(TriofError):
    """Photos cannot be written to a folder; the message says why and what to do."""


@contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Lock ``folder`` for this run, and translate OSError. Raises FolderUnusable."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # Parallel runs would overwrite each other's manifest.
        with FileLock(folder / LOCK, timeout=0):
            yield
    except Timeout as error:
        raise FolderUnusable(f"Another run writes to {folder}: wait for its end, or name another --out.") from error
    except OSError as error:
        raise FolderUnusable(
            f"{folder} cannot be written to ({error}): make room or name another --out, then run the command again."
        ) from error
