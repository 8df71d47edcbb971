"""The process in which a model runs that was never tried on this computer; see :mod:`providers.local_cnn.isolated`.

Started as a file, so that nothing of Triof is imported. Standard input: the length of the model in eight bytes, the
model, then for each question the bytes of its input. Standard output: for each of these a line of JSON, and after a
question the bytes of the outputs.
"""

import json
import os
import struct
import sys
from contextlib import suppress
from typing import IO, Any

MEMORY_BYTES = 2 << 30
_CPU_SECONDS = 600
"""The system ends this process then, if the one that started it is gone."""


def main() -> None:
    """Load the model, then answer until the input ends."""
    questions, answers = sys.stdin.buffer, os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    # What a library prints must not come between the answers.
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    (length,) = struct.unpack(">Q", _exactly(questions, 8))
    model = _exactly(questions, length)
    from ai_edge_litert.interpreter import Interpreter

    _limit()
    try:
        interpreter = Interpreter(model_content=model, num_threads=1)
        interpreter.allocate_tensors()
    except (ValueError, RuntimeError, MemoryError) as error:
        _tell(answers, {"error": _cause(error)})
        return
    inputs, outputs = interpreter.get_input_details(), interpreter.get_output_details()
    _tell(answers, {"inputs": list(map(_described, inputs)), "outputs": list(map(_described, outputs))})
    _answer(interpreter, inputs[0], questions, answers)


def _answer(interpreter: Any, photo: dict[str, Any], questions: IO[bytes], answers: IO[bytes]) -> None:
    import numpy as np

    size = int(np.prod(photo["shape"])) * np.dtype(photo["dtype"]).itemsize
    while len(question := questions.read(size)) == size:
        try:
            interpreter.set_tensor(photo["index"], np.frombuffer(question, photo["dtype"]).reshape(photo["shape"]))
            interpreter.invoke()
            found = [interpreter.get_tensor(output["index"]) for output in interpreter.get_output_details()]
        except (ValueError, RuntimeError, MemoryError) as error:
            _tell(answers, {"error": _cause(error)})
            continue
        _tell(answers, {"sizes": [tensor.nbytes for tensor in found]}, *(tensor.tobytes() for tensor in found))


def _described(tensor: dict[str, Any]) -> dict[str, Any]:
    shape, kind = [int(length) for length in tensor["shape"]], tensor["dtype"].__name__
    return {"name": tensor["name"], "index": int(tensor["index"]), "shape": shape, "dtype": kind}


def _cause(error: Exception) -> str:
    return "it takes too much memory" if isinstance(error, MemoryError) else " ".join(str(error).split())


def _tell(answers: IO[bytes], told: dict[str, Any], *contents: bytes) -> None:
    answers.write(json.dumps(told).encode() + b"\n" + b"".join(contents))
    answers.flush()


def _exactly(file: IO[bytes], size: int) -> bytes:
    content = file.read(size)
    if len(content) != size:
        sys.exit(0)
    return content


def _limit() -> None:
    """Let the model take no more than it needs, where the system can be told so."""
    with suppress(ImportError, OSError, ValueError):
        import resource

        limits = ((resource.RLIMIT_CORE, 0), (resource.RLIMIT_CPU, _CPU_SECONDS), (resource.RLIMIT_AS, MEMORY_BYTES))
        for kind, limit in limits:
            resource.setrlimit(kind, (limit, limit))


if __name__ == "__main__":
    main()
