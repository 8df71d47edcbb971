"""Limits on photos and on decoding."""

from pydantic import Field

from providers.options import Options


class PhotoLimits(Options):
    """Limits on photos and on decoding. Sides and pixels are those of the whole image."""

    max_bytes: int = Field(20_000_000, ge=1)
    max_pixels: int = Field(110_000_000, ge=1, le=170_000_000)
    min_side: int = Field(32, ge=1)
    max_side: int = Field(16_384, ge=1)
    decode_megabytes: int = Field(224, ge=16)
    """Total memory for large photos that are decoded at the same time."""
    decode_seconds: float = Field(2.0, gt=0)
    """Processor time limit for decoding one photo."""
    wait_seconds: float = Field(0.5, ge=0)
    """Time that a large photo waits for that memory."""


DEFAULT_LIMITS = PhotoLimits()
