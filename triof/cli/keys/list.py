"""``triof keys list``: list the API keys and their last use."""

import json
from datetime import UTC, datetime
from typing import Any

import click

from triof.cli import load_settings
from triof.storage import data_folder


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object a key.")
@click.pass_context
def list(ctx: click.Context, as_json: bool) -> None:  # noqa: A001
    """Show the keys, their scopes, their expiry, and when each was last used (to the minute)."""
    from triof.access.api_keys import Keys

    settings = load_settings(ctx).settings
    with data_folder.database(settings) as database:
        rows = Keys(database, settings.api.per_minute).all()
    if not rows and not as_json:
        click.echo("There are no keys: `triof keys create NAME` makes one.")
    now = datetime.now(UTC)
    for row in rows:
        if as_json:
            click.echo(json.dumps(_as_json(row, _standing(row, now))))
        else:
            _print(row, _standing(row, now), settings.api.per_minute)


def _standing(row: Any, now: datetime) -> str:
    if row.revoked_at:
        return "revoked"
    return "expired" if row.expires_at and row.expires_at <= now else "valid"


def _print(row: Any, standing: str, per_minute: int) -> None:
    told = [
        standing if standing != "revoked" else f"revoked on {_local(row.revoked_at)}",
        f"{row.per_minute or per_minute} a minute",
        f"ends {_local(row.expires_at)}" if row.expires_at else "never ends",
        f"last used {_local(row.last_used_at)}" if row.last_used_at else "never used",
    ]
    if row.former_until and row.former_until > datetime.now(UTC):
        told.append(f"its former secret holds until {_local(row.former_until)}")
    line = f"{row.name:<20} {'+'.join(row.scopes):<14} {', '.join(told)}"
    click.secho(line, fg=None if standing == "valid" else "red")


def _local(moment: datetime) -> str:
    return moment.astimezone().strftime("%Y-%m-%d %H:%M")


def _as_json(row: Any, standing: str) -> dict[str, Any]:
    moments = {
        "created_at": row.at,
        "expires_at": row.expires_at,
        "revoked_at": row.revoked_at,
        "last_used_at": row.last_used_at,
    }
    return {
        "name": row.name,
        "standing": standing,
        "scopes": row.scopes,
        "per_minute": row.per_minute,
        **{name: moment.isoformat() if moment else None for name, moment in moments.items()},
    }
