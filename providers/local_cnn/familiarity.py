"""How far a photo lies from what a network has learned: deep nearest neighbours (Sun et al. 2022).

Some photos of the training are kept as the deepest features that the network makes of them, scaled to length 1. The
distance of another photo is 1 minus the cosine of its features and those of its NEIGHBOUR-th nearest among them: 0 for
the like of what was learned, up to 2. The network works it out itself, by operators that are added to its LiteRT file;
that needs no TensorFlow and changes no other answer.
"""

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

from providers.base import ProviderMisconfigured
from providers.local_cnn.bundle import Bundle

Array = NDArray[np.float32]

NEIGHBOUR = 5
"""Few, so that a rare kind of item is near enough to its own; not the nearest, which may carry a wrong label."""
_ALIGNMENT = 16


def evenly(kinds: Sequence[Hashable], most: int, seed: int = 0) -> list[int]:
    """Positions of at most ``most`` photos, drawn in turn from each of their ``kinds``, in rising order."""
    drawn = np.random.default_rng(seed).permutation(len(kinds))
    turns: dict[Hashable, int] = {}
    ranked = []
    for position in drawn:
        kind = kinds[position]
        turns[kind] = turns.get(kind, 0) + 1
        ranked.append((turns[kind], int(position)))
    return sorted(position for _, position in sorted(ranked)[:most])


def distances(features: Array, stored: Array) -> Array:
    """Of ``features`` (photos, size) from ``stored`` (at least NEIGHBOUR, size): (photos,)."""
    alike = _scaled(features) @ _scaled(stored).T
    nearest: Array = 1 - np.sort(alike, axis=1)[:, -NEIGHBOUR]
    return nearest


def features_alone(bundle: Bundle) -> bytes:
    """The network of ``bundle`` up to its deepest features, its only output. Raises ProviderMisconfigured."""
    model, features = _read(bundle)
    model.subgraphs[0].outputs = [features]
    model.signatureDefs = None
    return _packed(model)


def knowing(bundle: Bundle, stored: Array) -> bytes:
    """The network of ``bundle`` with the distance from ``stored``, (n, size), as one more output of shape (1, 1).

    Raises ProviderMisconfigured for a network without an embedding, and for one that gives a distance already.
    """
    if bundle.card.unfamiliar_from is not None:
        raise _unfit(bundle, "it gives a distance already")
    model, features = _read(bundle)
    graph = _Graph(model)
    size = int(graph.of(features).shape[-1])
    scaled = graph.tensor("familiar_features", (1, size))
    graph.add("L2_NORMALIZATION", [features], [scaled], schema.L2NormOptionsT())
    kept = graph.tensor("familiar_kept", stored.shape)
    half = graph.constant("familiar_stored", _scaled(stored).astype(np.float16))
    graph.add("DEQUANTIZE", [half], [kept], schema.DequantizeOptionsT())
    alike = graph.tensor("familiar_alike", (1, len(stored)))
    graph.add("FULLY_CONNECTED", [scaled, kept, -1], [alike], schema.FullyConnectedOptionsT())
    count = graph.constant("familiar_count", np.array(NEIGHBOUR, np.int32))
    nearest = graph.tensor("familiar_nearest", (1, NEIGHBOUR))
    places = graph.tensor("familiar_places", (1, NEIGHBOUR), schema.TensorType.INT32)
    graph.add("TOPK_V2", [alike, count], [nearest, places], schema.TopKV2OptionsT())
    last = graph.tensor("familiar_last", (1, 1))
    begin = graph.constant("familiar_begin", np.array([0, NEIGHBOUR - 1], np.int32))
    one_by_one = graph.constant("familiar_size", np.array([1, 1], np.int32))
    graph.add("SLICE", [nearest, begin, one_by_one], [last], schema.SliceOptionsT())
    distance = graph.tensor("unfamiliarity", (1, 1))
    graph.add(
        "SUB", [graph.constant("familiar_one", np.ones((1, 1), np.float32)), last], [distance], schema.SubOptionsT()
    )
    model.subgraphs[0].outputs = [*model.subgraphs[0].outputs, distance]
    # What names the outputs would leave out the new one.
    model.signatureDefs = None
    return _packed(model)


