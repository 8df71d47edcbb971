"""Settings of the camera."""

from pathlib import Path
from typing import Literal

from providers.options import Options
from triof.common.paths import DEMO_PICTURES


class CameraSettings(Options):
    """Kind of camera; ``folder`` and ``order`` apply to the kind ``folder``, which shows the pictures of a folder."""

    kind: Literal["folder", "browser"] = "folder"
    folder: Path = DEMO_PICTURES
    order: Literal["fixed", "random"] = "fixed"
