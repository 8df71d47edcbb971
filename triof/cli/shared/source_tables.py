"""Tables of the machine's figures by source, for `triof evaluate --by source` and similar commands."""

from collections.abc import Sequence

from rich.console import Console
from rich.table import Column, Table

from triof.evaluation.by_source import MACHINE, MODELS, SourceFigures
from triof.evaluation.curves import Figure


def print_parts(parts: Sequence[SourceFigures], console: Console) -> None:
    """Print the figures of the models and of the machine; fits 120 columns."""
    for title, names in (("What the models say", MODELS), ("What the machine would have done", MACHINE)):
        if parts:
            console.print(_table(title, names, parts))


def _table(title: str, names: Sequence[str], parts: Sequence[SourceFigures]) -> Table:
    table = Table(Column("source, photos", no_wrap=True), *names, title=title, title_justify="left", show_lines=True)
    for part in parts:
        figures = (part.figures.get(name) for name in names)
        table.add_row(f"{part.name}\n{part.photos}", *(_cell(figure) if figure else "" for figure in figures))
    return table


def _cell(figure: Figure) -> str:
    return f"{figure.value:.3f}\n{figure.low:.2f} to {figure.high:.2f}"
