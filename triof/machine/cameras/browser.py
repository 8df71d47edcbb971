"""The camera kind ``browser``: the touchscreen's own camera."""

from triof.machine.cameras.base import NothingChosen


class BrowserCamera:
    """The touchscreen's own camera, or a file chosen there."""

    kind = "browser"

    def take(self, upload: bytes | None) -> bytes:
        """Return the touchscreen's picture. Raises NothingChosen if there is none."""
        if not upload:
            raise NothingChosen("The touchscreen sent no picture: take or choose one.")
        return upload

    def preview(self) -> bytes:
        """Raise NothingChosen, as only the touchscreen sees what its camera sees."""
        raise NothingChosen("The camera is the touchscreen's own: only the touchscreen can show its picture.")

    def ping(self) -> None:
        """Do nothing, as only the touchscreen knows whether it has a camera."""

    def close(self) -> None:
        """Do nothing."""
