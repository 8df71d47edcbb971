"""The camera protocol and its errors."""

from typing import Protocol

from triof.common.errors import TriofError


class CameraError(TriofError):
    """The camera gave no picture; the message says how to fix it, ``code`` is shown on the touchscreen."""

    code = "C1"


class NothingChosen(CameraError):
    """The touchscreen sent no picture, as the employee has not taken or chosen one yet."""


class Camera(Protocol):
    """Takes the picture of the item in the closed slot."""

    kind: str

    def take(self, upload: bytes | None) -> bytes:
        """Return the encoded image; ``upload`` is the image that the touchscreen sent. Raises CameraError."""

    def preview(self) -> bytes:
        """Return the newest picture as JPEG, or as its file holds it, and consume nothing. Raises CameraError."""

    def ping(self) -> None:
        """Raise CameraError if ``take`` could not work now."""

    def close(self) -> None:
        """Stop the camera's threads and free its device; called once, at the end."""
