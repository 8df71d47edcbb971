"""A model is tried before it may serve: different photos must get different answers, the cloud's where they are known.

What an export says of its own pixels is known to be wrong: one that answers all alike as its metadata say, or clearly
otherwise than the cloud did, is read in the other ways too.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from providers.base import ProviderUnavailable
from providers.local_cnn import azure_export
from providers.local_cnn.bundle import Bundle, BundleCard, Input
from providers.local_cnn.isolated import Isolation
from providers.local_cnn.provider import Model
from triof import evidence
from triof.bundles import BundleRefused
from triof.evidence import Evidence, Shown

_TIMEOUT = 30.0
_ALIKE_SPREAD = 0.05
"""If no label's probability moves further than this over all photos, the model does not look at them."""
_ENOUGH_PHOTOS = 20
_LEAST_AGREEMENT = 0.8
"""An export is the model that the cloud asks: below this, over enough photos, something is read wrongly."""
_FINE_AGREEMENT = 0.95
_CLEARLY_BETTER = 0.1


@dataclass(frozen=True)
class Trial:
    """What came of it, in photos."""

    photos: int
    """References, of which ``right`` of ``known`` got the label that is known to be theirs."""
    known: int
    right: int
    compared: int
    """Photos that the cloud has judged, of which ``agreed`` got the same label."""
    agreed: int
    demo_alike: bool
    """Whether the demo pictures alone all got one answer."""
    others: str = ""
    """With whose answers it was compared, where that is not its own iteration: "iteration aaaaaaaa"."""

    @classmethod
    def of(cls, card: BundleCard) -> "Trial | None":
        """What stands on the card of an installed bundle."""
        try:
            return cls(**card.metrics.get("trial"))  # type: ignore[arg-type]
        except TypeError:
            return None

    @property
    def agreement(self) -> str:
        """How often it agrees with the cloud, in words."""
        if not self.compared:
            return "there is no answer of the cloud to compare with (`triof azure evaluate` records them)"
        share = f"{self.agreed / self.compared:.1%}".replace("%", " %")
        whom = f"the cloud's {self.others}" if self.others else "the cloud"
        return f"agrees with {whom} on {self.agreed} of {self.compared} photos ({share})"


@dataclass(frozen=True)
class _Asked:
    """One reading of a model, and what came of it."""

    bundle: Bundle
    trial: Trial
    alike: bool
    """Whether it does not tell one photo from another."""
    fault: ProviderUnavailable | None = None
    """Why it gave no sensible answers, if it did not."""

    @property
    def hits(self) -> int:
        """Photos that got the label they should get, whoever said so; another iteration may have been wrong."""
        return self.trial.right + (0 if self.trial.others else self.trial.agreed)


def run(bundle: Bundle, seen: Evidence, isolation: Isolation, *, anyway: bool) -> tuple[Bundle, Trial, str]:
    """The bundle as it is to be read, what came of it, and what must be said of its metadata ("" if they are right).

    Raises BundleRefused for one that answers all alike and, unless ``anyway``, for one that contradicts the cloud;
    ProviderMisconfigured for one that does not fit its card or cannot be run.
    """
    stated = _ask(bundle, seen, isolation)
    best = _best(stated, seen, isolation)
    trial = best.trial
    if best.alike:
        raise _all_alike(best)
    contradicts = trial.compared >= _ENOUGH_PHOTOS and trial.agreed < _LEAST_AGREEMENT * trial.compared
    # Another model may well be the better one.
    if contradicts and not seen.others and not anyway:
        raise BundleRefused(
            f"{bundle.card.version} only {trial.agreement}, where {_LEAST_AGREEMENT:.0%} are expected: check that it is"
            " the model that the cloud asks; to have it nevertheless, add --anyway."
        )
    return best.bundle, trial, _told(stated, best) if best is not stated else ""


def check(bundle: Bundle, isolation: Isolation) -> None:
    """Ask once more about the demo pictures. Raises BundleRefused, ProviderMisconfigured."""
    asked = _ask(bundle, Evidence(evidence.demo(bundle.card), [], []), isolation)
    tried = Trial.of(bundle.card)
    # One that tells no demo picture from another was installed because it told other photos apart.
    if asked.fault or (asked.alike and not (tried and tried.demo_alike)):
        raise _all_alike(asked)


def _ask(bundle: Bundle, seen: Evidence, isolation: Isolation) -> _Asked:
    model = Model(bundle, isolation=isolation)
    references = [*seen.demo, *seen.labelled]
    try:
        answers = [model.scores(shown.photo, timeout=_TIMEOUT) for shown in [*references, *seen.recorded]]
    except ProviderUnavailable as error:
        return _Asked(bundle, Trial(len(references), 0, 0, 0, 0, demo_alike=True), alike=True, fault=error)
    said = [max(scores, key=scores.__getitem__) for scores in answers]
    trial = Trial(
        photos=len(references),
        known=sum(shown.label is not None for shown in references),
        right=_hits(said, references),
        compared=len(seen.recorded),
        agreed=_hits(said[len(references) :], seen.recorded),
        demo_alike=_alike(answers[: len(seen.demo)]),
        others=seen.others,
    )
    return _Asked(bundle, trial, _alike(answers))


def _best(stated: _Asked, seen: Evidence, isolation: Isolation) -> _Asked:
    """The reading that the metadata state, unless another one is clearly better."""
    known, compared = stated.trial.known, 0 if seen.others else len(seen.recorded)
    contradicts = compared >= _ENOUGH_PHOTOS and stated.trial.agreed < _FINE_AGREEMENT * compared
    if not stated.alike and not contradicts:
        return stated
    others = [_ask(reading, seen, isolation) for reading in azure_export.readings(stated.bundle)]
    sensible = [other for other in others if not other.alike]
    most = max((other.hits for other in sensible), default=0)
    # Of those that can hardly be told apart, the usual one.
    usual = (other for other in sensible if other.hits >= most - _CLEARLY_BETTER * (known + compared))
    best = next(usual, stated)
    agreed = best.trial.agreed
    better = agreed >= _LEAST_AGREEMENT * compared and agreed - stated.trial.agreed > _CLEARLY_BETTER * compared
    return best if stated.alike or better else stated


def _alike(answers: Sequence[Mapping[str, float]]) -> bool:
    scores = np.array([list(answer.values()) for answer in answers])
    return len(set(scores.argmax(axis=1))) < 2 or bool(np.ptp(scores, axis=0).max() < _ALIKE_SPREAD)


def _hits(said: Sequence[str], photos: Sequence[Shown]) -> int:
    return sum(label == shown.label for label, shown in zip(said, photos, strict=False))


def _all_alike(asked: _Asked) -> BundleRefused:
    version, trial = asked.bundle.card.version, asked.trial
    if asked.fault:
        return BundleRefused(f"{version} gives no sensible answers ({asked.fault}): train and export it again.")
    return BundleRefused(
        f"{version} answers all {trial.photos + trial.compared} photos alike: train and export it again, or let it be"
        " tried on photos of yours with `triof bundles install … --photos FOLDER`."
    )


def _told(stated: _Asked, best: _Asked) -> str:
    fault = "the model answers every photo alike" if stated.alike else f"it {stated.trial.agreement}"
    return (
        f"The metadata of the export are wrong: read as they say ({_named(stated.bundle.card.input)}) {fault}. It wants"
        f" {_named(best.bundle.card.input)}."
    )


def _named(read: Input) -> str:
    low, high = read.range
    return f"{read.channels.upper()} from {low:g} to {high:g}"
