"""Finds the photos in a folder by content, and reports other files that may have been meant as photos.

Hidden files, text, and files made by file managers, cameras and archives are skipped silently.
"""

import os
import re
import stat
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from triof.common.image_format import ImageFormat, image_format, readable_formats

_PICTURE_ENDINGS = frozenset(
    (".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".heic", ".heif", ".avif")
)
"""Suffixes of pictures; such a file without picture content is decoded, which reports the fault."""
_LITTER = frozenset(
    (
        *("thumbs.db", "ehthumbs.db", "desktop.ini", "__macosx", "system volume information", "$recycle.bin"),
        *("@eadir", "@tmp", "@recycle", "@__thumb", "#recycle", "#snapshot", "network trash folder", "temporary items"),
        *("recycler", "lost+found", "__pycache__"),
    )
)
"""Names that operating systems and network drives create, in lower case."""
_BINARY = re.compile(rb"[\0-\x08\x0e-\x1a\x1c-\x1f]")
_HEAD_BYTES = 512
_SHOWN = 3

_PICTURE, _PASSED_OVER = "picture", ""
_BROKEN_LINK, _FOREIGN_NAME, _OTHER = "broken link", "name that is not UTF-8", "other file"
_UNREADABLE_FILE, _UNREADABLE_FOLDER = "file that cannot be read", "folder that cannot be read"
_PLURALS = {
    _BROKEN_LINK: "broken links",
    _FOREIGN_NAME: "names that are not UTF-8",
    _OTHER: "other files",
    _UNREADABLE_FILE: "files that cannot be read",
    _UNREADABLE_FOLDER: "folders that cannot be read",
}


@dataclass(frozen=True)
class PictureFolder:
    """The pictures below ``folder``, in the order of their names."""

    folder: Path
    pictures: tuple[Path, ...]
    left_out: Mapping[str, Sequence[Path]]
    """Files that Triof does not read, by kind: the name of an image format, or words such as "broken link"."""

    @property
    def remark(self) -> str:
        """Return a line that counts and names the files left out; empty if there are none."""
        if not self.left_out:
            return ""
        kinds = sorted(self.left_out.items(), key=lambda kind: (-len(kind[1]), kind[0]))
        told = ", ".join(self._counted(kind, paths) for kind, paths in kinds)
        extra = ", or install triof[heic]" if "HEIC" in self.left_out else ""
        formats = ", ".join(readable_formats())
        return f"Left out of {self.folder}: {told}. Triof reads {formats}: save photos as JPEG{extra}."

    def _counted(self, kind: str, paths: Sequence[Path]) -> str:
        names = [printable(path.relative_to(self.folder)) for path in paths[:_SHOWN]]
        more = [f"{len(paths) - _SHOWN} more"] if len(paths) > _SHOWN else []
        counted = f"{len(paths)} {kind if len(paths) == 1 else _PLURALS.get(kind, kind)}"
        return f"{counted} ({', '.join([*names, *more])})"


def look_in(folder: Path) -> PictureFolder:
    """Find every picture below ``folder``, and the files left out. Links are followed; each folder is read once."""
    found: defaultdict[str, list[Path]] = defaultdict(list)
    for path, kind in _walk(folder):
        found[kind].append(path)
    found.pop(_PASSED_OVER, None)
    pictures = found.pop(_PICTURE, [])
    return PictureFolder(folder, tuple(sorted(pictures)), {kind: sorted(paths) for kind, paths in found.items()})


def pictures_in(folder: Path) -> list[Path]:
    """Return every picture below ``folder``, in the order of the names."""
    return list(look_in(folder).pictures)


def printable(path: Path) -> str:
    """Return the path as printable text, even if its bytes are not valid UTF-8."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def _walk(root: Path) -> Iterator[tuple[Path, str]]:
    """Yield each file below ``root`` with its kind, and each unreadable folder."""
    formats = readable_formats()
    seen: set[str] = set()
    folders, links = [root], list[Path]()
    # Links last, as a photo's labels come from its real folders.
    while folders or links:
        folder = (folders or links).pop()
        real = os.path.realpath(folder)
        if real in seen:
            continue
        seen.add(real)
        try:
            entries = [entry for entry in os.scandir(folder) if not _is_litter(entry.name)]
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError:
            yield folder, _UNREADABLE_FOLDER
            continue
        for entry in entries:
            # A lone surrogate stands for a byte that is not UTF-8, which no manifest or page can contain.
            if any("\ud800" <= letter <= "\udfff" for letter in entry.name):
                yield Path(entry.path), _FOREIGN_NAME
            elif _is_folder(entry):
                (links if entry.is_symlink() else folders).append(Path(entry.path))
            else:
                yield Path(entry.path), _kind(entry, formats)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # the link leads to itself
        return False


def _is_litter(name: str) -> bool:
    return name.startswith(".") or name.lower() in _LITTER


def _kind(entry: os.DirEntry[str], formats: Collection[ImageFormat]) -> str:
    path = Path(entry.path)
    try:
        if not stat.S_ISREG(entry.stat().st_mode):
            return _PASSED_OVER
        with path.open("rb", buffering=0) as file:
            head = file.read(_HEAD_BYTES)
    except FileNotFoundError:
        return _BROKEN_LINK
    except OSError:
        head = None
    found = image_format(head or b"")
    if found:
        return _PICTURE if found in formats else found
    if path.suffix.lower() in _PICTURE_ENDINGS:
        return _PICTURE
    if head is None:
        return _UNREADABLE_FILE
    return _OTHER if _BINARY.search(head) else _PASSED_OVER