class _Graph:
    """The graph of a LiteRT model, to which tensors and operators are added."""

    def __init__(self, model: Any) -> None:
        self._model, self._graph = model, model.subgraphs[0]

    def of(self, index: int) -> Any:
        """The tensor at ``index``."""
        return self._graph.tensors[index]

    def tensor(self, name: str, shape: Sequence[int], kind: int = schema.TensorType.FLOAT32, buffer: int = 0) -> int:
        """Add a tensor; without a ``buffer`` it is worked out. Returns its index."""
        tensor = schema.TensorT()
        tensor.name, tensor.shape, tensor.type, tensor.buffer = name.encode(), np.array(shape, np.int32), kind, buffer
        self._graph.tensors.append(tensor)
        return len(self._graph.tensors) - 1

    def constant(self, name: str, values: NDArray[Any]) -> int:
        """Add a tensor that holds ``values``."""
        buffer = schema.BufferT()
        buffer.data = np.frombuffer(np.ascontiguousarray(values).tobytes(), np.uint8)
        self._model.buffers.append(buffer)
        kinds = {"float32": schema.TensorType.FLOAT32, "float16": schema.TensorType.FLOAT16}
        kind = kinds.get(values.dtype.name, schema.TensorType.INT32)
        return self.tensor(name, values.shape, kind, len(self._model.buffers) - 1)

    def add(self, builtin: str, inputs: list[int], outputs: list[int], options: Any) -> None:
        """Add an operator, after the others."""
        code = schema.OperatorCodeT()
        number = getattr(schema.BuiltinOperator, builtin)
        # Old readers look at the byte, new ones at the integer.
        code.builtinCode, code.deprecatedBuiltinCode, code.version = number, number, 2 if builtin == "DEQUANTIZE" else 1
        operator = schema.OperatorT()
        operator.opcodeIndex = len(self._model.operatorCodes)
        operator.inputs, operator.outputs = np.array(inputs, np.int32), np.array(outputs, np.int32)
        operator.builtinOptions = options
        operator.builtinOptionsType = getattr(schema.BuiltinOptions, type(options).__name__.removesuffix("T"))
        self._model.operatorCodes.append(code)
        self._graph.operators.append(operator)


def _scaled(features: Array) -> Array:
    scaled: Array = features / np.maximum(np.linalg.norm(features, axis=-1, keepdims=True), np.float32(1e-6))
    return scaled


def _read(bundle: Bundle) -> tuple[Any, int]:
    """The model, and which tensor holds its deepest features: the last part of what its embedding is made of."""
    model = schema.ModelT.InitFromPackedBuf(bundle.model, 0)
    graph = model.subgraphs[0]
    makers = {int(output): operator for operator in graph.operators for output in operator.outputs}
    for index in map(int, graph.outputs):
        if list(graph.tensors[index].shape) == [1, bundle.card.embedding] and _is(
            model, makers, index, "FULLY_CONNECTED"
        ):
            features = int(makers[index].inputs[0])
            # Of features of several depths the last ones; the others tell grounds from each other rather than items.
            joined = _is(model, makers, features, "CONCATENATION")
            return model, int(makers[features].inputs[-1]) if joined else features
    raise _unfit(bundle, "it has no embedding that is made of its features")


def _is(model: Any, makers: Mapping[int, Any], index: int, builtin: str) -> bool:
    """Whether the tensor at ``index`` is what such an operator makes."""
    code = model.operatorCodes[makers[index].opcodeIndex].builtinCode if index in makers else None
    return bool(code == getattr(schema.BuiltinOperator, builtin))


def _unfit(bundle: Bundle, reason: str) -> ProviderMisconfigured:
    return ProviderMisconfigured(
        f"{bundle.folder} cannot be given a distance: {reason}. Name a bundle as `triof train` makes it."
    )


def _packed(model: Any) -> bytes:
    builder = _Builder(1 << 20)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


class _Builder(flatbuffers.Builder):  # type: ignore[misc]
    """Lays arrays where LiteRT may read them in place, whatever is in them."""

    def CreateNumpyVector(self, x: NDArray[Any]) -> int:  # noqa: N802 (overridden)
        """As the original does, aligned to _ALIGNMENT bytes."""
        self.StartVector(x.itemsize, x.size, _ALIGNMENT)
        content = np.ascontiguousarray(x).tobytes(order="C")
        length = x.itemsize * x.size
        self.head -= length
        self.Bytes[self.head : self.head + length] = content
        self.vectorNumElems = x.size
        return int(self.EndVector())
