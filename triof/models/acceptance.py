"""A model is tried before it may serve: different photos must get different answers, the cloud's where they are known.

What an export says of its own pixels is known to be wrong, so it is read in the other ways too. The cloud's recorded
answers choose among these readings: the true one gives the same probabilities to about 0.01. Where they do not decide,
the reading of the metadata holds, unless it tells no photo from another or knows clearly fewer of the reference photos.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

import numpy as np

from providers.base import ProviderError, ProviderUnavailable
from providers.local_cnn import azure_export
from providers.local_cnn.bundle import EIGHT_BIT_FILE, Bundle, BundleCard, Input
from providers.local_cnn.isolated import Isolation
from providers.local_cnn.provider import LocalModel
from triof.common.statistics_math import binomial_tail
from triof.models import acceptance_photos
from triof.models.acceptance_photos import AcceptancePhoto, AcceptanceSet
from triof.models.errors import BundleRefused

_TIMEOUT = 30.0
_ALIKE_SPREAD = 0.05
"""If no label's probability moves further than this over all photos, the model does not look at them."""
_ENOUGH_PHOTOS = 20
_LEAST_AGREEMENT = 0.8
"""An export is the model that the cloud asks: below this, over enough photos, something is read wrongly."""
_TRUE_DISTANCE = 0.01
"""By so much the probabilities of a true export differ from the cloud's, which resizes in its own way."""
NEAR = 0.05
"""A reading whose median distance is larger is none of the cloud's model."""
_DECISIVE = 3.0
"""So much more likely, as a logarithm, a reading must be than the one that the metadata state: 20 to 1."""
_CHANCE = 0.01
"""Below this probability, more reference photos known by another reading are no chance."""
_CLEARLY_BETTER = 0.1


@dataclass(frozen=True)
class AcceptanceResult:
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
    distance: float | None = None
    """Median difference of its probabilities from those of its own iteration; None where none are recorded."""

    @classmethod
    def of(cls, card: BundleCard) -> "AcceptanceResult | None":
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
        to = "" if self.distance is None else f", its probabilities to {self.distance:.3f}"
        return f"agrees with {whom} on {self.agreed} of {self.compared} photos ({share}){to}"


@dataclass(frozen=True)
class _InputReading:
    """One reading of a model, and what came of it."""

    bundle: Bundle
    trial: AcceptanceResult
    alike: bool
    """Whether it does not tell one photo from another."""
    fault: ProviderUnavailable | None = None
    """Why it gave no sensible answers, if it did not."""
    unlikely: float = 0.0
    """Minus the logarithm of how likely its distances from the cloud's answers are, for the true reading."""
    worst: float | None = None
    """The largest of these distances."""
    rights: Sequence[bool] = ()
    """Whether it knows each reference whose label is known."""


def run(
    bundle: Bundle, seen: AcceptanceSet, isolation: Isolation, *, anyway: bool
) -> tuple[Bundle, AcceptanceResult, str]:
    """The bundle as it is to be read, what came of it, and what is wrong with how it was read ("": nothing).

    Raises BundleRefused for one that answers all alike and, unless ``anyway``, for one that contradicts the cloud;
    ProviderMisconfigured for one that does not fit its card or cannot be run.
    """
    if bundle.eight_bit is not None:
        _try_eight_bit(bundle, bundle.eight_bit, isolation)
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
    asked = _ask(bundle, AcceptanceSet(acceptance_photos.demo(bundle.card), [], []), isolation)
    tried = AcceptanceResult.of(bundle.card)
    # One that tells no demo picture from another was installed because it told other photos apart.
    if asked.fault or (asked.alike and not (tried and tried.demo_alike)):
        raise _all_alike(asked)


def _try_eight_bit(bundle: Bundle, model: bytes, isolation: Isolation) -> None:
    """Ask the network in 8 bits once; whether its answers are the same is measured later. Raises BundleRefused."""
    try:
        LocalModel(bundle.in_eight_bits(), isolation=isolation).warm_up()
    except ProviderError as error:
        raise BundleRefused(f"{EIGHT_BIT_FILE} is refused. {error}") from error
    isolation.remember(model)


