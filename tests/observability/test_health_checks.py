"""Every check is made to fail for real, and what it finds is seen in each place that shows it."""

import re
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from click.testing import CliRunner
from prometheus_client.parser import text_string_to_metric_families

from tests.support.dashboard import CLOUD, Person, create
from tests.support.machines import BuildMachine, Machine, assemble
from tests.support.paths import ROOT
from triof import services as factory
from triof.app import create_app
from triof.cli import main
from triof.journal.journal import Journal
from triof.judging.quota import ledgers
from triof.machine.cameras.browser import BrowserCamera
from triof.machine.cameras.folder import FolderCamera
from triof.observability.health_checks.check import CheckedParts, CheckResult, Status, health_check, ok
from triof.observability.health_checks.registry import all_checks
from triof.observability.health_checks.runner import HealthChecks
from triof.settings.tree import Settings

pytestmark = pytest.mark.slow

WORDS: Mapping[str, Status] = {"ok": "ok", "warn": "warning", "FAIL": "failed"}
NUMBERS: Mapping[float, Status] = {0: "ok", 1: "warning", 2: "failed"}
ROUTES = {"waste_type": ("fake",), "cleanliness": ("fake",)}
WITH_CLOUD = {**ROUTES, "waste_type": ("custom_vision", "fake")}


def _nothing(machine: Machine) -> None:
    pass


def _jam(machine: Machine) -> None:
    machine.hardware.jam("shredder")


def _leave_a_deposit_unfinished(machine: Machine) -> None:
    machine.services.journal.record("deposit.failed", reason="shredder")


def _set_a_damaged_journal_aside(machine: Machine) -> None:
    assert machine.services.journal.database.path
    machine.services.journal.database.path.with_name("journal.damaged-2026-11-30-101500.db").write_bytes(b"")


def _use_the_quota_up(machine: Machine) -> None:
    (ledger,) = ledgers(machine.services.operations.settings, machine.services.journal.database).values()
    ledger.take()


def _lose_the_cloud(machine: Machine) -> None:
    for minutes in (40, 5):
        _record_in_the_past(machine, minutes)


def _record_in_the_past(machine: Machine, minutes: float) -> None:
    at = datetime.now(UTC) - timedelta(minutes=minutes)
    journal = Journal(machine.services.journal.database, now=lambda: at)
    journal.record("breaker.opened", reason="custom_vision", why="silent", seconds=30)


def _set_the_clock_back(machine: Machine) -> None:
    at = datetime.now(UTC) + timedelta(days=2)
    Journal(machine.services.journal.database, now=lambda: at).record("machine.started", interrupted=0)


class Trouble(NamedTuple):
    """How a check is broken, with which settings, and what it then finds."""

    name: str
    status: Status
    said: str
    break_: Callable[[Machine], None] = _nothing
    settings: Mapping[str, Any] = {}


TROUBLES = (
    Trouble("disk", "failed", "alerts.disk_megabytes", settings={"alerts": {"disk_megabytes": 1e9}}),
    Trouble("journal", "warning", "triof journal salvage", _set_a_damaged_journal_aside),
    Trouble(
        "waste_type",
        "failed",
        "untrained",
        settings={
            "routes": {**ROUTES, "waste_type": ("local_cnn",)},
            "local_cnn": {"waste_type_bundle": "/nowhere/untrained"},
        },
    ),
    Trouble("camera", "failed", "camera.folder", settings={"camera": {"folder": "/nowhere/pictures"}}),
    Trouble("slot", "failed", "triof slot clear", _jam),
    Trouble("slot", "warning", "The latest deposit was not finished", _leave_a_deposit_unfinished),
    Trouble(
        "quota",
        "warning",
        "used up",
        _use_the_quota_up,
        {"routes": WITH_CLOUD, "custom_vision": {**CLOUD, "calls_per_month": 1}},
    ),
    Trouble("cloud", "warning", "custom_vision", _lose_the_cloud, {"routes": WITH_CLOUD, "custom_vision": CLOUD}),
    Trouble(
        "cloud",
        "failed",
        "custom_vision",
        _lose_the_cloud,
        {"mode": "cloud", "routes": WITH_CLOUD, "custom_vision": CLOUD},
    ),
    Trouble(
        "retirement",
        "warning",
        "triof azure backup",
        settings={"routes": WITH_CLOUD, "custom_vision": CLOUD, "alerts": {"retirement_months": 120}},
    ),
    Trouble("clock", "warning", "Set the clock", _set_the_clock_back),
)


@pytest.fixture
def build(tmp_path: Path, new_journal: Path) -> Iterator[Callable[[Mapping[str, Any]], Machine]]:
    """Builds a machine as its settings say."""
    machines: list[Machine] = []
    home = tmp_path / "home"
    home.mkdir()
    (home / "machine_id").write_text("machine-1")
    (home / "journal.db").write_bytes(new_journal.read_bytes())

    def build(changes: Mapping[str, Any]) -> Machine:
        settings = Settings.model_validate({"home": home, "language": "en", "routes": ROUTES, **changes})
        machines.append(assemble(settings, factory.build_sorter(settings), FolderCamera(settings.camera.folder)))
        return machines[-1]

    yield build
    for machine in machines:
        machine.services.deposits.close()
        machine.services.sorter.close()
        machine.services.journal.database.close()


def doctor(settings: Mapping[str, Any]) -> dict[str, tuple[Status, str]]:
    """Status and line of each check, by `triof doctor` with these settings."""
    ran = CliRunner().invoke(main, [*_flags({"routes": ROUTES, **settings}), "doctor"])
    lines = [line.split(maxsplit=2) for line in ran.stdout.splitlines()]
    told = {name: (WORDS[word], text) for word, name, text in lines}
    assert ran.exit_code == (1 if "failed" in {status for status, _ in told.values()} else 0)
    return told


