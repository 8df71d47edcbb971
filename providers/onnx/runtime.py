"""Runs ONNX networks; the only module that imports ONNX Runtime, and OpenCV for its DNN module.

Imports nothing of Triof (:mod:`providers.local_cnn.engine`). A network takes one photo as (1, 3, height, width), the
usual order of ONNX, or (1, height, width, 3), and gives tensors with one row.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

_TYPES = {"tensor(float)": np.float32, "tensor(float16)": np.float16, "tensor(double)": np.float64}
Run = Callable[[NDArray[Any]], Sequence[NDArray[Any]]]


class OnnxInterpreter:
    """A loaded network, with the methods of :class:`providers.local_cnn.engine.Interpreter`."""

    def __init__(self, inputs: Sequence[Mapping[str, Any]], outputs: Sequence[Mapping[str, Any]], run: Run) -> None:
        """``run`` returns the outputs for the first input."""
        self._run = run
        self._inputs = [dict(each, index=index) for index, each in enumerate(inputs)]
        self._outputs = [dict(each, index=index) for index, each in enumerate(outputs)]
        shape = tuple(map(int, self._inputs[0]["shape"]))
        if len(shape) != 4:
            raise ValueError(f"it takes {shape}, which is no photo")
        self._given: NDArray[Any] = np.zeros(shape, self._inputs[0]["dtype"])
        # A view with the channels last, so that the caller need not know the order.
        self._photo = self._given.transpose(0, 2, 3, 1) if shape[1] == 3 else self._given
        self._inputs[0]["shape"] = np.array(self._photo.shape, np.int32)
        self._answers: Sequence[NDArray[Any]] = ()

    def get_input_details(self) -> list[dict[str, Any]]:
        """Return ``name``, ``index``, ``shape`` and ``dtype`` of the inputs; a photo is (1, height, width, 3)."""
        return self._inputs

    def get_output_details(self) -> list[dict[str, Any]]:
        """Return the same of the outputs."""
        return self._outputs

    def tensor(self, tensor_index: int) -> Callable[[], NDArray[Any]]:
        """Return a function that returns the photo, to be written to."""
        return lambda: self._photo

    def get_tensor(self, tensor_index: int) -> NDArray[Any]:
        """Return an output of the last run."""
        return self._answers[tensor_index]

    def invoke(self) -> None:
        """Run the network. Raises RuntimeError."""
        self._answers = self._run(self._given)


def with_onnxruntime(model: bytes, threads: int) -> OnnxInterpreter:
    """Load ``model`` with ONNX Runtime. Raises ValueError if it cannot."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    # Errors alone: they are raised as well.
    options.log_severity_level = 3
    try:
        session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    # The library has an exception class for each status, which share no base but Exception.
    except Exception as error:
        raise ValueError(_cause(error)) from error
    inputs, outputs = (
        [_described(each.name, each.shape, _TYPES.get(each.type, np.object_)) for each in tensors]
        for tensors in (session.get_inputs(), session.get_outputs())
    )
    name = inputs[0]["name"]

    def run(photo: NDArray[Any]) -> Sequence[NDArray[Any]]:
        try:
            found: Sequence[NDArray[Any]] = session.run(None, {name: photo})
        except Exception as error:
            raise RuntimeError(_cause(error)) from error
        return found

    return OnnxInterpreter(inputs, outputs, run)


def with_opencv(model: bytes, threads: int) -> OnnxInterpreter:
    """Load ``model`` with OpenCV's DNN module. Raises ValueError if it cannot.

    ``threads`` holds for all of OpenCV in this process.
    """
    import cv2

    cv2.setNumThreads(threads)
    inputs = _told_inputs(model)
    try:
        network = cv2.dnn.readNetFromONNX(np.frombuffer(model, np.uint8))
        names = network.getUnconnectedOutLayersNames()

        def run(photo: NDArray[Any]) -> Sequence[NDArray[Any]]:
            try:
                network.setInput(photo)
                found: Sequence[NDArray[Any]] = network.forward(names)
            except cv2.error as error:
                raise RuntimeError(_cause(error)) from error
            return found

        # OpenCV tells the shapes of outputs after a run only.
        told = run(np.zeros(inputs[0]["shape"], inputs[0]["dtype"]))
    except (cv2.error, RuntimeError) as error:
        raise ValueError(_cause(error)) from error
    outputs = [_described(name, each.shape, each.dtype.type) for name, each in zip(names, told, strict=True)]
    return OnnxInterpreter(inputs, outputs, run)


def _told_inputs(model: bytes) -> list[dict[str, Any]]:
    """Return the inputs that the file states, as OpenCV does not tell them. Raises ValueError."""
    import onnx
    from google.protobuf.message import DecodeError

    try:
        graph = onnx.load_model_from_string(model).graph
    except DecodeError as error:
        raise ValueError(_cause(error)) from error
    weights = {each.name for each in graph.initializer}
    return [
        _described(
            each.name,
            [length.dim_value for length in each.type.tensor_type.shape.dim],
            onnx.helper.tensor_dtype_to_np_dtype(each.type.tensor_type.elem_type).type,
        )
        # Before 2019 the weights stood among the inputs.
        for each in graph.input
        if each.name not in weights
    ]


def _described(name: str, shape: Sequence[Any], dtype: type) -> dict[str, Any]:
    # A length without a number, such as that of a batch, is one.
    lengths = [length if isinstance(length, int) and length > 0 else 1 for length in shape]
    return {"name": name, "shape": np.array(lengths, np.int32), "dtype": dtype}


def _cause(error: Exception) -> str:
    return " ".join(str(error).split())
