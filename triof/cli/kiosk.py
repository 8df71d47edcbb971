"""``triof kiosk``: run the machine."""

import click

from triof.cli import load_settings
from triof.cli.serve import run


@click.command()
@click.option("--host", help="The address to listen on.")
@click.option("--port", type=int, help="The port to listen on.")
@click.pass_context
def kiosk(ctx: click.Context, host: str | None, port: int | None) -> None:
    """Run the machine with its touchscreen pages."""
    settings = load_settings(ctx, server__host=host, server__port=port).settings
    from triof import services as factory
    from triof.common import private_files
    from triof.observability import logs
    from triof.storage import data_folder

    data_folder.make(settings)
    with private_files.kept(settings.home), logs.kept(settings.logs, settings.home / "logs", "kiosk"):
        run(settings, factory.build_kiosk(settings))
