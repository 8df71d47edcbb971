"""``triof azure publish``: publish an iteration for predictions."""

import click

from providers.base import ProviderMisconfigured
from triof.cli.azure.session import check_trained, keep, session

_DEFAULT_NAME = "triof"


@click.command()
@click.argument("iteration", metavar="ITERATION")
@click.option("--as", "name", help="The name that machines ask by; default: the one of the settings, or triof.")
@click.pass_context
def publish(ctx: click.Context, iteration: str, name: str | None) -> None:
    """Publish ITERATION (a name, the beginning of an id, or latest) to the prediction resource.

    A name in use passes from the other iteration to this one in one step, without an interruption. This machine uses
    the name that was published first; publishing under another one does not change it.
    """
    with session(ctx) as opened:
        chosen = opened.trainer.find_iteration(iteration)
        check_trained(chosen)
        name = name or opened.settings.custom_vision.published_name or _DEFAULT_NAME
        before = next((found for found in opened.trainer.iterations() if found.published_as == name), None)
        if before and before.id == chosen.id:
            opened.say(f"{chosen.name} is published as {name} already.")
        elif chosen.published_as:
            raise ProviderMisconfigured(
                f"{chosen.name} is published as {chosen.published_as}, and the vendor gives an iteration one name:"
                f" `triof azure unpublish {chosen.id[:8]}` first."
            )
        else:
            opened.trainer.publish(chosen, name, overwrite=before is not None)
            opened.say(f"{chosen.name} answers as {name} now.", "green")
        if before and before.id != chosen.id:
            opened.say(f"To go back: `triof azure publish {before.id[:8]} --as {name}` ({before.name}).")
        held = opened.settings.custom_vision.published_name
        if held in (None, "", name):
            keep(opened, project_id=opened.trainer.project_id, published_name=name)
        else:
            keep(opened, project_id=opened.trainer.project_id)
            origin = opened.loaded.origins.get(("custom_vision", "published_name"))
            opened.say(
                f"This machine goes on asking {held}, as the {origin} says: to let it ask {name}, set"
                f" TRIOF_CUSTOM_VISION__PUBLISHED_NAME={name} in its environment or its .env.",
                "yellow",
            )
