"""An interpreter whose calls are watched."""

from collections.abc import Callable

import pytest
from ai_edge_litert.interpreter import Interpreter

from providers.local_cnn import runtime


def watched(monkeypatch: pytest.MonkeyPatch, invoked: Callable[[], object]) -> list[Interpreter]:
    """Call ``invoked`` whenever one of LiteRT's interpreters is to run; gives those that were made."""
    made: list[Interpreter] = []

    class Watched(Interpreter):  # type: ignore[misc]
        def __init__(self, **options: object) -> None:
            super().__init__(**options)
            made.append(self)

        def invoke(self) -> None:
            invoked()
            super().invoke()

    monkeypatch.setattr(runtime, "Interpreter", Watched)
    return made
