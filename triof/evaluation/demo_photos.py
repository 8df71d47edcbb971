"""The demo pictures as labelled photos, for a person who has none."""

from providers.base import LABELS
from triof.common.image_files import pictures_in
from triof.common.paths import DEMO_PICTURES
from triof.datasets.photo_dataset import Dataset, LabelledPhoto
from triof.models.acceptance_photos import label_in_name


def demo_dataset() -> Dataset:
    """Return the demo pictures, each a group of its own."""
    named = {path: {task: label_in_name(path, task) for task in LABELS} for path in pictures_in(DEMO_PICTURES)}
    photos = (
        LabelledPhoto(path, {task: label for task, label in labels.items() if label}, path.name, "test")
        for path, labels in named.items()
    )
    return Dataset(DEMO_PICTURES, tuple(photos))
