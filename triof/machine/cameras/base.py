"""The camera protocol and its errors::

CameraError                C1   no picture
├── NothingChosen               the touchscreen sent none
├── CameraLost             C1   unplugged, silent, or not to be opened
├── FrozenPicture          C2   the same picture again and again
└── PoorPicture                 pictures come, but show too little; deposits go on
    ├── BlackPicture       C3
    ├── OverexposedPicture C4
    ├── BlurredPicture     C5
    └── CoveredCamera      C6
"""

from typing import ClassVar, Protocol

from triof.common.errors import TriofError

UNWATCHED = frozenset({"folder", "browser"})
"""Kinds without a device, whose pictures no thread watches."""


class CameraError(TriofError):
    """The camera gave no picture; the message says how to fix it, ``code`` is shown on the touchscreen."""

    code: ClassVar[str] = "C1"


class NothingChosen(CameraError):
    """The touchscreen sent no picture, as the employee has not taken or chosen one yet."""


class CameraLost(CameraError):
    """The device gives no picture: unplugged, silent, in use, or not permitted."""


class FrozenPicture(CameraError):
    """The device repeats one picture."""

    code = "C2"

    def __init__(self, seconds: float) -> None:
        super().__init__(
            f"The camera has sent the same picture for {seconds:.0f} s: unplug it and plug it in again, or restart it."
        )


class PoorPicture(CameraError):
    """The device gives pictures that show too little. ``remedy`` says what to look for."""

    remedy: ClassVar[str]

    def __init__(self) -> None:
        super().__init__(self.remedy)


class BlackPicture(PoorPicture):
    """The pictures are black."""

    code = "C3"
    remedy = "The camera's pictures are black: check the lamp, and that nothing lies on the lens."


class OverexposedPicture(PoorPicture):
    """The pictures are white."""

    code = "C4"
    remedy = "The camera's pictures are white: check that no light shines into the lens, and its exposure."


class BlurredPicture(PoorPicture):
    """The pictures are out of focus."""

    code = "C5"
    remedy = "The camera's pictures are blurred: clean the lens, and set its focus."


class CoveredCamera(PoorPicture):
    """The pictures show one even surface."""

    code = "C6"
    remedy = "The camera sees nothing but an even surface: take away what covers the lens."


class Camera(Protocol):
    """Takes the picture of the item in the closed slot."""

    kind: str

    def take(self, upload: bytes | None) -> bytes:
        """Return the encoded image; ``upload`` is the image that the touchscreen sent. Raises CameraError."""

    def preview(self) -> bytes:
        """Return the newest picture as JPEG, or as its file holds it, and consume nothing. Raises CameraError."""

    def ping(self) -> None:
        """Raise CameraError if ``take`` could not work now, PoorPicture if its pictures would show too little."""

    def close(self) -> None:
        """Stop the camera's threads and free its device; called once, at the end."""
