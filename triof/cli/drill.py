"""``triof drill``: rehearse on the running machine what happens when the cloud or the camera fails."""

import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import NamedTuple

import click
import requests
from rich.console import Console
from rich.table import Table

from providers.custom_vision import rehearsal as stand_ins
from triof import home, services
from triof.cli import load_settings
from triof.errors import TriofError
from triof.journal import Journal
from triof.paths import DEMO_PICTURES
from triof.picture_files import pictures_in
from triof.rehearsal import FAULTS, Fault, Rehearsed, Stage
from triof.settings import Settings
from triof.switch import Switch
from triof.visitor import Visitor

_LONGEST_SECONDS = 60.0
"""After this the kiosk puts everything back by itself, should the drill die."""
_STAND_INS = {"cloud_dead": stand_ins.dead, "cloud_slow": stand_ins.slow, "quota_gone": stand_ins.quota_gone}
_JUDGED = ("pick_type", "returned")
_PAGES = {
    "pick_type": "asks what it is",
    "returned": "hands the item back",
    "insert": "asks to try again",
}


class DrillImpossible(TriofError):
    """There is no machine to rehearse on, or somebody uses it."""


class Seen(NamedTuple):
    """What an employee would have seen, and how long the photo took in seconds."""

    page: str
    headline: str
    notice: str
    seconds: float


@click.command()
@click.argument("faults", nargs=-1, type=click.Choice(FAULTS))
@click.option("--yes", is_flag=True, help="Do not ask before the slot moves.")
@click.pass_context
def drill(ctx: click.Context, faults: tuple[Fault, ...], yes: bool) -> None:
    """Rehearse FAULTS (all, if none is named) on the running kiosk, and put everything back.

    The slot opens and closes, nothing is shredded. The real provider asks a stand-in on this machine instead of the
    cloud; one call of the quota is used to compare with. Exits 1 if an employee would have been kept waiting or left
    without help.
    """
    settings = load_settings(ctx).settings
    chosen = faults or FAULTS
    url = f"http://{settings.server.host}:{settings.server.port}"
    _check_running(url)
    _say_what_cannot_be_rehearsed(settings)
    if not yes:
        click.confirm(f"The slot will open and close {len(chosen) + 1} times. Is nobody using it?", abort=True)
    table = Table("what fails", "seconds", "what an employee sees", "well?")
    journal = home.open_journal(settings)
    well = True
    try:
        for fault in (None, *chosen):
            well &= _row(table, fault, _rehearse(settings, journal, url, fault), settings)
    finally:
        journal.close()
    Console().print(table)
    click.echo("Everything is as it was.")
    ctx.exit(0 if well else 1)


def _check_running(url: str) -> None:
    try:
        requests.get(f"{url}/livez", timeout=5).raise_for_status()
    except requests.RequestException as error:
        raise DrillImpossible(f"No kiosk answers at {url}: start it with `triof kiosk`, then rehearse.") from error


def _say_what_cannot_be_rehearsed(settings: Settings) -> None:
    for name, remedy in services.left_out(settings).items():
        click.secho(f"There is no {name} to fail ({remedy}): the cloud's faults change nothing here.", fg="yellow")
    if (mode := Switch(settings.home, settings.mode).mode()) == "local":
        click.secho(f"The mode is {mode}: the cloud is not asked, so its faults change nothing here.", fg="yellow")


def _rehearse(settings: Settings, journal: Journal, url: str, fault: Fault | None) -> Seen:
    """One deposit up to the choosing page, with the fault; None: as the machine is."""
    visitor = Visitor(url)
    try:
        visitor.press("/start")
    except LookupError as error:
        raise DrillImpossible(
            f"The machine takes nothing now (it says: {visitor.headline}): try again when it is free."
        ) from error
    try:
        with _failing(settings, journal, fault) if fault else nullcontext():
            started = time.monotonic()
            visitor.press("/waste/pick-type", pictures_in(DEMO_PICTURES)[0].read_bytes())
            return Seen(visitor.shown, visitor.headline, visitor.notice, time.monotonic() - started)
    finally:
        _leave(visitor)


@contextmanager
def _failing(settings: Settings, journal: Journal, fault: Fault) -> Iterator[None]:
    stage = Stage(settings.home)
    stand_in = _STAND_INS.get(fault)
    with stand_in() if stand_in else nullcontext("http://127.0.0.1:1") as endpoint:
        journal.record("drill.started", reason=fault)
        stage.set(Rehearsed(fault, endpoint), _LONGEST_SECONDS)
        try:
            yield
        finally:
            stage.clear()
            journal.record("drill.ended", reason=fault)


def _leave(visitor: Visitor) -> None:
    """Take the item back and go, from whatever page there is."""
    if visitor.shown in ("insert", "pick_type"):
        visitor.press("/return")
    if visitor.shown == "returned":
        visitor.press("/done")


def _row(table: Table, fault: Fault | None, seen: Seen, settings: Settings) -> bool:
    """Add what was seen; whether the employee was helped in time."""
    # Two questions are asked of a photo, each with its deadline.
    in_time = seen.seconds <= 2 * settings.deadline_seconds
    well = in_time and (seen.page in _JUDGED or (fault == "camera_gone" and bool(seen.notice)))
    lines = [f"{_PAGES.get(seen.page, seen.page)}: {seen.headline}", seen.notice]
    name = "nothing" if fault is None else fault
    table.add_row(name, f"{seen.seconds:.2f}", "\n".join(filter(None, lines)), "yes" if well else "NO")
    return well
