"""The camera's orientation, from EXIF or XMP.

Unreadable metadata count as upright; they never make a photo invalid.
"""

import re
import warnings

from PIL import Image

warnings.filterwarnings("ignore", message="Corrupt EXIF data", module=r"PIL\.TiffImagePlugin")

UPRIGHT = 1

_TAG = 0x0112
_LARGEST_BYTES = 65_536
"""Most bytes of an EXIF block, as in a JPEG; larger blocks of other formats are ignored."""
_XMP = re.compile(rb"""tiff:Orientation(?:\s*=\s*["']|>)([1-8])""")
_TRANSPOSE = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def from_exif(block: bytes) -> int:
    """Return the orientation (1 to 8) in an EXIF ``block``."""
    exif = Image.Exif()
    try:
        exif.load(block[:_LARGEST_BYTES])
        orientation = exif.get(_TAG, UPRIGHT)
    except Exception:
        # On damaged files Pillow may raise anything.
        return UPRIGHT
    return orientation if orientation in _TRANSPOSE else UPRIGHT


def from_xmp(block: bytes) -> int:
    """Return the orientation (1 to 8) in an XMP ``block``."""
    found = _XMP.search(block[:_LARGEST_BYTES])
    return int(found[1]) if found else UPRIGHT


def is_sideways(orientation: int) -> bool:
    """Return whether the orientation swaps width and height."""
    return orientation >= 5


def upright(picture: Image.Image, orientation: int) -> Image.Image:
    """Return ``picture`` turned upright."""
    return picture.transpose(_TRANSPOSE[orientation]) if orientation in _TRANSPOSE else picture
