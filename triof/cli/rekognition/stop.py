"""``triof rekognition stop``: stop the models."""

import click

from triof.cli.rekognition.session import model_session


@click.command()
@click.option("--wait", is_flag=True, help="Wait until they are stopped.")
@click.pass_context
def stop(ctx: click.Context, *, wait: bool) -> None:
    """Stop the models of the settings, so that they cost nothing; machines judge alone then."""
    with model_session(ctx) as opened:
        for version in opened.versions:
            if not version.stop():
                raise click.ClickException(
                    f"{version.name} is just starting, and is paid for: stop it again in some minutes."
                )
            state = version.wait(opened.timing.sleep, opened.timing.clock) if wait else version.state()
            click.echo(f"{version.name} is {state.status}.")
