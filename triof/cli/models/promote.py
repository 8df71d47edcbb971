"""``triof models promote``: put a candidate into production."""

from pathlib import Path

import click

from providers.base import TASKS, Task
from triof.cli import load_settings
from triof.cli.azure.session import write
from triof.cli.models.compare import CORRECTIONS, DATA, SPLIT
from triof.cli.shared.actor import user
from triof.cli.shared.labelled_photos import read_photos
from triof.datasets.photo_dataset import Split
from triof.journal.journal import Journal
from triof.operations import use_cases
from triof.rollout.candidates import AZURE, Candidates
from triof.rollout.labelled import PhotoSelection
from triof.rollout.rollout_service import RolloutRefused
from triof.settings.loader import Loaded
from triof.settings.tree import Settings
from triof.storage import data_folder


@click.command()
@click.argument("name", metavar="TASK|VERSION")
@DATA
@SPLIT
@CORRECTIONS
@click.option("--anyway", is_flag=True, help="Even if the comparison, or its training, does not say so.")
@click.option("--why", "comment", default="", help="The reason, for the journal.")
@click.pass_context
def promote(
    ctx: click.Context,
    name: str,
    *,
    source: Path | None,
    split: Split,
    corrected: Path | None,
    anyway: bool,
    comment: str,
) -> None:
    """Put the candidate of TASK, or the candidate VERSION, into production: at once in a running kiosk."""
    loaded = load_settings(ctx)
    settings = loaded.settings
    task = _task(settings, name)
    shown = PhotoSelection(read_photos(source, settings, corrected), split) if source else None
    with data_folder.database(settings) as database:
        change = use_cases.promote(
            settings, Journal(database), task, actor=user(), comment=comment, shown=shown, anyway=anyway
        )
    click.echo(f"{task}: {change.name} answers now, before it {change.before} did.")
    if change.provider == AZURE:
        write_name(loaded, change.name)
        click.echo(f"To go back: triof models rollback {task} --azure")
    else:
        click.echo(f"To go back: triof models rollback {task}")


def write_name(loaded: Loaded, name: str) -> None:
    """Write the setting, so that other commands and the next start use the promoted iteration."""
    if file := write(loaded, click.secho, published_name=name):
        click.echo(f"Kept in {file} too, for the other commands.")


def _task(settings: Settings, name: str) -> Task:
    candidates = Candidates(settings)
    running = {task: candidate for task in TASKS if (candidate := candidates.of(task))}
    for task in TASKS:
        if name == task or (
            task in running and name in (running[task].model.name, f"{task}/{running[task].model.name}")
        ):
            return task
    there = ", ".join(candidate.model.name for candidate in running.values()) or "none"
    raise RolloutRefused(
        f"{name!r} is no candidate (there is {there}): begin one with `triof models canary`, or put a bundle into"
        " service without comparing by `triof bundles activate`."
    )
