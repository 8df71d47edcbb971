"""Acceptance test of a model: photos must get different predictions, and the cloud's where these are recorded.

The input format stated by an export may be wrong, so other formats are tested too. The cloud's recorded
predictions select one: the true format gives the same probabilities to about 0.01. If they do not decide,
the stated format is used, unless it gives all photos the same label or clearly fewer right reference photos.
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
"""If no label's probability varies by more than this over all photos, the model ignores its input."""
_ENOUGH_PHOTOS = 20
_LEAST_AGREEMENT = 0.8
"""Minimum agreement of an export with the cloud, over enough photos; below, the input format is wrong."""
_TRUE_DISTANCE = 0.01
"""Usual difference of an export's probabilities from the cloud's, which resizes differently."""
NEAR = 0.05
"""Maximum median distance of the right input format."""
_DECISIVE = 3.0
"""Log likelihood ratio by which another format must exceed the stated one: 20 to 1."""
_CHANCE = 0.01
"""Significance level of more right reference photos with another format."""
_CLEARLY_BETTER = 0.1


@dataclass(frozen=True)
class AcceptanceResult:
    """The result of an acceptance test, in photos."""

    photos: int
    """Reference photos; ``right`` of the ``known`` labelled ones got their label."""
    known: int
    right: int
    compared: int
    """Photos judged by the cloud, of which ``agreed`` got the same label."""
    agreed: int
    demo_alike: bool
    """Whether all demo pictures got one label."""
    others: str = ""
    """The iteration compared with, if not its own: "iteration aaaaaaaa"."""
    distance: float | None = None
    """Median difference of its probabilities from its own iteration's; None without records."""

    @classmethod
    def of(cls, card: BundleCard) -> "AcceptanceResult | None":
        """Return the result stored on the card of an installed bundle."""
        try:
            return cls(**card.metrics.get("trial"))  # type: ignore[arg-type]
        except TypeError:
            return None

    @property
    def agreement(self) -> str:
        """Return the agreement with the cloud in words."""
        if not self.compared:
            return "there is no answer of the cloud to compare with (`triof azure evaluate` records them)"
        share = f"{self.agreed / self.compared:.1%}".replace("%", " %")
        whom = f"the cloud's {self.others}" if self.others else "the cloud"
        to = "" if self.distance is None else f", its probabilities to {self.distance:.3f}"
        return f"agrees with {whom} on {self.agreed} of {self.compared} photos ({share}){to}"


@dataclass(frozen=True)
class _InputReading:
    """One input format of a model, with its results."""

    bundle: Bundle
    trial: AcceptanceResult
    alike: bool
    """Whether all photos got the same prediction."""
    fault: ProviderUnavailable | None = None
    """Why its predictions are invalid; None if they are valid."""
    unlikely: float = 0.0
    """Negative log likelihood of its distances from the cloud's predictions, for the right format."""
    worst: float | None = None
    """The largest of these distances."""
    rights: Sequence[bool] = ()
    """Whether each labelled reference photo is right."""


def run(
    bundle: Bundle, seen: AcceptanceSet, isolation: Isolation, *, anyway: bool
) -> tuple[Bundle, AcceptanceResult, str]:
    """Return the bundle with its input format, the result, and the fault of the stated format ("": none).

    Raises BundleRefused for a model that predicts all alike and, unless ``anyway``, for one that contradicts the cloud;
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
    # A different model may be the better one.
    if contradicts and not seen.others and not anyway:
        raise BundleRefused(
            f"{bundle.card.version} only {trial.agreement}, where {_LEAST_AGREEMENT:.0%} are expected: check that it is"
            " the model that the cloud asks; to have it nevertheless, add --anyway."
        )
    return best.bundle, trial, _told(stated, best) if best is not stated else ""


def check(bundle: Bundle, isolation: Isolation) -> None:
    """Run the model on the demo pictures again. Raises BundleRefused, ProviderMisconfigured."""
    asked = _ask(bundle, AcceptanceSet(acceptance_photos.demo(bundle.card), [], []), isolation)
    tried = AcceptanceResult.of(bundle.card)
    # A model accepted on other photos may give all demo pictures the same label.
    if asked.fault or (asked.alike and not (tried and tried.demo_alike)):
        raise _all_alike(asked)


def _try_eight_bit(bundle: Bundle, model: bytes, isolation: Isolation) -> None:
    """Run the 8-bit network once; its precision is measured later. Raises BundleRefused."""
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
    # Cauchy distribution, as it is robust against outliers.
    unlikely = sum(math.log1p((distance / _TRUE_DISTANCE) ** 2) for distance in distances)
    worst = max(distances, default=None)
    return _InputReading(bundle, trial, _alike(answers), unlikely=unlikely, worst=worst, rights=rights)


def _distances(answers: Sequence[Mapping[str, float]], recorded: Sequence[AcceptancePhoto]) -> Iterator[float]:
    """Yield the largest difference of a probability, for each photo."""
    for scores, shown in zip(answers, recorded, strict=True):
        yield max(abs(score - shown.scores.get(label, 0.0)) for label, score in scores.items())


def _best(stated: _InputReading, seen: AcceptanceSet, isolation: Isolation) -> _InputReading:
    """Return the stated input format, unless another one is clearly better."""
    if not stated.alike and stated.worst is not None and stated.worst <= NEAR:
        return stated
    others = [_ask(reading, seen, isolation) for reading in azure_export.readings(stated.bundle)]
    sensible = [other for other in others if not other.alike]
    near = [other for other in sensible if other.trial.distance is not None and other.trial.distance <= NEAR]
    likeliest = min((other.unlikely for other in near), default=math.inf)
    if near and (stated.alike or stated.unlikely - likeliest >= _DECISIVE):
        # Among nearly equal formats, prefer the usual one.
        return next(other for other in near if other.unlikely - likeliest < _DECISIVE)
    if stated.alike:
        most = max((other.trial.right for other in sensible), default=0)
        usual = (other for other in sensible if other.trial.right >= most - _CLEARLY_BETTER * stated.trial.known)
        return next(usual, stated)
    # More right references are chance if the cloud's predictions contradict the format.
    possible = [other for other in sensible if other.unlikely - stated.unlikely < _DECISIVE]
    knowing = max(possible, key=lambda other: other.trial.right, default=stated)
    return knowing if _chance(knowing.rights, stated.rights) < _CHANCE else stated


def _chance(more: Sequence[bool], fewer: Sequence[bool]) -> float:
    """Return the p-value of a sign test in favour of the first of two input formats."""
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
