"""Which camera the machine has."""

from pathlib import Path
from typing import Literal

from providers.options import Options
from triof.common.paths import DEMO_PICTURES


class CameraSettings(Options):
    """Kind of camera; ``folder`` and ``order`` say which pictures the camera of kind ``folder`` shows."""

    kind: Literal["folder", "browser"] = "folder"
    folder: Path = DEMO_PICTURES
    order: Literal["fixed", "random"] = "fixed"
