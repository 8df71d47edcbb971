"""``triof settings``: print the settings and their origins."""

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from triof.cli import load_settings
from triof.settings.loader import rows


@click.command()
@click.pass_context
def settings(ctx: click.Context) -> None:
    """Print every setting with its value and its origin. Secrets are hidden.

    On a terminal long values are wrapped; otherwise each setting is one line, separated by tabs.
    """
    found, console = list(rows(load_settings(ctx))), Console()
    if not console.is_terminal:
        for row in found:
            click.echo("\t".join(row))
        return
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for name, value, origin in found:
        # Text objects, as a value may contain rich markup.
        table.add_row(Text(name), Text(f"{value}  ({origin})"))
    console.print(table)
