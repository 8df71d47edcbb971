"""Layout and voice of the touchscreen."""

from typing import Literal

from providers.options import Options


class TouchscreenSettings(Options):
    """Layout and voice of the touchscreen."""

    reach: Literal["standard", "low"] = "standard"
    """``low``: on a standing screen everything that is touched lies in the lower half of the page."""
    speech: bool = False
    """Whether the browser reads heading and explanation of each step aloud, in the page's language."""
