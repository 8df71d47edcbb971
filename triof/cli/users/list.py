"""``triof users list``: list the users of the dashboard."""

import click

from triof.access.users import Users
from triof.cli import load_settings
from triof.storage import data_folder


@click.command()
@click.pass_context
def list(ctx: click.Context) -> None:  # noqa: A001
    """Show every user with the role and the creation date."""
    settings = load_settings(ctx).settings
    with data_folder.database(settings) as database:
        users = Users(database).all()
    if not users:
        click.echo("There are no users: `triof users create NAME --role technician` makes the first user.", err=True)
    for user in users:
        click.echo(f"{user.name:<24} {user.role:<12} since {user.made_at.astimezone():%Y-%m-%d}")
