"""Errors of decoding::

    DecodingError
    ├── Undecodable      damaged, incomplete, or no image
    ├── Unsupported      an image kind that cameras do not write and that cannot be checked for completeness
    ├── Invisible        every pixel is transparent
    ├── Unlit            a 16-bit image uses so few bits that nothing is visible
    ├── Oversized        more pixels than the decoders accept
    ├── TooCostly        decoding takes more memory or time than one image may
    └── DecoderBusy      large images are being decoded already; temporary

``triof/judging/photo.py`` translates each into a PhotoError.
"""


class DecodingError(Exception):
    """Base of the errors of decoding."""


class Undecodable(DecodingError):
    """The bytes are damaged, incomplete, or not an image."""


class Unsupported(DecodingError):
    """An image kind that cameras do not write and that no decoder here can check for completeness."""


class Invisible(DecodingError):
    """Every pixel is transparent."""


class Unlit(DecodingError):
    """A 16-bit image uses so few bits that nothing is visible."""


class Oversized(DecodingError):
    """The header states more pixels than the decoders accept."""


class TooCostly(DecodingError):
    """Decoding takes more memory or processor time than one image may."""


class DecoderBusy(DecodingError):
    """Other large images are being decoded; retry a moment later."""
