"""Runs a published iteration on labelled photos, within rate limit and quota, and records the predictions.

Each prediction is on the disk before the next photo is sent, so that an interrupted evaluation resumes where it
stopped and no call is paid twice.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence

from providers.base import Photo, PhotoRejected, Prediction, ProviderError
from triof.common.errors import TriofError
from triof.datasets.photo_dataset import LabelledPhoto, Unreadable
from triof.evaluation import recorded_predictions
from triof.evaluation.evaluation import EvaluatedPhoto
from triof.evaluation.patient_asking import ask_patiently
from triof.judging import photo as photos
from triof.judging.guarded_provider import GuardedProvider
from triof.judging.photo import PhotoError
from triof.settings.tree import Settings


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
    try:
        return ask_patiently(guard, photo)[0]
    except PhotoRejected:
        raise
    except ProviderError as error:
        raise EvaluationInterrupted(
            f"{error} {done:,} answers are kept: the same command goes on with the rest."
        ) from error


def _check_iteration(prediction: Prediction, iteration_id: str, done: int) -> None:
    """Check the iteration, as a name just republished may still use the old one. Raises EvaluationInterrupted."""
    if not prediction.model_version.lower().endswith(f"@{iteration_id.lower()}"):
        raise EvaluationInterrupted(
            f"The name still answers with {prediction.model_version}, not with {iteration_id}: wait a minute."
            f" {done:,} answers are kept: the same command goes on with the rest."
        )


def _prediction(
    guard: GuardedProvider, iteration_id: str, answer: recorded_predictions.RecordedPrediction
) -> Prediction:
    label = max(answer.scores, key=answer.scores.__getitem__)
    return Prediction(guard.task, label, answer.scores[label], answer.scores, guard.name, f"recorded@{iteration_id}")
