"""The pointer file: the active installed bundle of each task, which other processes change at run time.

::

    bundles/active.json                 {"waste_type": {"active": VERSION, "before": [VERSION, ...]}, ...}
    bundles/waste_type/VERSION/         a bundle
"""

import json
from pathlib import Path

from providers.base import ProviderMisconfigured, Task
from providers.local_cnn.options import BundleOptions

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
    """Reads the pointer of the folder of installed bundles that the options name."""

    def __init__(self, options: BundleOptions) -> None:
        assert options.bundles
        self.path = options.bundles / POINTER_FILE
        self._bundles = options.bundles
        self._options = options

    def signature(self) -> Signature:
        """Return a value that changes when the file is replaced; takes a few microseconds."""
        return signature_of(self.path)

    def version(self, task: Task) -> str:
        """Return the active version for ``task``. Raises ProviderMisconfigured.

        If none was activated, this is SHIPPED, or empty if no bundle of this format ships.
        """
        default = SHIPPED if self._options.shipped(task) else ""
        try:
            active = json.loads(self.path.read_bytes()).get(task, {}).get("active", default)
        except FileNotFoundError:
            return default
        except (OSError, ValueError, RecursionError, AttributeError) as error:
            raise self._unreadable(str(error)) from error
        if not isinstance(active, str):
            raise self._unreadable(f"{active!r} is no version")
        return active

    def folder(self, task: Task, version: str) -> Path:
        """Return the folder for the bundle of that version, which may not exist."""
        shipped = self._options.shipped(task) if version == SHIPPED else None
        return shipped or self._bundles / task / version

    def _unreadable(self, cause: str) -> ProviderMisconfigured:
        return ProviderMisconfigured(
            f"{self.path}, which says what bundle answers, cannot be read ({cause}): activate one again with `triof"
            " bundles activate`."
        )


def serving(task: Task, options: BundleOptions) -> Path:
    """Return the folder of the bundle for ``task``. Raises ProviderMisconfigured if there is none, or none is told."""
    if chosen := options.chosen(task):
        return chosen
    pointer = Pointer(options) if options.bundles else None
    version = pointer.version(task) if pointer else SHIPPED
    found = pointer.folder(task, version) if pointer and version else options.shipped(task)
    if not found:
        raise ProviderMisconfigured(
            f"No bundle with a network in the format {options.format} is in service for {task}: install one with"
            " `triof bundles install … --activate` (docs/guide/engines.md)."
        )
    return found