def _flags(settings: Mapping[str, Any], above: str = "") -> Iterator[str]:
    for name, value in settings.items():
        if isinstance(value, Mapping):
            yield from _flags(value, f"{above}{name}.")
        else:
            yield from ("--set", f"{above}{name}={','.join(value) if isinstance(value, tuple) else value}")


def gauges(machine: Machine) -> dict[str, Status]:
    page = machine.client().get("/metrics").text
    samples = [sample for family in text_string_to_metric_families(page) for sample in family.samples]
    return {each.labels["check"]: NUMBERS[each.value] for each in samples if each.name == "triof_health_check"}


def statuses(checks: list[dict[str, Any]]) -> dict[str, str]:
    return {check["name"]: check["status"] for check in checks}


@pytest.mark.parametrize("trouble", TROUBLES, ids=lambda trouble: f"{trouble.name} {trouble.status}")
def test_what_a_check_finds_is_seen_in_all_six_places(
    build: Callable[[Mapping[str, Any]], Machine], trouble: Trouble
) -> None:
    machine = build(trouble.settings)
    create(machine)
    trouble.break_(machine)
    check = next(check for check in all_checks() if check.name == trouble.name)
    is_in_the_way = check.is_needed and trouble.status == "failed"

    ready = machine.client().get("/readyz")
    assert ready.json
    assert statuses(ready.json["checks"])[trouble.name] == trouble.status
    assert (ready.status_code, ready.json["ready"]) == ((503, False) if is_in_the_way else (200, True))
    assert [reason["part"] for reason in ready.json["reasons"]] == ([trouble.name] if is_in_the_way else [])
    (found,) = (each for each in ready.json["checks"] if each["name"] == trouble.name)
    assert trouble.said in f"{found['message']} {found['remedy']}"

    key = machine.services.operations.keys.create("a till", ["read"])
    api = machine.client().get("/api/v2/machine", headers={"Authorization": f"Bearer {key}"}).json
    assert api
    assert (statuses(api["checks"]), api["ready"]) == (statuses(ready.json["checks"]), ready.json["ready"])

    assert gauges(machine) == statuses(ready.json["checks"])

    page = Person(machine.client()).log_in("marie").open("/machine").page.text
    assert dict(re.findall(r'data-check="(\w+)" data-status="(\w+)"', page)) == statuses(ready.json["checks"])
    assert "All is well." not in page

    assert ("data-hint" in machine.client().get("/").text) == is_in_the_way

    status, told = doctor(trouble.settings)[trouble.name]
    assert status == trouble.status
    assert trouble.said in told


def test_a_machine_that_is_well_is_well_in_all_six_places(build: Callable[[Mapping[str, Any]], Machine]) -> None:
    machine = build({})
    create(machine)
    ready = machine.client().get("/readyz").json
    assert ready
    assert set(statuses(ready["checks"]).values()) == {"ok"}
    assert set(gauges(machine).values()) == {"ok"}
    assert "All is well." in Person(machine.client()).log_in("marie").open("/machine").page.text
    assert "data-hint" not in machine.client().get("/").text
    assert {status for status, _ in doctor({}).values()} == {"ok"}


def test_every_check_stands_in_the_docs() -> None:
    text = (ROOT / "docs" / "guide" / "serving.md").read_text(encoding="utf-8")
    rows = text.partition("### The checks")[2].partition("\nAn answer holds")[0].splitlines()
    listed = [name for row in rows if row.startswith("| `") for name in re.findall(r"`(\w+)`", row.split("|")[1])]
    assert sorted(listed) == sorted(check.name for check in all_checks())


@health_check(needed=True)
def hanging(parts: CheckedParts) -> CheckResult:
    """Waits for a device that does not answer."""
    _COMES_BACK.wait()
    return ok("it has come back")


@health_check()
def lamp(parts: CheckedParts) -> CheckResult:
    """A check without a translated sentence."""
    return CheckResult("warning", "The lamp is dark.", "Change it.")


_COMES_BACK = threading.Event()


def test_a_check_that_hangs_is_told_and_holds_up_no_other(machine: Machine) -> None:
    around = machine.services.operations
    parts = CheckedParts(
        around.settings,
        router=lambda: machine.services.sorter.router,
        journal=lambda: machine.services.journal,
    )
    health = HealthChecks(parts, (hanging, lamp), machine.clock, timeout=0.05)
    services = replace(machine.services, operations=replace(around, health=health))
    client = create_app(around.settings, services).test_client()
    create(machine)
    for _ in range(2):
        ready = client.get("/readyz")
        assert ready.status_code == 503
        assert ready.json
        assert statuses(ready.json["checks"]) == {"hanging": "failed", "lamp": "warning"}
        assert "has not answered within 0.05 s" in ready.json["reasons"][0]["why"]
        machine.clock.pass_(5)
    threads = [thread for thread in threading.enumerate() if thread.name == "health-hanging"]
    assert len(threads) == 1, "it is not started again before it comes back"
    page = Person(client).log_in("marie").open("/machine").page.text
    assert "The lamp is dark. Change it." in page, "a new check needs no sentence of its own"
    _COMES_BACK.set()
    machine.clock.pass_(5)
    threads[0].join()
    assert client.get("/readyz").status_code == 200
    _COMES_BACK.clear()


def test_a_report_holds_for_some_seconds(build_machine: BuildMachine) -> None:
    machine = build_machine(camera=BrowserCamera())
    client = machine.client()
    machine.hardware.jam("box")
    assert client.get("/readyz").status_code == 503
    machine.hardware.jam(None)
    assert client.get("/readyz").status_code == 503
    machine.clock.pass_(5)
    assert client.get("/readyz").status_code == 200
