"""``triof users``."""

import sys

import click

from triof.cli import LazyGroup


@click.command(cls=LazyGroup, package="triof.cli.users", names=("create", "list", "password", "remove"))
def users() -> None:
    """Who may look at the dashboard, and who may act there."""


def asked_password(*, from_stdin: bool) -> str:
    """The password: one line of the standard input, or typed twice. Never an argument, which every process can read."""
    if from_stdin:
        # PowerShell writes a byte order mark before what it sends to another program.
        return sys.stdin.readline().rstrip("\r\n").removeprefix("\ufeff")
    typed: str = click.prompt("Password", hide_input=True, confirmation_prompt="Once more")
    return typed
