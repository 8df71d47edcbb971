"""Cuts a photo to the item's box before it is stored, so that hands and faces at the edge are not kept."""

from io import BytesIO

from PIL import Image

RelativeBox = tuple[float, float, float, float]
"""Left, top, right and bottom, relative to the sides of the picture: 0 to 1."""


def cut_to_item(jpeg: bytes, box: RelativeBox | None) -> bytes | None:
    """Return the part of a stored photo in ``box``, upright and without metadata, as ``jpeg`` is.

    Returns None without a box: what is at the edge of the picture is not known, so nothing may be kept.
    """
    if box is None:
        return None
    left, top, right, bottom = (min(max(side, 0.0), 1.0) for side in box)
    with Image.open(BytesIO(jpeg), formats=("JPEG",)) as picture:
        wide, high = picture.size
        x, y = min(int(left * wide), wide - 1), min(int(top * high), high - 1)
        part = picture.crop((x, y, max(x + 1, round(right * wide)), max(y + 1, round(bottom * high))))
        part.save(cut := BytesIO(), "JPEG", quality=88)
    return cut.getvalue()
