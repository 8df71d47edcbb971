"""Converts pictures of any mode to RGB: transparency over white, 16-bit samples brightened, reduced in size."""

from typing import Any

import numpy as np
from PIL import Image

from triof.judging.decoding.errors import Invisible, Unlit

_STRIP_PIXELS = 4_000_000
_VISIBLE_ALPHA = 32
"""Alpha of 255 below which a picture counts as transparent if no pixel has more."""
_SIGNIFICANT_BITS = (8, 10, 12, 14, 16)
_FEWEST_BITS, _MOST_BITS_TO_BRIGHTEN = 5, 6
"""Bits used of the upper 8 of a 16-bit sample, the only ones that Pillow reads in colour."""
_BRIGHTEST = 0.999
"""The quantile of the samples that counts as the brightest, as single pixels may be defective."""
_SAMPLE_SIDE = 1024


def flattened(picture: Image.Image, factor: int, *, has_16_bits: bool = False) -> Image.Image:
    """Return ``picture`` as RGB, both sides reduced by ``factor``. Raises Invisible, Unlit.

    Works in strips, so that memory never holds the picture twice.
    """
    gain = _gain(picture) if has_16_bits else 1.0
    is_transparent = _is_transparent(picture)
    width, height = picture.size
    rgb = Image.new("RGB", (-(-width // factor), -(-height // factor)))
    rows = max(1, _STRIP_PIXELS // (width * factor)) * factor
    most_alpha = 0
    for top in range(0, height, rows):
        strip = _prepared(picture.crop((0, top, width, min(top + rows, height))), is_transparent, gain)
        strip = strip.reduce(factor) if factor > 1 else strip
        if is_transparent:
            most_alpha = max(most_alpha, _most_alpha(strip))
            strip = Image.alpha_composite(Image.new("RGBA", strip.size, "white"), strip)
        rgb.paste(strip if strip.mode == "RGB" else strip.convert("RGB"), (0, top // factor))
    if is_transparent and most_alpha < _VISIBLE_ALPHA:
        raise Invisible("every pixel is transparent")
    return rgb


def _is_transparent(picture: Image.Image) -> bool:
    if picture.format == "BMP" and picture.mode == "RGBA":
        # Screen capture programs leave the fourth byte 0.
        return _most_alpha(picture) > 0
    return picture.has_transparency_data and not picture.mode.startswith("I")


def _prepared(strip: Image.Image, is_transparent: bool, gain: float) -> Image.Image:
    """Convert to a mode that can be reduced: RGBA, RGB or L."""
    if strip.mode.startswith("I"):
        grey = np.asarray(strip, np.float32) * gain
        return Image.fromarray(grey.clip(0, 255).astype(np.uint8))
    if is_transparent:
        strip = strip.convert("RGBA")
    elif strip.mode not in ("RGB", "L"):
        strip = strip.convert("RGB")
    if gain == 1.0:
        return strip
    brighter = [min(255, round(value * gain)) for value in range(256)]
    return strip.point({"L": brighter, "RGB": brighter * 3, "RGBA": [*brighter * 3, *range(256)]}[strip.mode])


def _gain(picture: Image.Image) -> float:
    """Return the factor from 16-bit samples, of which a camera may use 10, 12 or 14 bits, to 0 to 255. Raises Unlit."""
    width, height = picture.size
    sample = np.asarray(picture.resize((min(width, _SAMPLE_SIDE), min(height, _SAMPLE_SIDE)), Image.Resampling.NEAREST))
    if picture.mode.startswith("I"):
        bits = next(bits for bits in _SIGNIFICANT_BITS if np.quantile(sample, _BRIGHTEST) < 1 << bits)
        return 255 / ((1 << bits) - 1)
    colours = sample[..., : {"RGBA": 3, "LA": 1}.get(picture.mode)] if sample.ndim == 3 else sample
    bits = int(np.quantile(colours, _BRIGHTEST)).bit_length()
    if bits < _FEWEST_BITS:
        raise Unlit(f"of 16 bits the brightest samples use {bits + 8}")
    return 255 / ((1 << bits) - 1) if bits <= _MOST_BITS_TO_BRIGHTEN else 1.0


def _most_alpha(picture: Image.Image) -> int:
    extrema: Any = picture.getextrema()
    return int(extrema[-1][1])
