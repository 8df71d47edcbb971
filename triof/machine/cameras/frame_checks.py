"""Finds what is wrong with frames: frozen, black, overexposed, covered, blurred.

The limits were measured on real photos and on faults made from them (docs/measurements/cameras.md).
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from triof.machine.cameras.base import (
    BlackPicture,
    BlurredPicture,
    CameraError,
    CoveredCamera,
    FrozenPicture,
    OverexposedPicture,
    PoorPicture,
)
from triof.machine.cameras.frame import Bytes8, CameraFrame

_BLACK_BELOW = 40
_WHITE_FROM = 250
_WHITE_SHARE = 0.97
_EVEN_BELOW = 2.5
_SOFT_BELOW, _EDGES_BELOW = 8.0, 4.0
_BLURRED_BELOW, _STEEP_FROM = 0.556, 110.0
_FROZEN_SECONDS = 2.0
"""Minimum, as some IP cameras give a new picture only once a second."""

Grey = NDArray[np.float32]


class PictureMeasures(NamedTuple):
    """Measures of a frame's grey copy, in grey levels where no other unit is named."""

    highlights: float
    """99th percentile."""
    white: float
    """Share of the pixels at 250 and above."""
    contrast: float
    """Standard deviation at an eighth of the size, without noise and detail."""
    edges: float
    """The strongest steps (99.5th percentile) between neighbours at a quarter of the size."""
    focus: float
    """The strongest steps at half the size as a share of ``edges``: 1 for a sharp edge, 0.5 for a wide ramp."""


def measure(grey: Bytes8) -> PictureMeasures:
    """Measure the grey copy of a frame; takes about a millisecond."""
    half = _halved(grey.astype(np.float32))
    quarter = _halved(half)
    edges = _steps(quarter)
    return PictureMeasures(
        highlights=float(np.percentile(grey, 99)),
        white=float((grey >= _WHITE_FROM).mean()),
        contrast=float(_halved(quarter).std()),
        edges=edges,
        focus=_steps(half) / max(edges, 1e-3),
    )


def fault_in(measures: PictureMeasures) -> type[PoorPicture] | None:
    """Return what is wrong with a frame; None if it can be judged."""
    if measures.highlights < _BLACK_BELOW:
        return BlackPicture
    if measures.white >= _WHITE_SHARE:
        return OverexposedPicture
    is_soft = measures.contrast < _SOFT_BELOW and measures.edges < _EDGES_BELOW
    if is_soft or measures.contrast < _EVEN_BELOW:
        return CoveredCamera
    if measures.focus < _BLURRED_BELOW and measures.edges < _STEEP_FROM:
        return BlurredPicture
    return None


class FrameChecks:
    """What is wrong with the frames of a device: a fault counts once it has lasted ``seconds``, and ends at once."""

    def __init__(self, seconds: float, clock: Callable[[], float]) -> None:
        self._seconds = seconds
        self._clock = clock
        self.forget()

    def forget(self) -> None:
        """Begin anew, for a device that was opened again."""
        self._digest: int | None = None
        self._looked = self._same_since = self._clock()
        self._poor: type[PoorPicture] | None = None
        self._poor_since = 0.0

    def look(self, frame: CameraFrame) -> None:
        """Take note of a frame."""
        now = self._looked = self._clock()
        if frame.digest != self._digest:
            self._digest, self._same_since = frame.digest, now
        poor = fault_in(measure(frame.grey))
        if poor is not self._poor:
            self._poor, self._poor_since = poor, now

    def fault(self) -> CameraError | None:
        """Return what is wrong with the frames seen so far."""
        lasting = self._poor() if self._poor and self._looked - self._poor_since >= self._seconds else None
        if self._poor in (BlackPicture, OverexposedPicture):
            # Black and white frames may be equal to the last pixel without being frozen.
            return lasting
        same = self._looked - self._same_since
        return FrozenPicture(same) if same >= max(self._seconds, _FROZEN_SECONDS) else lasting


def _halved(grey: Grey) -> Grey:
    height, width = grey.shape[0] // 2 * 2, grey.shape[1] // 2 * 2
    even: Grey = grey[:height, :width].reshape(height // 2, 2, width // 2, 2).mean((1, 3), dtype=np.float32)
    return even


def _steps(grey: Grey) -> float:
    across, down = np.diff(grey, axis=1)[:-1], np.diff(grey, axis=0)[:, :-1]
    return float(np.percentile(np.hypot(across, down), 99.5))
