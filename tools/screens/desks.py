"""The scenes of the other pages: the technician's, the dashboard's, the API's, labelling, and the reports."""

from collections.abc import Callable, Mapping
from functools import partial

from tools.screens.checks import API, DASHBOARD, TECHNICIAN
from tools.screens.visit import PageVisit, Reach, ScreenState

PIN, WRONG_PIN = "246810", "135790"
NAME, PASSWORD = "marie", "correct horse battery"


def _type_pin(visit: PageVisit, pin: str) -> None:
    visit.go("/technician/login")
    visit.page.fill("[name=pin]", pin)
    visit.page.click(".pin__enter")


def _technician(visit: PageVisit, path: str = "", *, then: Callable[[PageVisit], object] = lambda visit: None) -> None:
    _type_pin(visit, PIN)
    visit.page.wait_for_selector("[data-maintenance]")
    visit.go(f"/technician{path}")
    then(visit)


def _wrong_pin(visit: PageVisit) -> None:
    _type_pin(visit, WRONG_PIN)
    visit.page.wait_for_selector("[role=alert]")


def _moved(visit: PageVisit) -> None:
    visit.page.click("[value=box_2]")
    visit.page.wait_for_selector("main > .say--well")


def _tested(visit: PageVisit) -> None:
    visit.page.click("form[action$='/test'] button")
    visit.page.wait_for_selector("#test")
    visit.page.wait_for_selector("[data-live-picture][src^='blob:']")


def _jammed(visit: PageVisit) -> None:
    visit.script.hardware.jam("box")
    visit.page.wait_for_selector("[data-code=S1]")


def _under_maintenance(visit: PageVisit) -> None:
    _technician(visit)
    visit.go("/").at("out_of_order")


def _logged_in(visit: PageVisit, path: str) -> None:
    visit.go("/dashboard/login")
    visit.page.fill("[name=name]", NAME)
    visit.page.fill("[name=password]", PASSWORD)
    visit.page.click("main form button")
    visit.page.wait_for_selector("[data-number=judged]")
    visit.go(f"/dashboard{path}")


def _refused(visit: PageVisit) -> None:
    visit.go("/dashboard/login")
    visit.page.fill("[name=name]", NAME)
    visit.page.fill("[name=password]", "wrong")
    visit.page.click("main form button")
    visit.page.wait_for_selector("[role=alert]")


def _decided(visit: PageVisit) -> None:
    visit.go()
    while visit.page.locator("[name=now]").count():
        visit.page.locator("[name=now]").first.click()
        visit.page.wait_for_load_state()


_OF_TECHNICIANS: Mapping[str, Reach] = {
    "technician-login": lambda visit: visit.go("/technician/login"),
    "technician-wrong-pin": _wrong_pin,
    "technician-state": _technician,
    "technician-parts": partial(_technician, path="/parts", then=_moved),
    "technician-camera": partial(_technician, path="/camera", then=_tested),
    "technician-records": partial(_technician, path="/records"),
    "technician-jammed": partial(_technician, path="/parts", then=_jammed),
}
_OF_OPERATORS: Mapping[str, Reach] = {
    "dashboard-login": lambda visit: visit.go("/dashboard/login"),
    "dashboard-refused": _refused,
    "dashboard-today": partial(_logged_in, path=""),
    "dashboard-over-time": partial(_logged_in, path="/over-time"),
    "dashboard-answers": partial(_logged_in, path="/answers"),
    "dashboard-machine": partial(_logged_in, path="/machine"),
    "dashboard-models": partial(_logged_in, path="/models"),
    "dashboard-not-found": partial(_logged_in, path="/nowhere"),
    "report-month": partial(_logged_in, path="/report"),
}
TECHNICIAN_PAGES = (
    *(ScreenState(name, reach, TECHNICIAN, whole=True) for name, reach in _OF_TECHNICIANS.items()),
    ScreenState("out-of-order-M1", _under_maintenance),
)
DASHBOARD_PAGES = (
    *(ScreenState(name, reach, DASHBOARD, whole=True) for name, reach in _OF_OPERATORS.items()),
    ScreenState("api", lambda visit: visit.go("/api/docs"), API),
)
LABEL_PAGES = (
    ScreenState("label-question", lambda visit: visit.go(), DASHBOARD),
    ScreenState("label-finished", _decided, DASHBOARD),
)
REPORTS = (
    ScreenState(
        "report-evaluation",
        lambda visit: visit.page.goto(f"{visit.url}/evaluation.html"),
        DASHBOARD,
        whole=True,
        keeps_language=False,
    ),
)
