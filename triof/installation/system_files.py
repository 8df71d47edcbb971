"""Files of an installation: shows how they would change, writes and removes them; never touches a foreign file."""

import difflib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from triof.common.atomic_files import replace_file
from triof.common.errors import TriofError
from triof.installation.units import HEADER


class ForeignFile(TriofError):
    """A file that this installation did not write is in its place."""


@dataclass(frozen=True)
class SystemFile:
    """A text file, or, with ``target``, a link."""

    path: Path
    text: str = ""
    target: str = ""

    @property
    def is_current(self) -> bool:
        """Whether the file is as it should be. Raises OSError."""
        if self.target:
            return self.path.is_symlink() and str(self.path.readlink()) == self.target
        return self.path.is_file() and self.path.read_text("utf-8", "replace") == self.text

    @property
    def is_there(self) -> bool:
        """Whether anything is at the path, be it a dead link."""
        return os.path.lexists(self.path)

    def check_ours(self) -> None:
        """Raise ForeignFile if another program, or a person, wrote the file."""
        is_ours = self.path.is_symlink() if self.target else HEADER in self._present()
        if self.is_there and not is_ours:
            raise ForeignFile(
                f"{self.path} was not written by `triof install-service`: move it away, what it adds belongs into a"
                f" drop-in in {self.path}.d."
            )

    def difference(self, *, removed: bool = False) -> Iterator[str]:
        """Yield the lines of a unified diff from what is there to what will be."""
        if self.target:
            sign = "-" if removed else "+"
            yield f"{sign} {self.path} -> {self.target}"
            return
        after = [] if removed else self.text.splitlines()
        name = str(self.path)
        yield from difflib.unified_diff(self._present().splitlines(), after, name, name, lineterm="")

    def write(self) -> None:
        """Write the file or link. Raises OSError."""
        if not self.target:
            replace_file(self.path, self.text.encode(), 0o644)
            # Whatever the umask of the caller: udev and users read it.
            self.path.chmod(0o644)
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.unlink(missing_ok=True)
        self.path.symlink_to(self.target)

    def remove(self) -> None:
        """Remove the file. Raises OSError."""
        self.path.unlink(missing_ok=True)

    def _present(self) -> str:
        return self.path.read_text("utf-8", "replace") if self.path.is_file() else ""


def changed(files: Sequence[SystemFile]) -> list[SystemFile]:
    """Return the files that are not as they should be. Raises ForeignFile, OSError."""
    for file in files:
        file.check_ours()
    return [file for file in files if not file.is_current]
