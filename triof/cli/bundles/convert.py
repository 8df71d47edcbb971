"""``triof bundles convert``: write a bundle with its network as ONNX."""

from pathlib import Path

import click

from providers.local_cnn import bundle as folders
from triof.cli.shared.bundle_folder import find_bundle
from triof.models.errors import writing


@click.command()
@click.argument("name", metavar="VERSION|FOLDER")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="The folder to write.")
@click.pass_context
def convert(ctx: click.Context, name: str, out: Path) -> None:
    """Write the bundle VERSION (or shipped, or in a FOLDER) with its network as ONNX, for ONNX Runtime or OpenCV.

    It can be installed on this machine or another. Needs the extra convert, with TensorFlow.
    """
    from providers.onnx import conversion

    converted = conversion.converted(folders.load(find_bundle(ctx, name)))
    with writing(out):
        folders.save(out, converted.card, converted.model)
    click.echo(f"{converted.card.version} is in {out}: `triof bundles install {out} --activate` puts it into service.")
