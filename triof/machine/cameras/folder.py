"""The camera kind ``folder``: the pictures of a folder."""

import random
from collections.abc import Callable, Sequence
from itertools import count
from pathlib import Path
from typing import Literal

from providers.event_log import get_logger
from triof.common.image_files import PictureFolder, look_in
from triof.machine.cameras.base import CameraError

log = get_logger(__name__)


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
        self._taken: Path | None = None

    def take(self, upload: bytes | None) -> bytes:
        """Return the next picture of the folder, which is listed each time; ``upload`` is ignored."""
        found = self._look()
        if found.remark and found.remark != self._told:
            log.warning("camera.left_out", why=found.remark)
        self._told, pictures = found.remark, found.pictures
        path = self._choose(pictures) if self._order == "random" else pictures[next(self._turns) % len(pictures)]
        self._taken = path
        return _read(path)

    def preview(self) -> bytes:
        """Return the picture that was taken last; before the first, the first of the folder."""
        pictures = self._look().pictures
        return _read(self._taken if self._taken in pictures else pictures[0])

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

    def close(self) -> None:
        """Do nothing."""


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise CameraError(f"The picture {path} cannot be read ({error}): check its permissions.") from error
