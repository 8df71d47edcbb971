"""Reads the files of a zip or a folder into memory by name, without unpacking to the disk.

Sizes are counted while reading, as those stated in a zip are not trusted.
"""

import stat
import zipfile
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import BinaryIO, cast
from zlib import error as ZlibError  # noqa: N812

from providers.base import ProviderMisconfigured
from providers.local_cnn.regular_files import open_regular, read_at_most

Files = Mapping[str, bytes]

_MOST_FILES = 1000
_MOST_BYTES = 200_000_000
"""Largest size in bytes of the zip, and of all unpacked files; a compact model has some ten million."""
_MOST_AT_ONCE = 4_000_000
"""Largest read of a zip at once; enough for a directory of some thousand members."""
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
"""Allowed compression methods; others may expand a thousandfold within one read."""
_ENCRYPTED = 0x1


def read(source: Path, markers: tuple[str, ...]) -> Files:
    """Return the files beside the first of ``markers`` by name, in ``source`` or one folder below.

    Raises ProviderMisconfigured if there is no marker, or the zip is invalid or malicious.
    """
    try:
        files = _in_folder(source, markers) if source.is_dir() else _in_zip(source, markers)
    except (OSError, zipfile.BadZipFile, ZlibError, NotImplementedError, RuntimeError, ValueError, EOFError) as error:
        raise unusable(
            source, f"it cannot be read as a zip or a folder ({_cause(source, error)}): download or copy it again"
        ) from error
    if not files:
        raise unusable(source, f"there is no {' and no '.join(markers)} in it: name a bundle, or an export of Azure")
    return files


def unusable(source: Path, reason: str) -> ProviderMisconfigured:
    """Return the error for an unusable zip or folder; ``reason`` ends with the remedy."""
    return ProviderMisconfigured(f"{source} cannot be taken: {reason}.")


def _cause(source: Path, error: Exception) -> str:
    if not isinstance(error, OSError) or not error.strerror:
        return str(error)
    name = Path(str(error.filename)).name
    return f"{name}: {error.strerror}" if error.filename and name != source.name else error.strerror


class _Budget:
    """The bytes and files that may still be read of ``source``."""

    def __init__(self, source: Path) -> None:
        self._source = source
        self._bytes_left = _MOST_BYTES

    def check_count(self, count: int) -> None:
        if count > _MOST_FILES:
            raise self._too_much()

    def check_size(self, size: int) -> None:
        if size > self._bytes_left:
            raise self._too_much()

    def take(self, content: bytes) -> bytes:
        self.check_size(len(content))
        self._bytes_left -= len(content)
        return content

    @property
    def most(self) -> int:
        """One byte more than allowed, so that an excess is detected."""
        return self._bytes_left + 1

    def _too_much(self) -> ProviderMisconfigured:
        return unusable(
            self._source,
            f"it holds more than {_MOST_FILES} files or {_MOST_BYTES / 1e6:.0f} MB unpacked, which no export needs:"
            " name the export alone",
        )


def _in_folder(source: Path, markers: tuple[str, ...]) -> Files:
    budget = _Budget(source)
    folders = [source, *sorted(path for path in _entries(source, budget) if path.is_dir())]
    folder = next((folder for folder in folders if any((folder / marker).is_file() for marker in markers)), None)
    if not folder:
        return {}
    found = sorted(path for path in _entries(folder, budget) if not path.is_dir())
    for path in found:
        budget.check_size(path.stat().st_size)
    return {path.name: budget.take(_file(path, budget)) for path in found}


def _entries(folder: Path, budget: _Budget) -> list[Path]:
    found = list(islice(folder.iterdir(), _MOST_FILES + 1))
    budget.check_count(len(found))
    return found


class _Pieces:
    """A file for ``zipfile`` that limits each read, as the zip may lie about the length of its directory."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.seek, self.tell, self.seekable = file.seek, file.tell, file.seekable

    def read(self, size: int = -1) -> bytes:
        piece = self._file.read(_MOST_AT_ONCE + 1 if size < 0 else min(size, _MOST_AT_ONCE + 1))
        if len(piece) > _MOST_AT_ONCE:
            raise zipfile.BadZipFile("its directory is too large")
        return piece


def _in_zip(source: Path, markers: tuple[str, ...]) -> Files:
    budget = _Budget(source)
    with open_regular(source) as file:
        budget.check_size(file.seek(0, 2))
        with zipfile.ZipFile(cast(BinaryIO, _Pieces(file))) as archive:
            members = _checked(source, archive.infolist(), budget)
            folders = sorted({path.parent for path in members if path.name in markers}, key=_depth)
            if not folders or _depth(folders[0]) > 1:
                return {}
            beside = {path.name: member for path, member in members.items() if path.parent == folders[0]}
            return {name: budget.take(_content(archive, member, budget)) for name, member in beside.items()}


def _checked(source: Path, members: list[zipfile.ZipInfo], budget: _Budget) -> Mapping[PurePosixPath, zipfile.ZipInfo]:
    """Check the members and return those that are files, by path."""
    budget.check_count(len(members))
    checked: dict[PurePosixPath, zipfile.ZipInfo] = {}
    for member in members:
        name = member.filename.replace("\\", "/")
        path = PurePosixPath(name)
        if path.is_absolute() or PureWindowsPath(name).drive or ".." in path.parts:
            raise unusable(source, f"it holds {member.filename!r}, which points outside: it is made to do harm")
        if member.is_dir():
            continue
        if why := next(_wrongs(member), ""):
            raise unusable(source, f"its {member.filename!r} {why}: zip the export's files again, or download it again")
        if path in checked:
            raise unusable(source, f"it holds {str(path)!r} twice: download it again")
        budget.check_size(member.file_size)
        checked[path] = member
    return checked


def _wrongs(member: zipfile.ZipInfo) -> Iterator[str]:
    if member.flag_bits & _ENCRYPTED:
        yield "is encrypted"
    if member.compress_type not in _METHODS:
        yield "is compressed otherwise than by deflate"
    if stat.S_IFMT(member.external_attr >> 16) not in (0, stat.S_IFREG):
        yield "is no regular file"


def _file(path: Path, budget: _Budget) -> bytes:
    with open_regular(path) as file:
        return read_at_most(file, budget.most)


def _content(archive: zipfile.ZipFile, member: zipfile.ZipInfo, budget: _Budget) -> bytes:
    with archive.open(member) as file:
        return read_at_most(file, budget.most)


def _depth(folder: PurePosixPath) -> int:
    return len(folder.parts)
