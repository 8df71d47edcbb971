"""What comes as a zip or as a folder: its files by name, taken into memory and never unpacked to the disk."""

import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath
from zlib import error as ZlibError  # noqa: N812

from providers.base import ProviderMisconfigured

Files = Mapping[str, bytes]

_MOST_FILES = 1000
_MOST_BYTES = 200_000_000
"""Of all files together, once they are unpacked; a compact model has some ten million."""


def read(source: Path, markers: tuple[str, ...]) -> Files:
    """The files beside the first of ``markers`` by name, in ``source`` or one folder down.

    Raises ProviderMisconfigured for what holds no marker, is no zip, or is made to do harm.
    """
    try:
        files = _in_folder(source, markers) if source.is_dir() else _in_zip(source, markers)
    except (OSError, zipfile.BadZipFile, ZlibError, NotImplementedError, RuntimeError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise unusable(
            source, f"it cannot be read as a zip or a folder ({reason}): download or copy it again"
        ) from error
    if not files:
        raise unusable(source, f"there is no {' and no '.join(markers)} in it: name a bundle, or an export of Azure")
    return files


def unusable(source: Path, reason: str) -> ProviderMisconfigured:
    """The error for a zip or folder that cannot be taken; ``reason`` ends with what to do."""
    return ProviderMisconfigured(f"{source} cannot be taken: {reason}.")


def _in_folder(source: Path, markers: tuple[str, ...]) -> Files:
    folders = [source, *sorted(path for path in source.iterdir() if path.is_dir())]
    folder = next((folder for folder in folders if any((folder / marker).is_file() for marker in markers)), None)
    found = sorted(path for path in folder.iterdir() if path.is_file()) if folder else []
    _check_sizes(source, (path.stat().st_size for path in found))
    return {path.name: path.read_bytes() for path in found}


def _in_zip(source: Path, markers: tuple[str, ...]) -> Files:
    with zipfile.ZipFile(source) as archive:
        members = {PurePosixPath(member.filename.replace("\\", "/")): member for member in archive.infolist()}
        for path in members:
            if path.is_absolute() or ".." in path.parts:
                raise unusable(source, f"it holds {str(path)!r}, which points outside: it is made to do harm")
        _check_sizes(source, (member.file_size for member in archive.infolist()))
        folders = sorted({path.parent for path in members if path.name in markers}, key=lambda path: len(path.parts))
        if not folders or len(folders[0].parts) > 1:
            return {}
        # No more is read of a member than the zip says that it has, and that was checked.
        beside = {path: member for path, member in members.items() if path.parent == folders[0] and not member.is_dir()}
        return {path.name: archive.read(member) for path, member in beside.items()}


def _check_sizes(source: Path, sizes: Iterable[int]) -> None:
    total = 0
    for count, size in enumerate(sizes, 1):
        total += size
        if count > _MOST_FILES or total > _MOST_BYTES:
            raise unusable(
                source,
                f"it holds more than {_MOST_FILES} files or {_MOST_BYTES / 1e6:.0f} MB unpacked, which no export needs:"
                " name the export alone",
            )
