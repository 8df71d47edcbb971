"""What a photo may be, and what decoding it may cost."""

from pydantic import Field

from providers.options import Options


class PhotoLimits(Options):
    """What a photo may be, and what decoding one may cost. Sides and pixels are those of the whole image."""

    max_bytes: int = Field(20_000_000, ge=1)
    max_pixels: int = Field(110_000_000, ge=1, le=170_000_000)
    min_side: int = Field(32, ge=1)
    max_side: int = Field(16_384, ge=1)
    decode_megabytes: int = Field(224, ge=16)
    """Memory that all large photos may take together while they are decoded."""
    decode_seconds: float = Field(2.0, gt=0)
    """Processor time that decoding one photo may take."""
    wait_seconds: float = Field(0.5, ge=0)
    """How long a large photo waits for that memory."""


DEFAULT_LIMITS = PhotoLimits()
