"""Asks a person, or takes what the flags say; never waits where no person can answer."""

import sys
from collections.abc import Sequence

import click

from triof.common.errors import TriofError


class NotAnswered(TriofError):
    """There is no terminal, and a question has neither a flag nor a default that may be taken."""


class Questions:
    """The questions of a command; ``takes_defaults``: answer each with its default."""

    def __init__(self, *, takes_defaults: bool) -> None:
        self._takes_defaults = takes_defaults
        self.can_ask = not takes_defaults and bool(sys.stdin and sys.stdin.isatty())

    def text(self, question: str, flag: str, default: str = "") -> str:
        """Return a line of text; an empty one is an answer."""
        if not self.can_ask:
            return self._default(flag, default)
        typed: str = click.prompt(question, default=default, show_default=bool(default))
        return typed.strip()

    def choice(self, question: str, flag: str, choices: Sequence[str], default: str) -> str:
        """Return one of the choices."""
        if not self.can_ask:
            return self._default(flag, default)
        chosen: str = click.prompt(question, type=click.Choice(choices), default=default)
        return chosen

    def secret(self, question: str, flag: str, *, twice: bool = False) -> str:
        """Return what is typed unseen. Raises NotAnswered without a terminal."""
        if not self.can_ask:
            raise NotAnswered(f"There is no terminal to answer “{question}”: give {flag}.")
        typed: str = click.prompt(question, hide_input=True, confirmation_prompt="Once more" if twice else False)
        return typed

    def is_confirmed(self, question: str) -> bool:
        """Return whether the person agrees; without a terminal, no."""
        return self.can_ask and click.confirm(question, default=True)

    def wait(self, request: str) -> None:
        """Wait until the person has done what they are asked to."""
        click.prompt(f"{request}, then press Enter", default="", show_default=False)

    def _default(self, flag: str, default: str) -> str:
        if self._takes_defaults:
            return default
        raise NotAnswered(f"There is no terminal to answer: give {flag}, or --yes to take what holds now.")
