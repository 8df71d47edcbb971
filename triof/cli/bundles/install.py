"""``triof bundles install``: test a model and install it."""

from pathlib import Path

import click

from providers.local_cnn.bundle import BundleCard
from triof.cli import load_settings
from triof.cli.bundles.activate import put_into_service
from triof.cli.shared.actor import user
from triof.cli.shared.labelled_photos import read_photos
from triof.models import precision_benchmark
from triof.models.acceptance import AcceptanceResult
from triof.rollout import installation
from triof.rollout.installation import Installed


@click.command()
@click.argument("source", metavar="ZIP|FOLDER", type=click.Path(exists=True, path_type=Path))
@click.option("--photos", type=click.Path(path_type=Path), help="Labelled ones to try it on too.")
@click.option("--anyway", is_flag=True, help="Even if it contradicts the cloud's answers, or is not found better.")
@click.option("--activate", "at_once", is_flag=True, help="Put it into service too.")
@click.option("--why", "comment", default="", help="The reason for that, for the journal.")
@click.pass_context
def install(
    ctx: click.Context, source: Path, photos: Path | None, *, anyway: bool, at_once: bool, comment: str
) -> None:
    """Install an export of Azure (TensorFlow Lite or ONNX), or a bundle made by `triof train` or `bundles convert`.

    It is first tested on reference photos and on photos that the cloud has judged. The machine keeps its current bundle
    until this one is activated.
    """
    settings = load_settings(ctx).settings
    labelled = read_photos(photos, settings) if photos else None
    installed = installation.install(source, settings, user(), photos=labelled, anyway=anyway)
    show(installed)
    if measured := precision_benchmark.run(installed.folder, settings):
        click.echo(f"Measured on this machine: {measured}.")
    if at_once:
        for task in installed.card.tasks:
            put_into_service(settings, f"{task}/{_name(installed)}", comment, anyway=anyway)
    else:
        click.echo(f"To put it into service: triof bundles activate {installed.card.version}")


def show(installed: Installed) -> None:
    """Print the result of an installation."""
    cards = [installed.card.of(task) for task in installed.card.tasks]
    for card in cards:
        click.echo(_summary(card))
    if installed.note:
        click.secho(f"{installed.note} It is read so{' from now on' if installed.already else ''}.", fg="yellow")
    for trial in filter(None, map(AcceptanceResult.of, cards)):
        click.echo(_tried(trial))
    click.echo(f"It is installed{' already' if installed.already else ''}, in {installed.folder}.")


def _name(installed: Installed) -> str:
    return installed.folder.name if installed.folder.name == installed.card.version else "shipped"


def _summary(card: BundleCard) -> str:
    tags = card.trained_on.get("tags")
    told = tags if isinstance(tags, list) and len(tags) == len(card.labels) else []
    meant = [f"{tag} = {label}" for tag, label in zip(told, card.labels, strict=False)] or list(card.labels)
    read, (low, high) = card.input, card.input.range
    pixels = f"{read.channels.upper()} from {low:g} to {high:g}, {read.width} x {read.height} pixels"
    return f"{card.version} answers {card.task}: {', '.join(meant)}; it reads {pixels}."


def _tried(trial: AcceptanceResult) -> str:
    right = f"right about {trial.right} of the {trial.known} whose label is known"
    return f"Tried on {trial.photos} reference photos: {right}; {trial.agreement}."
