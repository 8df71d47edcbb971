"""Reads a model that Azure Custom Vision exported as TensorFlow Lite, or as ONNX, as a bundle.

The zip contains ``model.tflite`` or ``model.onnx``, ``labels.txt`` (the tags in the order of the model's output; CRLF,
optional byte order mark, optional HTML escapes), ``cvexport.manifest`` and ``metadata_properties.json``. The metadata
state the order and range of the model's input pixels, but are known to be wrong: ``readings`` returns the alternatives.
An ONNX export is put into this form first (:mod:`providers.onnx.azure_export`).
"""

import hashlib
import html
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import ValidationError

from providers.base import LABELS, TASKS, Task
from providers.local_cnn.bundle import MODEL_FILES, Bundle, BundleCard, Input, validation_errors
from providers.local_cnn.engine import Format
from providers.local_cnn.isolated import Isolation
from providers.local_cnn.package import Files, unusable
from providers.local_cnn.runtime import Shapes, shapes_of
from providers.text_files import decoded, plain

MANIFEST_FILE = "cvexport.manifest"
METADATA_KEY = "MetadataPropsFileName"
SHA1_KEY = "ModelFileSHA1"
VENDOR = "azure"

T = TypeVar("T")
Channels = Literal["rgb", "bgr"]
_CHANNELS: Mapping[str, Channels] = {"bgr8": "bgr", "rgb8": "rgb"}
_RANGES: Mapping[str, tuple[float, float]] = {
    "nominalrange_0_255": (0.0, 255.0),
    "normalized_0_1": (0.0, 1.0),
    "normalized_1_1": (-1.0, 1.0),
    "nominalrange_16_235": (16.0, 235.0),
}
_USUAL_RANGES = tuple(_RANGES.values())[:3]
_NO_CROP = ("", "nocrop", "none", "null", "0", "0.0")
_EXPORT_AGAIN = "in the portal choose Performance, Export, TensorFlow, TensorFlow Lite, and take that file"


def bundle_of(source: Path, files: Files, tags: Mapping[str, str], isolation: Isolation) -> Bundle:
    """Build a bundle from the export whose ``files`` were read from ``source``, as its metadata say.

    ``tags`` maps the vendor's tags (:func:`plain`) to our labels; the model is loaded within ``isolation``. Raises
    ProviderMisconfigured with the remedy.
    """
    manifest = manifest_of(source, files)
    model = model_of(source, files, manifest)
    named_metadata = manifest.get(METADATA_KEY)  # before 2020 there were none
    metadata = _json(source, files, str(named_metadata)) if named_metadata else {}
    _check_method(source, manifest, metadata)
    named = _tags(source, files, labels_file(manifest))
    task, labels = _labels(source, named, tags)
    sha256, iteration = hashlib.sha256(model).hexdigest(), str(manifest.get("IterationId") or "").strip()
    origin = {
        "vendor": VENDOR,
        "iteration": iteration,
        "exported": str(manifest.get("ExportedDate", "")),
        "tags": named,
    }
    try:
        card = BundleCard(
            task=task,
            version=f"{VENDOR}-{task}-{_short(iteration) or sha256[:8]}",
            labels=labels,
            format=format_of(source, files),
            gives="probabilities",
            input=_input(source, _shapes(source, model, isolation), metadata, len(labels)),
            sha256=sha256,
            trained_on=origin,
        )
    except ValidationError as error:
        raise unusable(source, f"its parts do not fit ({validation_errors(error)}): {_EXPORT_AGAIN}") from error
    return Bundle(source, card, model)


def check(source: Path, files: Files, isolation: Isolation) -> None:
    """Raise ProviderMisconfigured unless the export in ``source`` is complete and its model can be loaded.

    Does not check the meaning of its tags. The model is loaded within ``isolation``.
    """
    manifest = manifest_of(source, files)
    named = _tags(source, files, labels_file(manifest))
    _, outputs = _shapes(source, model_of(source, files, manifest), isolation)
    if outputs != [(1, len(named))]:
        raise unusable(source, f"its model gives {outputs} for {len(named)} tags: {_EXPORT_AGAIN}")


def manifest_of(source: Path, files: Files) -> Mapping[str, Any]:
    """Return the content of ``cvexport.manifest``. Raises ProviderMisconfigured."""
    return _json(source, files, MANIFEST_FILE)


def format_of(source: Path, files: Files) -> Format:
    """Return the format of the model. Raises ProviderMisconfigured."""
    name = _model_file(manifest_of(source, files))
    found = next((format_ for format_, model in MODEL_FILES.items() if Path(model).suffix == Path(name).suffix), None)
    if not found:
        raise unusable(
            source, f"its model is {name}, neither TensorFlow Lite nor ONNX: export it again, {_EXPORT_AGAIN}"
        )
    return found


def labels_file(manifest: Mapping[str, Any]) -> str:
    """Return the name of the file with the tags."""
    return str(manifest.get("LabelFileName") or "labels.txt")


def readings(bundle: Bundle) -> Iterator[Bundle]:
    """Yield the bundle with other orders and ranges of the input pixels, the likeliest first; none for our own bundles.

    Some exports state RGB from 0 to 1 whatever the model was trained on; Microsoft's samples use BGR from 0 to 255.
    """
    if bundle.card.trained_on.get("vendor") != VENDOR:
        return
    stated = bundle.card.input
    for range_, channels in product(_USUAL_RANGES, _CHANNELS.values()):
        if (channels, range_) != (stated.channels, stated.range):
            read = stated.model_copy(update={"channels": channels, "range": range_})
            yield replace(bundle, card=bundle.card.model_copy(update={"input": read}))


