"""``triof models status``: show the models in production and their candidates."""

import click

from triof.cli import load_settings
from triof.journal.journal import Journal
from triof.rollout.auto_rollback import Rollout
from triof.storage import data_folder


@click.command()
@click.pass_context
def status(ctx: click.Context) -> None:
    """Show the models in production for each task, and their candidates."""
    settings = load_settings(ctx).settings
    with data_folder.database(settings) as database:
        standing = Rollout(settings, Journal(database)).state()
    for found in standing:
        models = ", ".join(f"{name} ({provider})" for provider, name in found["production"].items() if name)
        click.echo(f"{found['task']}: {models or 'nothing'} in production")
        if candidate := found["candidate"]:
            share = f"{candidate['share']:.0%}"
            since = f"{candidate['since'].astimezone():%Y-%m-%d %H:%M}"
            click.echo(f"  {candidate['version']} is a {candidate['mode']} in {share} since {since}, {_who(candidate)}")
            more = f", about {candidate['needed']} more deposits" if candidate["needed"] else ""
            click.echo(f"  {candidate['word']}{more}: {candidate['because']} ({candidate['pairs']} pairs)")


def _who(candidate: dict[str, str]) -> str:
    return f"by {candidate['who']}{': ' if candidate['why'] else ''}{candidate['why']}"
