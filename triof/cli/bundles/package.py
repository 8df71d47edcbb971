"""``triof package``: write a bundle's web service."""

from pathlib import Path

import click

from triof.cli import load_settings
from triof.cli.shared.bundle_folder import find_bundle


@click.command()
@click.argument("bundle")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="A new folder.")
@click.pass_context
def package(ctx: click.Context, bundle: str, out: Path) -> None:
    """Write the model BUNDLE as a small web service, to be run as a container or with a bare Python.

    BUNDLE is a folder, or the name of a bundle in `triof bundles list`. Policy, limits of photos and limits of the API
    are those of this machine's settings.
    """
    settings = load_settings(ctx).settings
    from providers.local_cnn import bundle as folders
    from triof.model_service.package import write

    found = folders.whole(folders.load(find_bundle(ctx, bundle)))
    click.echo(f"Packaging {found.card.version}, which answers {' and '.join(found.card.tasks)} …")
    for path in write(found, settings, out):
        size = f"{path.stat().st_size / 1e6:.1f} MB" if path.is_file() else "folder"
        click.echo(f"{path}  ({size})")
    click.echo(f"{out / 'README.md'} says how to run it.")
