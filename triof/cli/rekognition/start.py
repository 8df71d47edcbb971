"""``triof rekognition start``: start the models."""

import click

from triof.cli.rekognition.session import model_session


@click.command()
@click.option("--wait", is_flag=True, help="Wait until they answer, which takes some minutes.")
@click.option("--yes", is_flag=True, help="Do not ask, though it costs money.")
@click.pass_context
def start(ctx: click.Context, *, wait: bool, yes: bool) -> None:
    """Start the models of the settings; they are paid until they are stopped."""
    with model_session(ctx) as opened:
        if not yes:
            click.confirm(f"This costs {opened.price()} until `triof rekognition stop`. Start?", abort=True)
        for version in opened.versions:
            if not version.start():
                raise click.ClickException(f"{version.name} is just stopping: try again in some minutes.")
            state = version.wait(opened.timing.sleep, opened.timing.clock) if wait else version.state()
            click.echo(f"{version.name} is {state.status}.")
            if wait and state.status != "RUNNING":
                raise click.ClickException(f"{version.name} did not start: {state.message}")
