"""``triof azure status``: show the projects in the cloud and the limits of the tier."""

from collections.abc import Sequence
from datetime import UTC, datetime

import click
from rich.table import Table

from providers.custom_vision.options import PHOTOS_A_TAG
from providers.custom_vision.records import Iteration
from providers.text_files import plain
from triof.cli.azure.session import Session, project_errors, session
from triof.judging.cloud_providers import left_out
from triof.judging.quota import ledgers
from triof.storage import data_folder


@click.command()
@click.pass_context
def status(ctx: click.Context) -> None:
    """Show the projects, tags, photos and iterations, the limits of the tier and what is left of them."""
    with session(ctx) as opened:
        options = opened.settings.custom_vision
        opened.say(f"training resource {options.training_endpoint}, tier {options.training_tier}")
        projects = opened.trainer.projects()
        ours = str(options.project_id)
        for project in projects:
            opened.say(f"{'*' if project.id == ours else ' '} project {project.name} ({project.id})")
            if project.id == ours and (fault := project_errors(project)):
                opened.say(f"  of no use here: {fault}", "red")
        if not options.project_id:
            opened.say("No project is chosen: `triof azure setup`.")
            _print_limits(opened, {"projects": len(projects)})
            return
        _print_project(opened, len(projects))


def _print_project(opened: Session, projects: int) -> None:
    trainer, options = opened.trainer, opened.settings.custom_vision
    tags, iterations, photos = trainer.tags(), trainer.iterations(), trainer.count_images()
    table = Table("tag", "means", "photos")
    for tag in tags:
        means = options.tags.get(plain(tag.name), "unknown: add it to custom_vision.tags")
        few = f" (needs {PHOTOS_A_TAG})" if tag.photos < PHOTOS_A_TAG else ""
        table.add_row(f"{tag.name}{' (Negative)' if tag.negative else ''}", means, f"{tag.photos:,}{few}")
    opened.console.print(table)
    for iteration in iterations:
        published = f", published as {iteration.published_as}" if iteration.published_as else ""
        opened.say(f"  {iteration.name} ({iteration.id[:8]}): {iteration.status}{published}")
    used = {"projects": projects, "photos": photos, "tags": len(tags), "iterations": len(iterations)}
    _print_limits(opened, used)
    if hours := trainer.tier.hours_per_month:
        opened.say(_trained(iterations, hours))
    if "custom_vision" not in left_out(opened.settings):
        _print_quota(opened)
    if options.training_tier != "F0":
        opened.say(f"Keeping the photos costs {photos / 1000 * options.euros_per_1000_photos_a_month:.2f} € a month.")


def _print_quota(opened: Session) -> None:
    with data_folder.database(opened.settings) as database:
        ledger = ledgers(opened.settings, database).get("custom_vision")
        usage = ledger.usage() if ledger else None
    if usage and usage.remaining is not None:
        opened.say(f"{usage.remaining:,} of {usage.allowance.per_month:,} predictions are left (`triof quota`).")


def _trained(iterations: Sequence[Iteration], hours: int) -> str:
    """Return the remaining training time of the month, as far as it can be known."""
    now = datetime.now(UTC)
    ended = [(iteration, (iteration.trained_at or iteration.created).astimezone(UTC)) for iteration in iterations]
    minutes = sum(iteration.minutes for iteration, at in ended if (at.year, at.month) == (now.year, now.month))
    return (
        f"Trained this month: at least {minutes} of {hours * 60} min, as iterations that were deleted are not seen; at"
        f" most {max(0, hours * 60 - minutes)} are left."
    )


def _print_limits(opened: Session, used: dict[str, int]) -> None:
    limits = opened.trainer.tier._asdict()
    table = Table("limit", "used", "of", "left")
    for name, count in used.items():
        left = limits[name] - count
        table.add_row(name, f"{count:,}", f"{limits[name]:,}", f"{left:,}", style="red" if left <= 0 else None)
    opened.console.print(table)
    opened.say(
        f"At most {limits['per_second']} calls a second"
        f"{f', {hours} h of training a month' if (hours := limits['hours_per_month']) else ''}."
    )
