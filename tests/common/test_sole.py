"""What must not be done twice is done by one process of a home folder."""

from pathlib import Path
from threading import Thread

from triof.common.process_lock import ProcessLock


def in_a_thread_of_its_own(sole: ProcessLock) -> bool:
    claims: list[bool] = []
    thread = Thread(target=lambda: claims.append(sole.is_ours()))
    thread.start()
    thread.join()
    return claims[0]


def test_whoever_comes_first_has_it_until_given_back(tmp_path: Path) -> None:
    first, second = ProcessLock(tmp_path / "x.lock"), ProcessLock(tmp_path / "x.lock")
    # As rounds and jobs do: the thread that works claims it, the one that ends the program gives it back.
    assert in_a_thread_of_its_own(first)
    assert in_a_thread_of_its_own(first)
    assert not in_a_thread_of_its_own(second)
    first.release()
    assert in_a_thread_of_its_own(second)
    second.release()


def test_where_no_lock_can_be_had_nobody_works(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert not ProcessLock(tmp_path / "file" / "x.lock").is_ours()
