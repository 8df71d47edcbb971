"""A disk that fails at the moment that a test chooses, where the program calls the operating system."""

import os
from fnmatch import fnmatch
from pathlib import Path

import pytest

FULL = 28, "No space left on device"


class PowerCut(BaseException):
    """The process ends here, and tidies nothing up."""


def failing_replace(
    monkeypatch: pytest.MonkeyPatch,
    error: type[BaseException] | BaseException,
    name: str = "*",
    *,
    spared: int = 0,
    after: bool = False,
) -> None:
    """Raise ``error`` whenever a file called ``name`` takes its place, but for the first ``spared``.

    The new content lies beside it then. ``after``: the first one that fails is in its place already.
    """
    replace, met = os.replace, 0

    def fail(source: Path, target: Path) -> None:
        nonlocal met
        if not fnmatch(Path(target).name, name):
            return replace(source, target)
        met += 1
        if met <= spared or (after and met == spared + 1):
            replace(source, target)
        if met > spared:
            raise error
        return None

    monkeypatch.setattr(os, "replace", fail)
