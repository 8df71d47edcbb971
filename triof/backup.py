"""Brings everything of a project in the cloud home, as the vendor retires it one day.

The folder is a data set that Triof reads: ``manifest.csv`` and ``photos/``; beside them ``project.json`` and
``exports/``. What is there already is not fetched again. Every photo is of the split ``train``, as the cloud has
learned from it: whatever is measured on them flatters.
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any

from providers.custom_vision.faults import Refused
from providers.custom_vision.records import Image, Iteration, Tag
from providers.custom_vision.trainer import Trainer, TrainingFailed
from triof import datasets
from triof.datasets import DatasetError, LabelledPhoto
from triof.durable import replace_file

_THREADS = 4
_TOGETHER = 64
_PART = ".part"
"""What is not there as a whole yet."""
_ENDINGS = {b"\xff\xd8": ".jpg", b"\x89P": ".png", b"BM": ".bmp", b"GI": ".gif"}


class Backup:
    """One run. Every method raises ProviderError and OSError; ``on_photo`` is told of each photo that is at home."""

    def __init__(self, trainer: Trainer, folder: Path, on_photo: Callable[[], None] = lambda: None) -> None:
        self._trainer = trainer
        self._folder = folder
        self._photos = folder / "photos"
        self._on_photo = on_photo
        self.missing: list[str] = []
        """The photos that the cloud does not give out, each with the reason."""

    def photos(self) -> int:
        """Fetch the photos and write the manifest; how many there are. Those that do not come are ``missing``."""
        _check_own(self._folder)
        self._photos.mkdir(parents=True, exist_ok=True)
        tags = {tag.id: tag for tag in self._trainer.tags()}
        images = self._trainer.images()
        # A power cut may have left a file empty.
        there = {path.stem: path for path in self._photos.iterdir() if path.suffix != _PART and path.stat().st_size}
        items: list[LabelledPhoto] = []
        with ThreadPoolExecutor(_THREADS, "backup") as pool:
            try:
                while together := list(islice(images, _TOGETHER)):
                    items += filter(None, pool.map(lambda image: self._photo(image, tags, there), together))
            except BaseException:
                self._trainer.give_up()
                pool.shutdown(cancel_futures=True)
                raise
        datasets.write(self._folder / datasets.MANIFEST, items)
        return len(items)

    def record(self) -> list[Iteration]:
        """Write down the project, its tags, its iterations and what the vendor says of them; the trained ones."""
        iterations = self._trainer.iterations()
        trained = [iteration for iteration in iterations if iteration.status == "Completed"]
        performances = {iteration.id: asdict(self._trainer.performance(iteration)) for iteration in trained}
        content = {
            "project": asdict(self._trainer.project()),
            "tags": [asdict(tag) for tag in self._trainer.tags()],
            "iterations": [{**asdict(found), "performance": performances.get(found.id)} for found in iterations],
        }
        self._folder.mkdir(parents=True, exist_ok=True)
        replace_file(self._folder / "project.json", json.dumps(content, indent=2, default=_plain).encode(), 0o644)
        return trained

    def exports(self, iteration: Iteration) -> Iterator[Path | str]:
        """Fetch what was exported of a trained iteration, and its TensorFlow Lite model: files, or why not."""
        kinds = {(export.platform, export.flavor or None) for export in self._trainer.exports(iteration)}
        for platform, flavor in sorted(kinds | {("TensorFlow", "TensorFlowLite")}, key=str):
            to = self._folder / "exports" / f"{iteration.id}-{flavor or platform}.zip"
            try:
                if not to.exists():
                    to.parent.mkdir(parents=True, exist_ok=True)
                    self._trainer.export(iteration, to, platform, flavor)
                yield to
            except (Refused, TrainingFailed) as error:
                yield f"{iteration.name} for {flavor or platform}: {error}"

    def _photo(self, image: Image, tags: Mapping[str, Tag], there: Mapping[str, Path]) -> LabelledPhoto | None:
        try:
            path = there.get(image.id) or self._fetch(image)
        except Refused as error:
            self.missing.append(f"{image.id}: {error}")
            return None
        finally:
            self._on_photo()
        names = [tags[tag].name for tag in image.tags if tag in tags]
        meanings = self._trainer.options.tags
        labels = [meanings[name.strip().casefold()] for name in names if name.strip().casefold() in meanings]
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        return LabelledPhoto(
            path,
            datasets.labels_named(labels),
            digest,
            "train",
            {"source": "azure", "image_id": image.id, "tag": " ".join(names)},
        )

    def _fetch(self, image: Image) -> Path:
        fresh = self._photos / f"{image.id}{_PART}"
        try:
            self._trainer.download(image.address, fresh)
            content = fresh.read_bytes()
        finally:
            fresh.unlink(missing_ok=True)
        if not content:
            raise Refused("The cloud gives out an empty file.", "empty")
        path = fresh.with_suffix(_ENDINGS.get(content[:2], ".jpg"))
        replace_file(path, content, 0o644)
        return path


def _check_own(folder: Path) -> None:
    """Raise DatasetError where a manifest would be replaced that no backup has written."""
    manifest = folder / datasets.MANIFEST
    own = not manifest.exists() or all(item.notes.get("source") == "azure" for item in datasets.read(manifest).photos)
    if not own:
        raise DatasetError(f"{folder} holds another data set, whose manifest would be lost: name another folder.")


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else str(value)
