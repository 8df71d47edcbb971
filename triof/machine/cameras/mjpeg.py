"""Splits a multipart stream (MJPEG over HTTP) into its JPEGs."""

import re
from collections.abc import Callable

from triof.machine.cameras.base import CameraLost

MAX_BYTES = 20_000_000
"""Maximum size of one picture; what sends more is not a camera."""
_HEAD_BYTES = 16_384
_LENGTH = re.compile(rb"(?im)^content-length:\s*(\d+)\s*$")


def boundary_of(content_type: str) -> bytes | None:
    """Return the line that begins each part; None if the content is no multipart stream."""
    if not content_type.lower().startswith("multipart/"):
        return None
    found = re.search(r'boundary="?([^";\s]+)', content_type)
    # Some cameras write the dashes into the header, others do not.
    return b"--" + (found[1].strip("-") if found else "").encode("latin-1", "replace")


class PartReader:
    """Reads the parts of a stream; ``read`` returns some bytes, or none at its end."""

    def __init__(self, boundary: bytes, read: Callable[[], bytes]) -> None:
        self._boundary = boundary
        self._read = read
        self._buffer = bytearray()

    def next(self) -> bytes:
        """Return the body of the next part. Raises CameraLost."""
        while True:
            start = self._find(self._boundary, 0, MAX_BYTES)
            head_end = self._find(b"\r\n\r\n", start, start + _HEAD_BYTES)
            head, body_start = bytes(self._buffer[start:head_end]), head_end + 4
            if length := _LENGTH.search(head):
                end = body_start + min(int(length[1]), MAX_BYTES + 1)
                self._fill(end)
            else:
                end = self._find(b"\r\n" + self._boundary, body_start, body_start + MAX_BYTES)
            body = bytes(self._buffer[body_start:end])
            del self._buffer[:end]
            if body:
                return body

    def _find(self, what: bytes, start: int, limit: int) -> int:
        searched = start
        while (found := self._buffer.find(what, searched)) < 0:
            # An end that is cut in two is found with the next bytes.
            searched = max(start, len(self._buffer) - len(what) + 1)
            if len(self._buffer) > limit:
                raise CameraLost("The camera sends no pictures that can be told apart: check camera.http.url.")
            self._more()
        return found

    def _fill(self, end: int) -> None:
        if end > MAX_BYTES:
            raise CameraLost(f"The camera sends pictures of more than {MAX_BYTES / 1e6:.0f} MB: lower its resolution.")
        while len(self._buffer) < end:
            self._more()

    def _more(self) -> None:
        some = self._read()
        if not some:
            raise CameraLost("The camera has ended its stream: check its power and its network.")
        self._buffer += some
