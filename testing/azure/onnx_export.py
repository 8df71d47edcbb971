"""A model as Azure Custom Vision exports it as ONNX, with the network of :mod:`testing.azure.azure_export`."""

import json

from testing.azure.azure_export import (
    ITERATION,
    SIDE,
    Channels,
    Range,
    manifest,
    metadata,
    other,
    trained_weights,
    zipped,
)
from testing.onnx_networks import quarters_network


def onnx_export_zip(
    tags: tuple[str, ...],
    *,
    channels: Channels = "Bgr8",
    nominal_range: Range = "NominalRange_0_255",
    table: bool = True,
    lying: bool = False,
    iteration_id: str = ITERATION,
) -> bytes:
    """The zip behind a ``download_uri``. ``table``: the model answers with a table by tag, as older exports do.

    The metadata stand in the model alone; ``lying`` ones say the other range.
    """
    said = metadata(channels, other(nominal_range) if lying else nominal_range)
    model = quarters_network(
        [trained_weights(tags, channels, nominal_range)],
        SIDE,
        probabilities=True,
        table_of=tags if table else (),
        metadata=said,
    )
    told = {**manifest(model, iteration_id), "Platform": "ONNX", "Flavor": "", "ModelFileName": "model.onnx"}
    del told["MetadataPropsFileName"]
    labels = "\r\n".join(tags).encode()
    return zipped({"model.onnx": model, "labels.txt": labels, "cvexport.manifest": json.dumps(told).encode()})
