"""Pictures of the slot beside those of deposits: the reference of the empty slot, and that of the first run."""

from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from triof.common.paths import SETUP_PICTURE
from triof.journal.scope import Scope
from triof.machine.reference_store import FILE

NAMES = (FILE, SETUP_PICTURE)


def in_period(home: Path, scope: Scope) -> Mapping[Path, datetime]:
    """Return the files that were written in the period, with the time."""
    found = {}
    for name in NAMES:
        with suppress(FileNotFoundError):
            found[home / name] = datetime.fromtimestamp((home / name).stat().st_mtime, UTC)
    return {path: at for path, at in found.items() if scope.since <= at < scope.until}
