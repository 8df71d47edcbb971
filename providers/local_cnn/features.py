"""What the frozen backbone sees in a photo: numbers that have learned nothing of our labels.

The shipped ``waste_type`` bundle is one dense layer on ImageNet's untouched EfficientNet-Lite0 (docs/model-card.md).
Without that layer its model gives features on which labels can be judged, and needs no TensorFlow for it.
"""

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from providers.base import Photo
from providers.local_cnn.bundle import Bundle, load, refused
from providers.local_cnn.options import SHIPPED_BUNDLES
from providers.local_cnn.runtime import Extractor

Features = NDArray[np.float32]

_FILE_IDENTIFIER = b"TFL3"


class FrozenBackbone:
    """Features of one photo after the other, in one thread; about 12 ms each on one core."""

    def __init__(self) -> None:
        """Raises ProviderMisconfigured when the shipped bundle is damaged."""
        self._bundle = load(SHIPPED_BUNDLES / "waste_type", "waste_type")
        self._input = self._bundle.card.input
        self.version = self._bundle.card.sha256[:8]
        """Changes with the model, so that features of two models are never mixed."""
        self.needed_side = max(self._input.width, self._input.height)
        self.size = _input_of_the_head(self._bundle)
        """How many features a photo has."""

    def __call__(self, photo: Photo) -> Features:
        """Averages over the photo at four depths: (size,)."""
        low, high = self._input.range
        pixels = photo.resized(self._input.width, self._input.height).astype(np.float32)
        (features,) = self._extractor(pixels * np.float32((high - low) / 255) + np.float32(low))
        return features

    @cached_property
    def _extractor(self) -> Extractor:
        # Not before a photo comes that nobody has seen: cutting the model takes a fifth of a second.
        return Extractor(_without_head(self._bundle))


def _input_of_the_head(bundle: Bundle) -> int:
    """How many numbers the last dense layer of the model reads. Raises ProviderMisconfigured when it has none."""
    from ai_edge_litert import schema_py_generated as schema

    model = schema.Model.GetRootAs(bundle.model, 0)
    graph = model.Subgraphs(0)
    head = graph.Operators(graph.OperatorsLength() - 1)
    if model.OperatorCodes(head.OpcodeIndex()).BuiltinCode() != schema.BuiltinOperator.FULLY_CONNECTED:
        raise refused(bundle.folder, "its model does not end in a dense layer, so that it gives no features")
    return int(graph.Tensors(head.Inputs(0)).Shape(1))


def _without_head(bundle: Bundle) -> bytes:
    """The model of ``bundle`` cut at the input of its last dense layer."""
    import flatbuffers  # type: ignore[import-untyped]
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromPackedBuf(bundle.model, 0)
    graph = model.subgraphs[0]
    graph.outputs = graph.operators.pop().inputs[:1]
    builder = flatbuffers.Builder(len(bundle.model))
    builder.Finish(model.Pack(builder), _FILE_IDENTIFIER)
    return bytes(builder.Output())
