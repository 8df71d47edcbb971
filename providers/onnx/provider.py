"""The provider for ONNX networks."""

from providers.local_cnn.provider import BundleProvider


class Onnx(BundleProvider):
    """Answers from an installed bundle with an ONNX network; none ships with Triof."""

    name = "onnx"
