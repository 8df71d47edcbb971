"""``triof azure rehearse``: find out with ten photos what the real service does."""

import json
import tempfile
import time
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Any

import click

from providers.base import Photo, ProviderError
from providers.custom_vision.provider import LIMITS
from providers.custom_vision.rehearsal import PHOTOS, Rehearsal, RehearsalPhoto, fair_choice
from providers.local_cnn.options import LocalCnnOptions
from providers.local_cnn.provider import LocalCnn
from providers.photo_encoding import fitted
from providers.text_files import plain
from triof.cli import Timing, load_settings
from triof.cli.shared.actor import user
from triof.common.atomic_files import replace_file
from triof.common.errors import TriofError
from triof.datasets import photo_dataset
from triof.judging import photo
from triof.settings.tree import Settings

_CALLS = PHOTOS + 33
"""About as many predictions are asked, of which the service may count some that it refuses."""


@click.command()
@click.argument("source", metavar="PHOTOS", type=click.Path(exists=True, path_type=Path))
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), default=Path("azure-recording.json"))
@click.option("--yes", is_flag=True, help="Do not ask, though it takes calls and training time of the quota.")
@click.option("--portal-calls", type=click.IntRange(min=0), help="The total calls that the portal shows after it.")
@click.pass_context
def rehearse(ctx: click.Context, source: Path, out: Path, *, yes: bool, portal_calls: int | None) -> None:
    """Try with ten of PHOTOS, five of two labels each, what the real service does, and record it without secrets.

    A project of its own is made, trained and deleted again. The recording goes to a file for the tests.
    """
    settings = load_settings(ctx).settings
    chosen = _chosen(source, settings)
    if not yes:
        click.confirm(f"This takes up to {_CALLS} predictions and some minutes of training. Go on?", abort=True)
    timing = ctx.ensure_object(Timing)
    rehearsal = Rehearsal(settings.custom_vision, click.echo, timing.sleep or time.sleep, timing.clock)
    with tempfile.TemporaryDirectory() as folder:
        export = Path(folder, "export.zip")
        try:
            rehearsal.run(chosen, export)
        finally:
            rehearsal.close()
        if export.exists():
            click.echo("The exported model is asked the same here.")
            rehearsal.facts["export"] |= _read_here(
                export, chosen, rehearsal.facts.get("answers", []), settings, Path(folder)
            )
    _count_calls(rehearsal.facts, portal_calls)
    recording = {"format": 1, "recorded": datetime.now(UTC).date().isoformat(), "facts": rehearsal.facts}
    text = json.dumps({**recording, "replies": rehearsal.replies}, indent=2, ensure_ascii=False)
    replace_file(out, f"{text}\n".encode())
    click.echo(f"What was found is in {out}, without keys, ids and addresses.")


def _chosen(source: Path, settings: Settings) -> list[RehearsalPhoto]:
    items = photo_dataset.read(source, settings.custom_vision.tags).photos
    try:
        labelled = [(item.path, item.labels["waste_type"]) for item in items if "waste_type" in item.labels]
        chosen = fair_choice([RehearsalPhoto(str(path), b"", label) for path, label in labelled])
    except ValueError as error:
        raise TriofError(f"{source} holds too few photos: {error}.") from error
    side = settings.custom_vision.side
    return [
        each._replace(
            name=f"{number}.jpg",
            image=fitted(photo.load(Path(each.name).read_bytes(), settings.photo).picture, side, LIMITS),
        )
        for number, each in enumerate(chosen)
    ]


def _read_here(
    export: Path, photos: list[RehearsalPhoto], answers: list[Any], settings: Settings, folder: Path
) -> dict[str, Any]:
    """Return how often the exported model says here what the cloud said, and by how much they differ."""
    from PIL import Image

    from triof.rollout import installation

    tags = {plain(label): label for label in {each.label for each in photos}}
    custom = settings.custom_vision.model_copy(update={"tags": {**settings.custom_vision.tags, **tags}})
    here = settings.model_copy(update={"home": folder / "home", "custom_vision": custom})
    try:
        installed = installation.install(export, here, user(), anyway=True)
        model = LocalCnn("waste_type", LocalCnnOptions(waste_type_bundle=installed.folder))
        found = []
        for each in photos:
            picture = Image.open(BytesIO(each.image)).convert("RGB")
            found.append(model.predict(Photo(picture, "", *picture.size), timeout=30).scores)
    except (TriofError, ProviderError) as error:
        return {"read_here": False, "why": str(error)}
    pairs = [(ours, theirs) for ours, theirs in zip(found, answers, strict=False) if "error" not in theirs]
    same = sum(max(ours, key=ours.__getitem__) == max(theirs, key=theirs.__getitem__) for ours, theirs in pairs)
    differences = [abs(ours[label] - share) for ours, theirs in pairs for label, share in theirs.items()]
    return {
        "read_here": True,
        "compared": len(pairs),
        "same": same,
        "difference": round(max(differences, default=0), 4),
    }


def _count_calls(facts: dict[str, Any], portal: int | None) -> None:
    rate = facts.get("rate")
    answered = sum("error" not in answer for answer in facts.get("answers", ())) + (rate or {}).get("answered", 0)
    refused = (rate or {}).get("refused", 0)
    counts = None if portal is None or not refused else portal >= answered + refused
    facts["calls"] = {"answered": answered, "refused": refused, "portal": portal, "refused_ones_count": counts}
    if portal is None:
        click.echo(
            f"{answered} predictions were answered and {refused} refused as too fast. Whether these count the API does"
            " not tell: look at *Metrics*, *Total Calls*, of the prediction resource; the next time give its number by"
            " --portal-calls."
        )
