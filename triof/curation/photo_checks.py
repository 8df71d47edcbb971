"""Checks of bytes to be added to a data set as a photo, and detection of duplicates."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from PIL import Image

from triof.common.errors import TriofError
from triof.common.image_format import image_format
from triof.judging import photo
from triof.judging.photo import PhotoError
from triof.settings.sections.photo import PhotoLimits

SHORTEST_SIDE = 200
"""Pixels; smaller pictures are icons or previews."""
FEWEST_COLOURS = 32
"""Minimum colours among 128 x 128 sampled pixels. None of 700 real photos has fewer (a white cup on white has 41)."""
NEAREST_TWINS = 6
"""Maximum different bits of 64 in the perceptual hashes of near-duplicates."""

_TOO_LARGE = ("too_many_bytes", "too_many_pixels", "too_long")


class NotAdmitted(TriofError):
    """The bytes are not an acceptable photo; ``outcome`` counts the reason."""

    def __init__(self, outcome: str, message: str) -> None:
        super().__init__(message)
        self.outcome = outcome


class Admitted(NamedTuple):
    """An accepted photo: its SHA-256, the extension of its actual format, its perceptual hash of 64 bits."""

    sha256: str
    suffix: str
    phash: int | None


def admit(image: bytes, limits: PhotoLimits) -> Admitted:
    """Check a file's bytes; its sides must be at least SHORTEST_SIDE, whatever ``limits``. Raises NotAdmitted."""
    limits = limits.model_copy(update={"min_side": max(limits.min_side, SHORTEST_SIDE)})
    try:
        loaded = photo.load(image, limits, needed_side=SHORTEST_SIDE)
    except PhotoError as error:
        raise NotAdmitted("too large" if error.code in _TOO_LARGE else "not a photo", str(error)) from error
    if _colours(loaded.picture) < FEWEST_COLOURS:
        raise NotAdmitted("not a photo", f"The picture has fewer than {FEWEST_COLOURS} colours: an icon or a diagram.")
    hashing = perceptual_hash()
    format_ = image_format(image) or "JPEG"
    suffix = ".jpg" if format_ == "JPEG" else f".{format_.lower()}"
    return Admitted(loaded.sha256, suffix, hashing(loaded.picture) if hashing else None)


def perceptual_hash() -> Callable[[Image.Image], int] | None:
    """Return the hash function of pictures; None if the extra ``data`` is not installed."""
    try:
        import imagehash
    except ImportError:
        return None
    return lambda picture: int(str(imagehash.phash(picture)), 16)


@dataclass
class KnownPhotos:
    """The existing photos, by contents and by perceptual hash."""

    def __post_init__(self) -> None:
        self._by_sha256: dict[str, str] = {}
        self._by_looks: dict[int, str] = {}

    def add(self, name: str, sha256: str, phash: int | None) -> None:
        """Add the photo ``name``."""
        self._by_sha256.setdefault(sha256, name)
        if phash is not None:
            self._by_looks.setdefault(phash, name)

    def twin(self, admitted: Admitted) -> str | None:
        """Return the name of a photo with the same contents or a similar hash, or None."""
        if found := self._by_sha256.get(admitted.sha256):
            return found
        if admitted.phash is None:
            return None
        near = (looks for looks in self._by_looks if (looks ^ admitted.phash).bit_count() <= NEAREST_TWINS)
        return next((self._by_looks[looks] for looks in near), None)


def sha256(image: bytes) -> str:
    """Return the hexadecimal digest that names a photo."""
    return hashlib.sha256(image).hexdigest()


def _colours(picture: Image.Image) -> int:
    pixels = np.asarray(picture.resize((128, 128), Image.Resampling.NEAREST), np.uint32)
    return len(np.unique(pixels @ np.array([65_536, 256, 1], np.uint32)))
