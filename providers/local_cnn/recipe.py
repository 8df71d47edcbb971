"""How a bundle is trained; docs/models.md tells what was measured to choose these numbers, and what lost."""

from typing import Annotated, Literal

from pydantic import Field

from providers.costs import Costs
from providers.local_cnn.augmentation import KEPT_SIDE
from providers.options import Options


class Recipe(Options):
    """What one may want to change about a training."""

    backbone: Literal["efficientnet_lite0", "efficientnet_lite1", "efficientnet_lite2"] = "efficientnet_lite0"
    input_side: int = Field(default=224, ge=32, le=KEPT_SIDE)
    """Pixels of the photos while training."""
    tried_sides: tuple[Annotated[int, Field(ge=32, le=KEPT_SIDE)], ...] = Field(
        default=(192, 208, 224, 240), min_length=1
    )
    """Of those that the finished model may read: ``val`` chooses."""
    train_side: int = Field(default=192, ge=32, le=KEPT_SIDE)
    """Pixels of the views in tuning: smaller ones cost less, and items look larger in views than in a photo that is
    read whole, which evens out at some larger side (Touvron et al. 2019)."""
    views: int = Field(default=2, ge=1)
    """Of each photo, for the head: the photo itself and ``views - 1`` random ones."""
    epochs: int = Field(default=10, ge=0)
    """Of tuning; 0 leaves the backbone as ImageNet made it."""
    members: int = Field(default=2, ge=1)
    """So many networks are tuned from the same beginning on other views; their weights are averaged in the end."""
    frozen_blocks: int = Field(default=3, ge=0)
    """The lowest ones, which stay as ImageNet made them."""
    learning_rate: float = Field(default=1.8e-4, gt=0)
    batch: int = Field(default=32, ge=1)
    label_smoothing: float = Field(default=0.1, ge=0, lt=1)
    other_ground: float = Field(default=0.5, ge=0, le=1)
    """Probability that a view lays an item that was cut out on another ground."""
    recognised: float = Field(default=0.25, ge=0, le=1)
    """From which probability of its label, by the head, an item that was cut out is laid on other grounds at all."""
    stained: float = Field(default=0.2, ge=0, le=1)
    """Probability that a view soils such an item: what was clean is dirty then."""
    empty: float = Field(default=0.05, ge=0, le=1)
    """Empty slots and hands, which are other, for each photo."""
    seed: int = 1
    costs: Costs = Costs()
    """From which the thresholds are chosen."""
