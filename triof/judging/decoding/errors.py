"""Why image bytes do not become pixels::

    DecodingError
    ├── Undecodable      damaged, incomplete, or no image
    ├── Unsupported      of a kind that cameras do not write and that cannot be checked for its end
    ├── Invisible        every pixel is transparent
    ├── Unlit            the values of a 16-bit image use so few bits that nothing can be seen
    ├── Oversized        more pixels than any decoder here opens
    ├── TooCostly        decoding takes more memory or time than one image may
    └── DecoderBusy      large images are being decoded already; passes

``triof/judging/photo.py`` turns each into a sentence.
"""


class DecodingError(Exception):
    """Bytes that do not become pixels."""


class Undecodable(DecodingError):
    """Damaged, incomplete, or no image at all."""


class Unsupported(DecodingError):
    """An image of a kind that cameras do not write, and of which no decoder here tells whether it is whole."""


class Invisible(DecodingError):
    """Every pixel is transparent."""


class Unlit(DecodingError):
    """The values of a 16-bit image use so few bits that nothing can be seen."""


class Oversized(DecodingError):
    """The header tells more pixels than any decoder here opens."""


class TooCostly(DecodingError):
    """Decoding takes more memory or processor time than one image may."""


class DecoderBusy(DecodingError):
    """Other large images are being decoded; a moment later this one may be."""
