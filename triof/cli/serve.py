"""``triof serve``: run the API and the dashboard, without a machine."""

from __future__ import annotations

import os
from contextlib import closing, suppress
from typing import TYPE_CHECKING

import click

from providers.base import TASKS
from triof.cli import load_settings

if TYPE_CHECKING:
    from triof.services import Services
    from triof.settings.tree import Settings


@click.command()
@click.option("--host", help="The address to listen on.")
@click.option("--port", type=int, help="The port to listen on.")
@click.pass_context
def serve(ctx: click.Context, host: str | None, port: int | None) -> None:
    """Serve the API, the dashboard and the health checks of this computer, without touchscreen and slot."""
    settings = load_settings(ctx, server__host=host, server__port=port).settings
    from triof import services as factory
    from triof.common import private_files
    from triof.observability import logs
    from triof.storage import data_folder

    data_folder.make(settings)
    with private_files.kept(settings.home), logs.kept(settings.logs, settings.home / "logs", "serve"):
        run(settings, factory.build(settings))


def run(settings: Settings, services: Services) -> None:
    """Serve until stopped, then finish running work and close ``services``. Raises CannotListen."""
    from triof.app import create_app
    from triof.judging.decoding.budget import return_freed_memory
    from triof.web.server import Server, stopped_by_signals
    from triof.web.watchdog import watched

    return_freed_memory()
    try:
        app = create_app(settings, services)
        largest = max(app.config["MAX_CONTENT_LENGTH"], settings.api.batch_bytes)
        server = Server(app, settings.server, largest)
    except Exception:
        services.close()
        raise
    # Includes closing: a second signal must not leave the slot open.
    with stopped_by_signals(server), closing(services):
        _tell(settings, services)
        services.operations.start()
        with watched(settings.server, services, os.environ):
            server.run()


def _tell(settings: Settings, services: Services) -> None:
    from triof.judging.cloud_providers import left_out

    # Also loads the models, so that the first photo takes no longer than the next.
    for task, provider, problem in services.sorter.router.problems():
        click.secho(f"Warning: {provider} cannot judge {task}: {problem}", fg="yellow", err=True)
    for name, remedy in left_out(settings).items():
        click.echo(f"This machine answers by itself, without {name}: to have it, {remedy}.", err=True)
    health = services.operations.health.report()
    for check, found in health.needed_failures():
        if check.name not in TASKS:
            click.secho(f"Warning: {check.name}: {found.text}", fg="yellow", err=True)
    mode = services.sorter.router.mode
    state = "is ready" if health.is_ready else "runs but is not ready"
    with suppress(OSError):  # a closed stderr must not stop the machine
        click.echo(f"Triof {state}: http://{settings.server.host}:{settings.server.port}  (mode {mode}; Ctrl-C ends)")
