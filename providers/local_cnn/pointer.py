"""The pointer file: the active installed bundle of each task, which other processes change at run time.

::

    bundles/active.json                 {"waste_type": {"active": VERSION, "before": [VERSION, ...]}, ...}
    bundles/waste_type/VERSION/         a bundle
"""

import json
from pathlib import Path

from providers.base import ProviderMisconfigured, Task
from providers.local_cnn.options import LocalCnnOptions, shipped

POINTER_FILE = "active.json"
SHIPPED = "shipped"
"""The version name of the shipped bundle."""

Signature = tuple[int, int, int] | None
"""Changes when the file is replaced; None if it does not exist."""


def signature_of(path: Path) -> Signature:
    """Return a value that changes when the file is replaced; takes a few microseconds."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size


class Pointer:
    """Reads the pointer of a folder of installed bundles."""

    def __init__(self, bundles: Path) -> None:
        self.path = bundles / POINTER_FILE
        self._bundles = bundles

    def signature(self) -> Signature:
        """Return a value that changes when the file is replaced; takes a few microseconds."""
        return signature_of(self.path)

    def version(self, task: Task) -> str:
        """Return the active version for ``task``; SHIPPED if none was activated. Raises ProviderMisconfigured."""
        try:
            active = json.loads(self.path.read_bytes()).get(task, {}).get("active", SHIPPED)
        except FileNotFoundError:
            return SHIPPED
        except (OSError, ValueError, RecursionError, AttributeError) as error:
            raise self._unreadable(str(error)) from error
        if not isinstance(active, str):
            raise self._unreadable(f"{active!r} is no version")
        return active

    def folder(self, task: Task, version: str) -> Path:
        """Return the folder for the bundle of that version, which may not exist."""
        return shipped(task) if version == SHIPPED else self._bundles / task / version

    def _unreadable(self, cause: str) -> ProviderMisconfigured:
        return ProviderMisconfigured(
            f"{self.path}, which says what bundle answers, cannot be read ({cause}): activate one again with `triof"
            " bundles activate`."
        )


def serving(task: Task, options: LocalCnnOptions) -> Path:
    """Return the folder of the bundle for ``task``. Raises ProviderMisconfigured for an unreadable pointer."""
    if chosen := options.chosen(task):
        return chosen
    if not options.bundles:
        return shipped(task)
    pointer = Pointer(options.bundles)
    return pointer.folder(task, pointer.version(task))
