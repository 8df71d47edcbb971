"""The weights of a finished bundle, read back out of its LiteRT model, so that a training can go on from them.

A bundle keeps no second copy for training. LiteRT's operators stand in the order of the network's layers, so that
kernels and biases can be told by their order alone; shapes that do not fit betray a model made otherwise.
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
"""From LiteRT's layout of a kernel to that of Keras: (out, height, width, in), (1, height, width, out), (out, in)."""
_NUMBERS: Mapping[int, str] = {0: "<f4", 1: "<f2"}
"""By the schema's TensorType."""


def load_weights(model: Any, bundle: Bundle) -> None:
    """Put the weights of ``bundle`` into the like ``keras.Model``, or into one that ends below the head.

    Labels are not looked at: a head must be one for the same labels.

    Raises ProviderMisconfigured where it is unlike.
    """
    card = bundle.card
    if (card.input.range, card.input.channels) != (backbone.INPUT_RANGE, "rgb"):
        raise _unlike(bundle, "it reads its pixels otherwise")
    layers = [layer for layer in model.layers if layer.weights]
    try:
        found = list(_layers(bundle))
        if not any(layer.name == "head" for layer in layers):
            del found[-1]
    # A network made elsewhere may lack a bias, or have kernels that are no constants.
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
    """Kernel and bias of each layer, in the layout of Keras."""
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromPackedBuf(bundle.model, 0)
    graph = model.subgraphs[0]
    names = {code: name for name, code in vars(schema.BuiltinOperator).items() if not name.startswith("_")}
    kinds = [names[model.operatorCodes[operator.opcodeIndex].builtinCode] for operator in graph.operators]
    # 16-bit weights are widened by an operator of their own.
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

    # The embedding is made anew of whatever is trained.
    embeddings = {index for index in graph.outputs if graph.tensors[index].shape[-1] == bundle.card.embedding}
    for kind, operator in zip(kinds, graph.operators, strict=True):
        # So is the distance from what was learned, whose operator alone has no bias (familiarity.py).
        if kind in _AXES and operator.outputs[0] not in embeddings and operator.inputs[-1] >= 0:
            yield _pair(kind, operator, read)


def _pair(kind: str, operator: Any, read: Callable[[int], Array]) -> tuple[Array, Array]:
    kernel, bias = read(operator.inputs[1]), read(operator.inputs[2])
    return np.transpose(kernel, _AXES[kind]), bias
