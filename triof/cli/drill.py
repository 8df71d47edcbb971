"""``triof drill``: inject failures of the cloud or the camera into the running machine."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import NamedTuple
from uuid import UUID

import click
import requests
from rich.console import Console
from rich.table import Table

from providers import fault_servers as stand_ins
from triof.cli import load_settings
from triof.common.errors import TriofError
from triof.common.paths import DEMO_PICTURES
from triof.drills.fault_file import FAULTS, LONGEST_SECONDS, Fault, FaultFile, InjectedFault
from triof.drills.visitor import Visitor
from triof.journal.journal import Journal
from triof.judging.cloud_providers import in_use, retired
from triof.judging.mode import current_mode
from triof.settings.tree import Settings
from triof.storage import data_folder
from triof.storage.tables import PredictionRow
from triof.web import texts

_STAND_INS = {
    "cloud_dead": stand_ins.dead,
    "cloud_slow": stand_ins.slow,
    "quota_gone": stand_ins.quota_gone,
    "retired": stand_ins.retired,
}
_OUTCOMES = {"quota_gone": "QuotaExceeded", "retired": "ServiceRetired"}
"""What the first attempt of a judgement is then; otherwise ProviderUnavailable."""
_ITEMS = {"retired": ("bottle-clean-1", "bottle-clean-1")}
"""The demo pictures of the deposits: after the retirement two, as the second is not asked for."""
_ITEM = ("bottle-clean-1",)
_JUDGED = ("pick_type", "returned")
_PAGES = {
    "pick_type": "asks what it is",
    "returned": "hands the item back",
    "insert": "asks to try again",
}


class DrillImpossible(TriofError):
    """No machine is running, or it is in use."""


class DrillObservation(NamedTuple):
    """What an employee would have seen, and the time from photo to page in seconds."""

    page: str
    headline: str
    notice: str
    seconds: float
    deposit_id: str
    """Empty if nothing was judged."""


@click.command()
@click.argument("faults", nargs=-1, type=click.Choice(FAULTS))
@click.option("--yes", is_flag=True, help="Do not ask before the slot moves.")
@click.pass_context
def drill(ctx: click.Context, faults: tuple[Fault, ...], yes: bool) -> None:
    """Inject FAULTS (default: all) into the running kiosk one after the other, and end them all.

    The slot opens and closes, nothing is shredded. The real provider calls a fake server on this machine instead of the
    cloud; one call of the quota is used for comparison. Exits 1 if an employee would have waited too long or been left
    without help, or if a fault could not be injected.
    """
    settings = load_settings(ctx).settings
    chosen = faults or FAULTS
    url = f"http://{settings.server.host}:{settings.server.port}"
    try:
        Visitor(url)
        _say_what_cannot_be_rehearsed(settings)
        if not yes:
            times = sum(len(_ITEMS.get(fault or "", _ITEM)) for fault in (None, *chosen))
            click.confirm(f"The slot will open and close {times} times. Is it free?", abort=True)
        well = _drill(settings, url, chosen)
    except requests.RequestException as error:
        raise DrillImpossible(
            f"No kiosk answers at {url}: start it with `triof kiosk`, then rehearse; for another port, `triof --set"
            " server.port=N drill`."
        ) from error
    except LookupError as error:
        raise DrillImpossible(f"The kiosk shows a page that leads nowhere ({error}): see its log.") from error
    click.echo("Everything is as it was.")
    ctx.exit(0 if well else 1)


def _drill(settings: Settings, url: str, faults: Sequence[Fault]) -> bool:
    """Inject each fault and print the observations; return whether every employee would have been helped in time."""
    table = Table("what fails", "seconds", "what an employee sees; who judged", "well?")
    well, deposits = True, list[str]()
    with data_folder.database(settings) as database:
        journal = Journal(database)
        journal.record("drill.started", faults=list(faults))
        try:
            for fault in (None, *faults):
                for seen in _rehearse(settings, url, fault):
                    deposits.append(seen.deposit_id)
                    rows = journal.predictions(UUID(seen.deposit_id)) if seen.deposit_id else []
                    rows = [row for row in rows if row.task == "waste_type" and row.believed]
                    well &= _row(table, fault, seen, settings, rows)
        finally:
            # Includes the results of an interrupted drill.
            Console().print(table)
            if "retired" in faults:
                _tell_what_doctor_says(settings)
            journal.record("drill.ended", deposits=[deposit for deposit in deposits if deposit])
    return well


def _took_effect(fault: Fault | None, seen: DrillObservation, rows: Sequence[PredictionRow]) -> bool:
    """Return whether the kiosk met the fault, by the predictions in its journal."""
    if fault is None:
        return True
    if fault == "camera_gone":
        return seen.page == "insert" and bool(seen.notice)
    outcomes = [attempt["outcome"] for row in rows for attempt in row.attempts]
    return _OUTCOMES.get(fault, "ProviderUnavailable") in outcomes


def _judged_by(row: PredictionRow) -> str:
    """Return which provider judged, or why the local one did, as the page says it in mode cloud."""
    outcome = row.attempts[0]["outcome"] if row.attempts else ""
    fell_back = row.provider == "local_cnn" and outcome in texts.INSTEAD
    return str(texts.INSTEAD[outcome]) if fell_back else row.provider


def _tell_what_doctor_says(settings: Settings) -> None:
    for name, options in in_use(settings).items():
        click.echo(f"After the retirement `triof doctor` and the alert `cloud` say: {retired(name, options)}")


def _say_what_cannot_be_rehearsed(settings: Settings) -> None:
    current = current_mode(settings)
    for name, remedy in current.left_out.items():
        click.secho(f"There is no {name} to fail ({remedy}): the cloud's faults change nothing here.", fg="yellow")
    if current.chosen == "local":
        click.secho("The mode is local: the cloud is not asked, so its faults change nothing here.", fg="yellow")


def _rehearse(settings: Settings, url: str, fault: Fault | None) -> Iterator[DrillObservation]:
    """Run the deposits of a fault, which lasts meanwhile; None: without a fault."""
    with _failing(settings, fault) if fault else nullcontext():
        for item in _ITEMS.get(fault or "", _ITEM):
            yield _deposit(url, DEMO_PICTURES / f"{item}.jpg")


def _deposit(url: str, picture: Path) -> DrillObservation:
    """Run one deposit up to the choosing page."""
    visitor = Visitor(url)
    visitor.open("/?lang=en")
    try:
        visitor.press("/start")
    except LookupError as error:
        raise DrillImpossible(
            f"The machine takes nothing now (it says: {visitor.headline}): try again when it is free."
        ) from error
    try:
        started = time.monotonic()
        visitor.press("/waste/pick-type", picture.read_bytes())
        seconds = time.monotonic() - started
        return DrillObservation(visitor.shown, visitor.headline, visitor.notice, seconds, visitor.deposit_id)
    finally:
        _leave(visitor)


@contextmanager
def _failing(settings: Settings, fault: Fault) -> Iterator[None]:
    fault_file = FaultFile(settings.home)
    stand_in = _STAND_INS.get(fault)
    with stand_in() if stand_in else nullcontext("http://127.0.0.1:1") as endpoint:
        fault_file.set(InjectedFault(fault, endpoint), LONGEST_SECONDS)
        try:
            yield
        finally:
            fault_file.clear()


def _leave(visitor: Visitor) -> None:
    """Take the item back and leave, from any page."""
    if visitor.shown in ("insert", "pick_type"):
        visitor.press("/return")
    if visitor.shown == "returned":
        visitor.press("/done")


def _row(
    table: Table,
    fault: Fault | None,
    seen: DrillObservation,
    settings: Settings,
    rows: Sequence[PredictionRow],
) -> bool:
    """Add a row; return whether the fault took effect and the employee was helped in time."""
    # A photo has two tasks, each with its own deadline.
    in_time = seen.seconds <= 2 * settings.deadline_seconds
    took_effect = _took_effect(fault, seen, rows)
    well = took_effect and in_time and (seen.page in _JUDGED or fault == "camera_gone")
    lines = [
        f"{_PAGES.get(seen.page, seen.page)}: {seen.headline}",
        *(map(_judged_by, rows) if rows else [seen.notice]),
    ]
    name = "nothing" if fault is None else fault
    verdict = "yes" if well else "NO" if took_effect else "not rehearsed"
    table.add_row(name, f"{seen.seconds:.2f}", "\n".join(filter(None, lines)), verdict)
    return well
