"""``triof quota``: show the calls to the cloud, the remaining quota and the cost."""

import json
from datetime import datetime
from typing import Any

import click

from triof.cli import load_settings
from triof.cli.shared.actor import user
from triof.journal.journal import Journal
from triof.judging.cloud_providers import left_out
from triof.judging.quota import WARNED_FROM, QuotaUsage, ledgers
from triof.operations import use_cases
from triof.storage import data_folder


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object a provider.")
@click.option("--resume", is_flag=True, help="Ask the cloud again, though it said that it is used up or retired.")
@click.option("--why", "comment", default="", help="The reason for that, for the journal.")
@click.pass_context
def quota(ctx: click.Context, *, as_json: bool, resume: bool, comment: str) -> None:
    """Show the calls of the last 30 days, the remaining ones, when the quota resets, and the cost in euros."""
    if comment and not resume:
        raise click.UsageError("--why belongs to --resume.")
    settings = load_settings(ctx).settings
    for name, remedy in left_out(settings).items():
        click.echo(f"Nothing is counted for {name}, which is not set up: {remedy}.", err=True)
    with data_folder.database(settings) as database:
        for name, ledger in ledgers(settings, database).items():
            if resume:
                use_cases.resume_quota(settings, Journal(database), name, actor=user(), comment=comment)
            usage = ledger.usage()
            if as_json:
                click.echo(json.dumps(_as_json(name, usage)))
            else:
                _print(name, usage)
            if resume:
                click.echo(_resumed(name, usage), err=True)


def _print(name: str, usage: QuotaUsage) -> None:
    allowance = usage.allowance
    share = usage.used / allowance.per_month if allowance.per_month else 0.0
    colour = "red" if usage.exhausted else "yellow" if share >= WARNED_FROM else None
    of = f" of {allowance.per_month:,} ({share:.1%})" if allowance.per_month else ", no limit"
    click.secho(f"{name} at {allowance.resource}, tier {allowance.tier}", bold=True)
    click.secho(f"  used       {usage.used:,}{of}, in the last 30 days", fg=colour)
    remaining = "no limit" if usage.remaining is None else f"{usage.remaining:,}"
    click.secho(f"  remaining  {remaining}; at most {allowance.per_second or 'any number'} a second", fg=colour)
    click.echo(f"  refused    {usage.refused:,} calls beside these, which the cloud turned away")
    click.echo(f"  resets     {_reset(usage)}")
    click.echo(f"  spared     {usage.skipped:,} calls, as this machine was sure enough")
    if allowance.is_paid_by_the_hour:
        click.echo(f"  cost       by the hour while the model runs: `triof {name} status`")
    else:
        click.echo(f"  cost       {usage.euros:.2f} € so far, at {allowance.euros_per_1000:g} € for 1,000 calls")


def _resumed(name: str, usage: QuotaUsage) -> str:
    if usage.exhausted:
        return f"Our own count is full, whatever the vendor says: set {name}.calls_per_month to more, or wait."
    return "The cloud is asked again, by a running kiosk within a minute."


def _reset(usage: QuotaUsage) -> str:
    if usage.retired_until:
        return f"the cloud says that it is retired; it is asked once more from {_local(usage.retired_until)}"
    if not usage.resets_at or not usage.all_free_at:
        return "nothing to reset"
    if usage.exhausted:
        return f"the cloud is asked again from {_local(usage.resets_at)}"
    return f"call by call, from {_local(usage.resets_at)} to {_local(usage.all_free_at)}"


def _local(moment: datetime) -> str:
    return moment.astimezone().strftime("%Y-%m-%d %H:%M")


def _as_json(name: str, usage: QuotaUsage) -> dict[str, Any]:
    return {
        "provider": name,
        "resource": usage.allowance.resource,
        "tier": usage.allowance.tier,
        "used": usage.used,
        "limit": usage.allowance.per_month,
        "remaining": usage.remaining,
        "refused": usage.refused,
        "exhausted": usage.exhausted,
        "retired_until": usage.retired_until.isoformat() if usage.retired_until else None,
        "resets_at": usage.resets_at.isoformat() if usage.resets_at else None,
        "spared": usage.skipped,
        "euros": round(usage.euros, 4),
    }
