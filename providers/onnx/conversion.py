"""Converts the network of a bundle to ONNX; needs the extra ``convert``."""

import os
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory

from providers import native_lines
from providers.base import ProviderMisconfigured
from providers.local_cnn.bundle import MODEL_FILES, Bundle, refused
from providers.local_cnn.engine import LITERT

_OPSET = 17
"""Version of the ONNX operations: that of 2022, which OpenCV 4.10 knows too."""


def converted(found: Bundle) -> Bundle:
    """Return the bundle with its network as ONNX, in single precision. Raises ProviderMisconfigured.

    The 8-bit network and the rows for a later training are left out, as they belong to LiteRT.
    """
    if found.card.format != "tflite":
        raise refused(found.folder, f"its network is {found.card.model_file} already")
    model = _network(found)
    changes = {
        "format": "onnx",
        "version": f"{found.card.version}-onnx",
        "sha256": sha256(model).hexdigest(),
        "eight_bit_sha256": None,
        "rehearsal": None,
    }
    return replace(found, card=found.card.model_copy(update=changes), model=model, eight_bit=None, unpacked=None)


def _network(found: Bundle) -> bytes:
    # Told once, when TensorFlow is imported.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    inputs = [str(LITERT.interpreter(found.model).get_input_details()[0]["name"])]
    with TemporaryDirectory() as folder, native_lines.kept_back():
        source, result = Path(folder) / MODEL_FILES["tflite"], Path(folder) / MODEL_FILES["onnx"]
        source.write_bytes(found.model)
        try:
            import tf2onnx
        except ImportError as error:
            raise ProviderMisconfigured(
                f"The converter is not installed ({error}): `pip install 'triof[convert]'`, on a computer with an"
                " x86-64 processor, and copy the bundle to the machine."
            ) from error
        try:
            tf2onnx.convert.from_tflite(str(source), opset=_OPSET, inputs_as_nchw=inputs, output_path=str(result))
        # The library raises whatever the operation that it does not know leads to.
        except Exception as error:
            raise refused(found.folder, f"tf2onnx cannot convert its network ({error})") from error
        return result.read_bytes()
