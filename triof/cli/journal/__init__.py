"""``triof journal``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from triof.cli import LazyGroup

if TYPE_CHECKING:
    from triof.settings.tree import Settings


@click.command(cls=LazyGroup, package="triof.cli.journal", names=("check", "backup", "restore", "salvage"))
def journal() -> None:
    """The journal's file: check, back up, restore or salvage it."""


def file_of(settings: Settings) -> Path:
    """Return the path of the journal's file. Raises ClickException if the journal is in another database."""
    from triof.storage import data_folder

    path = data_folder.database_path(settings)
    if not path:
        raise click.ClickException(
            "The journal is in the database of journal.url, not in a file: use that database's own tools."
        )
    return path
