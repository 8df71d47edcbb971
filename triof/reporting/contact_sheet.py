"""The contact sheet of a data set check: every finding with its photos."""

import shlex
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path

from providers.base import Task
from triof.curation.check import SMALLEST_SIDE, Family, Findings
from triof.curation.label_errors import Suggestion
from triof.datasets.photo_dataset import SPLITS, LabelledPhoto
from triof.judging import photo
from triof.reporting import html_page
from triof.settings.sections.photo import PhotoLimits

_SIDE = 160
"""Pixels of a thumbnail; about 5 kB each, so that a full page stays below 10 MB."""
_SETS = 60
"""Maximum sets of each kind on the page, largest first."""
_SET_PHOTOS = 7


@dataclass(frozen=True)
class _Set:
    photos: Family
    left_out: int


@dataclass(frozen=True)
class _Sets:
    """Sets of photos to show side by side, and the number of sets not shown."""

    shown: tuple[_Set, ...]
    left_out: int


def write(
    path: Path,
    findings: Findings,
    suggestions: Sequence[Suggestion],
    next_command: str,
    limits: PhotoLimits,
    *,
    language: str,
) -> None:
    """Write the page in ``language``; ``next_command`` is the command for deciding. Raises ReportUnwritable."""
    crossing = set(map(id, findings.crossing))
    html_page.write(
        path,
        "contact_sheet.html",
        language,
        findings=findings,
        suggestions=suggestions,
        source=shlex.quote(str(findings.dataset.source)),
        next_command=next_command,
        smallest_side=SMALLEST_SIDE,
        most_tiny=_SETS,
        splits=SPLITS,
        thumbnail=_Thumbnails(limits),
        conflicts=[
            (each.task, _set(_odd_first(each.family, _label(each.task)))) for each in findings.conflicts[:_SETS]
        ],
        crossing=_sets(_odd_first(family, attrgetter("split")) for family in findings.crossing),
        near_duplicates=_sets(family for family in findings.near_duplicates if id(family) not in crossing),
    )


class _Thumbnails:
    """Caches thumbnails, as a photo may appear several times."""

    def __init__(self, limits: PhotoLimits) -> None:
        self._limits = limits
        self._made: dict[Path, str] = {}

    def __call__(self, item: LabelledPhoto) -> str:
        if item.path not in self._made:
            self._made[item.path] = self._thumbnail(item.path)
        return self._made[item.path]

    def _thumbnail(self, path: Path) -> str:
        """Return the thumbnail; empty if the photo was removed since the check."""
        try:
            picture = photo.load(path.read_bytes(), self._limits, needed_side=_SIDE).picture
        except (OSError, photo.PhotoError):
            return ""
        return html_page.thumbnail(picture, _SIDE)


def _sets(families: Iterable[Family]) -> _Sets:
    largest = sorted(families, key=len, reverse=True)
    return _Sets(tuple(_set(family) for family in largest[:_SETS]), max(len(largest) - _SETS, 0))


def _set(family: Family) -> _Set:
    return _Set(family[:_SET_PHOTOS], max(len(family) - _SET_PHOTOS, 0))


def _label(task: Task) -> Callable[[LabelledPhoto], str]:
    return lambda item: item.labels[task]


def _odd_first(family: Family, word: Callable[[LabelledPhoto], str]) -> Family:
    """Sort the photos by rarest ``word`` first, so that the start of a large set shows the odd ones."""
    counts = Counter(map(word, family))
    return tuple(sorted(family, key=lambda item: counts[word(item)]))
