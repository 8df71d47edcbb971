"""Pictures as a sensor would give them: never twice the same to the last pixel."""

from itertools import count

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Bytes8 = NDArray[np.uint8]


def scene(seed: int = 1, size: tuple[int, int] = (320, 180)) -> Bytes8:
    """An RGB picture full of edges, of so many pixels (width, height)."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(40, 215, (9, 16, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(coarse).resize(size, Image.Resampling.NEAREST))


class Sensor:
    """Shows ``picture``, RGB, with the noise of the last bit; with ``is_frozen`` the same frame again and again."""

    def __init__(self, picture: Bytes8) -> None:
        self.picture = picture
        self.is_frozen = False
        self._turns = count()
        self._turn = 0

    def frame(self) -> Bytes8:
        """The next frame, RGB, an array of its own."""
        if not self.is_frozen:
            self._turn = next(self._turns)
        noise = np.random.default_rng(self._turn % 64).integers(0, 2, self.picture.shape[1], dtype=np.uint8)
        return np.bitwise_xor(self.picture, noise.reshape(1, -1, 1))
