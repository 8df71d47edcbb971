"""The settings of the provider for ONNX networks."""

from typing import ClassVar, Literal

from providers.base import Task
from providers.local_cnn.engine import Engine, Format
from providers.local_cnn.options import BundleOptions

_RUNTIME = "providers.onnx.runtime"
ONNX_RUNTIME = Engine("ONNX Runtime", _RUNTIME, "with_onnxruntime", "onnxruntime", "onnx")
OPENCV = Engine("OpenCV DNN", _RUNTIME, "with_opencv", "cv2", "camera")
ENGINES = {"onnxruntime": ONNX_RUNTIME, "opencv": OPENCV}


class OnnxOptions(BundleOptions):
    """Bundles with an ONNX network."""

    format: ClassVar[Format] = "onnx"

    runtime: Literal["onnxruntime", "opencv"] = "onnxruntime"
    """The library that runs the network."""

    @property
    def engine(self) -> Engine:
        """Return the chosen library."""
        return ENGINES[self.runtime]

    def shipped(self, task: Task) -> None:
        """Return None, as no ONNX network ships."""
