"""Writes augmented copies of photos as files, for a vendor that needs files.

A copy has the group and the split of its original, so that no copy of a test photo is learned from. Its
name is derived from the original's contents, the plan and its number; existing copies are skipped.
"""

import hashlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path
from random import Random

from PIL import Image

from providers.base import LABELS
from triof.common.atomic_files import replace_file
from triof.common.errors import TriofError
from triof.curation.copies import OPERATIONS, CopyRecipe, Operation, draw
from triof.curation.folder_lock import alone_in
from triof.datasets import photo_dataset
from triof.datasets.photo_dataset import MANIFEST, Dataset, LabelledPhoto, Split, Unreadable
from triof.settings.sections.photo import PhotoLimits

LONGEST_SIDE = 1280
"""Maximum pixels of a copy; larger photos are reduced."""
_QUALITY = 92
_SAVE_EVERY = 50
_TRIES = 8
"""Draws per copy, until all differ."""
_COPY_OF = "copy_of"
"""The column with the first digits of the original's SHA-256."""


class AugmentError(TriofError):
    """Copies cannot be made; the message says why and what to do."""


@dataclass(frozen=True)
class Plan:
    """Which copies to make of which photos."""

    copies: int
    seed: int
    only: tuple[Operation, ...]
    splits: tuple[Split, ...]

    @property
    def code(self) -> str:
        """Eight digits in the names of the copies, which depend on seed and choice."""
        allowed = [name for name in OPERATIONS if name in self.only]
        return hashlib.sha256(f"1|{self.seed}|{allowed}".encode()).hexdigest()[:8]

    def recipes(self, original: str) -> list[CopyRecipe]:
        """Return different recipes for the copies of a photo with these contents; there may be fewer than wanted."""
        different: dict[tuple[str, ...], CopyRecipe] = {}
        for number in range(_TRIES * self.copies):
            if len(different) == self.copies:
                break
            recipe = draw(self.only, Random(f"{self.seed}|{original}|{number}"))
            different.setdefault(recipe.names, recipe)
        return list(different.values())


class Augmentation:
    """One run. ``tally`` counts copies that are ``written``, ``there`` already, ``dropped`` as stale, or would be the
    ``same`` as another, and photos that are ``twins``.
    """

    def __init__(self, dataset: Dataset, out: Path, plan: Plan, limits: PhotoLimits) -> None:
        self._dataset, self._out, self._plan, self._limits = dataset, out, plan, limits
        self.tally: Counter[str] = Counter()
        self.unreadable: list[Unreadable] = []
        self.originals = [item for item in dataset.photos if _is_original(item) and item.split in plan.splits]
        self._rows: dict[Path, LabelledPhoto] = {}
        self._digests: dict[Path, str] = {}
        self._copied: set[tuple[str, Path]] = set()

    def run(self, on_step: Callable[[], None]) -> None:
        """Make the missing copies. Raises AugmentError, DatasetError, FolderUnusable."""
        self._check()
        with alone_in(self._out):
            manifest = self._out / MANIFEST
            if manifest.exists():
                self._rows = {item.path: item for item in photo_dataset.read(manifest).photos}
            for unfinished in self._out.rglob(".*.jpg.*.*"):
                unfinished.unlink()
            self._follow_originals()
            try:
                for number, item in enumerate(self.originals):
                    self._copy(item)
                    # Without a manifest each copy would be read with a group of its own.
                    if number % _SAVE_EVERY == 0:
                        self._save()
                    on_step()
            finally:
                self._save()

    def _check(self) -> None:
        source, out = self._dataset.source, self._out.resolve()
        if not self.originals:
            raise AugmentError(f"{source} has no photo in its {' or '.join(self._plan.splits)} split: name another.")
        root = self._dataset.root.resolve()
        photos = (item.path.resolve() for item in self._dataset.photos)
        if out.is_relative_to(root) or any(path.is_relative_to(out) for path in (root, *photos)):
            raise AugmentError(f"{self._out} lies in {source} or around it: name an --out beside it.")

    def _follow_originals(self) -> None:
        """Update group and split of earlier copies; remove those whose original has another label now."""
        originals = {(self._digest(item), _folder(item)): item for item in reversed(self._dataset.photos)}
        known = {digest for digest, _ in originals}
        for path, row in list(self._rows.items()):
            digest = row.notes.get(_COPY_OF, "")
            if original := originals.get((digest, _folder(row))):
                self._rows[path] = replace(row, group=original.group, split=original.split)
            elif digest and digest in known:
                del self._rows[path]
                path.unlink(missing_ok=True)
                self.tally["dropped"] += 1

    def _copy(self, item: LabelledPhoto) -> None:
        digest, picture = self._digest(item), None
        if (digest, _folder(item)) in self._copied:
            self.tally["twins"] += 1
            return
        self._copied.add((digest, _folder(item)))
        recipes = self._plan.recipes(digest)
        self.tally["same"] += self._plan.copies - len(recipes)
        for number, recipe in enumerate(recipes, start=1):
            path = self._out / _folder(item) / f"{digest}-{self._plan.code}-{number}.jpg"
            if path.exists():
                self.tally["there"] += 1
            else:
                picture = picture or self._load(item)
                if picture is None:
                    return
                replace_file(path, _jpeg(recipe.apply(picture)), 0o644)
                self.tally["written"] += 1
            notes = {**item.notes, _COPY_OF: digest, "operations": "; ".join(recipe.names)}
            self._rows[path] = replace(item, path=path, notes=notes)

    def _load(self, item: LabelledPhoto) -> Image.Image | None:
        for _, loaded in photo_dataset.decode(
            [item], self._limits, needed_side=LONGEST_SIDE, unreadable=self.unreadable
        ):
            picture = loaded.picture
            picture.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
            return picture
        return None

    def _digest(self, item: LabelledPhoto) -> str:
        """Return the first digits of the SHA-256; empty for an unreadable file, which decoding reports."""
        if item.path not in self._digests:
            try:
                self._digests[item.path] = hashlib.sha256(item.path.read_bytes()).hexdigest()[:16]
            except OSError:
                self._digests[item.path] = ""
        return self._digests[item.path]

    def _save(self) -> None:
        if self._rows:
            photo_dataset.write(self._out / MANIFEST, list(self._rows.values()))


def _is_original(item: LabelledPhoto) -> bool:
    return bool(item.labels) and not item.notes.get(_COPY_OF)


def _folder(item: LabelledPhoto) -> Path:
    return Path(*(item.labels[task] for task in LABELS if task in item.labels))


def _jpeg(picture: Image.Image) -> bytes:
    jpeg = BytesIO()
    picture.save(jpeg, "JPEG", quality=_QUALITY)
    return jpeg.getvalue()
