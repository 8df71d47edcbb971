"""Guesses at passwords: they slow down whoever makes them, and keep no account's owner out."""

import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.support.dashboard import PASSWORD, Person, create
from tests.support.machines import BuildMachine, Machine

pytestmark = pytest.mark.slow

STRANGER, OWNER = "203.0.113.9", "198.51.100.7"
LONGEST = 60


@pytest.fixture
def machine(build_machine: BuildMachine) -> Machine:
    """One behind a proxy on the same computer, with two users whose passwords cost nothing to check."""
    machine = build_machine(server={"trusted_proxies": ["127.0.0.1"]})
    create(machine)
    create(machine, "paul")
    return machine


Guess = Callable[..., tuple[int, int]]


@pytest.fixture
def guess(machine: Machine) -> Guess:
    """Guess from a new browser at an address; gives the status and the seconds to wait."""

    def make(address: str, password: str = "guess", name: str = "marie") -> tuple[int, int]:
        client = machine.client()
        client.environ_base["HTTP_X_FORWARDED_FOR"] = address
        page = Person(client).log_in(name, password).page
        return page.status_code, int(page.headers.get("Retry-After", 0))

    return make


def test_a_stranger_keeps_nobody_out(machine: Machine, guess: Guess) -> None:
    made = Counter(guess(STRANGER)[0] for _ in range(60))
    assert made == {401: 8, 429: 52}
    assert guess(OWNER, PASSWORD) == (303, 0)
    assert guess(STRANGER, PASSWORD)[0] == 429, "the right password waits as well"
    for number in range(100):
        guess(STRANGER, name=f"user{number}")
    assert guess(STRANGER, name="somebody else")[0] == 429, "whatever the name"
    assert guess(OWNER, PASSWORD, "paul") == (303, 0)


def test_the_wait_doubles_up_to_a_minute_and_the_right_password_ends_it(machine: Machine, guess: Guess) -> None:
    for _ in range(8):
        assert guess(STRANGER) == (401, 0)
    for expected in (1, 2, 4, 8, 16, 32, LONGEST, LONGEST):
        assert guess(STRANGER) == (429, expected)
        machine.clock.pass_(expected - 0.5)
        assert guess(STRANGER) == (429, 1)
        machine.clock.pass_(0.5)
        assert guess(STRANGER) == (401, 0)
    machine.clock.pass_(LONGEST)
    assert guess(STRANGER, PASSWORD) == (303, 0)
    assert [guess(STRANGER)[0] for _ in range(9)] == [401] * 8 + [429], "it begins anew"


def test_guesses_are_forgotten_after_a_quarter_of_an_hour(machine: Machine, guess: Guess) -> None:
    for _ in range(8):
        guess(STRANGER)
    machine.clock.pass_(15 * 60)
    assert [guess(STRANGER)[0] for _ in range(9)] == [401] * 8 + [429]


def test_many_strangers_share_the_wait_of_an_account(machine: Machine, guess: Guess) -> None:
    made = Counter(guess(f"203.0.113.{number}")[0] for number in range(40) for _ in range(2))
    assert made == {401: 40 + 20, 429: 20}
    assert guess(OWNER)[0] == 401, "a first guess is free, also a wrong one"
    status, seconds = guess(OWNER, PASSWORD)
    assert (status, seconds <= LONGEST) == (429, True)
    machine.clock.pass_(seconds)
    assert guess(OWNER, PASSWORD) == (303, 0)
    assert guess("198.51.100.8", PASSWORD) == (303, 0)


def test_a_browser_that_was_logged_in_before_does_not_wait_for_strangers_at_its_address(machine: Machine) -> None:
    owner = Person(machine.client()).log_in("marie")
    owner.open("").send("/logout")
    for name in ("marie", "paul"):
        for _ in range(8):
            Person(machine.client()).log_in(name, "guess")
        assert Person(machine.client()).log_in(name).page.status_code == 429
    assert owner.log_in("paul").page.status_code == 429, "only to the account that it knows"
    assert owner.log_in("marie").is_in
    owner.open("").send("/logout")
    made = [owner.log_in("marie", "guess").page.status_code for _ in range(9)]
    assert made == [401] * 8 + [429], "its own guesses count"


def test_people_who_share_an_address_do_not_wait_for_each_others_logins(machine: Machine, guess: Guess) -> None:
    assert {guess(OWNER, PASSWORD, name) for name in ("marie", "paul") * 40} == {(303, 0)}


def test_a_network_of_ipv6_is_one_source(guess: Guess) -> None:
    made = [guess(f"2001:db8:0:7::{number:x}")[0] for number in range(1, 10)]
    assert made == [401] * 8 + [429]
    assert guess("2001:db8:0:8::1")[0] == 401


def test_of_many_guesses_at_once_none_slips_through(guess: Guess) -> None:
    with ThreadPoolExecutor(16) as pool:
        made = Counter(status for status, _ in pool.map(lambda _: guess(STRANGER), range(32)))
    assert made == {401: 8, 429: 24}


@pytest.mark.parametrize("days", [-1, 1])
def test_the_wall_clock_plays_no_part(
    machine: Machine, guess: Guess, monkeypatch: pytest.MonkeyPatch, days: int
) -> None:
    for _ in range(8):
        guess(STRANGER)
    turned = time.time() + days * 86_400
    monkeypatch.setattr(time, "time", lambda: turned)
    assert guess(STRANGER) == (429, 1)
    machine.clock.pass_(1)
    assert guess(STRANGER, PASSWORD) == (303, 0)


def test_the_page_says_how_long_to_wait(machine: Machine) -> None:
    person = Person(machine.client())
    for _ in range(9):
        person.log_in("marie", "guess")
    assert "Try again in 1 s." in person.page.text
    person.client.get("/dashboard/login?lang=fr")
    assert "Réessayez dans 1\u00a0s." in person.log_in("marie", "guess").page.text
