"""Downloads everything of a cloud project, as the vendor will retire the service.

The folder is a data set that Triof reads: ``manifest.csv`` and ``photos/``; with ``project.json``, which also
lists the contents of the cloud, and ``exports/``. Intact files are not downloaded again. Every photo has the
split ``train``, as the cloud has learned from it: figures measured on them are too good.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from datetime import datetime
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

from providers.base import ProviderUnavailable
from providers.custom_vision.errors import TrainingRefused
from providers.custom_vision.records import TFLITE, Image, Iteration, Kind, Tag
from providers.custom_vision.trainer import Trainer, TrainingFailed
from providers.text_files import plain
from triof.azure.downloads import check_export, check_photo
from triof.common.atomic_files import read_json, replace_file
from triof.datasets import photo_dataset
from triof.datasets.label_names import labels_named
from triof.datasets.photo_dataset import DatasetError, LabelledPhoto

RECORD = "project.json"
EXPORTS = "exports"
_THREADS = 4
_TOGETHER = 64
_MOST_AWAY = _THREADS
"""Consecutive failed photos after which the network counts as down."""
_PART = ".part"
"""Suffix of unfinished files."""
_ENDINGS = {b"\xff\xd8": ".jpg", b"\x89P": ".png", b"BM": ".bmp", b"GI": ".gif"}


class ProjectBackup:
    """One backup run. Methods raise ProviderError and OSError; ``on_photo`` is called for each completed photo."""

    def __init__(self, trainer: Trainer, folder: Path, on_photo: Callable[[], None] = lambda: None) -> None:
        self._trainer = trainer
        self._folder = folder
        self._photos = folder / "photos"
        self._on_photo = on_photo
        self._record = read_json(folder / RECORD)
        self._failed: dict[str, str] = {}
        self._away = 0
        self.mended: list[Path] = []
        """Damaged files of an earlier run; those that exist now have been downloaded again."""

    @property
    def missing(self) -> list[str]:
        """The photos that could not be downloaded, each with the reason."""
        return [f"{image_id}: {reason}" for image_id, reason in sorted(self._failed.items())]

    def photos(self) -> int:
        """Download the photos and write the manifest; return their number. Failed ones are in ``missing``."""
        _check_own(self._folder)
        self._photos.mkdir(parents=True, exist_ok=True)
        tags = {tag.id: tag for tag in self._trainer.tags()}
        listed: list[str] = []
        items = list(self._all(_noted(self._trainer.images(), listed), tags))
        items += self._again(tags)
        photo_dataset.write(self._folder / photo_dataset.MANIFEST, items)
        self._write(photos=sorted(set(listed)))
        return len(items)

    def record(self) -> list[Iteration]:
        """Write the project, its tags, its iterations and the vendor's figures; return the trained iterations."""
        iterations = self._trainer.iterations()
        trained = [iteration for iteration in iterations if iteration.status == "Completed"]
        performances = {iteration.id: asdict(self._trainer.performance(iteration)) for iteration in trained}
        self._folder.mkdir(parents=True, exist_ok=True)
        self._write(
            project=asdict(self._trainer.project()),
            tags=[asdict(tag) for tag in self._trainer.tags()],
            iterations=[{**asdict(found), "performance": performances.get(found.id)} for found in iterations],
        )
        return trained

    def exports(self, trained: Iterable[Iteration]) -> Iterator[Path | str]:
        """Download the exports of these iterations and their TensorFlow Lite models; yield each file, or the error."""
        wanted = []
        for iteration in trained:
            kinds = {export.kind for export in self._trainer.exports(iteration)} | {TFLITE}
            for kind in sorted(kinds, key=str):
                wanted.append({"file": f"{iteration.id}-{kind[1] or kind[0]}.zip", "kind": kind})
                yield self._export(iteration, kind, self._folder / EXPORTS / str(wanted[-1]["file"]))
        self._write(exports=wanted)

    def _export(self, iteration: Iteration, kind: Kind, to: Path) -> Path | str:
        try:
            check = partial(check_export, kind=kind)
            if not to.exists() or not self._is_whole(to, check):
                to.parent.mkdir(parents=True, exist_ok=True)
                self._trainer.export(iteration, to, check, kind)
        except (TrainingRefused, TrainingFailed) as error:
            return f"{iteration.name} for {kind[1] or kind[0]}: {error}"
        return to

    def _again(self, tags: Mapping[str, Tag]) -> Iterator[LabelledPhoto]:
        """Yield the failed photos with new URLs, as the first ones may have expired."""
        failed, self._failed = self._failed, {}
        listed: list[str] = []
        yield from self._all(_noted(self._trainer.images_by_id(list(failed)), listed), tags)
        self._failed |= {image_id: reason for image_id, reason in failed.items() if image_id not in listed}

    def _all(self, images: Iterable[Image], tags: Mapping[str, Tag]) -> Iterator[LabelledPhoto]:
        rest = iter(images)
        there = {path.stem: path for path in self._photos.iterdir() if path.suffix != _PART}
        with ThreadPoolExecutor(_THREADS, "backup") as pool:
            try:
                while together := list(islice(rest, _TOGETHER)):
                    yield from filter(None, pool.map(lambda image: self._photo(image, tags, there), together))
            except BaseException:
                self._trainer.give_up()
                pool.shutdown(cancel_futures=True)
                raise

    def _photo(self, image: Image, tags: Mapping[str, Tag], there: Mapping[str, Path]) -> LabelledPhoto | None:
        try:
            kept = there.get(image.id)
            path = kept if kept and self._is_whole(kept, _check_file) else self._fetch(image)
            self._away = 0
        except TrainingRefused as error:
            self._failed[image.id] = str(error)
            return None
        except ProviderUnavailable as error:
            # One missing photo does not stop the run; a network failure does.
            self._away += 1
            if self._away >= _MOST_AWAY:
                raise
            self._failed[image.id] = str(error)
            return None
        finally:
            self._on_photo()
        names = [tags[tag].name for tag in image.tags if tag in tags]
        meanings = self._trainer.options.tags
        labels = [meanings[plain(name)] for name in names if plain(name) in meanings]
        return LabelledPhoto(
            path,
            labels_named(labels),
            hashlib.sha256(path.read_bytes()).hexdigest(),
            "train",
            {"source": "azure", "image_id": image.id, "tag": " ".join(names)},
        )

    def _is_whole(self, path: Path, check: Callable[[Path], None]) -> bool:
        """Return whether a file of an earlier run is intact; a damaged one is removed."""
        try:
            check(path)
        except TrainingRefused:
            self.mended.append(path)
            path.unlink()
            return False
        return True

    def _fetch(self, image: Image) -> Path:
        fresh = self._photos / f"{image.id}{_PART}"
        try:
            self._trainer.download(image.address, fresh)
            content = fresh.read_bytes()
        finally:
            fresh.unlink(missing_ok=True)
        check_photo(content)
        path = fresh.with_suffix(_ENDINGS.get(content[:2], ".jpg"))
        replace_file(path, content, 0o644)
        return path

    def _write(self, **parts: Any) -> None:
        self._record |= parts
        replace_file(self._folder / RECORD, json.dumps(self._record, indent=2, default=_plain).encode(), 0o644)


def _check_file(path: Path) -> None:
    """Raise TrainingRefused unless the file is a complete photo."""
    check_photo(path.read_bytes())


def _noted(images: Iterable[Image], ids: list[str]) -> Iterator[Image]:
    for image in images:
        ids.append(image.id)
        yield image


def _check_own(folder: Path) -> None:
    """Raise DatasetError if the folder has a manifest that no backup has written."""
    manifest = folder / photo_dataset.MANIFEST
    kept = photo_dataset.read(manifest).photos if manifest.exists() else ()
    own = all(item.notes.get("source") == "azure" for item in kept)
    if not own:
        raise DatasetError(f"{folder} holds another data set, whose manifest would be lost: name another folder.")


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else str(value)
