"""A model as Azure Custom Vision exports it: the zip, with a real LiteRT network small enough to be built in a test.

The network looks at the mean colour of each quarter of the photo: how warm it is, how bright, and how much brighter
above than below. So the order of the channels, the range of the pixels and the photo's orientation all matter.
:func:`expected_scores` does the same sums in numpy, so that a fake cloud can answer as the exported model does.
"""

import hashlib
import json
import zipfile
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from io import BytesIO
from typing import Any, Literal

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as tflite
from numpy.typing import NDArray
from PIL import Image, ImageOps

Channels = Literal["Bgr8", "Rgb8"]
Range = Literal["NominalRange_0_255", "Normalized_0_1"]
Floats = NDArray[np.float32]

SIDE = 224
ITERATION = "35921ec4-e5eb-433a-95d7-536d4666bc0d"
GAIN = 1.6
"""How sure the network is."""
# What the demo pictures have on average and how far they are spread, so that they fall on all sides.
WARM, WARM_SPREAD = -2.0, 10.0
BRIGHT, BRIGHT_SPREAD = 200.0, 22.0
ABOVE, ABOVE_SPREAD = -12.0, 38.0


def azure_export_zip(
    tags: Sequence[str],
    *,
    channels: Channels = "Bgr8",
    nominal_range: Range = "NominalRange_0_255",
    crlf: bool = True,
    escaped: bool = False,
    lying: bool = False,
    alike: bool = False,
    gain: float = GAIN,
    lean: float = 0.0,
    iteration_id: str = ITERATION,
    changes: Mapping[str, bytes | None] | None = None,
) -> bytes:
    """The zip behind a ``download_uri``.

    ``channels`` and ``nominal_range`` are what the model wants and what the metadata say; ``lying`` metadata say the
    other range. ``alike``: a model that answers the same to all photos. ``gain`` and ``lean`` are those of
    :func:`litert_model`. ``escaped``: labels as HTML. ``changes``: files that are to have other contents, or (None) to
    be missing.
    """
    model = litert_model(tags, channels=channels, nominal_range=nominal_range, alike=alike, gain=gain, lean=lean)
    files: dict[str, bytes | None] = {
        "model.tflite": model,
        "labels.txt": ("\r\n" if crlf else "\n").join(html(tag) if escaped else tag for tag in tags).encode(),
        "cvexport.manifest": _json(manifest(model, iteration_id)),
        "metadata_properties.json": _json(metadata(channels, other(nominal_range) if lying else nominal_range)),
        **(changes or {}),
    }
    return zipped({name: contents for name, contents in files.items() if contents is not None})


def zipped(files: Mapping[str, bytes]) -> bytes:
    """A zip of these files."""
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, contents in files.items():
            archive.writestr(name, contents)
    return buffer.getvalue()


def html(tag: str) -> str:
    """As Azure writes labels into some exports."""
    return "".join(letter if letter.isascii() and letter not in "&<>\"'" else f"&#{ord(letter)};" for letter in tag)


def other(nominal_range: Range) -> Range:
    """The range that the model does not want."""
    return "Normalized_0_1" if nominal_range == "NominalRange_0_255" else "NominalRange_0_255"


def manifest(model: bytes, iteration_id: str = ITERATION) -> dict[str, str]:
    """``cvexport.manifest``."""
    return {
        "DomainType": "Classification",
        "Platform": "TensorFlow",
        "Flavor": "TensorFlowLite",
        "ExporterVersion": "2.1",
        "ExportedDate": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f0Z"),
        "IterationId": iteration_id,
        "ModelFileName": "model.tflite",
        "LabelFileName": "labels.txt",
        "MetadataPropsFileName": "metadata_properties.json",
        "ModelFileSHA1": hashlib.sha1(model, usedforsecurity=False).hexdigest(),
        "SchemaVersion": "1.0",
    }


