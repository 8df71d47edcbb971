"""``triof keys rotate``: a new secret for the same key."""

from datetime import timedelta

import click

from triof.cli import load_settings
from triof.storage import data_folder


@click.command()
@click.argument("name")
@click.option(
    "--grace",
    type=click.FloatRange(0, 60 * 24 * 30),
    default=0.0,
    metavar="MINUTES",
    help="Minutes for which the former secret stays valid; default: 0.",
)
@click.pass_context
def rotate(ctx: click.Context, name: str, grace: float) -> None:
    """Give the key NAME a new secret and print it once. Its scopes, limit, expiry and results stay."""
    from triof.access.api_keys import Keys

    settings = load_settings(ctx).settings
    with data_folder.database(settings) as database:
        secret = Keys(database, settings.api.per_minute).rotate(name, timedelta(minutes=grace))
    click.echo(secret)
    former = f"is taken for {grace:g} minutes more" if grace else "opens nothing from now on"
    click.echo(f"{name} has a new secret, which is not shown again; the former one {former}.", err=True)
