"""Which photos of whole deposits are on the disk, by ``privacy.keep_photos``."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.support.machines import BuildMachine, Machine, Visitor

pytestmark = pytest.mark.slow

UNSURE = {"bottle": 0.4, "cup": 0.35, "cutlery": 0.15, "other": 0.1}


def on_disk(machine: Machine) -> Sequence[Path]:
    """Every file in the folder of the photos, finished or not."""
    return [path for path in (machine.services.operations.settings.home / "photos").rglob("*") if path.is_file()]


def judged(machine: Machine) -> Visitor:
    return machine.visitor().press("/start").press("/waste/pick-type")


def confirm(machine: Machine, chosen: str) -> None:
    visitor = judged(machine)
    visitor.press("/confirmation", waste_type=chosen)
    if visitor.shown == "pick_type":
        visitor.press("/confirmation", waste_type=chosen, sure="1")
    visitor.wait_idle().open("/").press("/done")


def build(build_machine: BuildMachine, keep: str, **steps: object) -> Machine:
    return build_machine(privacy={"keep_photos": keep}, **steps)


def test_all_are_kept_by_default(machine: Machine) -> None:
    confirm(machine, "bottle")
    assert len(on_disk(machine)) == 1


def test_none_is_ever_written(build_machine: BuildMachine) -> None:
    machine = build(build_machine, "none", waste_type=[UNSURE, "bottle"])
    visitor = judged(machine)
    assert not on_disk(machine)
    assert visitor.open(photo_shown(visitor)).page.data.startswith(b"\xff\xd8"), "the person sees it all the same"
    visitor.open("/").press("/confirmation", waste_type="cup").wait_idle().open("/").press("/done")
    confirm(machine, "cup")
    assert not on_disk(machine)


def photo_shown(visitor: Visitor) -> str:
    return visitor.page.text.partition('<img src="')[2].partition('"')[0]


def test_a_sure_and_agreed_one_is_never_written(build_machine: BuildMachine) -> None:
    machine = build(build_machine, "unsure_and_corrected")
    visitor = judged(machine)
    assert not on_disk(machine)
    visitor.press("/confirmation", waste_type="bottle").wait_idle().open("/").press("/done")
    assert not on_disk(machine)


def test_an_unsure_one_is_kept_at_once(build_machine: BuildMachine) -> None:
    machine = build(build_machine, "unsure_and_corrected", waste_type=[UNSURE])
    judged(machine)
    (path,) = on_disk(machine)
    assert path == machine.services.photo_store.path(machine.events("deposit.judged")[0].detail["photo"])


def test_a_corrected_one_is_kept_from_the_correction_on(build_machine: BuildMachine) -> None:
    machine = build(build_machine, "unsure_and_corrected")
    visitor = judged(machine).press("/confirmation", waste_type="cup")
    assert (visitor.shown, on_disk(machine)) == ("pick_type", []), "asked once more"
    visitor.press("/confirmation", waste_type="cup", sure="1").wait_idle().open("/").press("/done")
    assert [event.reason for event in machine.events("deposit.confirmed")] == ["corrected"]
    assert len(on_disk(machine)) == 1


@pytest.mark.parametrize("action", ["/return", "time"])
def test_an_unconfirmed_one_is_never_written(build_machine: BuildMachine, action: str) -> None:
    machine = build(build_machine, "unsure_and_corrected")
    visitor = judged(machine)
    if action == "time":
        machine.clock.pass_(1000)
        machine.services.deposits.expire()
    else:
        visitor.press(action)
    assert [event.kind for event in machine.events("deposit.returned")]
    assert not on_disk(machine)


def test_a_refused_one_is_never_written(build_machine: BuildMachine) -> None:
    machine = build(build_machine, "unsure_and_corrected", cleanliness=["dirty"])
    assert judged(machine).shown == "returned"
    assert not on_disk(machine)


def test_earlier_photos_go_when_none_may_be_kept_any_more(build_machine: BuildMachine) -> None:
    confirm(build_machine(), "bottle")
    machine = build(build_machine, "none")
    assert len(on_disk(machine)) == 1
    machine.services.photo_store.prune()
    assert not on_disk(machine)
