"""Comparison of a retrained bundle with its predecessor, stored on the new bundle's card before activation.

New photos may improve a network and make it forget others, so two tests are made: is it better on the new photos,
and not worse elsewhere, on the evaluation rows kept by the previous bundle? Both networks predict
the same photos, so only those count where one of them is right and the other wrong (McNemar's exact test).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from providers.local_cnn.bundle import BundleCard
from triof.evaluation.paired_comparison import mcnemar, paired_difference
from triof.models.training_outcome import KEY

_CHANCE = 0.1
"""One-sided significance level of a gain or a loss."""
_LARGEST_FALL = 0.02
"""Share of photos elsewhere whose loss counts even if it is not significant, as the new network must prove
itself."""

Place = Literal["theirs", "elsewhere"]
Result = Literal["better", "no_better", "worse_elsewhere", "unknown_elsewhere"]
Change = Literal["better", "as before", "worse"]

_HEADS: Mapping[Result, str] = {
    "better": "Better on your photos and not worse elsewhere.",
    "no_better": "No better on your photos.",
    "worse_elsewhere": "Worse elsewhere than the bundle before.",
    "unknown_elsewhere": "Better on your photos, but nothing tells how it does elsewhere, as {before} keeps no rows"
    " that judge.",
}


@dataclass(frozen=True)
class Hits:
    """The number of the same photos that each of two networks has right."""

    place: Place
    about: str
    """A task; or ``accepting``, where right means not wrongly accepted."""
    both: int
    only_before: int
    only_after: int
    neither: int

    @property
    def photos(self) -> int:
        """The number of photos."""
        return self.both + self.only_before + self.only_after + self.neither

    @property
    def change(self) -> Change:
        """The change from the previous network to the new one."""
        # One-sided, as the direction matters: half of the two-sided p.
        is_chance = mcnemar(self.only_after, self.only_before) / 2 > _CHANCE
        if self.only_after > self.only_before:
            return "as before" if is_chance else "better"
        fall = (self.only_before - self.only_after) / self.photos
        is_large = self.place == "elsewhere" and fall > _LARGEST_FALL
        return "worse" if is_large or (fall and not is_chance) else "as before"

    def __str__(self) -> str:
        difference = paired_difference(self.both, self.only_after, self.only_before, self.neither)
        assert difference
        interval = f"{100 * difference.low:+.0f} to {100 * difference.high:+.0f} points"
        right = "not accepted wrongly" if self.about == ACCEPTING else "right"
        before, after = self.both + self.only_before, self.both + self.only_after
        return f"{self.about} {self.change}, {after} of {self.photos} {right} instead of {before} ({interval})"


ACCEPTING = "accepting"


@dataclass(frozen=True)
class LearnedMore:
    """The result of a training that started from a bundle."""

    before: str
    """The version of the previous bundle."""
    hits: Sequence[Hits]
    asked: tuple[int, int] | None = None
    """Number of new photos with the verdict ask, with the previous network and the new one; None for a bundle
    without both tasks."""

    @property
    def result(self) -> Result:
        """The result: better, or why not."""
        changes: dict[Place, list[Change]] = {"theirs": [], "elsewhere": []}
        for one in self.hits:
            changes[one.place].append(one.change)
        if "worse" in changes["elsewhere"]:
            return "worse_elsewhere"
        if "worse" in changes["theirs"] or "better" not in changes["theirs"]:
            return "no_better"
        return "better" if changes["elsewhere"] else "unknown_elsewhere"

    def __str__(self) -> str:
        return " ".join(self._sentences())

    def _sentences(self) -> Iterator[str]:
        yield _HEADS[self.result].format(before=self.before)
        for place, title in (("theirs", "On your photos"), ("elsewhere", "Elsewhere")):
            if found := [str(one) for one in self.hits if one.place == place]:
                yield f"{title}: {'; '.join(found)}."
        if self.asked:
            yield f"It would ask about {self.asked[1]} of your photos instead of {self.asked[0]}."

    def on(self, card: BundleCard) -> BundleCard:
        """Return ``card`` with this result in the metrics of each task."""
        found = {"result": self.result, "said": str(self), "before": self.before, "hits": [*map(asdict, self.hits)]}

        def of(metrics: Mapping[str, Any]) -> dict[str, Any]:
            return {"metrics": {**metrics, KEY: found}}

        also = tuple(other.model_copy(update=of(other.metrics)) for other in card.also)
        return card.model_copy(update={**of(card.metrics), "also": also})
