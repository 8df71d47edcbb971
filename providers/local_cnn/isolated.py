"""Runs untrusted models in a separate process: ``isolated_child.py``.

A model is a program. One that its engine cannot run may end its process, run for ever, or take all memory; in a
separate process this does no other harm. A model that ran once is remembered by its checksum and from then on runs in
this process, like the bundle that ships with Triof.
"""

import hashlib
import json
import os
import signal
import struct
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryFile
from threading import Event, Timer
from types import TracebackType
from typing import IO, Any, Self

import numpy as np
from numpy.typing import NDArray

from providers.base import ProviderMisconfigured
from providers.local_cnn.engine import LITERT, Engine, Interpreter
from providers.local_cnn.options import SHIPPED_BUNDLES
from providers.local_cnn.package import unusable

_CHILD = Path(__file__).with_name("isolated_child.py")
_LOAD_SECONDS = 60.0
_LINE_BYTES = 1_000_000
_CAUSE_BYTES = 2000
_CAUSE_CHARACTERS = 200
_TRIED = ".tried"


class Isolation:
    """Loads untrusted models with ``engine``; ``bundles`` is the folder of the installed ones.

    A context manager, which ends all its processes on exit.
    """

    def __init__(self, bundles: Path | None, engine: Engine = LITERT) -> None:
        self.engine = engine
        self._tried = bundles / _TRIED if bundles else None
        self._running: dict[str, IsolatedInterpreter] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for interpreter in self._running.values():
            interpreter.close()
        self._running.clear()

    def trusts(self, place: Path, model: bytes) -> bool:
        """Return whether ``model``, read from ``place``, ships with Triof or was tried before."""
        if place.parent == SHIPPED_BUNDLES:
            return True
        return self._tried is not None and (self._tried / self._name(model)).exists()

    def interpreter(self, place: Path, model: bytes) -> Interpreter:
        """Return an interpreter of ``model``, read from ``place``; an :class:`IsolatedInterpreter` if it is untrusted.

        Raises ValueError or RuntimeError if the engine cannot load it, ProviderMisconfigured if it ends its process.
        """
        if self.trusts(place, model):
            return self.engine.interpreter(model)
        digest = _digest(model)
        if digest not in self._running:
            self._running[digest] = IsolatedInterpreter(place, model, self.engine)
        return self._running[digest]

    def remember(self, model: bytes) -> None:
        """Trust ``model`` from now on; if this cannot be stored, it is tried again next time."""
        if self._tried:
            with suppress(OSError):
                self._tried.mkdir(parents=True, exist_ok=True)
                (self._tried / self._name(model)).touch()

    def _name(self, model: bytes) -> str:
        """Return the file name by which a tried model is remembered; another engine has to try it again."""
        # That of LiteRT, which was the only engine once, is the bare checksum.
        return _digest(model) if self.engine == LITERT else f"{_digest(model)}-{self.engine.function}"


