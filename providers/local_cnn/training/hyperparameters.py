"""The hyperparameters of a training; docs/measurements/models.md has the measurements that chose their values."""

from typing import Literal

from pydantic import Field

from providers.costs import Costs
from providers.local_cnn.training.augmentation import KEPT_SIDE
from providers.options import Options


class Hyperparameters(Options):
    """The hyperparameters that users may change."""

    backbone: Literal["efficientnet_lite0", "efficientnet_lite1", "efficientnet_lite2"] = "efficientnet_lite0"
    input_side: int = Field(default=224, ge=32, le=KEPT_SIDE)
    """Input side of the finished model in pixels."""
    train_side: int = Field(default=192, ge=32, le=KEPT_SIDE)
    """Side of the training views in pixels: smaller views cost less, and as items look larger in views than in whole
    photos, a somewhat larger input side compensates (Touvron et al. 2019)."""
    plain: float = Field(default=0.15, ge=0, le=1)
    """Share of views that show the photo as the machine will: whole and not turned."""
    epochs: int = Field(default=11, ge=0)
    """Epochs of tuning; 0 keeps the ImageNet backbone."""
    members: int = Field(default=1, ge=1)
    """Number of networks tuned from the same start on different views; their weights are averaged."""
    frozen_blocks: int = Field(default=5, ge=0, le=15)
    """Number of the lowest blocks, which stay frozen."""
    learning_rate: float = Field(default=2e-4, gt=0)
    tuned: float = Field(default=1.0, gt=0, le=1)
    """Share of the tuned weights in the final ones; the rest are those before tuning."""
    batch: int = Field(default=32, ge=1)
    fewest_batches: int = Field(default=30, ge=1)
    """Minimum steps of an epoch: a hundred photos give four batches, and a few epochs of those would hardly change the
    network."""
    rehearsal: float = Field(default=0.5, ge=0, lt=1)
    """Share of each batch from the rehearsal rows of the bundle that training continues, if it has some."""
    label_smoothing: float = Field(default=0.1, ge=0, lt=1)
    balance: float = Field(default=0.5, ge=0, le=1)
    """Exponent for sampling: photos of a source with the same labels are drawn in proportion to their number to this
    power; 1 keeps the sizes of the sources, 0 makes them equal."""
    foreign: float = Field(default=0.35, gt=0, lt=1)
    """Share of views that show ``other``, as sources without plastic would otherwise dominate."""
    foreign_in_service: float = Field(default=0.25, gt=0, lt=1)
    """Share of ``other`` among the items in service, for which the probabilities are corrected."""
    other_ground: float = Field(default=0.5, ge=0, le=1)
    """Probability that a view shows a cut-out item on another ground."""
    whole_ground: float = Field(default=0.15, ge=0, le=1)
    """Share of these grounds that are whole photos of foreign objects."""
    held: float = Field(default=0.15, ge=0, le=1)
    """Probability of a hand in a view."""
    stained: float = Field(default=0.2, ge=0, le=1)
    """Probability that a view soils a cut-out item, whose label changes from clean to dirty."""
    empty: float = Field(default=0.03, ge=0, le=1)
    """Share of views of empty slots and hands, which are ``other``."""
    seed: int = 1
    costs: Costs = Costs()
    """Costs by which the thresholds are chosen."""
