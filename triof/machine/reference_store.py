"""Stores the reference picture of the empty slot in the data folder, with its camera and its time."""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from io import BytesIO
from pathlib import Path
from urllib.parse import urlsplit

from PIL import Image, PngImagePlugin

from providers.event_log import get_logger
from triof.common.atomic_files import keep_state
from triof.common.paths import DEMO_EMPTY_SLOTS, DEMO_PICTURES
from triof.machine.empty_slot.pictures import Background, reduced, reduced_size
from triof.settings.sections.machine.camera import CameraSettings

log = get_logger(__name__)

FILE = "empty_slot.png"
KEPT_SIDE = 640
"""Longer side in pixels of the stored picture, which people look at too."""
_KEY = "triof"


_Signature = tuple[int, int, int]


@dataclass(frozen=True)
class SlotReference:
    """A picture of the empty slot."""

    picture: Image.Image
    """At most 640 pixels long."""
    camera: str
    """The id of its camera; see :func:`camera_id`."""
    width: int
    height: int
    """Size of the camera's picture in pixels."""
    taken_at: datetime | None
    """None: it came with Triof."""

    @cached_property
    def background(self) -> Background:
        """The picture, reduced, to compare others with."""
        return Background(reduced(self.picture, reduced_size(self.width, self.height)))


class ReferenceStore:
    """The reference of one camera. A change by another process is seen by the next call. Thread-safe."""

    def __init__(
        self, home: Path, camera: CameraSettings, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self.path = home / FILE
        self.camera = camera_id(camera)
        self._shows_demo = camera.kind == "folder" and camera.folder == DEMO_PICTURES
        self._now = now
        self._kept: tuple[_Signature | None, Sequence[SlotReference]] = (None, ())
        self._read_once = False

    def current(self) -> Sequence[SlotReference]:
        """Return the camera's references: one, none, or those of the demo, whose pictures have many views."""
        signature = self._signature()
        if not self._read_once or signature != self._kept[0]:
            taken = self._read() if signature else None
            self._kept = signature, [taken] if taken else self._shipped()
            self._read_once = True
        return self._kept[1]

    def save(self, picture: Image.Image, width: int, height: int) -> SlotReference:
        """Store the ``picture`` of a camera that gives ``width`` x ``height`` pixels. Raises OSError."""
        small = picture.convert("RGB")
        small.thumbnail((KEPT_SIDE, KEPT_SIDE), Image.Resampling.BOX)
        reference = SlotReference(small, self.camera, width, height, self._now())
        about = {"camera": self.camera, "width": width, "height": height, "taken_at": self._now().isoformat()}
        written, information = BytesIO(), PngImagePlugin.PngInfo()
        information.add_text(_KEY, json.dumps(about))
        small.save(written, "PNG", pnginfo=information)
        keep_state(self.path, written.getvalue())
        return reference

    def forget(self) -> bool:
        """Remove the stored reference; returns whether there was one. Raises OSError."""
        is_there = self.path.exists()
        self.path.unlink(missing_ok=True)
        return is_there

    def _signature(self) -> _Signature | None:
        try:
            status = self.path.stat()
        except OSError:
            return None
        return status.st_mtime_ns, status.st_size, status.st_ino

    def _read(self) -> SlotReference | None:
        try:
            with Image.open(self.path, formats=("PNG",)) as opened:
                about = json.loads(opened.text[_KEY])  # type: ignore[attr-defined]
                taken_at = datetime.fromisoformat(about["taken_at"])
                found = SlotReference(opened.convert("RGB"), about["camera"], about["width"], about["height"], taken_at)
        # A damaged file may raise anything; the machine then judges whole pictures.
        except Exception as error:
            log.warning("reference.not_read", path=self.path, cause=error)
            return None
        return found if found.camera == self.camera else None

    def _shipped(self) -> Sequence[SlotReference]:
        if not self._shows_demo:
            return ()
        return [_of_file(path, self.camera) for path in sorted(DEMO_EMPTY_SLOTS.glob("*.jpg"))]


def camera_id(camera: CameraSettings) -> str:
    """Return an id that changes with the camera's kind, device and size, and says nothing of its login."""
    return f"{camera.kind}-{hashlib.sha256(repr(_device(camera)).encode()).hexdigest()[:12]}"


def _device(camera: CameraSettings) -> tuple[object, ...]:
    match camera.kind:
        case "folder":
            return (str(camera.folder),)
        case "webcam":
            return camera.webcam.device, camera.webcam.width, camera.webcam.height
        case "picamera2":
            return camera.picamera2.number, camera.picamera2.width, camera.picamera2.height
        case "http":
            parts = urlsplit(camera.http.url.get_secret_value() if camera.http.url else "")
            # Without the query, in which some cameras take the password.
            return parts.netloc.rpartition("@")[2], parts.path
        case "browser":
            return ()


def _of_file(path: Path, camera: str) -> SlotReference:
    with Image.open(path) as opened:
        picture = opened.convert("RGB")
    return SlotReference(picture, camera, 960, 720, None)