def _json(source: Path, files: Files, name: str) -> Mapping[str, Any]:
    try:
        content = json.loads(decoded(_file(source, files, name)))
    except (ValueError, RecursionError) as error:
        raise unusable(source, f"its {name} is damaged ({error}): download the export again") from error
    if not isinstance(content, dict):
        raise unusable(source, f"its {name} is damaged (it is no table): download the export again")
    return content


def _file(source: Path, files: Files, name: str) -> bytes:
    if name not in files:
        raise unusable(source, f"it has no {name}: download the export again")
    return files[name]


def _model_file(manifest: Mapping[str, Any]) -> str:
    return str(manifest.get("ModelFileName") or MODEL_FILES["tflite"])


def model_of(source: Path, files: Files, manifest: Mapping[str, Any]) -> bytes:
    """Return the model. Raises ProviderMisconfigured if it is missing or damaged."""
    name = _model_file(manifest)
    model = _file(source, files, name)
    sha1 = hashlib.sha1(model, usedforsecurity=False).hexdigest()
    if str(manifest.get(SHA1_KEY, "")).lower() != sha1:
        raise unusable(
            source, f"{name} is damaged, its checksum is not the one in {MANIFEST_FILE}: download the export again"
        )
    return model


def _check_method(source: Path, manifest: Mapping[str, Any], metadata: Mapping[str, Any]) -> None:
    kind = manifest.get("DomainType", "Classification")
    if kind != "Classification":
        raise unusable(source, f"its project is for {kind}: make one for Classification and train it")
    if "multilabel" in str(metadata.get("CustomVision.Postprocess.Method", "")).lower():
        raise unusable(
            source,
            "its project gives several tags per image: make it Multiclass (one tag per image), train it again",
        )
    for name, usual in (("NormalizeMean", 0), ("NormalizeStd", 1)):
        asked = str(metadata.get(f"CustomVision.Preprocess.{name}") or "[]")
        if any(number != usual for number in _numbers(source, asked)):
            raise unusable(
                source,
                f"its metadata ask for {name} {asked}, which Triof does not do: train the project in the domain General"
                " (compact) and export it again",
            )
    _check_crop(source, metadata)


def _check_crop(source: Path, metadata: Mapping[str, Any]) -> None:
    """Refuse models that expect a crop, as Triof passes the whole photo."""
    names = ("CropMethod", "CropWidth", "CropHeight")
    asked = {name: str(metadata.get(f"CustomVision.Preprocess.{name}") or "").strip() for name in names}
    if any(value.lower() not in _NO_CROP for value in asked.values()):
        told = ", ".join(f"{name} {value}" for name, value in asked.items() if value)
        raise unusable(
            source,
            f"its metadata ask for a crop ({told}), which Triof does not do: train the project in the domain General"
            " (compact) and export it again",
        )


def _numbers(source: Path, text: str) -> list[float]:
    try:
        return [float(number) for number in json.loads(text)]
    except (ValueError, TypeError, RecursionError) as error:
        raise unusable(source, f"its metadata are damaged ({text!r} is no list): download the export again") from error


def _tags(source: Path, files: Files, name: str) -> list[str]:
    try:
        lines = decoded(_file(source, files, name)).split("\n")
    except UnicodeDecodeError as error:
        raise unusable(source, f"its {name} is not in UTF-8: download the export again") from error
    return [html.unescape(line.strip()).strip() for line in lines if line.strip()]


def _labels(source: Path, named: list[str], tags: Mapping[str, str]) -> tuple[Task, tuple[str, ...]]:
    unknown = [tag for tag in named if plain(tag) not in tags]
    if unknown or not named:
        raise unusable(
            source,
            f"it has tags without a label ({', '.join(unknown) or 'none at all'}): say in custom_vision.tags"
            f" which of {', '.join(label for task in TASKS for label in LABELS[task])} each one means",
        )
    labels = tuple(tags[plain(tag)] for tag in named)
    for task in TASKS:
        if set(labels) <= set(LABELS[task]):
            return task, labels
    raise unusable(
        source,
        f"its tags mean {', '.join(labels)}, which answer two questions: make a project for each, or mend"
        " custom_vision.tags",
    )


def _shapes(source: Path, model: bytes, isolation: Isolation) -> Shapes:
    try:
        return shapes_of(isolation.interpreter(source, model))
    except (ValueError, RuntimeError) as error:
        raise unusable(source, f"{isolation.engine.name} cannot read its model ({error}): {_EXPORT_AGAIN}") from error


def _input(source: Path, shapes: Shapes, metadata: Mapping[str, Any], labels: int) -> Input:
    inputs, outputs = shapes
    if len(inputs) != 1 or len(inputs[0]) != 4 or inputs[0][3] != 3 or outputs != [(1, labels)]:
        raise unusable(
            source,
            f"its model makes {outputs} out of {inputs} where one photo and {labels} tags are needed: {_EXPORT_AGAIN}",
        )
    _, height, width, _ = inputs[0]
    channels = _meant(source, metadata, "Image.BitmapPixelFormat", _CHANNELS, "bgr8")
    range_ = _meant(source, metadata, "Image.NominalPixelRange", _RANGES, "nominalrange_0_255")
    return Input(width=width, height=height, channels=channels, range=range_)


def _meant(source: Path, metadata: Mapping[str, Any], name: str, known: Mapping[str, T], usual: str) -> T:
    said = str(metadata.get(name) or usual)
    if said.strip().lower() not in known:
        raise unusable(source, f"its metadata say {name} {said!r}, which Triof does not know: {_EXPORT_AGAIN}")
    return known[said.strip().lower()]


def _short(iteration: str) -> str:
    return re.sub(r"[^0-9a-z]", "", iteration.lower())[:8]
