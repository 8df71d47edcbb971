"""Let permissions bind this process, as root is not bound by them."""

import ctypes
import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

_VERSION = 0x20080522
_OVERRIDES = 1 << 1 | 1 << 2
"""CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH."""


@contextmanager
def binding() -> Iterator[None]:
    """Without the rights to read and write whatever its permissions say; of this thread and those it starts."""
    if os.name == "nt" or not hasattr(os, "geteuid"):
        pytest.skip("permissions are told another way here")
    if os.geteuid():
        yield
        return
    try:
        libc = ctypes.CDLL(None, use_errno=True)
        header = ctypes.create_string_buffer(struct.pack("Ii", _VERSION, 0))
        held = ctypes.create_string_buffer(24)
        if libc.capget(header, held):
            raise OSError(ctypes.get_errno(), "capget")
    except (OSError, AttributeError):
        pytest.skip("root cannot give up its rights here")
    effective, *rest = struct.unpack("6I", held.raw)
    less = ctypes.create_string_buffer(struct.pack("6I", effective & ~_OVERRIDES, *rest))
    assert libc.capset(header, less) == 0
    try:
        yield
    finally:
        assert libc.capset(header, held) == 0
