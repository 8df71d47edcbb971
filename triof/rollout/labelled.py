"""Comparison of candidate and production on labelled photos, by a single test."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

from providers.base import ProviderMisconfigured
from providers.local_cnn.provider import LocalCnn
from triof.datasets.photo_dataset import Dataset, LabelledPhoto, Split
from triof.evaluation import curves
from triof.evaluation.evaluation import EvaluatedPhoto, Evaluation, evaluate
from triof.evaluation.paired_comparison import Difference, mcnemar, photos_needed
from triof.models import bundle_store
from triof.rollout.candidates import LOCAL, Candidate
from triof.rollout.sequential_test import Recommendation, Table
from triof.settings.sections.rollout import RolloutSettings
from triof.settings.tree import Settings


class PhotoSelection(NamedTuple):
    """The labelled photos to use."""

    dataset: Dataset
    split: Split


@dataclass(frozen=True)
class Labelled:
    """The results of both models on labelled photos."""

    source: Path
    split: Split
    photos: int
    groups: int
    """Groups of near-duplicates; each counts as one independent photo."""
    table: Table
    p: float
    """Two-sided p-value of McNemar's exact test; a group counts once, for the model right about more of its photos."""
    discordant: float
    """Share of the groups in which only one model is right more often."""
    difference: Difference
    """Difference in accuracy, candidate minus production, with its cluster bootstrap interval."""

    def opinion(self, options: RolloutSettings) -> Recommendation:
        """Return the recommendation from the labelled photos."""
        told = f"on {self.photos} labelled photos it is {self.difference.value * 100:+.1f} points as often right"
        shown = f"{told} (p = {self.p:.3g})"
        if self.p < options.alpha:
            return Recommendation("promote" if self.difference.value > 0 else "keep", shown)
        if self.difference.high < options.smallest_difference:
            return Recommendation(
                "keep", f"{shown}: not better by {options.smallest_difference:.1%}, which would count"
            )
        needed = photos_needed(self.discordant, options.smallest_difference, options.alpha, options.power)
        more = max(needed - self.groups, 1)
        return Recommendation("wait", f"{shown}: label about {more} more to tell a difference that counts")

    def as_dict(self) -> dict[str, Any]:
        """Return JSON-serialisable values."""
        kept = {**asdict(self), "source": str(self.source)}
        return {**kept, "table": self.table._asdict(), "difference": self.difference._asdict()}


def measure(
    candidate: Candidate,
    settings: Settings,
    shown: PhotoSelection,
    on_photo: Callable[[], None] = lambda: None,
) -> Labelled:
    """Run both models on every photo. Raises DatasetError, ProviderError."""
    if candidate.provider != LOCAL:
        raise ProviderMisconfigured(
            "Labelled photos are shown to local bundles only: measure iterations with `triof azure evaluate`, which"
            " goes at the tier's pace and pays no photo twice."
        )
    photos = shown.dataset.of(candidate.task, shown.split)
    found = [_evaluated(candidate, chosen, photos, on_photo) for chosen in (candidate.settings(settings), settings)]
    return _labelled(shown, *(evaluation.answers for evaluation in found))


def _evaluated(
    candidate: Candidate, settings: Settings, photos: Sequence[LabelledPhoto], on_photo: Callable[[], None]
) -> Evaluation:
    provider = LocalCnn(candidate.task, bundle_store.options(settings))
    try:
        return evaluate(provider, candidate.task, photos, on_photo, settings.photo)
    finally:
        provider.close()


def _labelled(shown: PhotoSelection, ours: Sequence[EvaluatedPhoto], theirs: Sequence[EvaluatedPhoto]) -> Labelled:
    hits = [(our.hit, their.hit) for our, their in zip(ours, theirs, strict=True)]
    groups = [answer.item.group for answer in ours]
    leads: dict[str, int] = {}
    for group, (our, their) in zip(groups, hits, strict=True):
        leads[group] = leads.get(group, 0) + our - their
    ahead, behind = sum(lead > 0 for lead in leads.values()), sum(lead < 0 for lead in leads.values())
    weights, everything = curves.resampled(groups), [True] * len(hits)
    shares = [curves.share(weights, [pair[side] for pair in hits], everything) for side in (0, 1)]
    figure = curves.figure(shares[0] - shares[1])
    return Labelled(
        source=shown.dataset.source,
        split=shown.split,
        photos=len(hits),
        groups=len(leads),
        table=Table(*(hits.count(pair) for pair in ((True, True), (True, False), (False, True), (False, False)))),
        p=mcnemar(ahead, behind),
        discordant=(ahead + behind) / len(leads),
        difference=Difference(figure.value, figure.low, figure.high),
    )
