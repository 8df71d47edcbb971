"""Settings of the reference picture of the empty slot, and of what follows from it."""

from pydantic import Field

from providers.options import Options


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
