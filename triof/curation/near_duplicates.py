"""Finds near-duplicates: copied, scaled, re-encoded or recoloured photos, or one item in one scene twice.

Two photos are near-duplicates if their perceptual hashes and their network features are similar, or
if the features are nearly equal. The hash alone matches any two cups on white; the features alone, any two cups
of a kind. docs/measurements/training.md has the recall and precision of these limits.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Hashes = NDArray[np.uint64]
"""(photos, WORDS): the 256 bits of each photo's perceptual hash."""
Pairs = NDArray[np.int64]
"""(pairs, 2): indices of two photos, the smaller first."""

WORDS = 4
HASH_SIDE = 16
"""The hash has HASH_SIDE x HASH_SIDE bits; with 8 x 8, forks and bottles on white have the same hash."""

DIFFERENT_BITS = 60
"""Maximum different bits of 256. Photos of different items differ in 128 on average."""
ALIKE = 0.965
"""Minimum cosine of the features, for photos with similar hashes."""
THE_SAME = 0.99
"""Minimum cosine of the features, regardless of the hashes."""

_BLOCK = 512


def perceptual_hash(picture: Image.Image) -> Hashes:
    """Return ImageHash's pHash of the picture: (WORDS,)."""
    import imagehash

    bits = imagehash.phash(picture, hash_size=HASH_SIDE).hash
    return np.packbits(bits.ravel()).view(np.uint64)


def find(hashes: Hashes, features: NDArray[np.float32]) -> Pairs:
    """Return every pair of near-duplicates; ``features`` are (photos, n). 2 s for 4,400 photos, growing as n²."""
    lengths = np.linalg.norm(features, axis=1, keepdims=True)
    directions = features / np.maximum(lengths, 1e-9)
    found = [pairs for start in range(0, len(hashes), _BLOCK) for pairs in _in_block(hashes, directions, start)]
    return np.concatenate(found) if found else np.empty((0, 2), np.int64)


def components(count: int, pairs: Pairs) -> NDArray[np.int64]:
    """Return for each of ``count`` photos the smallest index of its connected component in ``pairs``."""
    home = np.arange(count)
    while len(pairs):
        lowest = np.minimum(home[pairs[:, 0]], home[pairs[:, 1]])
        before = home.copy()
        np.minimum.at(home, pairs[:, 0], lowest)
        np.minimum.at(home, pairs[:, 1], lowest)
        home = home[home]
        if (home == before).all():
            break
    return home


def _in_block(hashes: Hashes, directions: NDArray[np.float32], start: int) -> Iterator[Pairs]:
    """Yield the pairs whose first photo is one of the _BLOCK from ``start``."""
    rows, others = slice(start, start + _BLOCK), slice(start, None)
    different = np.zeros((len(hashes[rows]), len(hashes[others])), np.uint16)
    for word in range(WORDS):
        different += np.bitwise_count(hashes[rows, None, word] ^ hashes[None, others, word])
    cosine = directions[rows] @ directions[others].T
    near = ((different <= DIFFERENT_BITS) & (cosine >= ALIKE)) | (cosine >= THE_SAME)
    first, second = np.nonzero(np.triu(near, 1))
    yield np.stack([first, second], axis=1).astype(np.int64) + start