def _ask(bundle: Bundle, seen: AcceptanceSet, isolation: Isolation) -> _InputReading:
    model = LocalModel(bundle, isolation=isolation)
    references = [*seen.demo, *seen.labelled]
    try:
        answers = [model.scores(shown.photo, timeout=_TIMEOUT) for shown in [*references, *seen.recorded]]
    except ProviderUnavailable as error:
        return _InputReading(
            bundle, AcceptanceResult(len(references), 0, 0, 0, 0, demo_alike=True), alike=True, fault=error
        )
    said = [max(scores, key=scores.__getitem__) for scores in answers]
    rights = [label == shown.label for label, shown in zip(said, references, strict=False) if shown.label is not None]
    compared = answers[len(references) :]
    distances = [] if seen.others else list(_distances(compared, seen.recorded))
    trial = AcceptanceResult(
        photos=len(references),
        known=len(rights),
        right=sum(rights),
        compared=len(seen.recorded),
        agreed=sum(label == shown.label for label, shown in zip(said[len(references) :], seen.recorded, strict=True)),
        demo_alike=_alike(answers[: len(seen.demo)]),
        others=seen.others,
        distance=median(distances) if distances else None,
    )
    # By Cauchy's distribution, in which one answer that is far off for its own reasons counts for little.
    unlikely = sum(math.log1p((distance / _TRUE_DISTANCE) ** 2) for distance in distances)
    worst = max(distances, default=None)
    return _InputReading(bundle, trial, _alike(answers), unlikely=unlikely, worst=worst, rights=rights)


def _distances(answers: Sequence[Mapping[str, float]], recorded: Sequence[AcceptancePhoto]) -> Iterator[float]:
    """The largest difference of a probability, for each photo."""
    for scores, shown in zip(answers, recorded, strict=True):
        yield max(abs(score - shown.scores.get(label, 0.0)) for label, score in scores.items())


def _best(stated: _InputReading, seen: AcceptanceSet, isolation: Isolation) -> _InputReading:
    """The reading that the metadata state, unless another one is clearly better."""
    if not stated.alike and stated.worst is not None and stated.worst <= NEAR:
        return stated
    others = [_ask(reading, seen, isolation) for reading in azure_export.readings(stated.bundle)]
    sensible = [other for other in others if not other.alike]
    near = [other for other in sensible if other.trial.distance is not None and other.trial.distance <= NEAR]
    likeliest = min((other.unlikely for other in near), default=math.inf)
    if near and (stated.alike or stated.unlikely - likeliest >= _DECISIVE):
        # Of those that can hardly be told apart, the usual one.
        return next(other for other in near if other.unlikely - likeliest < _DECISIVE)
    if stated.alike:
        most = max((other.trial.right for other in sensible), default=0)
        usual = (other for other in sensible if other.trial.right >= most - _CLEARLY_BETTER * stated.trial.known)
        return next(usual, stated)
    # A reading that the cloud's answers speak against knows more references by chance.
    possible = [other for other in sensible if other.unlikely - stated.unlikely < _DECISIVE]
    knowing = max(possible, key=lambda other: other.trial.right, default=stated)
    return knowing if _chance(knowing.rights, stated.rights) < _CHANCE else stated


def _chance(more: Sequence[bool], fewer: Sequence[bool]) -> float:
    """How likely two readings that know equally much would part so far in favour of the first (a sign test)."""
    pairs = list(zip(more, fewer, strict=True))
    only_more, only_fewer = pairs.count((True, False)), pairs.count((False, True))
    return binomial_tail(only_fewer, only_more + only_fewer)


def _alike(answers: Sequence[Mapping[str, float]]) -> bool:
    scores = np.array([list(answer.values()) for answer in answers])
    return len(set(scores.argmax(axis=1))) < 2 or bool(np.ptp(scores, axis=0).max() < _ALIKE_SPREAD)


def _all_alike(asked: _InputReading) -> BundleRefused:
    version, trial = asked.bundle.card.version, asked.trial
    if asked.fault:
        return BundleRefused(f"{version} gives no sensible answers ({asked.fault}): train and export it again.")
    return BundleRefused(
        f"{version} answers all {trial.photos + trial.compared} photos alike: train and export it again, or let it be"
        " tried on photos of yours with `triof bundles install … --photos FOLDER`."
    )


def _told(stated: _InputReading, best: _InputReading) -> str:
    before, now = stated.trial, best.trial
    if stated.alike:
        fault = "the model answers every photo alike"
    elif before.distance is not None and stated.unlikely > best.unlikely:
        fault = f"it {before.agreement}"
    else:
        fault = f"it is right about {before.right} of {before.known} reference photos, otherwise about {now.right}"
    return (
        f"The metadata of the export are wrong: read as they say ({_named(stated.bundle.card.input)}) {fault}. It wants"
        f" {_named(best.bundle.card.input)}."
    )


def _named(read: Input) -> str:
    low, high = read.range
    return f"{read.channels.upper()} from {low:g} to {high:g}"
