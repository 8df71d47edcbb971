"""A small disk of its own, which a test can really fill; root and Linux alone can mount one."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def small_disk(folder: Path, size: str = "4m") -> Iterator[Path]:
    """Mount a disk of ``size`` on ``folder``; the test is skipped where that is not allowed."""
    folder.mkdir(parents=True, exist_ok=True)
    try:
        mounted = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)], capture_output=True, check=False
        )
    except OSError:
        pytest.skip("there is no mount")
    if mounted.returncode:
        pytest.skip("a disk can be mounted by root alone")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(folder: Path, leave: int = 0) -> Path:
    """Fill the disk of ``folder`` but for ``leave`` bytes; returns the file that does it."""
    path = folder / "another program's file"
    if leave:
        (folder / "spare").write_bytes(bytes(leave))
    with path.open("wb", buffering=0) as file:
        piece = 65_536
        while piece:
            try:
                file.write(bytes(piece))
            except OSError:
                piece //= 2
    if leave:
        (folder / "spare").unlink()
    return path
