"""Puts an ONNX model that Azure Custom Vision exported into the form of its TensorFlow Lite exports.

Such a model states the order and range of its input pixels in its own metadata, and may end with operations that turn
the probabilities into a table by tag (``loss``) and the likeliest tag (``classLabel``), which OpenCV cannot run.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from providers.base import ProviderMisconfigured
from providers.local_cnn import azure_export
from providers.local_cnn.bundle import MODEL_FILES
from providers.local_cnn.package import Files, unusable

_METADATA_FILE = "metadata_properties.json"


def prepared(source: Path, files: Files) -> Files:
    """Return the ``files`` of an export read from ``source`` with a model that gives probabilities alone.

    Raises ProviderMisconfigured.
    """
    manifest = azure_export.manifest_of(source, files)
    network = _parsed(source, azure_export.model_of(source, files, manifest))
    told = {entry.key: entry.value for entry in network.metadata_props}
    tags = _give_probabilities(network)
    model: bytes = network.SerializeToString(deterministic=True)
    sums = {azure_export.SHA1_KEY: hashlib.sha1(model, usedforsecurity=False).hexdigest()}
    named = str(manifest.get(azure_export.METADATA_KEY) or _METADATA_FILE)
    renamed = {"ModelFileName": MODEL_FILES["onnx"], azure_export.METADATA_KEY: named}
    return {
        **files,
        MODEL_FILES["onnx"]: model,
        azure_export.MANIFEST_FILE: _json({**manifest, **sums, **renamed}),
        named: files.get(named) or _json(told),
        **({azure_export.labels_file(manifest): "\n".join(tags).encode()} if tags else {}),
    }


def _parsed(source: Path, model: bytes) -> Any:
    try:
        import onnx
        from google.protobuf.message import DecodeError
    except ImportError as error:
        raise ProviderMisconfigured(
            "The package onnx, which reads ONNX exports, is not installed: `pip install 'triof[onnx]'`."
        ) from error
    try:
        return onnx.load_model_from_string(model)
    except DecodeError as error:
        raise unusable(source, f"its model is no ONNX file ({error}): download the export again") from error


def _give_probabilities(network: Any) -> list[str]:
    """Make the probabilities the only output, and return their tags in order; none if there is no table by tag."""
    graph = network.graph
    table = next((node for node in graph.node if node.op_type == "ZipMap"), None)
    if not table:
        return []
    import onnx

    attributes = {attribute.name: attribute for attribute in table.attribute}
    tags = [tag.decode() for tag in attributes["classlabels_strings"].strings]
    probabilities = onnx.helper.make_tensor_value_info(table.input[0], onnx.TensorProto.FLOAT, [1, len(tags)])
    del graph.output[:]
    graph.output.append(probabilities)
    _remove_unused(graph, table.input[0])
    return tags


def _remove_unused(graph: Any, output: str) -> None:
    """Remove the operations that do not contribute to ``output``; they stand in the order of execution."""
    needed = {output}
    for node in reversed(list(graph.node)):
        if needed.isdisjoint(node.output):
            graph.node.remove(node)
        else:
            needed.update(node.input)


def _json(content: Mapping[str, Any]) -> bytes:
    return json.dumps(content, indent=2).encode()
