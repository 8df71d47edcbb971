"""Why a bundle is refused, and how a disk that cannot be written is reported."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from triof.common.errors import TriofError


class BundleRefused(TriofError):
    """This model may not be installed, put into service or removed; the message says why and what to do."""


@contextmanager
def writing(place: Path) -> Iterator[None]:
    """Let what the disk refuses be told with its place. Raises BundleRefused."""
    try:
        yield
    except OSError as error:
        raise BundleRefused(
            f"{place} cannot be written ({error.strerror or error}): make room, or name another place."
        ) from error
