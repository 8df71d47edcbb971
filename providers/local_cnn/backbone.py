"""EfficientNet-Lite0 in Keras, with the ImageNet weights of its PyTorch port.

The Lite family has neither squeeze-and-excitation nor swish, so it is fast on every processor.
Keras comes in as an argument: the trainer is the only module that imports it.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from providers.local_cnn.weights import Weights

INPUT_SIDE = 224
"""Pixels, width and height."""
INPUT_RANGE = (-127 / 128, 1.0)
"""What 0 and 255 become: the weights were trained on (x - 127) / 128."""
HEAD_FILTERS = 1280
SHALLOW_BLOCKS = (5, 10)
DEEP_BLOCK = 15
"""The blocks whose channels, averaged over the photo, are features beside those of the head."""

_EPSILON = 1e-3
_STEM_FILTERS = 32


@dataclass(frozen=True)
class Stage:
    """A run of like blocks; only its first one strides and changes the number of channels."""

    blocks: int
    kernel: int
    stride: int
    expansion: int
    filters: int


STAGES = (
    Stage(1, 3, 1, 1, 16),
    Stage(2, 3, 2, 6, 24),
    Stage(2, 5, 2, 6, 40),
    Stage(3, 3, 2, 6, 80),
    Stage(3, 5, 1, 6, 112),
    Stage(4, 5, 2, 6, 192),
    Stage(1, 3, 1, 6, 320),
)


@dataclass(frozen=True)
class _Builder:
    """Adds layers under the names that their weights have in the PyTorch file."""

    keras: Any

    def conv(self, x: Any, name: str, filters: int, kernel: int = 1, stride: int = 1) -> Any:
        return self.keras.layers.Conv2D(filters, kernel, stride, "same", use_bias=False, name=name)(x)

    def depthwise(self, x: Any, name: str, kernel: int, stride: int) -> Any:
        return self.keras.layers.DepthwiseConv2D(kernel, stride, "same", use_bias=False, name=name)(x)

    def norm(self, x: Any, name: str, *, relu: bool = True) -> Any:
        # Fixed statistics: a batch of 32 photos from a few hundred items would only blur those of ImageNet.
        x = self.keras.layers.BatchNormalization(epsilon=_EPSILON, name=name)(x, training=False)
        return self.keras.layers.ReLU(6.0, name=f"{name}_relu")(x) if relu else x

    def block(self, x: Any, name: str, stage: Stage, *, first: bool) -> Any:
        inputs, stride = x, stage.stride if first else 1
        if stage.expansion > 1:
            x = self.conv(x, f"{name}._expand_conv", x.shape[-1] * stage.expansion)
            x = self.norm(x, f"{name}._bn0")
        x = self.depthwise(x, f"{name}._depthwise_conv", stage.kernel, stride)
        x = self.norm(x, f"{name}._bn1")
        x = self.conv(x, f"{name}._project_conv", stage.filters)
        x = self.norm(x, f"{name}._bn2", relu=False)
        return x if first else self.keras.layers.Add(name=f"{name}_add")([inputs, x])


def build(keras: Any, side: int = INPUT_SIDE) -> Any:
    """A ``keras.Model``: (n, side, side, 3) in INPUT_RANGE to (n, HEAD_FILTERS)."""
    builder = _Builder(keras)
    inputs = x = keras.Input((side, side, 3), name="photo")
    x = builder.norm(builder.conv(x, "_conv_stem", _STEM_FILTERS, 3, 2), "_bn0")
    index = 0
    for stage in STAGES:
        for position in range(stage.blocks):
            x = builder.block(x, f"_blocks.{index}", stage, first=position == 0)
            index += 1
    x = builder.norm(builder.conv(x, "_conv_head", HEAD_FILTERS), "_bn1")
    return keras.Model(inputs, keras.layers.GlobalAveragePooling2D(name="pooled_head")(x), name="efficientnet_lite0")


def add_features(keras: Any, model: Any) -> Any:
    """The features of ``model``, of several depths: stains are textures, which only the lower blocks still tell."""
    names = [f"_blocks.{block}" for block in (*SHALLOW_BLOCKS, DEEP_BLOCK)]
    pooled = [
        keras.layers.GlobalAveragePooling2D(name=f"pooled{name}")(model.get_layer(f"{name}._bn1_relu").output)
        for name in names
    ]
    return keras.layers.Concatenate(name="features")([*pooled, model.output])


def load_weights(model: Any, weights: Weights) -> None:
    """Put ``weights`` (PyTorch names and layouts) into a model made by :func:`build`."""
    for layer in model.layers:
        if layer.weights:
            layer.set_weights(_layer_weights(layer.name, weights))


def _layer_weights(name: str, weights: Weights) -> list[Any]:
    if "bn" in name:
        return [weights[f"{name}.{part}"] for part in ("weight", "bias", "running_mean", "running_var")]
    # PyTorch: (out, in, height, width); Keras: (height, width, in, out), depthwise (height, width, channel, 1).
    axes = (2, 3, 0, 1) if "depthwise" in name else (2, 3, 1, 0)
    return [np.transpose(weights[f"{name}.weight"], axes)]
