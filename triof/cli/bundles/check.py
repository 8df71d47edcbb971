"""``triof bundles check``: test an installed model again, and correct its input format."""

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
    """Test the bundle VERSION (or TASK/VERSION) again, also on photos that the cloud has judged since it was installed.

    The channel order and value range of an export are corrected if they are wrong, at once in a running kiosk.
    """
    settings = load_settings(ctx).settings
    labelled = read_photos(photos, settings) if photos else None
    show(installation.check(version, settings, user(), photos=labelled))
