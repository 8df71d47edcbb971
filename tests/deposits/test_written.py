"""Nothing that a person confirmed is lost while the journal is gone, locked, or without room on its disk."""

import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from sqlalchemy import event
from sqlalchemy.pool import Pool

from tests.support.deposits import WHOLE, code_shown, judged, kinds, look_again
from tests.support.full_disk import fill, small_disk
from tests.support.machines import BuildMachine, Machine
from tools.kill_drill import SCRIPT
from tools.running_kiosk import RunningKiosk
from triof.access.users import Users
from triof.drills.visitor import Visitor as Person

pytestmark = pytest.mark.slow


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """The journal of the machine."""
    return tmp_path / "home" / "journal.db"


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Another program writes to the journal and does not end."""
    with closing(sqlite3.connect(path)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield


# ---- locked ----


def test_a_deposit_goes_on_while_the_journal_is_locked_and_is_written_later(machine: Machine, path: Path) -> None:
    visitor = machine.visitor().press("/start")
    with locked(path):
        visitor.press("/waste/pick-type")
        assert visitor.shown == "pick_type"
        visitor.press("/confirmation", waste_type="bottle").wait_idle().open("/confirmation")
        assert visitor.shown == "thanks"
        visitor.press("/done")
        assert code_shown(look_again(machine)) == "J2"
        assert kinds(path) == ["opened"]
    assert code_shown(look_again(machine)) == ""
    assert kinds(path) == WHOLE


def test_an_ending_that_the_journal_does_not_take_is_not_lost(build_machine: BuildMachine, path: Path) -> None:
    """Nor is the shredded item called interrupted when the machine is started again."""
    other = sqlite3.connect(path, check_same_thread=False)

    def lock() -> None:
        if not other.in_transaction and kinds(path)[-1:] == ["confirmed"]:
            other.execute("BEGIN IMMEDIATE")

    machine = build_machine(["cup"], moving=lock)
    judged(machine).press("/confirmation", waste_type="cup").wait_idle()
    assert kinds(path) == WHOLE[:3]
    # As after kill -9: nobody closes anything, and the lock outlives the machine.
    again = build_machine()
    assert code_shown(again) == "J2"
    other.close()
    assert code_shown(look_again(again)) == ""
    assert kinds(path) == WHOLE


def test_nothing_begins_while_the_journal_is_locked(machine: Machine, path: Path) -> None:
    visitor = machine.visitor()
    with locked(path):
        visitor.press("/start")
        assert (visitor.page.status_code, visitor.shown) == (200, "out_of_order")
        assert not machine.hardware.slot_is_open()
        assert code_shown(machine) == "J2"
        ready = machine.client().get("/readyz")
        assert ready.status_code == 503
        assert "end that program" in ready.text
    assert code_shown(look_again(machine)) == ""
    assert kinds(path) == []


def test_what_was_written_twice_is_there_once(build_machine: BuildMachine, path: Path) -> None:
    machine = build_machine()
    visitor = judged(machine)
    with locked(path):
        visitor.press("/confirmation", waste_type="bottle").wait_idle()
        outbox = (path.parent / "outbox.jsonl").read_bytes()
    look_again(machine)
    # As after a power cut between writing to the journal and emptying the outbox, with a line cut off.
    (path.parent / "outbox.jsonl").write_bytes(outbox + outbox[: len(outbox) // 2])
    build_machine()
    assert kinds(path) == WHOLE
    assert (path.parent / "outbox-unread.jsonl").read_bytes().strip() == outbox[: len(outbox) // 2]


# ---- gone ----


def _delete(path: Path) -> None:
    path.unlink()


def _replace(path: Path) -> None:
    other = path.with_name("other.db")
    with closing(sqlite3.connect(other)) as journal:
        journal.execute("CREATE TABLE something (else_ TEXT)")
    other.replace(path)


def _move_home(path: Path) -> None:
    path.parent.rename(path.parent.with_name("moved"))


def _cut(path: Path) -> None:
    with path.open("r+b") as file:
        file.truncate(0)


def _delete_wal(path: Path) -> None:
    path.with_name("journal.db-wal").unlink()


def _delete_shm(path: Path) -> None:
    path.with_name("journal.db-shm").unlink()


LOSSES = [_delete, _replace, _move_home, _cut, _delete_wal, _delete_shm]


@pytest.mark.parametrize("lose", LOSSES)
def test_a_journal_that_disappears_is_noticed_before_the_next_deposit(
    machine: Machine, path: Path, lose: Callable[[Path], None]
) -> None:
    judged(machine).press("/confirmation", waste_type="bottle").wait_idle().open("/").press("/done")
    visitor = machine.visitor()
    lose(path)
    visitor.press("/start")
    assert (visitor.page.status_code, visitor.shown) == (200, "out_of_order")
    assert not machine.hardware.slot_is_open()
    assert code_shown(machine) == "J1"
    ready = machine.client().get("/readyz")
    assert ready.status_code == 503
    assert "J1" in ready.text
    assert code_shown(look_again(machine)) == "J1"


def test_the_operator_hears_of_it_once_past_the_journal(
    machine: Machine, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    monitoring = machine.services.operations.monitoring
    caplog.set_level("INFO")
    moved = path.parent.with_name("moved")
    for _ in range(2):
        path.parent.rename(moved)
        for _ in range(3):
            monitoring.look()
            monitoring.alerts.finish()
        moved.rename(path.parent)
        look_again(machine)
        monitoring.look()
        monitoring.alerts.finish()
    told = [line for line in caplog.messages if line.startswith("alert.") and "name=journal" in line]
    assert [line.split()[0] for line in told] == ["alert.fired", "alert.cleared"] * 2
    assert "put it back" in told[0]


def test_pages_that_need_the_journal_say_so(machine: Machine, path: Path) -> None:
    Users(machine.services.journal.database).create("ada", "operator", "a long password of ten words")
    visitor = machine.visitor().open("/dashboard/login")
    path.unlink()
    visitor.press("/dashboard/login", name="ada", password="a long password of ten words")
    assert visitor.page.status_code == 503
    assert "The journal doesn" in visitor.page.text
    assert "triof doctor" in visitor.page.text


@pytest.mark.parametrize("lose", [_delete, _move_home, _delete_wal])
def test_nothing_is_shredded_whose_rows_would_be_lost(
    build_machine: BuildMachine, path: Path, lose: Callable[[Path], None]
) -> None:
    machine = build_machine()
    visitor = judged(machine)
    machine.hardware.instead["shred"] = lambda: pytest.fail("shredded")
    lose(path)
    visitor.press("/confirmation", waste_type="bottle").wait_idle().open("/confirmation")
    assert visitor.shown == "returned"
    # The simulated slot lies in the home folder itself, and is gone with it.
    if lose is not _move_home:
        assert "write down" in visitor.page.text
        assert machine.hardware.slot_is_open()


def test_a_journal_that_comes_back_is_used_again(machine: Machine, path: Path) -> None:
    visitor = judged(machine)
    home = path.parent
    home.rename(home.with_name("moved"))
    assert code_shown(machine) == "J1"
    home.with_name("moved").rename(home)
    assert code_shown(look_again(machine)) == ""
    visitor.press("/confirmation", waste_type="bottle").wait_idle().open("/confirmation")
    assert visitor.shown == "thanks"
    assert kinds(path) == WHOLE
    assert not list(home.glob("journal.lost*"))


@pytest.mark.parametrize("lose", [_delete, _replace])
def test_what_a_deleted_journal_held_is_kept_and_the_deposit_under_way_too(
    build_machine: BuildMachine, path: Path, lose: Callable[[Path], None]
) -> None:
    machine = build_machine()
    judged(machine).press("/confirmation", waste_type="bottle").wait_idle().open("/").press("/done")
    visitor = judged(machine)
    lose(path)
    visitor.press("/return")
    for _ in range(4):
        look_again(machine)
    machine.services.deposits.close()
    (lost,) = path.parent.glob("journal.lost-*.db")
    assert kinds(lost) == [*WHOLE, "opened", "judged"]
    assert lost.stat().st_mode & 0o777 == 0o600
    path.unlink(missing_ok=True)
    again = build_machine()
    assert code_shown(again) == ""
    assert kinds(path) == ["opened", "judged", "returned"]


# ---- without room ----


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """The machine's home on a disk of its own, which is small."""
    with small_disk(tmp_path / "home") as home:
        yield home


