"""A kiosk in a process of its own, killed in the middle of deposits: the drill that `make kill-drill` runs longer."""

from pathlib import Path

import pytest

from testing.gpio_bench import Bench
from tests.support.raw_clients import eventually
from tools.kill_drill import SCRIPT, SlotOnPins, drill, look
from tools.running_kiosk import RunningKiosk
from triof.drills.visitor import Visitor

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(("rounds", "hardware", "camera"), [(1, "simulated", "folder"), (2, "gpiozero", "webcam")])
def test_kills_lose_no_confirmation_and_leave_no_slot_open_and_no_motor_on(
    rounds: int, hardware: str, camera: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert drill(tmp_path / "home", rounds, seed=5, hardware=hardware, camera=camera)
    assert "lost 0" in capsys.readouterr().out


def test_a_kiosk_on_pins_that_is_killed_while_shredding_leaves_no_motor_on(tmp_path: Path) -> None:
    home = tmp_path / "home"
    machine = SlotOnPins(home)
    environ = {**SCRIPT, **machine.environ, "TRIOF_SLOT__GPIOZERO__SHRED_SECONDS": "14"}
    bench = Bench(tmp_path / "home-bench")
    relay = bench.table.shredder_relay
    with RunningKiosk(home, environ) as kiosk:
        person = Visitor(kiosk.url)
        person.press("/start")
        person.press("/waste/pick-type")
        person.press("/confirmation", waste_type=person.ticked)
        assert eventually(lambda: bench.level(relay) == 1)
        kiosk.kill()
        assert eventually(lambda: bench.driven() == {})
    with RunningKiosk(home, environ) as kiosk:
        assert Visitor(kiosk.url).shown == "attract"
        assert not machine.is_open()
    assert look(home, set()) == (0, 0)
    assert bench.driven() == {}


def test_an_orderly_stop_finishes_what_was_begun(tmp_path: Path) -> None:
    with RunningKiosk(tmp_path, SCRIPT) as kiosk:
        person = Visitor(kiosk.url)
        person.press("/start")
        person.press("/waste/pick-type")
        person.press("/confirmation", waste_type=person.ticked)
    with RunningKiosk(tmp_path, SCRIPT) as kiosk:
        assert Visitor(kiosk.url).shown == "attract"
    from sqlalchemy import create_engine, text

    with create_engine(f"sqlite:///{tmp_path / 'journal.db'}").connect() as journal:
        kinds = set(journal.scalars(text("SELECT kind FROM events")))
    assert "deposit.shredded" in kinds
    assert "deposit.interrupted" not in kinds


def test_a_port_in_use_is_one_clear_line(tmp_path: Path) -> None:
    with RunningKiosk(tmp_path / "one", SCRIPT) as kiosk:
        second = RunningKiosk(tmp_path / "two", SCRIPT)
        second.port = kiosk.port
        with pytest.raises(RuntimeError, match=r"Cannot listen on .* choose another port") as refused, second:
            pass
    assert "Traceback" not in str(refused.value)


def test_a_second_kiosk_does_not_touch_the_machine_of_the_first(tmp_path: Path) -> None:
    with RunningKiosk(tmp_path, SCRIPT) as kiosk:
        person = Visitor(kiosk.url)
        person.press("/start")
        with pytest.raises(RuntimeError, match="Another kiosk runs the machine"), RunningKiosk(tmp_path, SCRIPT):
            pass
        person.press("/waste/pick-type")
        assert person.shown == "pick_type"
