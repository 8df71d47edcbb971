"""Runs a published iteration on labelled photos, within rate limit and quota, and records the predictions.

Each prediction is on the disk before the next photo is sent, so that an interrupted evaluation resumes where it
stopped and no call is paid twice.
"""

import hashlib
import time
from collections.abc import Callable, Iterator, Sequence

from providers.base import Photo, PhotoRejected, Prediction, ProviderError, ProviderUnavailable, RateLimited
from triof.common.errors import TriofError
from triof.datasets.photo_dataset import LabelledPhoto, Unreadable
from triof.evaluation import recorded_predictions
from triof.evaluation.evaluation import EvaluatedPhoto
from triof.judging import photo as photos
from triof.judging.guarded_provider import GuardedProvider
from triof.judging.photo import PhotoError
from triof.settings.tree import Settings

_SECONDS = 10.0
"""Timeout of a prediction in seconds; long, as no employee waits."""
_ATTEMPTS, _PATIENCE_SECONDS = 10, 120.0


class EvaluationInterrupted(TriofError):
    """The cloud stopped answering; the predictions so far are stored."""


def ask(
    guard: GuardedProvider,
    iteration_id: str,
    items: Sequence[LabelledPhoto],
    settings: Settings,
    *,
    unreadable: list[Unreadable],
    on_photo: Callable[[], None] = lambda: None,
) -> Iterator[EvaluatedPhoto]:
    """Return the prediction for every photo, from the record if it has one. Raises EvaluationInterrupted, OSError."""
    known = {answer.sha256: answer for answer in recorded_predictions.read(settings.home, iteration_id)}
    for done, item in enumerate(items):
        try:
            image = item.path.read_bytes()
            sha256 = hashlib.sha256(image).hexdigest()
            photo = None if sha256 in known else photos.load(image, settings.photo, needed_side=guard.needed_side)
            prediction = _asked(guard, photo, done) if photo else _prediction(guard, iteration_id, known[sha256])
        except (OSError, PhotoError, PhotoRejected) as error:
            unreadable.append(Unreadable(item.path, str(error)))
        else:
            if photo:
                _check_iteration(prediction, iteration_id, done)
                known[sha256] = recorded_predictions.RecordedPrediction(item.path, sha256, prediction.scores)
                recorded_predictions.add(settings.home, iteration_id, known[sha256])
            yield EvaluatedPhoto(item, prediction)
        on_photo()


def count_new(items: Sequence[LabelledPhoto], settings: Settings, iteration_id: str) -> int:
    """Return about how many photos are not recorded yet, by path, without reading them."""
    known = {answer.path for answer in recorded_predictions.read(settings.home, iteration_id)}
    return sum(item.path.absolute() not in known for item in items)


def _asked(guard: GuardedProvider, photo: Photo, done: int) -> Prediction:
    from providers.retries import retry_context

    try:
        for attempt in retry_context(on=_wait, attempts=_ATTEMPTS, timeout=_PATIENCE_SECONDS):
            with attempt:
                time.sleep(guard.rate_wait().seconds)
                return guard.probe(photo, _SECONDS)
    except PhotoRejected:
        raise
    except ProviderError as error:
        raise EvaluationInterrupted(
            f"{error} {done:,} answers are kept: the same command goes on with the rest."
        ) from error
    raise AssertionError("the last attempt returns or raises")


def _check_iteration(prediction: Prediction, iteration_id: str, done: int) -> None:
    """Check the iteration, as a name just republished may still use the old one. Raises EvaluationInterrupted."""
    if not prediction.model_version.lower().endswith(f"@{iteration_id.lower()}"):
        raise EvaluationInterrupted(
            f"The name still answers with {prediction.model_version}, not with {iteration_id}: wait a minute."
            f" {done:,} answers are kept: the same command goes on with the rest."
        )


def _wait(error: Exception) -> bool | float:
    """Return how long to wait before a retry; False for an exhausted quota or a wrong key."""
    return error.retry_after if isinstance(error, RateLimited) else isinstance(error, ProviderUnavailable)


def _prediction(
    guard: GuardedProvider, iteration_id: str, answer: recorded_predictions.RecordedPrediction
) -> Prediction:
    label = max(answer.scores, key=answer.scores.__getitem__)
    return Prediction(guard.task, label, answer.scores[label], answer.scores, guard.name, f"recorded@{iteration_id}")
