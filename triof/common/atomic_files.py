"""Files that a power cut leaves whole: the old one or the new one, never an empty one."""

import errno
import json
import os
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

_NO_ROOM = {errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC)}


def is_no_room(error: OSError) -> bool:
    """Whether ``error`` says that the disk, or this user's share of it, is full."""
    return error.errno in _NO_ROOM


def keep_state(path: Path, content: bytes) -> None:
    """Replace a file that only its owner reads, in a folder that is there.

    The home folder may have been moved, or its disk unmounted: another one in its place would be in the way when it is
    brought back. Raises OSError.
    """
    if not path.parent.is_dir():
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path.parent))
    replace_file(path, content)


def replace_file(path: Path, content: bytes, mode: int = 0o600) -> None:
    """Write ``content`` to ``path``, in one step that is on the disk on return; by default only its owner reads it.

    Folders that are missing are made. A link leads to the file that is replaced; what is no file, such as a device, is
    written to. Raises OSError.
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
        # Whoever reads the message looks for the file that was to be written.
        error.filename, error.filename2 = str(path), None
        raise


def append_line(path: Path, line: bytes, mode: int = 0o600) -> None:
    """Append ``line``, which is on the disk on return; half a line that a power cut has left is closed before."""
    _make_folder(path.parent, mode)
    flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0)
    with os.fdopen(os.open(path, flags, mode), "r+b", buffering=0) as file:
        torn, is_new = False, not file.seek(0, os.SEEK_END)
        if not is_new:
            file.seek(-1, os.SEEK_END)
            torn = file.read(1) != b"\n"
        # In one piece: others may append at the same time.
        file.write((b"\n" if torn else b"") + line + b"\n")
        os.fsync(file.fileno())
    if is_new and hasattr(os, "O_DIRECTORY"):
        # The name of a new file is on the disk when its folder is.
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _make_folder(folder: Path, mode: int) -> None:
    """For files with ``mode``: what only its owner may read lies in a folder that only its owner may enter."""
    folder.mkdir(0o777 if mode & 0o077 else 0o700, parents=True, exist_ok=True)


def read_json(path: Path) -> dict[str, Any]:
    """What was written there; nothing where there is no such file, or one that somebody has spoilt."""
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}