class IsolatedInterpreter:
    """An :class:`.engine.Interpreter` in a separate process."""

    def __init__(self, place: Path, model: bytes, engine: Engine = LITERT, *, answer_seconds: float = 30.0) -> None:
        """Load the model. Raises ValueError and ProviderMisconfigured, as in :meth:`Isolation.interpreter`."""
        engine.check()
        self._place = place
        self._answer_seconds = answer_seconds
        self._errors = TemporaryFile()  # noqa: SIM115 (closed with the process)
        # Without our variables, which include the cloud keys; one thread is enough.
        environ = {name: value for name, value in os.environ.items() if not name.startswith("TRIOF_")}
        try:
            self._process = subprocess.Popen(  # noqa: S603
                [sys.executable, "-P", str(_CHILD), str(engine.file), engine.function],
                env={**environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._errors,
            )
        except OSError as error:
            self._errors.close()
            raise self._refusal(f"no process can be started to try it in ({error.strerror})") from error
        try:
            told, _ = self._exchange(struct.pack(">Q", len(model)) + model, _LOAD_SECONDS)
            if "error" in told:
                raise ValueError(told["error"])
        except BaseException:
            self.close()
            raise
        self._inputs, self._outputs = ([_tensor(each) for each in told[name]] for name in ("inputs", "outputs"))
        self._input: NDArray[Any] | None = None
        self._answers: dict[int, NDArray[Any]] = {}

    def get_input_details(self) -> list[dict[str, Any]]:
        """Return ``name``, ``index``, ``shape`` and ``dtype`` of the inputs."""
        return self._inputs

    def get_output_details(self) -> list[dict[str, Any]]:
        """Return the same of the outputs."""
        return self._outputs

    def tensor(self, tensor_index: int) -> Callable[[], NDArray[Any]]:
        """Return a function that returns the first input, to be written to."""
        if self._input is None:
            self._input = np.zeros(self._inputs[0]["shape"], self._inputs[0]["dtype"])
        found = self._input
        return lambda: found

    def get_tensor(self, tensor_index: int) -> NDArray[Any]:
        """Return an output of the last run."""
        return self._answers[tensor_index]

    def invoke(self) -> None:
        """Run the model. Raises RuntimeError as the engine does, ProviderMisconfigured if the process ends."""
        question = self.tensor(self._inputs[0]["index"])().tobytes()
        told, contents = self._exchange(question, self._answer_seconds, self._outputs)
        if "error" in told:
            raise RuntimeError(told["error"])
        for tensor, content in zip(self._outputs, contents, strict=True):
            values = np.frombuffer(content, tensor["dtype"])
            self._answers[tensor["index"]] = values.reshape(tensor["shape"])

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        # Closing the pipe repeats the error of an earlier write.
        with suppress(OSError):
            self._process.communicate()
        self._errors.close()

    def _exchange(
        self, question: bytes, seconds: float, outputs: Sequence[Mapping[str, Any]] = ()
    ) -> tuple[dict[str, Any], list[bytes]]:
        """Return the reply of the process, and the bytes of ``outputs`` unless the reply is an error."""
        assert self._process.stdin
        assert self._process.stdout
        is_late = Event()

        def give_up() -> None:
            is_late.set()
            self._process.kill()

        patience = Timer(seconds, give_up)
        patience.start()
        try:
            self._process.stdin.write(question)
            self._process.stdin.flush()
            told: dict[str, Any] = json.loads(self._process.stdout.readline(_LINE_BYTES))
            if "error" in told:
                return told, []
            sizes = [int(np.prod(tensor["shape"])) * np.dtype(tensor["dtype"]).itemsize for tensor in outputs]
            if told.get("sizes", []) != sizes:
                raise self._refusal("its outputs change their size")
            return told, [_exactly(self._process.stdout, size) for size in sizes]
        except (OSError, ValueError, EOFError) as error:
            cause = f"it does not answer within {seconds:g} s" if is_late.is_set() else self._cause()
            raise self._refusal(cause) from error
        finally:
            patience.cancel()

    def _cause(self) -> str:
        """Return the reason why the process ended."""
        self._process.kill()
        code = self._process.wait()
        # Negative after a signal, except on Windows.
        name = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        self._errors.seek(max(0, self._errors.seek(0, os.SEEK_END) - _CAUSE_BYTES))
        lines = self._errors.read().decode(errors="replace").splitlines()
        said = next((line for line in reversed(lines) if line.strip() and not line.startswith("INFO:")), "")
        return f"it ends the process that runs it ({name}{': ' * bool(said)}{said[:_CAUSE_CHARACTERS]})"

    def _refusal(self, cause: str) -> ProviderMisconfigured:
        return unusable(
            self._place,
            f"its model cannot be run, {cause}: use a model that Triof trained, or that Azure exported for TensorFlow"
            " Lite or as ONNX in a domain General (compact)",
        )


def _tensor(described: dict[str, Any]) -> dict[str, Any]:
    return {**described, "dtype": np.dtype(described["dtype"]).type, "shape": np.array(described["shape"], np.int32)}


def _exactly(file: IO[bytes], size: int) -> bytes:
    content = file.read(size)
    if len(content) != size:
        raise EOFError
    return content


def _digest(model: bytes) -> str:
    return hashlib.sha256(model).hexdigest()
