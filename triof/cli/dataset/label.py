"""``triof dataset label``: review labels on a local web page, the doubtful ones first."""

import os
import shlex
import signal
import sys
from pathlib import Path

import click
from rich.console import Console

from providers.base import TASKS, Task
from triof.cli import load_settings
from triof.cli.shared.labelled_photos import read_photos
from triof.curation import labelling
from triof.curation.labelling import ORDERS, LabellingSession, Order, Question
from triof.datasets import corrections
from triof.datasets.corrections import Corrections
from triof.datasets.photo_dataset import Dataset
from triof.models import bundle_store
from triof.settings.tree import Settings

_HOST = "127.0.0.1"


@click.command()
@click.argument("source", type=click.Path(path_type=Path))
@click.option(
    "--corrections",
    "path",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Where decisions go.  [default: beside SOURCE]",
)
@click.option("--task", type=click.Choice(TASKS), help="One question only; default: both, one after the other.")
@click.option("--port", type=click.IntRange(1, 65535), default=8090, show_default=True)
@click.option(
    "--order",
    type=click.Choice(ORDERS),
    default="worst",
    show_default=True,
    help="worst: unfamiliar to the machine, without a label, then the doubtful ones; the others: all of them.",
)
@click.pass_context
def label(ctx: click.Context, source: Path, *, path: Path | None, task: Task | None, port: int, order: Order) -> None:
    """Confirm or change the labels of SOURCE (a manifest.csv or a folder) by key or touch, in a local browser.

    Photos and manifest are not changed: each decision is a line in the file of corrections, written to disk
    before the next photo is shown. An ended review is resumed by the same command.
    """
    settings = load_settings(ctx).settings
    dataset = read_photos(source, settings)
    path = path or _usual(dataset)
    known = corrections.about(dataset, corrections.read(path, settings.custom_vision.tags), path.parent)
    tasks = (task,) if task else TASKS
    asked = _asked(dataset, known, tasks, order, settings)
    decided = f", {len(known)} from before" if known else ""
    click.echo(f"Decisions go into {path}{decided}.")
    if not asked:
        click.echo(
            f"Nothing is left to look at{' that is doubtful: --order random shows the rest' * (order == 'worst')}."
        )
        return
    session = LabellingSession(asked, path)
    _serve(session, port, settings)
    _print(session, source)


def _usual(dataset: Dataset) -> Path:
    """Return the default file beside the data set, or in the current folder if that is not writable."""
    beside = dataset.root / corrections.USUAL_NAME
    writable = os.access(beside if beside.exists() else dataset.root, os.W_OK)
    return beside if writable else Path(corrections.USUAL_NAME)


def _asked(
    dataset: Dataset, known: Corrections, tasks: tuple[Task, ...], order: Order, settings: Settings
) -> list[Question]:
    if order != "worst":
        return labelling.questions(dataset, known, tasks, order)
    from triof.curation import check

    found = check.suggestions(dataset, settings, Console(stderr=True), known)
    return labelling.questions(dataset, known, tasks, order, labelling.doubts(dataset, found))


def _serve(session: LabellingSession, port: int, settings: Settings) -> None:
    import waitress

    from triof.curation.model_suggestions import ModelSuggestions
    from triof.web.labelling import pages as label_page

    opinions = ModelSuggestions(bundle_store.options(settings), settings.photo)
    app = label_page.create_app(session, opinions.of, settings.photo, settings.server.trusted_hosts, settings.language)
    try:
        server = waitress.create_server(app, host=_HOST, port=port, threads=4, ident=None)
    except OSError as error:
        raise click.ClickException(
            f"Cannot listen on {_HOST}:{port} ({error.strerror}): end the other program there, or choose another port"
            " with --port."
        ) from error
    click.echo(f"{len(session.questions)} to look at: http://{_HOST}:{port}  (Ctrl-C ends)")
    # Waitress closes cleanly on SystemExit, as on Ctrl-C.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    server.run()


def _print(session: LabellingSession, source: Path) -> None:
    counts = labelling.tally(session)
    decided = len(session.answered) - counts["skipped"]
    outcomes = ", ".join(f"{count} {outcome}" for outcome, count in counts.items())
    click.echo(f"\nYou decided {decided} of {len(session.questions)}: {outcomes}.")
    if not decided:
        return
    corrected = f"--corrections {shlex.quote(str(session.path))}"
    click.echo(f"They are in {session.path}. Next:")
    for task in dict.fromkeys(session.questions[one.position].task for one in session.answered if one.now is not None):
        click.echo(f"  triof train {task} --data {shlex.quote(str(source))} {corrected}")
    click.echo(f"  triof azure upload {shlex.quote(str(source))} {corrected}")
