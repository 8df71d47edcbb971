"""``triof keys revoke``: revoke an API key."""

import click

from triof.cli import load_settings
from triof.storage import data_folder


@click.command()
@click.argument("name")
@click.pass_context
def revoke(ctx: click.Context, name: str) -> None:
    """Revoke the key NAME for good; running servers reject it within two seconds."""
    from triof.access.api_keys import Keys

    settings = load_settings(ctx).settings
    with data_folder.database(settings) as database:
        Keys(database, settings.api.per_minute).revoke(name)
    click.echo(f"{name} is revoked: within two seconds it opens nothing any more.")
