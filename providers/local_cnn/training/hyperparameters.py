"""How a bundle is trained; docs/measurements/models.md has the measurements that chose these numbers, and what lost."""

from typing import Literal

from pydantic import Field

from providers.costs import Costs
from providers.local_cnn.training.augmentation import KEPT_SIDE
from providers.options import Options


class Hyperparameters(Options):
    """What one may want to change about a training."""

    backbone: Literal["efficientnet_lite0", "efficientnet_lite1", "efficientnet_lite2"] = "efficientnet_lite0"
    input_side: int = Field(default=224, ge=32, le=KEPT_SIDE)
    """Pixels of the photos that the finished model reads."""
    train_side: int = Field(default=192, ge=32, le=KEPT_SIDE)
    """Pixels of the views in training: smaller ones cost less, and items look larger in views than in a photo that is
    read whole, which evens out at some larger side (Touvron et al. 2019)."""
    plain: float = Field(default=0.15, ge=0, le=1)
    """Share of the views that show a photo as the machine will: whole and unturned."""
    epochs: int = Field(default=11, ge=0)
    """Of tuning; 0 leaves the backbone as ImageNet made it."""
    members: int = Field(default=1, ge=1)
    """So many networks are tuned from the same beginning on other views; their weights are averaged in the end."""
    frozen_blocks: int = Field(default=5, ge=0, le=15)
    """The lowest ones, which stay as they are."""
    learning_rate: float = Field(default=2e-4, gt=0)
    tuned: float = Field(default=1.0, gt=0, le=1)
    """Share of the tuned weights in the finished ones; the rest are those that tuning began with."""
    batch: int = Field(default=32, ge=1)
    fewest_batches: int = Field(default=30, ge=1)
    """Of an epoch, however few photos there are: a hundred photos give four batches, and some epochs of those would
    hardly move the network."""
    rehearsal: float = Field(default=0.5, ge=0, lt=1)
    """Share of each batch that repeats what the bundle that is gone on from has learned; where it keeps that."""
    label_smoothing: float = Field(default=0.1, ge=0, lt=1)
    balance: float = Field(default=0.5, ge=0, le=1)
    """The photos of a source with the same labels are drawn as often as their number to this power says: 1 leaves the
    sources as large as they are, 0 makes them alike."""
    foreign: float = Field(default=0.35, gt=0, lt=1)
    """Share of the views that show what is other; sources without plastic would drown it."""
    foreign_in_service: float = Field(default=0.25, gt=0, lt=1)
    """Share of what people put into a machine that is other, for which the probabilities are made to hold."""
    other_ground: float = Field(default=0.5, ge=0, le=1)
    """Probability that a view lays an item that was cut out on another ground."""
    whole_ground: float = Field(default=0.15, ge=0, le=1)
    """Share of the other grounds that are whole photos of foreign objects."""
    held: float = Field(default=0.15, ge=0, le=1)
    """Probability of a hand in a view."""
    stained: float = Field(default=0.2, ge=0, le=1)
    """Probability that a view soils an item that was cut out: what was clean is dirty then."""
    empty: float = Field(default=0.03, ge=0, le=1)
    """Share of the views that are empty slots and hands, which are other."""
    seed: int = 1
    costs: Costs = Costs()
    """From which the thresholds are chosen."""
