"""``triof azure unpublish``: withdraw an iteration."""

import click

from triof.cli.azure.session import session


@click.command()
@click.argument("iteration", metavar="ITERATION")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_context
def unpublish(ctx: click.Context, iteration: str, *, yes: bool) -> None:
    """Remove ITERATION from the prediction resource; machines that use it fall back to their own models."""
    with session(ctx) as opened:
        chosen = opened.trainer.find_iteration(iteration)
        if not chosen.published_as:
            opened.say(f"{chosen.name} is not published.")
            return
        if not yes and chosen.published_as == opened.settings.custom_vision.published_name:
            click.confirm(f"This machine asks {chosen.name} as {chosen.published_as}. Unpublish it?", abort=True)
        opened.trainer.unpublish(chosen)
        opened.say(f"{chosen.name} does not answer as {chosen.published_as} any more.")
