"""The engines, libraries that run a model. Each is a function in a module that imports nothing of Triof.

So the module can also be loaded as a file in a separate process (:mod:`.isolated`).
"""

from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal, NamedTuple, Protocol, cast

from numpy.typing import NDArray

from providers import native_lines
from providers.base import ProviderMisconfigured

Format = Literal["tflite", "onnx"]
"""The format of a network."""


class Interpreter(Protocol):
    """A loaded model, for one call at a time: the methods of LiteRT's interpreter that Triof uses."""

    def get_input_details(self) -> list[dict[str, Any]]:
        """Return ``name``, ``index``, ``shape`` and ``dtype`` of the inputs; a photo is (1, height, width, 3)."""

    def get_output_details(self) -> list[dict[str, Any]]:
        """Return the same of the outputs."""

    def tensor(self, tensor_index: int, /) -> Callable[[], NDArray[Any]]:
        """Return a function that returns an input, to be written to."""

    def get_tensor(self, tensor_index: int, /) -> NDArray[Any]:
        """Return an output of the last run."""

    def invoke(self) -> None:
        """Run the model. Raises RuntimeError."""


class Engine(NamedTuple):
    """A library that runs models."""

    name: str
    """For people."""
    module: str
    """The module with ``function(model, threads)``, which returns an Interpreter."""
    function: str
    library: str
    """The module that is missing where the engine is not installed."""
    extra: str = ""
    """The extra that installs it."""

    @property
    def file(self) -> Path:
        """The file of the module."""
        found = find_spec(self.module)
        assert found
        assert found.origin
        return Path(found.origin)

    @property
    def is_installed(self) -> bool:
        """Whether its library is there; it is not imported."""
        return find_spec(self.library) is not None

    def check(self) -> None:
        """Raise ProviderMisconfigured if it is not installed."""
        if not self.is_installed:
            raise ProviderMisconfigured(f"{self.name} is not installed: `pip install 'triof[{self.extra}]'`.")

    def interpreter(self, model: bytes, threads: int = 1) -> Interpreter:
        """Load ``model``. Raises ValueError or RuntimeError if it cannot, ProviderMisconfigured if it is missing."""
        self.check()
        with native_lines.kept_back():
            return cast(Interpreter, getattr(import_module(self.module), self.function)(model, threads))


LITERT = Engine("LiteRT", "providers.local_cnn.litert", "interpreter", "ai_edge_litert")
