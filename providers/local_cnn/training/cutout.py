"""Cuts items out of their photos, so that training can lay them on other grounds and soil only the item.

On a plain ground the item is what differs from it; otherwise GrabCut (Rother, Kolmogorov, Blake 2004, in OpenCV) finds
what differs from the border. Uncertain outlines are discarded, as training would learn wrong things from them.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from providers.base import ProviderMisconfigured

Mask = NDArray[np.uint8]
"""1 on the item, 0 elsewhere: (side, side)."""

_SIDE = 128
"""Side in pixels at which the outline is found; more pixels only take longer."""
_BORDER = 5
_PLAIN_SPREAD = 7.0
"""Largest mean distance of the border from its median, in grey levels, for a plain ground."""
_LIGHT = 100.0
"""Grey level below which a ground is too dark to be divided out."""
_DIFFERENT = 9
"""Difference of an item from a plain ground, in grey levels."""
_STRANGE, _ALIKE = 3.5, 2.0
"""Mahalanobis distances from the border's colours: surely not ground, probably ground."""
_SMALLEST, _LARGEST = 0.015, 0.8
"""Limits of the item's share of the photo."""
_MOST_MISSED = 0.15
"""Largest ratio of strange pixels outside the outline to those inside it."""


@dataclass(frozen=True)
class Cutout:
    """The outline of an item in its photo."""

    alpha: Image.Image
    """Mask in mode ``L``, in the size of the photo: 255 on the item."""
    ground: NDArray[np.float32]
    """Median colour of the ground: RGB, 0 to 255."""
    divisible: bool
    """Whether the ground is plain and light, so that it can be divided out where a clear item shows it."""


def cut_out(picture: Image.Image) -> Cutout | None:
    """Find the item in ``picture``; returns None if it cannot be told from its ground.

    Takes some 40 ms. Raises ProviderMisconfigured if OpenCV is missing.
    """
    cv2 = _opencv()
    pixels = np.asarray(picture.convert("RGB").resize((_SIDE, _SIDE), Image.Resampling.BOX))
    border = _border(pixels).astype(np.float32)
    ground = np.median(border, axis=0).astype(np.float32)
    plain = float(np.abs(border - ground).mean()) < _PLAIN_SPREAD
    lab = cv2.cvtColor(pixels, cv2.COLOR_RGB2LAB)
    strangeness = _strangeness(lab)
    if plain:
        different = np.abs(pixels.astype(np.float32) - ground).max(axis=2) > _DIFFERENT
        mask = _filled(cv2, different.astype(np.uint8), closing=7)
    else:
        mask = _filled(cv2, _grab(cv2, pixels, strangeness), closing=5)
    if not _trustworthy(mask, strangeness):
        return None
    alpha = Image.fromarray(cv2.GaussianBlur(mask * 255, (0, 0), 0.8)).resize(picture.size, Image.Resampling.BILINEAR)
    # A light fringe of the old ground would reveal the source of the item.
    return Cutout(alpha.filter(ImageFilter.MinFilter(3)), ground, plain and ground.min() >= _LIGHT)


def _opencv() -> Any:
    try:
        import cv2
    except ImportError as error:
        raise ProviderMisconfigured(
            "Cutting items out needs OpenCV: install Triof with its training extra, pip install 'triof[train]'."
        ) from error
    return cv2


def _border(pixels: NDArray[Any]) -> NDArray[Any]:
    """Return the pixels at the edge of the photo: (n, channels)."""
    sides = (pixels[:_BORDER], pixels[-_BORDER:], pixels[:, :_BORDER], pixels[:, -_BORDER:])
    return np.concatenate([side.reshape(-1, pixels.shape[-1]) for side in sides])


def _strangeness(lab: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return the distance of each pixel's colour from those of the border, in standard deviations."""
    border = _border(lab).astype(np.float32)
    # Regularised, as on a perfectly even ground every grain would be an outlier.
    inverse = np.linalg.inv(np.cov(border.T) + 8 * np.eye(3))
    distance = lab.astype(np.float32) - border.mean(axis=0)
    strangeness: NDArray[np.float32] = np.sqrt(np.einsum("hwc,cd,hwd->hw", distance, inverse, distance))
    return strangeness


def _grab(cv2: Any, pixels: NDArray[np.uint8], strangeness: NDArray[np.float32]) -> Mask:
    mask = np.where(strangeness < _ALIKE, cv2.GC_PR_BGD, cv2.GC_PR_FGD).astype(np.uint8)
    for edge in (mask[:_BORDER], mask[-_BORDER:], mask[:, :_BORDER], mask[:, -_BORDER:]):
        edge[:] = cv2.GC_BGD
    if np.count_nonzero(mask == cv2.GC_PR_FGD) < _SMALLEST * mask.size:
        return np.zeros_like(mask)
    models = np.zeros((1, 65)), np.zeros((1, 65))
    cv2.setRNGSeed(1)
    cv2.grabCut(np.ascontiguousarray(pixels[:, :, ::-1]), mask, None, *models, 3, cv2.GC_INIT_WITH_MASK)
    return np.isin(mask, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.uint8)


def _filled(cv2: Any, mask: Mask, closing: int) -> Mask:
    """Remove specks and fill holes, as a clear cup shows its ground."""
    mask = cv2.morphologyEx(mask, cv2.MORPH_OPEN, np.ones((2, 2), np.uint8))
    # The photo's edge closes the outline of an item that it cuts off.
    framed = cv2.copyMakeBorder(mask, closing, closing, closing, closing, cv2.BORDER_REPLICATE)
    closed = cv2.morphologyEx(framed, cv2.MORPH_CLOSE, np.ones((closing, closing), np.uint8))
    closed = closed[closing:-closing, closing:-closing]
    outlines, _ = cv2.findContours(closed, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    areas = [cv2.contourArea(outline) for outline in outlines]
    large = [outline for outline, area in zip(outlines, areas, strict=True) if area > 0.1 * max(areas)]
    filled = np.zeros_like(mask)
    cv2.drawContours(filled, large, -1, 1, -1)
    return filled


def _trustworthy(mask: Mask, strangeness: NDArray[np.float32]) -> bool:
    inside = np.count_nonzero(mask)
    missed = np.count_nonzero((strangeness > _STRANGE) & (mask == 0))
    edge = _border(mask[..., None])
    return bool(_SMALLEST < inside / mask.size < _LARGEST and missed < _MOST_MISSED * inside and edge.mean() < 0.4)
