"""``triof azure login``: sign in to Entra ID with a device code."""

import click

from providers.base import ProviderMisconfigured
from providers.custom_vision.entra import sign_in
from triof.cli import load_settings


@click.command()
@click.pass_context
def login(ctx: click.Context) -> None:
    """Sign in to Microsoft Entra ID in a browser, on any computer, so that no key is needed here."""
    options = load_settings(ctx).settings.custom_vision.entra
    if options.kind != "device_code":
        raise ProviderMisconfigured(
            "This machine needs no login: set custom_vision.entra.kind to device_code for one (docs/guide/azure.md)."
        )

    def say(address: str, code: str) -> None:
        click.echo(f"Open {address} on any computer or phone, and enter the code {code}.")

    name = sign_in(options, say)
    click.echo(f"{name} is signed in. It is kept in {options.kept_login} and renewed by itself.")
