"""What people do by command and by dashboard is one thing: the same checks, and the same event but for the name."""

import shutil
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from click.testing import CliRunner, Result

from tests.support.candidates import FIRST, SECOND, make_home
from tests.support.dashboard import CLOUD, Person, create
from tests.support.machines import BuildMachine, Machine
from triof.cli import main
from triof.judging.quota import ledgers
from triof.storage.tables import Event

pytestmark = pytest.mark.slow


def _begin_canary(machine: Machine) -> None:
    ran = triof("models", "canary", SECOND)
    assert ran.exit_code == 0, ran.output


def _use_the_quota_up(machine: Machine) -> None:
    (ledger,) = ledgers(machine.services.operations.settings, machine.services.journal.database).values()
    ledger.exhausted(datetime.now(UTC) + timedelta(3))


def _nothing(machine: Machine) -> None:
    pass


class UseCase(NamedTuple):
    """One thing to be done, by a command and by a form, and the event that comes of it."""

    command: tuple[str, ...]
    address: str
    form: Mapping[str, str]
    event: str
    begin: Callable[[Machine], None] = _nothing


DONE = (
    UseCase(("mode", "local"), "/mode", {"mode": "local"}, "mode.changed"),
    UseCase(("quota", "--resume"), "/quota/resume", {"provider": "custom_vision"}, "quota.resumed", _use_the_quota_up),
    UseCase(
        ("alerts", "accept", "drift.brightness"),
        "/alerts/accept",
        {"machine": "machine-1", "name": "drift.brightness"},
        "alert.acknowledged",
    ),
    UseCase(
        ("models", "rollback", "waste_type"),
        "/models/rollback",
        {"task": "waste_type", "provider": "local_cnn"},
        "candidate.ended",
        _begin_canary,
    ),
    UseCase(("models", "stop", "waste_type"), "/models/stop", {"task": "waste_type"}, "candidate.ended", _begin_canary),
)


@pytest.fixture
def machine(build_machine: BuildMachine, tmp_path: Path, new_journal: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """A machine with a cloud and two bundles, on the home that commands find."""
    shutil.copytree(make_home(tmp_path / "other", new_journal), tmp_path / "home", dirs_exist_ok=True)
    for name, value in CLOUD.items():
        monkeypatch.setenv(f"TRIOF_CUSTOM_VISION__{name.upper()}", value)
    monkeypatch.setenv("LOGNAME", "paul")
    machine = build_machine(custom_vision=CLOUD)
    create(machine)
    return machine


def triof(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments)


def told(event: Event) -> dict[str, Any]:
    return {"reason": event.reason, **event.detail}


@pytest.mark.parametrize("use_case", DONE, ids=lambda use_case: use_case.address)
def test_a_command_and_a_form_leave_the_same_event(machine: Machine, use_case: UseCase) -> None:
    use_case.begin(machine)
    ran = triof(*use_case.command, "--why", "it smells")
    assert ran.exit_code == 0, ran.output
    use_case.begin(machine)
    if use_case.event == "mode.changed":
        triof("mode", "auto")
    person = Person(machine.client()).log_in("marie").open("/machine")
    assert person.send(use_case.address, **use_case.form, why="it smells").page.status_code == 303
    events = [told(event) for event in machine.events(use_case.event) if event.detail["why"] == "it smells"]
    by_command, by_form = events
    assert (by_command.pop("who"), by_form.pop("who")) == ("paul", "marie")
    assert by_command == by_form


def test_a_box_is_emptied_by_command_form_and_technician_alike(machine: Machine) -> None:
    assert "box 1  bottle   0% full, 0 of 2,000 g, 0 items; never emptied" in triof("slot", "boxes").output
    assert triof("slot", "emptied", "1").output == "Box 1 (bottle) was emptied of 0 g, 0 items.\n"
    assert "by paul" in triof("slot", "boxes").output
    Person(machine.client()).log_in("marie").open("").send("/boxes/emptied", machine="machine-1", box="1")
    by_command, by_form = (told(event) | {"machine": event.machine_id} for event in machine.events("box.emptied"))
    assert (by_command.pop("who"), by_form.pop("who")) == ("paul", "marie")
    assert by_command == {**by_form, "machine": by_command["machine"]}
    refused = triof("slot", "emptied", "7")
    assert refused.exit_code == 1
    assert "There is no box 7: slot.boxes has 1, 2, 3." in refused.output


@pytest.mark.parametrize(
    ("command", "address", "form", "status", "why"),
    [
        (("mode", "sideways"), "/mode", {"mode": "sideways", "why": "x"}, 400, ""),
        (
            ("alerts", "accept", "disk", "--why", "x"),
            "/alerts/accept",
            {"machine": "machine-1", "name": "disk", "why": "x"},
            400,
            "",
        ),
        (
            ("alerts", "accept", "drift.brightness", "--why", " "),
            "/alerts/accept",
            {"machine": "machine-1", "name": "drift.brightness", "why": " "},
            400,
            "",
        ),
        (
            ("models", "promote", "waste_type"),
            "/models/promote",
            {"task": "waste_type", "why": "x"},
            409,
            "The comparison says wait",
        ),
        (
            ("models", "rollback", "waste_type", "--azure"),
            "/models/rollback",
            {"task": "waste_type", "provider": "custom_vision", "why": "x"},
            409,
            "No iteration was promoted here",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) and value.startswith("/") else "",
)
def test_what_a_command_refuses_a_form_refuses_too(
    machine: Machine, command: tuple[str, ...], address: str, form: dict[str, str], status: int, why: str
) -> None:
    if command[1] == "promote":
        _begin_canary(machine)
    before = len(machine.events())
    ran = triof(*command)
    assert ran.exit_code in (1, 2)
    assert why in ran.stderr
    page = Person(machine.client()).log_in("marie").open("/models").send(address, **form).page
    assert page.status_code == status
    assert why in page.text
    assert len(machine.events()) == before


def test_only_a_model_that_is_promoted_here_can_be_rolled_back(machine: Machine) -> None:
    person = Person(machine.client()).log_in("marie").open("/models")
    page = person.send("/models/rollback", task="waste_type", provider="fake", why="x").page
    assert page.status_code == 409
    assert "has no model to go back to" in page.text
    assert FIRST in triof("models", "status").stdout
