"""``triof users create``: create a user of the dashboard."""

from typing import get_args

import click

from triof.access.users import Role, Users
from triof.cli import load_settings
from triof.cli.users import asked_password
from triof.storage import data_folder


@click.command()
@click.argument("name")
@click.option(
    "--role",
    type=click.Choice(get_args(Role)),
    default="operator",
    show_default=True,
    help="An operator looks; a technician also turns the mode, resumes the quota and puts models into service.",
)
@click.option("--password-stdin", is_flag=True, help="Read the password from the first line of the standard input.")
@click.pass_context
def create(ctx: click.Context, name: str, role: Role, *, password_stdin: bool) -> None:
    """Create the user NAME of the dashboard; prompts for the password."""
    settings = load_settings(ctx).settings
    with data_folder.database(settings) as database:
        user = Users(database).create(name, role, asked_password(from_stdin=password_stdin))
    click.echo(f"{user.name} may log in as {user.role}, at /dashboard.")
