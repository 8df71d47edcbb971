"""``triof users``."""

import sys

import click

from triof.cli import LazyGroup


@click.command(cls=LazyGroup, package="triof.cli.users", names=("create", "list", "password", "remove"))
def users() -> None:
    """The users of the dashboard and their roles."""


def asked_password(*, from_stdin: bool) -> str:
    """Return the password: first line of stdin, or typed twice. Never an argument, which other processes can read."""
    if from_stdin:
        # PowerShell pipes a byte order mark first.
        return sys.stdin.readline().rstrip("\r\n").removeprefix("\ufeff")
    typed: str = click.prompt("Password", hide_input=True, confirmation_prompt="Once more")
    return typed
