"""What the camera kind ``webcam`` uses of OpenCV: the device is a file, and gives 30 frames of 1280 x 720 a second.

The device's file lies in the folder of the setting ``camera.webcam.device``; as long as it is there, it can be opened.
"""

from pathlib import Path
from types import SimpleNamespace

from testing.scripted_pictures import scene
from testing.video_capture import ScriptedCapture, ScriptedWebcam

_FRAME_SECONDS = 1 / 30
CAP_V4L2 = 200
utils = SimpleNamespace(logging=SimpleNamespace(setLogLevel=lambda level: level, LOG_LEVEL_SILENT=0))


def VideoCapture(device: str, _api: int = CAP_V4L2) -> ScriptedCapture:  # noqa: N802
    """Open the device, as ``cv2.VideoCapture`` does."""
    webcam = ScriptedWebcam(Path(device).parent, picture=scene(size=(1280, 720)), seconds=_FRAME_SECONDS)
    return webcam(device)
