"""Builds the camera of the settings; the module of a kind is imported only where it is used."""

from triof.machine.cameras.base import Camera
from triof.settings.sections.camera import CameraSettings


def build_camera(settings: CameraSettings) -> Camera:
    """Build the camera of the settings. Raises CameraError if its library is missing."""
    match settings.kind:
        case "browser":
            from triof.machine.cameras.browser import BrowserCamera

            return BrowserCamera()
        case "folder":
            from triof.machine.cameras.folder import FolderCamera

            return FolderCamera(settings.folder, settings.order)
