"""Brightness and sharpness of photos, which a dirty lens, another lamp or a moved camera change."""

from typing import NamedTuple

import numpy as np

from providers.base import Photo, Pixels

SIDE = 224


class PhotoStatistics(NamedTuple):
    """``brightness`` is the mean luma, 0 to 1; ``sharpness`` the logarithm of 1 + the variance of the Laplacian of the
    luma in grey levels (Pech-Pacheco et al. 2000), some 4 for a blurred photo and 8 for a sharp one.
    """

    brightness: float
    sharpness: float


def measure(photo: Photo) -> PhotoStatistics:
    """Measure ``photo``, resized to SIDE pixels; takes less than a millisecond."""
    return measured(photo.resized(SIDE, SIDE))


def measured(pixels: Pixels) -> PhotoStatistics:
    """Measure RGB ``pixels``: (height, width, 3)."""
    luma = pixels.astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32)
    middle = luma[1:-1, 1:-1]
    laplacian = luma[:-2, 1:-1] + luma[2:, 1:-1] + luma[1:-1, :-2] + luma[1:-1, 2:] - 4 * middle
    return PhotoStatistics(float(luma.mean()) / 255, float(np.log1p(laplacian.var())))
