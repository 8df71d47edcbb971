"""Photos of a period in a folder that ``triof dataset from-journal`` has filled."""

from datetime import datetime
from pathlib import Path

from triof.curation.folder_lock import alone_in
from triof.datasets import photo_dataset
from triof.datasets.photo_dataset import MANIFEST, LabelledPhoto
from triof.journal.scope import Scope


def erase(folder: Path, scope: Scope) -> int:
    """Remove the machine's photos of the period, and their rows in the manifest; returns their number.

    Photos from elsewhere stay. Raises DatasetError, FolderUnusable, OSError.
    """
    with alone_in(folder):
        rows = photo_dataset.read(folder / MANIFEST).photos
        chosen = [row for row in rows if _is_of_period(row, scope)]
        for row in chosen:
            row.path.unlink(missing_ok=True)
        if chosen:
            # Last, so that an interrupted call can be repeated.
            photo_dataset.write(folder / MANIFEST, [row for row in rows if row not in chosen])
    return len(chosen)


def _is_of_period(row: LabelledPhoto, scope: Scope) -> bool:
    if row.source != "journal":
        return False
    try:
        at = datetime.fromisoformat(row.notes.get("at", ""))
    except ValueError:
        return False
    return at.tzinfo is not None and scope.since <= at < scope.until
