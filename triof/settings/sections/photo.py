"""Limits on photos and on decoding, and the use of the reference picture of the empty slot."""

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


class SlotViewSettings(Options):
    """Use of the reference picture of the empty slot."""

    enabled: bool = True
    """Whether pictures are compared with the reference."""
    cut: bool = True
    """Whether the models see the item's box instead of the whole picture."""
    margin: float = Field(0.1, ge=0, le=1)
    """Margin around the item, relative to its longer side."""
    learn: bool = True
    """Whether the machine takes the reference by itself when the slot is closed, idle and surely empty."""


DEFAULT_LIMITS = PhotoLimits()
