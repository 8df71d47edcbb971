"""Deposits and what is written of them."""

import sqlite3
from contextlib import closing
from pathlib import Path

from tests.support.machines import Machine, Visitor

WHOLE = ["opened", "judged", "confirmed", "shredded"]


def judged(machine: Machine) -> Visitor:
    return machine.visitor().press("/start").press("/waste/pick-type")


def kinds(path: Path) -> list[str]:
    """What the journal at ``path`` holds of deposits, by another program's eyes."""
    with closing(sqlite3.connect(path)) as journal:
        rows = journal.execute("SELECT kind FROM events WHERE deposit_id IS NOT NULL ORDER BY at")
        return [kind.removeprefix("deposit.") for (kind,) in rows]


def look_again(machine: Machine) -> Machine:
    """Let the machine try to come back."""
    machine.clock.pass_(6)
    machine.services.watch.look()
    return machine


def code_shown(machine: Machine) -> str:
    """The code on the first page of a machine that takes nothing; empty where it takes items."""
    text = machine.visitor().page.text
    assert ("/start" in text) or ("Out of order" in text) or ("somebody is using" in text)
    return text.partition("this code: ")[2][:2]
