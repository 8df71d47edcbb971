"""``triof keys create``: create an API key for another system."""

import re
from datetime import UTC, datetime, timedelta

import click

from triof.cli import load_settings
from triof.settings.sections.api import BATCH
from triof.storage import data_folder

_NAME = re.compile(r"\w[\w.-]{0,63}")


@click.command()
@click.argument("name")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    type=click.Choice(["predict", "read", "admin"]),
    default=["predict"],
    show_default=True,
    help="What it opens; may be given several times. admin opens everything.",
)
@click.option("--days", type=click.FloatRange(min=0, min_open=True, max=36_500), help="Ends after so many; else never.")
@click.option(
    "--per-minute",
    type=click.IntRange(BATCH, 1_000_000),
    help="Photos and questions a minute; else what api.per_minute says.",
)
@click.pass_context
def create(ctx: click.Context, name: str, scopes: tuple[str, ...], days: float | None, per_minute: int | None) -> None:
    """Create a key called NAME and print it once, as only its digest is stored."""
    from triof.access.api_keys import Keys
    from triof.access.key_values import KEY_SCOPES

    if not _NAME.fullmatch(name):
        raise click.BadParameter("a name is 1 to 64 letters, digits, dots, hyphens or underscores", param_hint="NAME")
    settings = load_settings(ctx).settings
    expires_at = datetime.now(UTC) + timedelta(days=days) if days else None
    with data_folder.database(settings) as database:
        secret = Keys(database, settings.api.per_minute).create(
            name, [scope for scope in KEY_SCOPES if scope in scopes], expires_at=expires_at, per_minute=per_minute
        )
    click.echo(secret)
    ends = f"until {expires_at.astimezone():%Y-%m-%d %H:%M}" if expires_at else "until it is revoked"
    click.echo(f"{name} may {', '.join(sorted(scopes))} {ends}. Keep the key safe: it is not shown again.", err=True)
