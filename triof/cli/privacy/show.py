"""``triof privacy show``: what is held of a period."""

import json
from datetime import datetime
from zoneinfo import ZoneInfo

import click

from triof.cli import load_settings
from triof.cli.privacy import period_options, scope_of, told
from triof.judging import cloud_providers
from triof.judging.mode import Switch
from triof.settings.tree import Settings
from triof.storage import data_folder


@click.command()
@period_options(required=False)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a kind of record.")
@click.pass_context
def show(ctx: click.Context, *, since: datetime | None, last: str | None, as_json: bool) -> None:
    """Show what is held: photos, deposits, copies of the journal, logs, and what waits; with counts and times."""
    from triof.privacy import holdings

    settings = load_settings(ctx).settings
    zone = ZoneInfo(settings.reports.timezone)
    with data_folder.database(settings) as database:
        scope = scope_of(settings, database.machine_id, since, last)
        found = list(holdings.look(settings, database, scope))
    if as_json:
        for each in found:
            click.echo(json.dumps(each._asdict(), default=datetime.isoformat))
        return
    click.secho(f"Held of {told(settings, scope)}:", bold=True)
    for each in found:
        span = ""
        if each.first and each.last:
            span = f"{each.first.astimezone(zone):%Y-%m-%d %H:%M} to {each.last.astimezone(zone):%Y-%m-%d %H:%M}"
        click.echo(f"{each.number:>9,}  {each.name:<40}{span:<36}{each.remark}".rstrip())
    for sentence in _rules(settings):
        click.echo(sentence)


def _rules(settings: Settings) -> list[str]:
    """Return what the settings say of keeping and sending photos."""
    keep = settings.journal
    missing = cloud_providers.left_out(settings)
    clouds = [name for name in cloud_providers.in_routes(settings) if name not in missing]
    stored = "kept there for 30 days" if settings.custom_vision.store else "not kept there"
    sent = (
        f"sent to {', '.join(clouds)}, {stored}"
        if clouds and Switch(settings.home, settings.mode).mode() != "local"
        else "not sent anywhere"
    )
    return [
        f"Photos kept: {settings.privacy.keep_photos}, {keep.keep_photo_days:g} days,"
        f" {keep.keep_photo_megabytes:g} MB at most; {sent}.",
        "Not in this list: what was copied elsewhere (`triof journal backup --out`, `triof dataset from-journal`).",
    ]
