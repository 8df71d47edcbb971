"""``triof bundles check``: try an installed model again, and mend how it is read."""

from pathlib import Path

import click

from triof.cli import load_settings
from triof.cli.bundles.install import show
from triof.cli.shared.actor import user
from triof.cli.shared.labelled_photos import read_photos
from triof.rollout import installation


@click.command()
@click.argument("version")
@click.option("--photos", type=click.Path(path_type=Path), help="Labelled ones to try it on too.")
@click.pass_context
def check(ctx: click.Context, version: str, photos: Path | None) -> None:
    """Try the bundle VERSION (or TASK/VERSION) again, also on what the cloud has answered since it was installed.

    An export that is read wrongly (order or range of its pixels) is mended, at once in a running kiosk.
    """
    settings = load_settings(ctx).settings
    labelled = read_photos(photos, settings) if photos else None
    show(installation.check(version, settings, user(), photos=labelled))
