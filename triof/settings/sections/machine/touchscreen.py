"""Layout of the touchscreen."""

from typing import Literal

from providers.options import Options


class TouchscreenSettings(Options):
    """Layout of the touchscreen."""

    reach: Literal["standard", "low"] = "standard"
    """``low``: on a standing screen everything that is touched lies in the lower half of the page."""
