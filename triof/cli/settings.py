"""``triof settings``: what holds, and where it came from."""

import click

from triof.cli import load_settings
from triof.settings import rows


@click.command()
@click.pass_context
def settings(ctx: click.Context) -> None:
    """Print every setting with its value and where that came from. Secrets are hidden."""
    table = list(rows(load_settings(ctx)))
    name_width, value_width = (max(len(row[column]) for row in table) for column in (0, 1))
    for name, value, origin in table:
        click.echo(f"{name:<{name_width}}  {value:<{value_width}}  {origin}")
