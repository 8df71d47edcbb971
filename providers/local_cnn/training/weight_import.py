"""Reads the weights of a bundle from its LiteRT model, so that a training can continue from them.

A bundle has no second copy for training. LiteRT's operators are in the order of the network's layers, which identifies
kernels and biases; shapes that do not match reveal another kind of model.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from providers.base import ProviderMisconfigured
from providers.local_cnn import backbone
from providers.local_cnn.bundle import Bundle

Array = NDArray[np.float32]

_AXES: Mapping[str, tuple[int, ...]] = {
    "CONV_2D": (1, 2, 3, 0),
    "DEPTHWISE_CONV_2D": (1, 2, 3, 0),
    "FULLY_CONNECTED": (1, 0),
}
"""Axes from LiteRT's kernel layout to that of Keras: (out, height, width, in), (1, height, width, out), (out, in)."""
_NUMBERS: Mapping[int, str] = {0: "<f4", 1: "<f2"}
"""NumPy types by the schema's TensorType."""


def load_weights(model: Any, bundle: Bundle) -> None:
    """Load the weights of ``bundle`` into a ``keras.Model`` of the same kind, or one that ends below the head.

    Does not check the labels of the head. Raises ProviderMisconfigured if the model is of another kind.
    """
    card = bundle.card
    if (card.input.range, card.input.channels) != (backbone.INPUT_RANGE, "rgb"):
        raise _unlike(bundle, "it reads its pixels otherwise")
    layers = [layer for layer in model.layers if layer.weights]
    try:
        found = list(_layers(bundle))
        if not any(layer.name == "head" for layer in layers):
            del found[-1]
    # Another kind of network may lack a bias, or have kernels that are not constants.
    except (IndexError, TypeError, ValueError) as error:
        raise _unlike(bundle, "its network is another one") from error
    wanted = [[tuple(array.shape) for array in layer.get_weights()] for layer in layers]
    if wanted != [[kernel.shape, bias.shape] for kernel, bias in found]:
        raise _unlike(bundle, "its network is another one")
    for layer, weights in zip(layers, found, strict=True):
        layer.set_weights(list(weights))


def _unlike(bundle: Bundle, reason: str) -> ProviderMisconfigured:
    return ProviderMisconfigured(
        f"No training can go on from {bundle.folder}: {reason}. Name a bundle that `triof train` made, or leave out"
        " --start."
    )


def _layers(bundle: Bundle) -> Iterator[tuple[Array, Array]]:
    """Yield kernel and bias of each layer, in the layout of Keras."""
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromPackedBuf(bundle.model, 0)
    graph = model.subgraphs[0]
    names = {code: name for name, code in vars(schema.BuiltinOperator).items() if not name.startswith("_")}
    kinds = [names[model.operatorCodes[operator.opcodeIndex].builtinCode] for operator in graph.operators]
    # 16-bit weights pass through a dequantize operator.
    widened = {
        operator.outputs[0]: operator.inputs[0]
        for kind, operator in zip(kinds, graph.operators, strict=True)
        if kind == "DEQUANTIZE"
    }

    def read(index: int) -> Array:
        tensor = graph.tensors[widened.get(index, index)]
        dtype = _NUMBERS.get(tensor.type)
        if dtype is None:
            raise _unlike(bundle, "its weights are rounded to 8 bits")
        numbers = np.frombuffer(bytes(model.buffers[tensor.buffer].data), dtype)
        return numbers.astype(np.float32).reshape(tensor.shape)

    # The embedding is computed again after each training.
    embeddings = {index for index in graph.outputs if graph.tensors[index].shape[-1] == bundle.card.embedding}
    for kind, operator in zip(kinds, graph.operators, strict=True):
        # So is the familiarity distance, whose operator is the only one without a bias.
        if kind in _AXES and operator.outputs[0] not in embeddings and operator.inputs[-1] >= 0:
            yield _pair(kind, operator, read)


def _pair(kind: str, operator: Any, read: Callable[[int], Array]) -> tuple[Array, Array]:
    kernel, bias = read(operator.inputs[1]), read(operator.inputs[2])
    return np.transpose(kernel, _AXES[kind]), bias
