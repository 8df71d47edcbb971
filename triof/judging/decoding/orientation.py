"""How a camera was held, from EXIF or XMP.

Metadata never decide about a photo: those that cannot be read say that it is upright.
"""

import re
import warnings

from PIL import Image

warnings.filterwarnings("ignore", message="Corrupt EXIF data", module=r"PIL\.TiffImagePlugin")

UPRIGHT = 1

_TAG = 0x0112
_LARGEST_BYTES = 65_536
"""Of an EXIF block in a JPEG, by its format; whatever is larger elsewhere is not read."""
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
    """The orientation (1 to 8) in an EXIF ``block``."""
    exif = Image.Exif()
    try:
        exif.load(block[:_LARGEST_BYTES])
        orientation = exif.get(_TAG, UPRIGHT)
    except Exception:
        # Pillow raises whatever the damage leads to.
        return UPRIGHT
    return orientation if orientation in _TRANSPOSE else UPRIGHT


def from_xmp(block: bytes) -> int:
    """The orientation (1 to 8) in an XMP ``block``."""
    found = _XMP.search(block[:_LARGEST_BYTES])
    return int(found[1]) if found else UPRIGHT


def is_sideways(orientation: int) -> bool:
    """Whether width and height change places."""
    return orientation >= 5


def upright(picture: Image.Image, orientation: int) -> Image.Image:
    """``picture`` as it was seen."""
    return picture.transpose(_TRANSPOSE[orientation]) if orientation in _TRANSPOSE else picture
