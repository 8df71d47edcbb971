"""The folder of collected photos: files, manifest and ledger, repairable after a kill at any moment."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from providers.base import Task
from triof.common.atomic_files import replace_file
from triof.curation.collecting.ledger import CollectionLedger
from triof.curation.photo_checks import Admitted, KnownPhotos, NotAdmitted, admit, sha256
from triof.datasets import photo_dataset
from triof.datasets.photo_dataset import MANIFEST, LabelledPhoto
from triof.settings.sections.photo import PhotoLimits

_NAME_DIGITS = 16
"""Digits of the SHA-256 that are a photo's file name and group."""


class PhotoFolder:
    """One folder of collected photos. Opening it repairs what a killed run left. Raises DatasetError, OSError."""

    def __init__(self, folder: Path, limits: PhotoLimits) -> None:
        self.folder = folder
        self._limits = limits
        self.ledger = CollectionLedger(folder)
        self.vanished = 0
        """Photos removed from the folder since the last run; they are not downloaded again."""
        manifest = folder / MANIFEST
        rows = photo_dataset.read(manifest).photos if manifest.exists() else ()
        self._rows = {item.path: item for item in rows}
        self._mend()
        self.known = self._look_around()

    def add(self, address: str, image: bytes, admitted: Admitted, facts: Mapping[str, Any]) -> None:
        """Store a photo; ``facts`` are its ``labels``, its ``notes`` and further fields of the ledger."""
        path = Path(facts["labels"]["waste_type"]) / f"{admitted.sha256[:_NAME_DIGITS]}{admitted.suffix}"
        looks = None if admitted.phash is None else f"{admitted.phash:016x}"
        line = {"path": path.as_posix(), "sha256": admitted.sha256, "phash": looks, **facts}
        self.ledger.add(address, "writing", **line)
        replace_file(self.folder / path, image, 0o644)
        self.ledger.add(address, "kept", **line)
        self._list(line)
        self.known.add(path.as_posix(), admitted.sha256, admitted.phash)

    def holds(self, entry: Mapping[str, Any]) -> bool:
        """Return whether the photo of a ledger line still exists."""
        return Path(self.folder, entry["path"]).is_file()

    def save(self) -> None:
        """Write the manifest, after the files that it names. Raises OSError."""
        manifest = self.folder / MANIFEST
        if self._rows:
            photo_dataset.write(manifest, list(self._rows.values()))
        else:
            manifest.unlink(missing_ok=True)  # an empty manifest could not be read again
        self.ledger.mark_listed()

    def _mend(self) -> None:
        for entry in self.ledger.entries("writing"):
            # Only the line "kept" is missing; otherwise the address will be downloaded again.
            if self.holds(entry) and sha256((self.folder / entry["path"]).read_bytes()) == entry["sha256"]:
                self.ledger.add(**{**entry, "outcome": "kept"})
        for unfinished in self.folder.glob(f"*/.{'?' * _NAME_DIGITS}.*.*.*"):
            unfinished.unlink()
        for entry in self.ledger.entries("kept"):
            if not self.holds(entry) and self.folder / entry["path"] in self._rows:
                del self._rows[self.folder / entry["path"]]
                self.vanished += 1
        for entry in self.ledger.unlisted():
            if self.holds(entry):
                self._list(entry)
        if self.vanished or any(self.ledger.unlisted()):
            self.save()

    def _list(self, entry: Mapping[str, Any]) -> None:
        path = self.folder / entry["path"]
        group = path.stem
        labels: dict[Task, str] = entry["labels"]
        self._rows.setdefault(path, LabelledPhoto(path, labels, group, photo_dataset.split_for(group), entry["notes"]))

    def _look_around(self) -> KnownPhotos:
        """Return all photos ever kept here, and those added to the manifest."""
        known = KnownPhotos()
        for entry in (*self.ledger.entries("kept"), *self._strangers()):
            known.add(entry["path"], entry["sha256"], int(entry["phash"], 16) if entry.get("phash") else None)
        return known

    def _strangers(self) -> Iterator[dict[str, Any]]:
        """Yield photos in the manifest that were not collected; each is examined once, then remembered."""
        ours = {self.folder / entry["path"] for entry in self.ledger.entries("kept")}
        for path in self._rows:
            if path in ours or not path.is_file():
                continue
            entry = self.ledger.entry(path.absolute().as_uri()) or self._look_at(path)
            if entry:
                yield entry

    def _look_at(self, path: Path) -> dict[str, Any] | None:
        image = path.read_bytes()
        try:
            looks = admit(image, self._limits).phash
        except NotAdmitted:
            looks = None
        facts = {"path": str(path), "sha256": sha256(image), "phash": None if looks is None else f"{looks:016x}"}
        self.ledger.add(path.absolute().as_uri(), "there", **facts)
        return facts
