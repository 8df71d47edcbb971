"""Out of order: each fault shows its code, what to do and who to call, is recorded, and ends by itself."""

import logging
import re
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.support.machines import BuildMachine, Machine, Visitor
from triof.machine.cameras.base import BlurredPicture
from triof.machine.cameras.folder import FolderCamera

SUPPORT = {"name": "Atelier Nord", "phone": "+33 1 23 45 67 89", "email": "atelier@example.org"}


class Fault(NamedTuple):
    """How a part is broken and mended."""

    code: str
    break_: Callable[[Machine], object]
    mend: Callable[[Machine], object]


def _silence(machine: Machine) -> None:
    def silent() -> bool:
        raise OSError("no answer")

    machine.hardware.instead["slot_is_open"] = silent


def pictures(machine: Machine) -> Path:
    """The folder of the camera."""
    return machine.services.operations.settings.home.parent / "pictures"


def _unplug(machine: Machine) -> None:
    pictures(machine).rename(pictures(machine).with_name("gone"))


FAULTS = (
    Fault("S1", lambda machine: machine.hardware.jam("box"), lambda machine: machine.hardware.jam(None)),
    Fault("S2", _silence, lambda machine: machine.hardware.instead.clear()),
    Fault("C1", _unplug, lambda machine: pictures(machine).with_name("gone").rename(pictures(machine))),
)


def code_shown(visitor: Visitor) -> str | None:
    """The large code of the page."""
    found = re.search(r'<p class="code">.*?<b>(\w+)</b>', visitor.page.text)
    return found[1] if found else None


def later(machine: Machine) -> None:
    """Let the time of a look at the camera pass, and the watch look."""
    machine.clock.pass_(5)
    machine.services.watch.look()


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.code)
def test_a_fault_shows_its_code_is_recorded_and_ends(
    build_machine: BuildMachine, caplog: pytest.LogCaptureFixture, fault: Fault
) -> None:
    machine = build_machine(support=SUPPORT)
    visitor = machine.visitor()
    assert visitor.shown == "attract"
    with caplog.at_level(logging.INFO):
        fault.break_(machine)
        later(machine)
        assert (visitor.open("/").shown, code_shown(visitor)) == ("out_of_order", fault.code)
        for part in SUPPORT.values():
            assert part in visitor.page.text
        later(machine)
        fault.mend(machine)
        later(machine)
    assert visitor.open("/").shown == "attract"
    told = [record.getMessage() for record in caplog.records if "order" in record.getMessage()]
    assert [line.split(" ")[:2] for line in told] == [
        ["machine.out_of_order", f"code={fault.code}"],
        ["machine.in_order", f"code={fault.code}"],
    ]
    began, ended = machine.events("machine.out_of_order", "machine.in_order")
    assert (began.kind, began.reason, ended.kind, ended.reason) == (
        "machine.out_of_order",
        fault.code,
        "machine.in_order",
        fault.code,
    )
    assert ended.detail == {"seconds": 10}


def test_a_fault_of_the_journal_is_recorded_once_it_is_over(machine: Machine) -> None:
    visitor = machine.visitor()
    journal = machine.services.journal.database.path
    assert journal
    journal.rename(journal.with_name("moved.db"))
    later(machine)
    assert code_shown(visitor.open("/")) == "J1"
    journal.with_name("moved.db").rename(journal)
    later(machine)
    assert visitor.open("/").shown == "attract"
    later(machine)
    (ended,) = machine.events("machine.out_of_order", "machine.in_order")
    assert (ended.kind, ended.reason) == ("machine.in_order", "J1")


def test_a_lost_camera_keeps_the_slot_closed(machine: Machine) -> None:
    visitor = machine.visitor()
    _unplug(machine)
    machine.clock.pass_(5)
    assert code_shown(visitor.press("/start")) == "C1"
    assert not machine.hardware.slot_is_open()
    assert machine.happened() == []


