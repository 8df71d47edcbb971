"""What a machine writes is its user's alone: folders 0700, files 0600, those of an earlier version as well.

On Windows the folder of a user is that user's alone already.
"""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from fnmatch import fnmatch
from pathlib import Path

from providers.event_log import get_logger

log = get_logger(__name__)

_OTHERS = 0o077
_FILES = ("machine_id", "secret_key", "reserve", "journal*.db*", "*.json", "*.jsonl", "*.jam", "*.lock")
_FOLDERS = ("azure", "backups", "bundles", "cache", "config", "logs", "monitoring", "photos", "queue")
"""What Triof makes in a home folder. Anything else in it is left alone: the folder may have other uses too."""


@contextmanager
def kept(home: Path) -> Iterator[None]:
    """Let what this process writes be its user's alone, and what lies in ``home`` already, too."""
    if os.name == "nt":
        yield
        return
    before = os.umask(_OTHERS)
    try:
        _tighten(home)
        yield
    finally:
        os.umask(before)


def _tighten(home: Path) -> None:
    tightened = sum(_tighten_one(path) for path in _written(home))
    if tightened:
        log.info("home.tightened", entries=tightened)


def _written(home: Path) -> Iterator[Path]:
    if _is_ours(home):
        yield home
    for pattern in _FILES:
        yield from home.glob(pattern)
    for name in _FOLDERS:
        for folder, _, files in os.walk(home / name):
            yield Path(folder)
            yield from (Path(folder, file) for file in files)


def _is_ours(home: Path) -> bool:
    """Whether nothing but what Triof makes is in the folder: /tmp must stay everybody's."""
    with suppress(OSError):
        return all(any(fnmatch(entry.name, name) for name in (*_FILES, *_FOLDERS)) for entry in home.iterdir())
    return False


def _tighten_one(path: Path) -> bool:
    """Take the rights of others away, where the file is this user's to change."""
    with suppress(OSError):
        found = path.lstat()
        mode = stat.S_IMODE(found.st_mode)
        if found.st_uid == os.geteuid() and mode & _OTHERS and not mode & stat.S_ISVTX and not path.is_symlink():
            path.chmod(mode & ~_OTHERS)
            return True
    return False
