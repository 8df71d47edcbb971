"""Divides a data set into train, val and test, so that a model is never tested on training photos.

Photos of one family (:attr:`Survey.families`: near-duplicates and groups, transitively) stay together. The families
are assigned one by one, the largest first, each to the split that lacks most of its labels.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random

from providers.base import TASKS
from triof.curation.survey import Survey
from triof.datasets.photo_dataset import SPLITS, LabelledPhoto, Split

Shares = Mapping[Split, float]
"""Share of the photos of each split; the sum is 1."""
_Kind = tuple[str, ...]
"""The labels of a photo by task, empty if unknown."""


@dataclass(frozen=True)
class Divided:
    """The readable photos, each with its new split and the group of its family."""

    photos: tuple[LabelledPhoto, ...]
    moved: int
    """Number of photos moved to another split."""
    families: int


def divide(survey: Survey, shares: Shares, *, seed: int, keep: bool) -> Divided:
    """Assign a split to every photo of ``survey``, the same one on every machine for one ``seed``.

    With ``keep``, stated splits stay. A family in several of them goes as a whole to the last,
    in the order train, val, test, so that test photos are never learned from.
    """
    families: dict[int, list[LabelledPhoto]] = defaultdict(list)
    for item, family in zip(survey.items, survey.families.tolist(), strict=True):
        families[family].append(item)
    homes = {family: _kept(items) if keep else None for family, items in families.items()}
    _deal(families, homes, shares, Random(seed))
    photos = []
    for item, family in zip(survey.items, survey.families.tolist(), strict=True):
        split = homes[family]
        assert split
        photos.append(replace(item, split=split, group=families[family][0].group, has_written_split=True))
    moved = sum(
        before.has_written_split and before.split != now.split for before, now in zip(survey.items, photos, strict=True)
    )
    return Divided(tuple(photos), moved, len(families))


def _deal(
    families: Mapping[int, Sequence[LabelledPhoto]], homes: dict[int, Split | None], shares: Shares, rng: Random
) -> None:
    """Assign the families whose split is None."""
    kinds = {family: Counter(map(_kind, items)) for family, items in families.items()}
    totals = Counter(kind for counts in kinds.values() for kind in counts.elements())
    dealt: dict[Split, Counter[_Kind]] = {split: Counter() for split in SPLITS}
    for family, home in homes.items():
        if home:
            dealt[home].update(kinds[family])
    open_ = [family for family, home in homes.items() if not home]
    rng.shuffle(open_)
    for family in sorted(open_, key=lambda family: -len(families[family])):
        lacks = {split: _lack(kinds[family], dealt[split], totals, shares[split]) for split in SPLITS if shares[split]}
        neediest = max(lacks, key=lacks.__getitem__)
        homes[family] = neediest
        dealt[neediest].update(kinds[family])


def _lack(kinds: Counter[_Kind], dealt: Counter[_Kind], totals: Counter[_Kind], share: float) -> float:
    """Return how much a split lacks of a family's labels: 1 if it has none, below 0 if too many."""
    lacks = (count * (1 - dealt[kind] / (totals[kind] * share)) for kind, count in kinds.items())
    return sum(lacks) / kinds.total()


def _kind(item: LabelledPhoto) -> _Kind:
    return tuple(item.labels.get(task, "") for task in TASKS)


def _kept(items: Sequence[LabelledPhoto]) -> Split | None:
    splits = [item.split for item in items if item.has_written_split]
    return max(splits, key=SPLITS.index, default=None)
