"""Errors of bundles, and the translation of write errors."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from triof.common.errors import TriofError


class BundleRefused(TriofError):
    """The model cannot be installed, activated or removed; the message says why and what to do."""


@contextmanager
def writing(place: Path) -> Iterator[None]:
    """Translate OSError to BundleRefused with the place."""
    try:
        yield
    except OSError as error:
        raise BundleRefused(
            f"{place} cannot be written ({error.strerror or error}): make room, or name another place."
        ) from error
