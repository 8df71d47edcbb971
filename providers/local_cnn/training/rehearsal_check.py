"""Predictions of finished bundles for photos and stored rows, and the rows for a new bundle (:mod:`.rehearsal`)."""

from collections.abc import Mapping

import numpy as np

from providers.base import Task
from providers.local_cnn import backbone
from providers.local_cnn.bundle import Bundle, BundleCard, counted_to
from providers.local_cnn.calibration import softmax
from providers.local_cnn.runtime import Extractor, Runtime
from providers.local_cnn.training import trainer, training_set
from providers.local_cnn.training.familiarity import evenly
from providers.local_cnn.training.rehearsal import BLOCKS, JUDGED, LEARNED, RehearsalSet, Rows, kinds
from providers.local_cnn.training.trainer import Part
from providers.local_cnn.training.training_set import Floats, Pictures

Answers = Mapping[Task, Floats]
"""Calibrated probabilities of each task's labels, in the order of LABELS: (n, labels)."""

_TIMEOUT = 60.0


def keep(finished: Bundle, photos: Mapping[Part, Pictures], old: RehearsalSet | None, sides: tuple[int, int]) -> bytes:
    """Return ``rehearsal.npz`` for a bundle trained on ``photos`` and on ``old``; some 15 s for 450 photos.

    ``sides`` are the pixels of the training views and of the model's input; those of ``old`` if it is given. Raises
    ProviderMisconfigured.
    """
    blocks = old.blocks if old else BLOCKS
    learned_side, judged_side = (old.learned_side, old.judged_side) if old else sides
    lower = {side: _lower(finished, side, blocks) for side in {learned_side, judged_side}}
    fresh = RehearsalSet(
        blocks,
        learned_side,
        judged_side,
        _rows(lower[learned_side], photos["train"], learned_side, LEARNED),
        _rows(lower[judged_side], photos["val"], judged_side, JUDGED),
    )
    return (old.beside(fresh) if old else fresh).to_bytes()


def about_rows(asked: Bundle, stored: RehearsalSet, rows: Rows) -> Answers:
    """Return a bundle's predictions for validation ``rows`` of ``stored``, which its lowest blocks computed."""
    _, upper = trainer.halves_of(asked, stored.judged_side, stored.blocks)
    logits = trainer.answers(upper, rows)
    ends = np.cumsum([len(part.labels) for part in _parts(asked.card)])
    each = np.split(logits, ends[:-1], axis=1)
    return _calibrated(asked.card, {part.task: found for part, found in zip(_parts(asked.card), each, strict=True)})


def about_photos(asked: Bundle, photos: Pictures) -> Answers:
    """Return a bundle's predictions for photos, as the machine would get them."""
    runtime, size = Runtime(asked), asked.card.input.width
    found: dict[Task, list[Floats]] = {part.task: [] for part in _parts(asked.card)}
    for seen in photos.subjects:
        pixels = training_set.resized(seen.picture, size)
        for task, outputs in runtime.ask(pixels, timeout=_TIMEOUT).outputs.items():
            found[task].append(outputs)
    return _calibrated(asked.card, {task: np.array(outputs) for task, outputs in found.items()})


def _lower(finished: Bundle, side: int, blocks: int) -> Extractor:
    lower, _ = trainer.halves_of(finished, side, blocks)
    return Extractor(trainer.convert(lower, side))


def _rows(lower: Extractor, photos: Pictures, side: int, most: int) -> Rows:
    chosen = evenly(kinds(photos.sources, photos.classes), most)
    pictures = (training_set.resized(photos.subjects[index].picture, side) for index in chosen)
    rows = np.stack([lower(backbone.scaled(pixels))[0] for pixels in pictures])
    classes = {task: found[chosen] for task, found in photos.classes.items()}
    return Rows.of(rows, classes, [photos.sources[index] for index in chosen])


def _parts(card: BundleCard) -> tuple[BundleCard, ...]:
    return tuple(card.of(task) for task in card.tasks)


def _calibrated(card: BundleCard, logits: Mapping[Task, Floats]) -> Answers:
    return {
        part.task: softmax(logits[part.task], part.temperature, counted_to(part.task, part.labels)).astype(np.float32)
        for part in _parts(card)
    }
