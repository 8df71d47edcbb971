"""``triof users remove``: remove a user."""

import click

from triof.access.users import Users
from triof.cli import load_settings
from triof.storage import data_folder


@click.command()
@click.argument("name")
@click.pass_context
def remove(ctx: click.Context, name: str) -> None:
    """Remove the user NAME, with immediate effect."""
    settings = load_settings(ctx).settings
    with data_folder.database(settings) as database:
        Users(database).remove(name)
    click.echo(f"{name} is removed, and logged out everywhere.")
