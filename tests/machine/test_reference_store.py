"""Which camera a reference of the empty slot belongs to."""

from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from triof.machine.reference_store import ReferenceStore
from triof.settings.sections.machine.camera import CameraSettings

URL = "http://192.168.1.20/snapshot.jpg"
HTTP = {"kind": "http", "http": {"url": URL}}
WEBCAM = {"kind": "webcam", "webcam": {"device": "0"}}


def kept(home: Path, taken_by: dict[str, Any], now: dict[str, Any]) -> bool:
    """Whether the reference that one camera took is that of the other."""
    ReferenceStore(home, CameraSettings.model_validate(taken_by)).save(Image.new("RGB", (64, 48)), 64, 48)
    return bool(ReferenceStore(home, CameraSettings.model_validate(now)).current())


@pytest.mark.parametrize(
    ("taken_by", "now"),
    [
        (HTTP, {"kind": "http", "http": {"url": "http://192.168.1.21/snapshot.jpg"}}),
        (HTTP, WEBCAM),
        (WEBCAM, {"kind": "webcam", "webcam": {"device": "1"}}),
        (WEBCAM, {"kind": "webcam", "webcam": {"width": 640}}),
        ({"kind": "folder", "folder": "/one"}, {"kind": "folder", "folder": "/two"}),
        ({"kind": "picamera2"}, {"kind": "picamera2", "picamera2": {"number": 1}}),
    ],
)
def test_the_reference_of_another_camera_is_none(tmp_path: Path, taken_by: dict[str, Any], now: dict[str, Any]) -> None:
    assert kept(tmp_path, taken_by, taken_by)
    assert not kept(tmp_path, taken_by, now)


@pytest.mark.parametrize(
    ("taken_by", "now"),
    [
        (WEBCAM, {**WEBCAM, "burst_frames": 1, "fault_seconds": 30}),
        (WEBCAM, {**WEBCAM, "http": {"url": URL}}),
        (HTTP, {"kind": "http", "http": {"url": URL.replace("//", "//me:secret@"), "timeout_seconds": 5}}),
        ({"kind": "folder", "folder": "/one"}, {"kind": "folder", "folder": "/one", "order": "random"}),
    ],
)
def test_what_changes_no_view_keeps_the_reference(
    tmp_path: Path, taken_by: dict[str, Any], now: dict[str, Any]
) -> None:
    assert kept(tmp_path, taken_by, now)
