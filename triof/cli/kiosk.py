"""``triof kiosk``: run the machine."""

import logging
import signal
import sys

import click

from triof.cli import load_settings


@click.command()
@click.option("--host", help="The address to listen on.")
@click.option("--port", type=int, help="The port to listen on.")
@click.pass_context
def kiosk(ctx: click.Context, host: str | None, port: int | None) -> None:
    """Run the machine with its touchscreen pages."""
    settings = load_settings(ctx, server__host=host, server__port=port).settings
    import waitress

    from triof import services as factory
    from triof.app import create_app

    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s %(message)s")
    services = factory.build_kiosk(settings)
    app = create_app(settings, services)
    try:
        server = waitress.create_server(
            app,
            host=settings.server.host,
            port=settings.server.port,
            threads=settings.server.threads,
            ident=None,
            # Otherwise a body that the app refuses is first stored as a whole.
            max_request_body_size=app.config["MAX_CONTENT_LENGTH"],
        )
    except (OSError, ValueError) as error:
        services.close()
        raise click.ClickException(
            f"Cannot listen on {settings.server.host}:{settings.server.port}"
            f" ({getattr(error, 'strerror', None) or error}): end the other program there, or choose another port with"
            " --port or another address with --host."
        ) from error
    # Asking also warms the models up, so that the first person waits no longer than the next.
    for task, provider, problem in services.sorter.router.problems():
        click.secho(f"Warning: {provider} cannot judge {task}: {problem}", fg="yellow", err=True)
    for name, remedy in factory.left_out(settings).items():
        click.echo(f"This machine answers by itself, without {name}: to have it, {remedy}.", err=True)
    mode = services.sorter.router.mode
    click.echo(f"Triof is ready: http://{settings.server.host}:{settings.server.port}  (mode {mode}; Ctrl-C ends)")
    # Waitress ends in order on SystemExit, which is what a service manager's SIGTERM shall mean.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        server.run()
    finally:
        services.close()
