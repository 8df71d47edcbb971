"""``triof rekognition status``: show the models and what they cost."""

import click

from triof.cli.rekognition.session import HOURS_A_WEEK, model_session


@click.command()
@click.pass_context
def status(ctx: click.Context) -> None:
    """Show whether the models run, what that costs, and what the opening hours save."""
    with model_session(ctx) as opened:
        for version in opened.versions:
            state = version.state()
            paid = f", which costs {state.units * opened.options.euros_per_hour:.2f} € an hour" if state.is_paid else ""
            message = f" ({state.message.rstrip('.')})" if state.message else ""
            click.secho(f"{version.name}: {state.status}{message}{paid}.", fg="yellow" if state.is_paid else None)
        always = opened.options.euros_a_month(HOURS_A_WEEK)
        hours = opened.options.hours
        if hours.is_set:
            by_hours = opened.options.euros_a_month(hours.hours_a_week)
            click.echo(
                f"By rekognition.hours, {hours.hours_a_week:g} h a week: {by_hours:,.0f} € a month; without a pause"
                f" {always:,.0f} €."
            )
        else:
            click.echo(
                f"No rekognition.hours are set: the models run until they are stopped, for {always:,.0f} € a month."
            )
