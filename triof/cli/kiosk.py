"""``triof kiosk``: run the machine, or show its touchscreen."""

from __future__ import annotations

import signal
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

import click

from triof.cli import load_settings
from triof.cli.serve import run

if TYPE_CHECKING:
    from triof.settings.tree import Settings

_ASK_SECONDS = 3.0


@click.command()
@click.option("--host", help="The address to listen on.")
@click.option("--port", type=int, help="The port to listen on.")
@click.option(
    "--browser", "is_browser", is_flag=True, help="Show the pages of the running machine in Chromium, full screen."
)
@click.option("--browser-option", "more", multiple=True, metavar="OPTION", help="One more option for Chromium.")
@click.pass_context
def kiosk(ctx: click.Context, host: str | None, port: int | None, more: Sequence[str], *, is_browser: bool) -> None:
    """Run the machine with its touchscreen pages.

    With --browser, run no machine but the browser in front of it: it waits until the machine answers, and is started
    again when it dies.
    """
    settings = load_settings(ctx, server__host=host, server__port=port).settings
    if is_browser:
        _show(settings, more)
        return
    if more:
        raise click.UsageError("--browser-option belongs to --browser.")
    from triof import services as factory
    from triof.common import private_files
    from triof.observability import logs
    from triof.storage import data_folder

    data_folder.make(settings)
    with private_files.kept(settings.home), logs.kept(settings.logs, settings.home / "logs", "kiosk"):
        run(settings, factory.build_kiosk(settings))


def _show(settings: Settings, more: Sequence[str]) -> None:
    from triof.common.liveness import ask_livez, local_url
    from triof.common.process_lock import ProcessLock
    from triof.installation import chromium
    from triof.installation.touchscreen_browser import TouchscreenBrowser
    from triof.installation.waiting_page import WaitingPage
    from triof.storage import data_folder

    found = chromium.find_browser()
    data_folder.make(settings)
    folder, server = settings.home.resolve() / "browser", settings.server
    lock = ProcessLock(settings.home / "browser.lock")
    if not lock.is_ours():
        raise click.ClickException(f"Another browser shows the touchscreen of {settings.home}: end it first.")
    page, profile = WaitingPage(folder, local_url(server.host, server.port)), folder / "profile"
    films, speaks = settings.camera.kind == "browser", settings.touchscreen.speech
    command = chromium.command(found, profile, page.address, settings.language, films=films, speaks=speaks, more=more)
    ask = partial(ask_livez, server.host, server.port, _ASK_SECONDS)
    browser = TouchscreenBrowser(command, profile, page, ask, tell=partial(click.echo, err=True))
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: browser.stop())
    browser.run()
    lock.release()
