"""The provider for ONNX networks."""

from providers.base import Task
from providers.local_cnn.provider import BundleProvider
from providers.onnx.options import OnnxOptions


class Onnx(BundleProvider):
    """Answers from an installed bundle with an ONNX network; none ships with Triof."""

    name = "onnx"

    def __init__(self, task: Task, options: OnnxOptions) -> None:
        """Load and check the bundle of ``task``. Raises ProviderMisconfigured."""
        super().__init__(task, options)
