"""LiteRT's interpreters, watched."""

from collections.abc import Callable
from typing import Any

import pytest
from ai_edge_litert.interpreter import Interpreter


def watched(monkeypatch: pytest.MonkeyPatch, invoked: Callable[[], object]) -> list[Interpreter]:
    """Call ``invoked`` whenever one of LiteRT's interpreters is to run; gives those that were made."""
    made: list[Interpreter] = []
    make, invoke = Interpreter.__init__, Interpreter.invoke

    def note(self: Interpreter, *arguments: Any, **options: Any) -> None:
        make(self, *arguments, **options)
        made.append(self)

    def watch(self: Interpreter) -> None:
        invoked()
        invoke(self)

    monkeypatch.setattr(Interpreter, "__init__", note)
    monkeypatch.setattr(Interpreter, "invoke", watch)
    return made
