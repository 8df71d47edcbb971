"""ONNX networks small enough to be built in a test: they read the mean colours of the quarters of a photo."""

from collections.abc import Mapping, Sequence

import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

Head = tuple[NDArray, NDArray]  # type: ignore[type-arg]
"""Weights (outputs, 12) of the quarters' RGB, and the bias."""


def quarters_network(
    heads: Sequence[Head],
    side: int,
    *,
    probabilities: bool = False,
    table_of: Sequence[str] = (),
    metadata: Mapping[str, str] | None = None,
) -> bytes:
    """A network of (1, 3, side, side) with an output for each of ``heads``, with a softmax if ``probabilities``.

    With ``table_of`` tags it ends as the exports of Azure do: a table by tag and the likeliest tag, no tensor.
    """
    window = side // 2
    nodes = [
        helper.make_node("AveragePool", ["data"], ["quarters"], kernel_shape=[window] * 2, strides=[window] * 2),
        helper.make_node("Transpose", ["quarters"], ["last"], perm=[0, 2, 3, 1]),
        helper.make_node("Flatten", ["last"], ["flat"]),
    ]
    weights, outputs = [], []
    for number, (matrix, bias) in enumerate(heads):
        names = [f"weights{number}", f"bias{number}"]
        weights += [numpy_helper.from_array(array, name) for array, name in zip((matrix, bias), names, strict=True)]
        output = f"scores{number}"
        nodes.append(helper.make_node("Gemm", ["flat", *names], [output], transB=1))
        if probabilities:
            nodes.append(helper.make_node("Softmax", [output], [f"output{number}"], axis=1))
            output = f"output{number}"
        outputs.append(helper.make_tensor_value_info(output, TensorProto.FLOAT, ["None", len(bias)]))
    if table_of:
        nodes += _table(outputs[0].name, table_of)
        outputs = [_table_info(), helper.make_tensor_value_info("classLabel", TensorProto.STRING, [1])]
    photo = helper.make_tensor_value_info("data", TensorProto.FLOAT, ["None", 3, side, side])
    graph = helper.make_graph(nodes, "quarters", [photo], outputs, weights)
    imports = [helper.make_opsetid("", 13), helper.make_opsetid("ai.onnx.ml", 2)]
    model = helper.make_model(graph, opset_imports=imports, ir_version=8)
    helper.set_model_props(model, dict(metadata or {}))
    content: bytes = model.SerializeToString()
    return content


def _table(probabilities: str, tags: Sequence[str]) -> list[onnx.NodeProto]:
    return [
        helper.make_node("ZipMap", [probabilities], ["loss"], domain="ai.onnx.ml", classlabels_strings=list(tags)),
        helper.make_node("ArgMax", [probabilities], ["top"], axis=1, keepdims=0),
        helper.make_node(
            "LabelEncoder",
            ["top"],
            ["classLabel"],
            domain="ai.onnx.ml",
            keys_int64s=list(range(len(tags))),
            values_strings=list(tags),
        ),
    ]


def _table_info() -> onnx.ValueInfoProto:
    value = helper.make_tensor_type_proto(TensorProto.FLOAT, [])
    return helper.make_value_info(
        "loss", helper.make_sequence_type_proto(helper.make_map_type_proto(TensorProto.STRING, value))
    )
