"""Chooses the frame to judge among those of a burst."""

from collections.abc import Sequence

import numpy as np

from triof.machine.cameras.frame import Bytes8, CameraFrame

_MOVED_LEVELS = 12
_STILL_SHARE = 0.005


def sharpness(grey: Bytes8) -> float:
    """Return the variance of the Laplacian of a grey picture (Pech-Pacheco et al. 2000)."""
    luma = grey.astype(np.float32)
    middle = luma[1:-1, 1:-1]
    laplacian = luma[:-2, 1:-1] + luma[2:, 1:-1] + luma[1:-1, :-2] + luma[1:-1, 2:] - 4 * middle
    return float(laplacian.var())


def sharpest(frames: Sequence[CameraFrame]) -> CameraFrame:
    """Return the sharpest frame; the latest of those that are equal."""
    if len(frames) == 1:
        return frames[0]
    return max(reversed(frames), key=lambda frame: sharpness(frame.grey))


def is_still(before: CameraFrame, after: CameraFrame) -> bool:
    """Return whether nothing moved between two frames, and the light did not change."""
    moved = np.abs(before.grey.astype(np.int16) - after.grey) > _MOVED_LEVELS
    return bool(moved.mean() < _STILL_SHARE)
