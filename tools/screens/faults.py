"""The scenes of the touchscreen when something is wrong: out of order, error pages, a server that is away."""

from functools import partial
from typing import get_args

from tools.screens.deposits import inserted, judged
from tools.screens.visit import PageVisit, ScreenState
from triof.machine.hardware.base import Part
from triof.web.fault_codes import FAULT_CODES

_MAINTENANCE = "M1"


def _out_of_order(visit: PageVisit, code: str) -> None:
    visit.script.fault(code)
    visit.go().at("out_of_order", state=code)


def _stuck(visit: PageVisit, part: Part) -> None:
    visit.script.hardware.jam(part)
    visit.go().at("out_of_order", state="S1")


def _too_late(visit: PageVisit) -> None:
    visit.go()
    visit.context.clear_cookies()
    visit.press("/start").at("error")


def _wrong_method(visit: PageVisit) -> None:
    visit.go("/stay").at("error")


def _server_away(visit: PageVisit) -> None:
    inserted(visit)
    visit.context.route("**/livez", lambda route: route.abort())
    visit.press("/return")
    visit.page.wait_for_selector("#notice:not(:empty)")


def _not_written(visit: PageVisit) -> None:
    judged(visit)
    journal = visit.script.home / "journal.db"
    away = journal.rename(journal.with_suffix(".away"))
    visit.press("/confirmation").at("returned")
    away.rename(journal)


def _still_there(visit: PageVisit) -> None:
    inserted(visit)
    visit.page.wait_for_selector(".still")


def _timed_out(visit: PageVisit) -> None:
    judged(visit).at("returned")


def _held_open(visit: PageVisit) -> None:
    visit.script.hardware.put_item(True)
    judged(visit).at("returned", state="held")


def _not_judged(visit: PageVisit) -> None:
    inserted(visit).hold("provider").press("/waste/pick-type").at("returned")


def _interrupted(visit: PageVisit) -> None:
    visit.go().at("interrupted")


CODES = tuple(
    ScreenState(f"out-of-order-{code}", partial(_out_of_order, code=code), reduced=code == "S1")
    for code, row in FAULT_CODES.items()
    if row.stops and code != _MAINTENANCE
)
SCENES = (
    *CODES,
    *(ScreenState(f"out-of-order-jammed-{part}", partial(_stuck, part=part)) for part in get_args(Part)),
    ScreenState("error-not-found", lambda visit: visit.go("/nowhere").at("error"), reduced=True),
    ScreenState("error-method", _wrong_method),
    ScreenState("error-too-late", _too_late, keeps_language=False),
    ScreenState("server-away", _server_away),
    ScreenState("returned-out-of-order", _not_written),
)
PATIENCE = (
    ScreenState("still-there", _still_there),
    ScreenState("returned-timed-out", _timed_out),
    ScreenState("returned-held-open", _held_open),
    ScreenState("returned-not-judged", _not_judged),
)
INTERRUPTED = (ScreenState("interrupted", _interrupted, leaves=False),)
CLOUD_AWAY = (
    ScreenState("cloud-away-attract", lambda visit: visit.go().at("attract")),
    ScreenState("cloud-away-choose", judged),
    ScreenState("cloud-away-returned", lambda visit: judged(visit).press("/return").at("returned")),
)
