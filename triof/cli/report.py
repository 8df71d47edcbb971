"""``triof report``: write a tenant's monthly report as a page, and the days as CSV."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import click

from triof.cli import load_settings
from triof.common.atomic_files import replace_file
from triof.settings.tree import Language
from triof.storage import data_folder

if TYPE_CHECKING:
    from triof.journal.scope import Scope
    from triof.statistics.queries import Statistics

_DAY = click.DateTime(["%Y-%m-%d"])


@click.command()
@click.option("--month", type=click.DateTime(["%Y-%m"]), help="The month to report on, such as 2026-10; the last one.")
@click.option("--since", type=_DAY, help="Instead of a month: the first day.")
@click.option("--until", type=_DAY, help="Instead of a month: the last day, included; today.")
@click.option("--machine", "machines", multiple=True, help="Only this one; may be given several times.")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Where to write the page.")
@click.option("--csv", "table", type=click.Path(dir_okay=False, path_type=Path), help="Where to write the days as CSV.")
@click.option("--language", type=click.Choice(get_args(Language)), help="Of the page; that of the settings.")
@click.pass_context
def report(
    ctx: click.Context,
    *,
    month: datetime | None,
    since: datetime | None,
    until: datetime | None,
    machines: tuple[str, ...],
    out: Path | None,
    table: Path | None,
    language: Language | None,
) -> None:
    """Write the report: deposits, kilograms, metres of filament, CO2.

    The page is written to triof-YYYY-MM.html in the current folder unless --out or --csv is given.
    """
    from triof.reporting import month as page
    from triof.statistics.queries import Statistics

    settings = load_settings(ctx).settings
    if until and not since:
        raise click.UsageError("--until needs --since.")
    if month and since:
        raise click.UsageError("Choose --month, or --since and --until.")
    with data_folder.database(settings) as database:
        statistics = Statistics(database, settings)
        _check(machines, statistics)
        first, last = _days(month, since, until, statistics.today)
        scope = statistics.days(first, last, machines or None)
        if table:
            _write(table, "".join(statistics.csv(scope)), "--csv")
        if out or not table:
            out = out or Path(f"triof-{first:%Y-%m}.html")
            _write(out, page.render(statistics, scope, language or settings.language), "--out")
        _summarize(statistics, scope, first, last)
    for path in filter(None, (out, table)):
        click.echo(f"Written: {path}")


def _check(machines: tuple[str, ...], statistics: Statistics) -> None:
    known = statistics.machines()
    if unknown := sorted(set(machines) - set(known)):
        there = f"there are {', '.join(known)}" if known else "there is none yet"
        raise click.BadParameter(f"No machine is called {', '.join(unknown)} in this journal: {there}.")


def _days(month: datetime | None, since: datetime | None, until: datetime | None, today: date) -> tuple[date, date]:
    """Return the first and the last day of the report."""
    if since:
        first, last = since.date(), until.date() if until else today
        if last < first:
            raise click.BadParameter("The last day is before the first one.", param_hint="--until")
        return first, last
    first = month.date() if month else (today.replace(day=1) - timedelta(days=1)).replace(day=1)
    return first, (first + timedelta(days=31)).replace(day=1) - timedelta(days=1)


def _write(path: Path, text: str, option: str) -> None:
    from triof.reporting.html_page import ReportUnwritable

    try:
        replace_file(path, text.encode(), 0o644)
    except OSError as error:
        raise ReportUnwritable(
            f"{path} cannot be written ({error.strerror}): name another place with {option}."
        ) from error


def _summarize(statistics: Statistics, scope: Scope, first: date, last: date) -> None:
    totals, worth = statistics.totals(scope), statistics.recycled(scope)
    dirty = "none" if totals.dirty_share is None else f"{totals.dirty_share:.1%}"
    click.secho(f"{first} to {last}", bold=True)
    click.echo(f"  deposits  {totals.judged:,}, of which {totals.items:,} were shredded; not clean: {dirty}")
    click.echo(f"  plastic   {worth.total_kilograms:,.2f} kg, {worth.total_metres:,.0f} m of filament")
    click.echo(f"  CO2       {worth.total_co2_kilograms:,.2f} kg saved, estimated")
