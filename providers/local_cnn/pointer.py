"""The pointer: which of the installed bundles answers each task, changed by others while the machine runs.

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
"""The version that stands for the bundle that ships with Triof."""

Signature = tuple[int, int, int] | None
"""Changes whenever the file is replaced; None as long as there is none."""


def signature_of(path: Path) -> Signature:
    """Tells in a few microseconds whether a file may have changed."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size


class Pointer:
    """Reads the pointer of one folder of installed bundles."""

    def __init__(self, bundles: Path) -> None:
        self.path = bundles / POINTER_FILE
        self._bundles = bundles

    def signature(self) -> Signature:
        """Tells in a few microseconds whether the pointer may have changed."""
        return signature_of(self.path)

    def version(self, task: Task) -> str:
        """What answers ``task``; SHIPPED if nobody ever activated another. Raises ProviderMisconfigured."""
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
        """Where the bundle of that version is, or would be."""
        return shipped(task) if version == SHIPPED else self._bundles / task / version

    def _unreadable(self, cause: str) -> ProviderMisconfigured:
        return ProviderMisconfigured(
            f"{self.path}, which says what bundle answers, cannot be read ({cause}): activate one again with `triof"
            " bundles activate`."
        )


def serving(task: Task, options: LocalCnnOptions) -> Path:
    """The folder of the bundle that is to answer ``task``. Raises ProviderMisconfigured for an unreadable pointer."""
    if chosen := options.chosen(task):
        return chosen
    if not options.bundles:
        return shipped(task)
    pointer = Pointer(options.bundles)
    return pointer.folder(task, pointer.version(task))
