"""Writes files atomically and durably: after a power cut either the old or the new content is there."""

import errno
import json
import os
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

_NO_ROOM = {errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC)}


def is_no_room(error: OSError) -> bool:
    """Return whether ``error`` says that the disk, or this user's quota, is full."""
    return error.errno in _NO_ROOM


def keep_state(path: Path, content: bytes) -> None:
    """Replace a file, readable only by its owner, in an existing folder.

    The folder is not created: the home folder may have been moved or its disk unmounted, and a new one would be in the
    way of its return. Raises OSError.
    """
    if not path.parent.is_dir():
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path.parent))
    replace_file(path, content)


def replace_file(path: Path, content: bytes, mode: int = 0o600) -> None:
    """Write ``content`` to ``path`` atomically and durably; by default readable only by its owner.

    Missing folders are created. A link is followed; a special file, such as a device, is written to directly.
    Raises OSError.
    """
    path = Path(os.path.realpath(path))
    if path.exists() and not path.is_file():
        path.write_bytes(content)
        return
    _make_folder(path.parent, mode)
    fresh = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}")
    try:
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
    except OSError as error:
        with suppress(OSError):
            fresh.unlink(missing_ok=True)
        # The message must name the requested file, not the temporary one.
        error.filename, error.filename2 = str(path), None
        raise


def append_line(path: Path, line: bytes, mode: int = 0o600) -> None:
    """Append ``line`` durably; an incomplete last line, left by a power cut, is ended first."""
    _make_folder(path.parent, mode)
    flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0)
    with os.fdopen(os.open(path, flags, mode), "r+b", buffering=0) as file:
        torn, is_new = False, not file.seek(0, os.SEEK_END)
        if not is_new:
            file.seek(-1, os.SEEK_END)
            torn = file.read(1) != b"\n"
        # In one write, as other processes may append at the same time.
        file.write((b"\n" if torn else b"") + line + b"\n")
        os.fsync(file.fileno())
    if is_new and hasattr(os, "O_DIRECTORY"):
        # The name of a new file is durable only after its folder is synced.
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _make_folder(folder: Path, mode: int) -> None:
    """Create a folder; for private files it is accessible only by its owner."""
    folder.mkdir(0o777 if mode & 0o077 else 0o700, parents=True, exist_ok=True)


def read_json(path: Path) -> dict[str, Any]:
    """Return the object in a JSON file; empty if the file is missing or damaged."""
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}
