"""The cameras, which provide the image of a deposit."""

import random
from collections.abc import Callable, Sequence
from itertools import count
from pathlib import Path
from typing import Literal, Protocol

from providers.event_log import get_logger
from triof.common.errors import TriofError
from triof.common.image_files import PictureFolder, look_in
from triof.settings.sections.camera import CameraSettings

log = get_logger(__name__)


class CameraError(TriofError):
    """The camera gave no picture; the message says how to fix it."""


class NothingChosen(CameraError):
    """The touchscreen sent no picture, as the employee has not taken or chosen one yet."""


class Camera(Protocol):
    """Takes the picture of the item in the closed slot."""

    kind: str

    def take(self, upload: bytes | None) -> bytes:
        """Return the encoded image; ``upload`` is the image that the touchscreen sent. Raises CameraError."""

    def ping(self) -> None:
        """Raise CameraError if ``take`` could not work now."""


class FolderCamera:
    """Returns the pictures of a folder in turn, endlessly."""

    kind = "folder"

    def __init__(
        self,
        folder: Path,
        order: Literal["fixed", "random"] = "fixed",
        choose: Callable[[Sequence[Path]], Path] = random.choice,
    ) -> None:
        self._folder = folder
        self._order = order
        self._choose = choose
        self._turns = count()
        self._told = ""

    def take(self, upload: bytes | None) -> bytes:
        """Return the next picture of the folder, which is listed each time; ``upload`` is ignored."""
        found = self._look()
        if found.remark and found.remark != self._told:
            log.warning("camera.left_out", why=found.remark)
        self._told, pictures = found.remark, found.pictures
        path = self._choose(pictures) if self._order == "random" else pictures[next(self._turns) % len(pictures)]
        try:
            return path.read_bytes()
        except OSError as error:
            raise CameraError(f"The picture {path} cannot be read ({error}): check its permissions.") from error

    def ping(self) -> None:
        """Raise CameraError if the folder has no picture."""
        self._look()

    def _look(self) -> PictureFolder:
        found = look_in(self._folder)
        if found.pictures:
            return found
        if not self._folder.is_dir():
            why = "is not a folder" if self._folder.exists() else "does not exist"
            raise CameraError(
                f"The camera's folder {self._folder} {why}: set camera.folder to one that holds pictures."
            )
        none = f"The folder camera finds no picture in {self._folder}: set camera.folder to one that has."
        raise CameraError(" ".join(filter(None, (none, found.remark))))


class BrowserCamera:
    """The touchscreen's own camera, or a file chosen there."""

    kind = "browser"

    def take(self, upload: bytes | None) -> bytes:
        """Return the touchscreen's picture. Raises NothingChosen if there is none."""
        if not upload:
            raise NothingChosen("The touchscreen sent no picture: take or choose one.")
        return upload

    def ping(self) -> None:
        """Do nothing, as only the touchscreen knows whether it has a camera."""


def build(settings: CameraSettings) -> Camera:
    """Build the camera of the settings."""
    if settings.kind == "browser":
        return BrowserCamera()
    return FolderCamera(settings.folder, settings.order)
