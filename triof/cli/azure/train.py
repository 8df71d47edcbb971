"""``triof azure train``: train an iteration on the project's photos."""

import time

import click

from providers.base import ProviderError, ProviderMisconfigured, ProviderUnavailable
from providers.custom_vision.options import ADVISED_PHOTOS_A_TAG, PHOTOS_A_TAG, TAGS_TO_TRAIN
from providers.custom_vision.records import Iteration, Tag
from providers.custom_vision.trainer import TrainingFailed, TrainingNotNeeded
from triof.cli.azure.session import Session, session

_ENDED = ("Completed", "Failed")
_MAY_HAVE_BEGUN = " The training may have begun all the same: `triof azure train --wait` looks."
_GOES_ON = "The training goes on in the cloud: `triof azure train --wait` looks again"


@click.command()
@click.option("--wait", is_flag=True, help="Look until it has ended; Ctrl-C leaves it, the same command looks again.")
@click.option("--advanced", type=click.IntRange(1), metavar="HOURS", help="An advanced training of at most so long.")
@click.option("--yes", is_flag=True, help="Ask nothing: neither before it costs nor before an iteration is deleted.")
@click.pass_context
def train(ctx: click.Context, *, wait: bool, advanced: int | None, yes: bool) -> None:
    """Train a new iteration; it answers only after it is published."""
    with session(ctx) as opened:
        newest = next(iter(opened.trainer.iterations()), None)
        if newest and wait and newest.status not in _ENDED:
            opened.say(f"{newest.name} ({newest.id[:8]}) is being trained already.")
            _wait(opened, newest)
            return
        if newest and newest.status == "Failed":
            opened.say(f"The last training failed: {_standing(newest)}.", "yellow")
        tags = _taught(opened)
        if advanced and not yes:
            euros = advanced * opened.settings.custom_vision.euros_per_training_hour
            free = opened.trainer.tier.hours_per_month
            price = f"which F0 has {free} of a month" if free else f"which costs up to {euros:.2f} €"
            click.confirm(f"An advanced training takes up to {advanced} h, {price}. Begin?", abort=True)
        _make_room(opened, yes=yes)
        try:
            iteration = opened.trainer.train(tags, advanced)
        except TrainingNotNeeded as error:
            opened.say(str(error))
            if latest := next(iter(opened.trainer.iterations()), None):
                opened.say(f"The latest is {_standing(latest)}.")
            return
        except ProviderUnavailable as error:
            raise click.ClickException(f"{error}{_MAY_HAVE_BEGUN if error.sent else ''}") from error
        opened.say(f"{iteration.name} ({iteration.id[:8]}) is being trained in the cloud.")
        if wait:
            _wait(opened, iteration)
        else:
            opened.say(
                "`triof azure train --wait` looks how far it is; `triof azure iterations` shows it when it is done."
            )


def _standing(iteration: Iteration) -> str:
    """Return the state of a training that was started without --wait."""
    when = iteration.trained_at or iteration.created
    failure = f" ({iteration.failure or 'the cloud does not say why'})" if iteration.status == "Failed" else ""
    return f"{iteration.name} ({iteration.id[:8]}): {iteration.status}{failure}, {when:%Y-%m-%d %H:%M} UTC"


def _wait(opened: Session, iteration: Iteration) -> None:
    started = time.monotonic()
    with opened.console.status(iteration.status) as shown:

        def look(now: Iteration) -> None:
            shown.update(f"{now.name}: {now.status}, {time.monotonic() - started:.0f} s (Ctrl-C leaves it in peace)")

        try:
            done = opened.trainer.wait_for(iteration, look)
        except KeyboardInterrupt:
            raise click.ClickException(f"{_GOES_ON}.") from None
        except TrainingFailed:
            raise
        except ProviderError as error:
            raise click.ClickException(f"{error} {_GOES_ON}.") from error
    opened.say(f"{done.name} is trained{f', in {done.minutes} min' if done.minutes else ''}.", "green")
    opened.say(f"See how good it is: `triof azure evaluate {done.id[:8]}`")
    opened.say(f"Let machines ask it:  `triof azure publish {done.id[:8]}`")


def _taught(opened: Session) -> list[Tag] | None:
    """Return the tags with enough photos to train on; None if all have. Raises ProviderMisconfigured."""
    tags = opened.trainer.tags()
    ready = [tag for tag in tags if tag.photos >= PHOTOS_A_TAG]
    few = [f"{tag.name} ({tag.photos})" for tag in tags if tag.photos < PHOTOS_A_TAG]
    if len(ready) < TAGS_TO_TRAIN:
        raise ProviderMisconfigured(
            f"The cloud trains from {TAGS_TO_TRAIN} tags with {PHOTOS_A_TAG} photos each on; too few have"
            f" {', '.join(few) or 'none'}: send some with `triof azure upload`."
        )
    if few:
        opened.say(f"Left untaught, as they have fewer than {PHOTOS_A_TAG} photos: {', '.join(few)}.", "yellow")
    advised = [f"{tag.name} ({tag.photos})" for tag in ready if tag.photos < ADVISED_PHOTOS_A_TAG]
    if advised:
        opened.say(f"The vendor advises {ADVISED_PHOTOS_A_TAG} photos a tag or more: {', '.join(advised)}.", "yellow")
    return ready if few else None


def _make_room(opened: Session, *, yes: bool) -> None:
    """If the limit of iterations is reached, offer to delete the oldest unpublished one."""
    iterations = opened.trainer.iterations()
    limit = opened.trainer.tier.iterations
    if len(iterations) < limit or any(iteration.status not in _ENDED for iteration in iterations):
        return
    unasked = [iteration for iteration in reversed(iterations) if not iteration.published_as]
    # Failed iterations are deleted first.
    oldest = next(iter(sorted(unasked, key=lambda iteration: iteration.status != "Failed")), None)
    if not oldest:
        raise ProviderMisconfigured(
            f"All {limit} iterations that the vendor allows are published: `triof azure unpublish` one of them first."
        )
    opened.say(
        f"The project has the {limit} iterations that the vendor allows. The one to miss least is"
        f" {oldest.name} of {oldest.created:%Y-%m-%d} ({oldest.id[:8]}, {oldest.status}, not published); `triof azure"
        " backup` keeps its numbers."
    )
    if not yes:
        click.confirm("Delete it?", abort=True)
    opened.trainer.delete_iteration(oldest)
    opened.say(f"Deleted {oldest.name}.")