def test_a_full_disk_stops_the_machine_in_order_until_there_is_room(
    disk: Path, build_machine: BuildMachine, path: Path
) -> None:
    machine = build_machine()
    visitor = machine.visitor()
    in_the_way = fill(disk)
    visitor.press("/start")
    assert (visitor.page.status_code, visitor.shown) == (200, "out_of_order")
    assert code_shown(look_again(machine)) == "D1"
    assert "My disk is full" in machine.visitor().page.text
    ready = machine.client().get("/readyz")
    assert "D1" in ready.text
    assert "make room" in ready.text
    in_the_way.unlink()
    assert code_shown(look_again(machine)) == ""
    assert kinds(path) == []


def test_a_disk_that_fills_up_during_a_deposit_costs_nothing(
    disk: Path, build_machine: BuildMachine, path: Path
) -> None:
    machine = build_machine()
    visitor = judged(machine)
    in_the_way = fill(disk)
    visitor.press("/confirmation", waste_type="bottle").wait_idle().open("/confirmation")
    assert visitor.shown in ("thanks", "returned")
    shredded = visitor.shown == "thanks"
    # Killed, and started while the disk is still full.
    again = build_machine()
    in_the_way.unlink()
    assert code_shown(look_again(again)) == ""
    assert kinds(path) == (WHOLE if shredded else [*WHOLE[:3], "returned"])


