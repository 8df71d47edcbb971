"""``triof users remove``: let somebody in no longer."""

import click

from triof.access.users import Users
from triof.cli import load_settings
from triof.storage import data_folder


@click.command()
@click.argument("name")
@click.pass_context
def remove(ctx: click.Context, name: str) -> None:
    """Let NAME in no longer, from this moment on."""
    settings = load_settings(ctx).settings
    with data_folder.database(settings) as database:
        Users(database).remove(name)
    click.echo(f"{name} is removed, and logged out everywhere.")
