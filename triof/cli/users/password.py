"""``triof users password``: change a password."""

import click

from triof.access.users import Users
from triof.cli import load_settings
from triof.cli.users import asked_password
from triof.storage import data_folder


@click.command()
@click.argument("name")
@click.option("--password-stdin", is_flag=True, help="Read the password from the first line of the standard input.")
@click.pass_context
def password(ctx: click.Context, name: str, *, password_stdin: bool) -> None:
    """Change the password of NAME, and log the user out everywhere."""
    settings = load_settings(ctx).settings
    with data_folder.database(settings) as database:
        Users(database).set_password(name, asked_password(from_stdin=password_stdin))
    click.echo(f"{name} has a new password, and is logged out everywhere.")
