"""Small training sets of drawn items."""

import numpy as np
from PIL import Image, ImageDraw

from providers.base import LABELS
from providers.local_cnn.training import (
    augmentation,
)
from providers.local_cnn.training.hyperparameters import Hyperparameters
from providers.local_cnn.training.training_set import Pictures


def drawn(index: int) -> Image.Image:
    """A green disc (clean) or a brown square (dirty) on white."""
    picture = Image.new("RGB", (120, 120), "white")
    box = (20 + index, 20, 90 + index, 90)
    if index % 2:
        ImageDraw.Draw(picture).rectangle(box, fill=(110, 70, 30))
    else:
        ImageDraw.Draw(picture).ellipse(box, fill=(40, 200, 90))
    return picture


def pictures(count: int) -> Pictures:
    """Cups, every other one dirty, and after each four a photo of something else, which has no cleanliness."""
    dirty = np.arange(count) % 2
    types = np.where(np.arange(count) % 4 == 3, OTHER, CUP)
    subjects = [augmentation.subject(augmentation.kept(drawn(index))) for index in range(count)]
    return Pictures(subjects, {"waste_type": types, "cleanliness": dirty}, ["drawn"] * count)


CUP, OTHER = (LABELS["waste_type"].index(label) for label in ("cup", "other"))


SMALL = Hyperparameters(
    epochs=2,
    members=2,
    batch=6,
    fewest_batches=1,
    train_side=64,
    input_side=64,
    frozen_blocks=12,
    held=0,
    whole_ground=0,
)