def test_a_camera_lost_while_the_person_takes_the_item_back_is_no_error(build_machine: BuildMachine) -> None:
    machine = build_machine(cleanliness=["dirty"])
    visitor = machine.visitor().press("/start").press("/waste/pick-type")
    assert visitor.shown == "returned"
    _unplug(machine)
    machine.clock.pass_(5)
    assert (visitor.press("/start").page.status_code, visitor.shown) == (200, "returned")


def test_a_poor_picture_stops_no_deposit_but_is_shown_to_the_staff(build_machine: BuildMachine, tmp_path: Path) -> None:
    class Blurred(FolderCamera):
        def ping(self) -> None:
            raise BlurredPicture

    machine = build_machine(camera=Blurred(tmp_path / "pictures"))
    visitor = machine.visitor()
    assert visitor.shown == "attract"
    assert "C5" in visitor.page.text
    machine.services.watch.look()
    assert not machine.events("machine.out_of_order")
    assert visitor.press("/start").shown == "insert"


def test_without_anybody_to_call_the_staff_is_told(machine: Machine) -> None:
    machine.hardware.jam("slot")
    text = machine.visitor().page.text
    assert "Please give the staff this code: S1" in text
    assert "For the staff:" in text


def test_an_alert_carries_the_code(machine: Machine) -> None:
    monitoring = machine.services.operations.monitoring
    machine.hardware.jam("box")
    _unplug(machine)
    monitoring.look()
    fired = {event.reason: event.detail for event in machine.events("alert.fired")}
    assert {name: detail["code"] for name, detail in fired.items() if name in ("jammed", "camera")} == {
        "jammed": "S1",
        "camera": "C1",
    }
    machine.hardware.jam(None)
    monitoring.look()
    (cleared,) = machine.events("alert.cleared")
    assert (cleared.reason, cleared.detail["code"]) == ("jammed", "S1")


def test_maintenance_takes_no_deposit_and_ends_by_itself(machine: Machine) -> None:
    deposits, visitor = machine.services.deposits, machine.visitor()
    deposits.hold("marie")
    assert "Under maintenance" in visitor.press("/start").page.text
    assert code_shown(visitor) is None
    machine.services.watch.look()
    machine.clock.pass_(599)
    assert "Under maintenance" in visitor.open("/").page.text
    machine.clock.pass_(2)
    assert visitor.open("/").shown == "attract"


def test_a_slot_that_a_technician_opened_is_not_closed_on_their_hand(machine: Machine) -> None:
    deposits, visitor = machine.services.deposits, machine.visitor()
    deposits.hold("marie")
    deposits.slot.open()
    machine.clock.pass_(6000)
    machine.services.watch.look()
    assert machine.hardware.slot_is_open()
    assert "Under maintenance" in visitor.press("/start").page.text
    assert deposits.maintenance.seconds_left == 0
    deposits.slot.close()
    assert visitor.open("/").press("/start").page.text
    machine.services.watch.look()
    assert deposits.maintenance.actor == "", "the slot is that of a deposit now"
    visitor.press("/return").press("/done")
    assert not machine.hardware.slot_is_open()


def test_a_technician_who_leaves_has_the_slot_closed_and_the_lamp_off(machine: Machine) -> None:
    deposits = machine.services.deposits
    deposits.hold("marie")
    deposits.slot.open()
    deposits.slot.set_lamp(True)
    machine.services.watch.look()
    assert machine.hardware.lamp
    deposits.maintenance.end()
    machine.services.watch.look()
    assert not machine.hardware.slot_is_open()
    assert not machine.hardware.lamp


def test_a_deposit_under_way_is_finished_before_maintenance(machine: Machine) -> None:
    from triof.deposits.maintenance import MaintenanceRefused

    machine.visitor().press("/start")
    with pytest.raises(MaintenanceRefused):
        machine.services.deposits.hold("marie")


def test_the_camera_is_not_asked_at_each_look(build_machine: BuildMachine, tmp_path: Path) -> None:
    class Counted(FolderCamera):
        pings = 0

        def ping(self) -> None:
            Counted.pings += 1

    machine = build_machine(camera=Counted(tmp_path / "pictures"))
    visitor = machine.visitor()
    for _ in range(3):
        visitor.open("/")
    assert Counted.pings == 1