def metadata(channels: Channels, nominal_range: Range) -> dict[str, str]:
    """``metadata_properties.json``: everything is a string."""
    return {
        "CustomVision.Metadata.AdditionalModelInfo": "",
        "CustomVision.Metadata.Version": "1.2",
        "CustomVision.Postprocess.Method": "ClassificationMultiClass",
        "CustomVision.Postprocess.Yolo.Biases": "[]",
        "CustomVision.Postprocess.Yolo.NmsThreshold": "0.0",
        "CustomVision.Preprocess.CropHeight": "0",
        "CustomVision.Preprocess.CropMethod": "NoCrop",
        "CustomVision.Preprocess.CropWidth": "0",
        "CustomVision.Preprocess.MaxDimension": "0",
        "CustomVision.Preprocess.MaxScale": "0.0",
        "CustomVision.Preprocess.MinDimension": "0",
        "CustomVision.Preprocess.MinScale": "0.0",
        "CustomVision.Preprocess.NormalizeMean": "[0.0, 0.0, 0.0]",
        "CustomVision.Preprocess.NormalizeStd": "[1.0, 1.0, 1.0]",
        "CustomVision.Preprocess.ResizeMethod": "Stretch",
        "CustomVision.Preprocess.TargetHeight": str(SIDE),
        "CustomVision.Preprocess.TargetWidth": str(SIDE),
        "Image.BitmapPixelFormat": channels,
        "Image.ColorSpaceGamma": "SRGB",
        "Image.NominalPixelRange": nominal_range,
    }


def expected_scores(jpeg_bytes: bytes, tags: Sequence[str], gain: float = GAIN) -> dict[str, float]:
    """What the exported model says of a photo when it is asked rightly: each tag's probability, together 1."""
    with Image.open(BytesIO(jpeg_bytes)) as opened:
        upright = ImageOps.exif_transpose(opened).convert("RGB")
    pixels = np.asarray(upright.resize((SIDE, SIDE), Image.Resampling.BILINEAR), dtype=np.float32)
    half = SIDE // 2
    quarters = pixels.reshape(2, half, 2, half, 3).mean((1, 3), dtype=np.float64).ravel()
    weights, bias = _weights(tags, gain)
    logits = weights @ quarters + bias
    odds = np.exp(logits - logits.max())
    return {tag: float(share) for tag, share in zip(tags, odds / odds.sum(), strict=True)}


def _weights(tags: Sequence[str], gain: float) -> tuple[Floats, Floats]:
    """Weights (tags, 12) for the quarters' RGB in 0 to 255, and the bias; a tag's own do not depend on the order.

    The tags lie around a circle, like the hours of a clock: across is how warm a photo is, upwards how bright.
    """
    warm = np.tile([1.0, 0.0, -1.0], 4) / 4 / WARM_SPREAD
    bright = np.full(12, 1 / 12) / BRIGHT_SPREAD
    above = np.repeat([1.0, 1.0, -1.0, -1.0], 3) / 6 / ABOVE_SPREAD
    turns = np.array([sorted(tags).index(tag) for tag in tags]) / len(tags)
    across, upwards = gain * np.cos(2 * np.pi * turns)[:, None], gain * np.sin(2 * np.pi * turns)[:, None]
    weights = across * warm + upwards * (bright + above)
    centre = across * WARM / WARM_SPREAD + upwards * (BRIGHT / BRIGHT_SPREAD + ABOVE / ABOVE_SPREAD)
    return weights.astype(np.float32), -centre[:, 0].astype(np.float32)


def trained_weights(
    tags: Sequence[str],
    channels: Channels,
    nominal_range: Range,
    *,
    alike: bool = False,
    gain: float = GAIN,
    lean: float = 0.0,
) -> tuple[Floats, Floats]:
    """Weights (tags, 12) for the quarters in this order and range of the channels, and the bias."""
    weights, bias = _weights(tags, gain)
    bias[0] += lean
    if channels == "Bgr8":
        weights = np.ascontiguousarray(weights.reshape(-1, 4, 3)[:, :, ::-1].reshape(-1, 12))
    if nominal_range == "Normalized_0_1":
        weights = (weights * 255).astype(np.float32)
    if alike:
        weights, bias = np.zeros_like(weights), (bias + np.arange(len(tags))).astype(np.float32)
    return weights, bias


