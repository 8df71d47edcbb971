"""The process that runs an untrusted model; see :mod:`providers.local_cnn.isolated`.

Started as a file, so that nothing of Triof is imported, with the file of the engine's module and the name of its
function (:class:`providers.local_cnn.engine.Engine`). Standard input: the model's length in eight bytes, the model,
then the input bytes of each run. Standard output: a line of JSON for each of these, followed by the output bytes
after a run.
"""

import json
import os
import struct
import sys
from collections.abc import Callable
from contextlib import suppress
from importlib.util import module_from_spec, spec_from_file_location
from typing import IO, Any

MEMORY_BYTES = 2 << 30
_CPU_SECONDS = 600
"""Limit of processor time in seconds, which also ends the process if its parent has died."""


def main() -> None:
    """Load the model and run it until the input ends."""
    questions, answers = sys.stdin.buffer, os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    # Output of libraries must not mix with the replies.
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    (length,) = struct.unpack(">Q", _exactly(questions, 8))
    model = _exactly(questions, length)
    load = _engine(*sys.argv[1:])
    _limit()
    try:
        interpreter = load(model, 1)
    except (ValueError, RuntimeError, MemoryError) as error:
        _tell(answers, {"error": _cause(error)})
        return
    inputs, outputs = interpreter.get_input_details(), interpreter.get_output_details()
    _tell(answers, {"inputs": list(map(_described, inputs)), "outputs": list(map(_described, outputs))})
    _answer(interpreter, inputs[0], questions, answers)


def _engine(file: str, function: str) -> Callable[[bytes, int], Any]:
    found = spec_from_file_location("engine", file)
    assert found
    assert found.loader
    module = module_from_spec(found)
    found.loader.exec_module(module)
    load: Callable[[bytes, int], Any] = getattr(module, function)
    return load


def _answer(interpreter: Any, photo: dict[str, Any], questions: IO[bytes], answers: IO[bytes]) -> None:
    import numpy as np

    size = int(np.prod(photo["shape"])) * np.dtype(photo["dtype"]).itemsize
    while len(question := questions.read(size)) == size:
        try:
            interpreter.tensor(photo["index"])()[:] = np.frombuffer(question, photo["dtype"]).reshape(photo["shape"])
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
    """Limit memory and time, if the system supports it."""
    with suppress(ImportError, OSError, ValueError):
        import resource

        limits = ((resource.RLIMIT_CORE, 0), (resource.RLIMIT_CPU, _CPU_SECONDS), (resource.RLIMIT_AS, MEMORY_BYTES))
        for kind, limit in limits:
            resource.setrlimit(kind, (limit, limit))


if __name__ == "__main__":
    main()
