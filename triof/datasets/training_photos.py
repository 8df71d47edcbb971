"""Labelled photos in memory for a training: compressed, with the outlines of their items."""

from collections.abc import Callable, Sequence

import numpy as np

from providers.base import LABELS, Task
from providers.local_cnn.training import augmentation
from providers.local_cnn.training.training_set import UNKNOWN, Classes, Pictures
from triof.datasets import photo_dataset
from triof.datasets.photo_dataset import Dataset, DatasetError, LabelledPhoto, Split, Unreadable
from triof.settings.sections.photo import PhotoLimits


def read(
    tasks: Sequence[Task],
    dataset: Dataset,
    split: Split,
    limits: PhotoLimits,
    *,
    on_photo: Callable[[int, int], None],
    unreadable: list[Unreadable],
) -> Pictures:
    """Read the photos of ``split`` with a label for one of ``tasks``; ``train`` photos are segmented, about 40 ms each.

    Unreadable photos are added to ``unreadable``. Raises DatasetError if a task has fewer than two labels, and
    ProviderMisconfigured if OpenCV is missing.
    """
    labelled = [item for item in dataset.within(split) if set(tasks) & set(item.labels)]
    subjects, found = [], []
    for item, photo in photo_dataset.decode(
        labelled, limits, needed_side=augmentation.KEPT_SIDE, unreadable=unreadable
    ):
        jpeg = augmentation.kept(photo.picture)
        subjects.append(augmentation.subject(jpeg) if split == "train" else augmentation.uncut(jpeg))
        found.append(item)
        on_photo(len(found), len(labelled))
    on_photo(len(labelled), len(labelled))
    classes = {task: _classes(task, found) for task in tasks}
    for task in tasks:
        if len(set(classes[task]) - {UNKNOWN}) < 2:
            raise DatasetError(
                f"The {split} split of {dataset.source} shows fewer than two labels of {task}: add photos of"
                f" {', '.join(LABELS[task])}."
            )
    return Pictures(subjects, classes, [item.source for item in found])


def _classes(task: Task, items: Sequence[LabelledPhoto]) -> Classes:
    labels = LABELS[task]
    return np.array([labels.index(item.labels[task]) if task in item.labels else UNKNOWN for item in items], np.int64)
