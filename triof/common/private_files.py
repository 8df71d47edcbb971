"""Restricts the machine's files to its user: folders 0700, files 0600, including those of earlier versions.

On Windows a user's folder is private already.
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
_FILES = (
    *(".env", "machine_id", "secret_key", "reserve", "journal*.db*", "setup-picture.jpg"),
    *("*.json", "*.jsonl", "*.lock", "empty_slot.*", "gpio_machine.*", "simulated_machine.*", ".lgd-nfy*"),
)
_FOLDERS = ("azure", "backups", "browser", "bundles", "cache", "config", "logs", "monitoring", "photos", "queue")
"""Names that Triof creates in a home folder. Other files are left alone, as the folder may have other uses."""


@contextmanager
def kept(home: Path) -> Iterator[None]:
    """Make new files of this process private, and the existing ones in ``home`` as well."""
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
    """Return whether the folder contains only Triof's files, so that shared folders such as /tmp stay shared."""
    with suppress(OSError):
        return all(any(fnmatch(entry.name, name) for name in (*_FILES, *_FOLDERS)) for entry in home.iterdir())
    return False


def _tighten_one(path: Path) -> bool:
    """Remove the permissions of other users, if this user owns the file."""
    with suppress(OSError):
        found = path.lstat()
        mode = stat.S_IMODE(found.st_mode)
        if found.st_uid == os.geteuid() and mode & _OTHERS and not mode & stat.S_ISVTX and not path.is_symlink():
            path.chmod(mode & ~_OTHERS)
            return True
    return False