def test_a_database_that_may_not_grow_is_told_as_full(machine: Machine, path: Path) -> None:
    def limit(connection: sqlite3.Connection, _: object) -> None:
        connection.execute("PRAGMA max_page_count=1")

    journal = machine.services.journal
    event.listen(Pool, "connect", limit)
    try:
        journal.database.close()
        for _ in range(50):
            visitor = machine.visitor()
            if code_shown(machine) or visitor.press("/start").shown in ("attract", "out_of_order"):
                break
            visitor.press("/waste/pick-type").press("/confirmation", waste_type="bottle").wait_idle().open("/")
            assert visitor.shown == "thanks"
            visitor.press("/done")
        assert code_shown(look_again(machine)) == "D1"
    finally:
        event.remove(Pool, "connect", limit)
        journal.database.close()
    assert code_shown(look_again(machine)) == ""
    assert kinds(path).count("opened") == kinds(path).count("shredded") > 0


def test_old_photos_make_room(disk: Path, build_machine: BuildMachine) -> None:
    machine = build_machine()
    old = disk / "photos" / "ab" / f"ab{'0' * 62}.jpg"
    old.parent.mkdir(parents=True)
    old.write_bytes(bytes(500_000))
    fill(disk)
    visitor = judged(look_again(machine))
    visitor.press("/confirmation", waste_type="bottle").wait_idle().open("/confirmation")
    assert visitor.shown == "thanks"
    assert not old.exists()


def test_a_kiosk_starts_on_a_full_disk_and_comes_back_by_itself(tmp_path: Path, new_journal: Path) -> None:
    with small_disk(tmp_path / "home") as home:
        shutil.copy(new_journal, home / "journal.db")
        (home / "machine_id").write_text("machine-1")
        in_the_way = fill(home)
        with RunningKiosk(home, {**SCRIPT, "TRIOF_LANGUAGE": "en"}) as kiosk:
            person = Person(kiosk.url)
            assert "My disk is full" in person.page.text
            assert person.open("/readyz").status_code == 503
            in_the_way.unlink()
            deadline = time.monotonic() + 20
            while "/start" not in person.open("/").text:
                assert time.monotonic() < deadline
            person.press("/start")
            assert person.shown == "insert"
