"""``triof alerts``: show signals and alerts, test the channels, accept a change."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import uuid4

import click

from triof.cli import load_settings
from triof.cli.shared.actor import user
from triof.monitoring.machine_names import machine_names
from triof.monitoring.monitor import Monitor
from triof.monitoring.notifiers import Message, NotDelivered, of
from triof.operations import use_cases
from triof.storage import data_folder

_COLOURS = {"alarm": "red", "learning": "yellow", "quiet": None}


@click.group()
def alerts() -> None:
    """Alerts: drift of photos and models, and faults of the machine."""


@alerts.command("list")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a signal, then one an open alert.")
@click.pass_context
def list_(ctx: click.Context, as_json: bool) -> None:
    """Show the state of each signal at the latest check, and the open alerts."""
    settings = load_settings(ctx).settings
    with data_folder.database(settings) as database:
        monitor = Monitor(settings, database)
        standings, is_open = monitor.state(), monitor.alerts.open()
        names = machine_names(settings, database, {alert.machine for alert in is_open})
    if as_json:
        for each in standings:
            click.echo(json.dumps({"signal": each.signal, **each.as_json()}))
        for alert in is_open:
            click.echo(json.dumps({"alert": alert.name, **alert._asdict(), "at": alert.at.isoformat()}))
        return
    if not standings:
        click.echo("Nothing is known yet: a running kiosk or server looks every minute.")
    for each in standings:
        click.echo(f"{click.style(f'{each.state:9}', fg=_COLOURS[each.state])} {each.signal:24} {each.text}")
    for alert in is_open:
        at = alert.at.astimezone().strftime("%Y-%m-%d %H:%M")
        click.secho(f"{alert.name} on {names[alert.machine]}, since {at}: {alert.text}", fg="red")
    if not is_open:
        click.echo("No alert is open.")


@alerts.command()
@click.pass_context
def test(ctx: click.Context) -> None:
    """Send a test message by every configured channel, and show the result of each."""
    settings = load_settings(ctx).settings
    with data_folder.database(settings) as database:
        machine = database.machine_id
    message = Message(
        str(uuid4()),
        datetime.now(UTC),
        machine,
        "alert.test",
        "test",
        "This is a test: alerts would come like this.",
        machine_name=settings.machine.name or "",
    )
    failed = False
    for notifier in of(settings.alerts):
        try:
            click.echo(f"{click.style('ok  ', fg='green')} {notifier.name:8} {notifier.send(message)}")
        except NotDelivered as error:
            failed = True
            click.echo(f"{click.style('FAIL', fg='red')} {notifier.name:8} {error}")
    for name, is_set in (("webhook", settings.alerts.webhook.url), ("email", settings.alerts.email.host)):
        if not is_set:
            click.echo(f"-    {name:8} not set up: docs/guide/monitoring.md tells how")
    if failed:
        ctx.exit(1)


@alerts.command()
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@click.option("--why", "comment", required=True, help="The reason, for the journal.")
@click.option("--machine", help="Another machine of this journal; default: this one.")
@click.pass_context
def accept(ctx: click.Context, names: Sequence[str], comment: str, machine: str | None) -> None:
    """Mark a change as intended: a new baseline begins.

    NAME is the name of an alert, such as drift.brightness, or `all` after a new camera. The alert clears at the next
    check, and the signal's baseline is learned again.
    """
    settings = load_settings(ctx).settings
    with data_folder.database(settings) as database:
        use_cases.accept_alerts(
            Monitor(settings, database).alerts, machine or database.machine_id, names, actor=user(), comment=comment
        )
    click.echo("Accepted: a running kiosk or server begins a new baseline within a minute or two.")