def litert_model(
    tags: Sequence[str],
    *,
    channels: Channels = "Bgr8",
    nominal_range: Range = "NominalRange_0_255",
    alike: bool = False,
    logits: bool = False,
    gain: float = GAIN,
    lean: float = 0.0,
    side: int = SIDE,
) -> bytes:
    """The network: float32 (1, side, side, 3) to float32 (1, tags), probabilities unless ``logits``.

    ``gain`` says how sure it is; ``lean`` is added to the logit of the first tag.
    """
    weights, bias = trained_weights(tags, channels, nominal_range, alike=alike, gain=gain, lean=lean)
    network = Network()
    photo = network.tensor("Placeholder", (1, side, side, 3))
    quarters = network.tensor("quarters", (1, 2, 2, 3))
    flat = network.tensor("flat", (1, 12))
    scores = network.tensor("scores", (1, len(tags)))
    network.add("AVERAGE_POOL_2D", [photo], quarters, pooling(side // 2))
    network.add("RESHAPE", [quarters, network.constant("shape", np.array([1, 12], np.int32))], flat, reshaping((1, 12)))
    constants = [network.constant("weights", weights), network.constant("bias", bias)]
    network.add("FULLY_CONNECTED", [flat, *constants], scores, tflite.FullyConnectedOptionsT())
    output = scores
    if not logits:
        output = network.tensor("model_outputs", (1, len(tags)))
        softmax = tflite.SoftmaxOptionsT()
        softmax.beta = 1.0
        network.add("SOFTMAX", [scores], output, softmax)
    return network.pack(photo, output)


class Network:
    """A LiteRT flatbuffer in the making."""

    def __init__(self) -> None:
        self._model = tflite.ModelT()
        self._model.version = 3
        self._model.buffers = [tflite.BufferT()]  # by convention the first one is empty: "not a constant"
        self._model.operatorCodes = []
        self._graph = tflite.SubGraphT()
        self._graph.tensors, self._graph.operators = [], []

    def tensor(self, name: str, shape: tuple[int, ...], kind: int = tflite.TensorType.FLOAT32, buffer: int = 0) -> int:
        tensor = tflite.TensorT()
        tensor.name, tensor.shape, tensor.type, tensor.buffer = name.encode(), list(shape), kind, buffer
        self._graph.tensors.append(tensor)
        return len(self._graph.tensors) - 1

    def constant(self, name: str, values: NDArray[Any]) -> int:
        buffer = tflite.BufferT()
        buffer.data = np.frombuffer(np.ascontiguousarray(values).tobytes(), np.uint8)
        self._model.buffers.append(buffer)
        kind = tflite.TensorType.INT32 if values.dtype == np.int32 else tflite.TensorType.FLOAT32
        return self.tensor(name, values.shape, kind, len(self._model.buffers) - 1)

    def add(self, builtin: str, inputs: list[int], output: int, options: Any) -> None:
        code = tflite.OperatorCodeT()
        # Old readers look at the byte, new ones at the integer.
        code.builtinCode = code.deprecatedBuiltinCode = getattr(tflite.BuiltinOperator, builtin)
        code.version = 1
        operator = tflite.OperatorT()
        operator.opcodeIndex = len(self._model.operatorCodes)
        operator.inputs, operator.outputs = inputs, [output]
        operator.builtinOptions = options
        operator.builtinOptionsType = getattr(tflite.BuiltinOptions, type(options).__name__.removesuffix("T"))
        self._model.operatorCodes.append(code)
        self._graph.operators.append(operator)

    def pack(self, first: int, *last: int) -> bytes:
        self._graph.inputs, self._graph.outputs = [first], list(last)
        self._model.subgraphs = [self._graph]
        builder = flatbuffers.Builder(4096)
        builder.Finish(self._model.Pack(builder), b"TFL3")
        return bytes(builder.Output())


def pooling(window: int) -> Any:
    options = tflite.Pool2DOptionsT()
    options.padding = tflite.Padding.VALID
    options.strideW = options.strideH = options.filterWidth = options.filterHeight = window
    return options


def reshaping(shape: tuple[int, ...]) -> Any:
    options = tflite.ReshapeOptionsT()
    options.newShape = list(shape)
    return options


def _json(content: Mapping[str, str]) -> bytes:
    return json.dumps(content, indent=2).encode()
