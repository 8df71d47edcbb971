"""Builds the camera of the settings; the module of a kind is imported only where it is used."""

from triof.machine.cameras.base import Camera
from triof.settings.sections.machine.camera import CameraSettings


def build_camera(settings: CameraSettings) -> Camera:
    """Build the camera of the settings. What is missing is told by its ``ping``, not here."""
    match settings.kind:
        case "browser":
            from triof.machine.cameras.browser import BrowserCamera

            return BrowserCamera()
        case "folder":
            from triof.machine.cameras.folder import FolderCamera

            return FolderCamera(settings.folder, settings.order)
        case "webcam":
            from triof.machine.cameras.webcam import Webcam

            return Webcam(settings)
        case "picamera2":
            from triof.machine.cameras.picamera2 import PiCameraModule

            return PiCameraModule(settings)
        case "http":
            from triof.machine.cameras.http import HttpCamera

            return HttpCamera(settings)
