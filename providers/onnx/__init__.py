"""A provider that answers from bundles with an ONNX network, by ONNX Runtime or by OpenCV's DNN module."""
