"""``triof settings``: what holds, and where it came from."""

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from triof.cli import load_settings
from triof.settings.loader import rows


@click.command()
@click.pass_context
def settings(ctx: click.Context) -> None:
    """Print every setting with its value and where that came from. Secrets are hidden.

    On a terminal long values are wrapped; into a file or a pipe goes one line a setting, with tabs between.
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
        # Not as strings: a value may hold what rich would take for markup.
        table.add_row(Text(name), Text(f"{value}  ({origin})"))
    console.print(table)
