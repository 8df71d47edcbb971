"""Kill a running kiosk at random instants of running deposits and count what was lost: ``make kill-drill``.

Each round starts the machine on the same home folder, lets a person make deposits, and kills the process with
``kill -9`` after a random time. A confirmation counts as given when its answer reached the person. After the next
start every confirmation given must be in the journal, every deposit must have its ending, and the slot must be closed.
"""

import argparse
import random
import sqlite3
import sys
import tempfile
from collections import Counter
from contextlib import closing
from pathlib import Path
from threading import Timer

import requests

from tools.running_kiosk import QUICK, RunningKiosk
from triof.drills.visitor import Visitor
from triof.machine.hardware.simulated import SimulatedHardware

_LONGEST_SECONDS = 1.5
"""A deposit with quick movements takes about half of that, so kills fall into every step of the first few."""

SCRIPT = {
    **QUICK,
    "TRIOF_ROUTES__WASTE_TYPE": "fake",
    "TRIOF_ROUTES__CLEANLINESS": "fake",
    # Three are accepted, then one is handed back, so that kills also meet an open slot after a refusal.
    "TRIOF_FAKE__WASTE_TYPE": ",".join(["bottle", "cup", "cutlery", "other"] * 50),
}


def deposit_until_killed(url: str, confirmed: set[str], doing: Counter[str]) -> None:
    """Make one deposit after the other until the server is gone; note what was confirmed and what was under way."""
    step = "attract"
    try:
        person = Visitor(url)
        while True:
            step = "opening"
            person.press("/start")
            step = "judging"
            person.press("/waste/pick-type")
            if person.shown == "pick_type":
                step, deposit_id = "confirming", person.deposit_id
                person.press("/confirmation", waste_type=person.ticked)
                confirmed.add(deposit_id)
                step = "sorting"
                while person.shown == "sorting":
                    person.open("/confirmation")
            step = "ending"
            person.press("/done")
    except requests.RequestException:
        doing[step] += 1


def look(home: Path, confirmed: set[str]) -> tuple[int, int, bool]:
    """Confirmations lost, deposits without ending, and whether the slot is open."""
    with closing(sqlite3.connect(home / "journal.db")) as journal:
        written = {row[0] for row in journal.execute("SELECT deposit_id FROM events WHERE kind = 'deposit.confirmed'")}
        (unfinished,) = journal.execute(
            "SELECT count(DISTINCT deposit_id) FROM events WHERE deposit_id NOT IN (SELECT deposit_id FROM events WHERE"
            " kind IN ('deposit.shredded', 'deposit.returned', 'deposit.failed', 'deposit.interrupted'))"
        ).fetchone()
    return len(confirmed - written), unfinished, SimulatedHardware(home / "simulated_machine.json").slot_is_open()


def drill(home: Path, rounds: int, seed: int) -> bool:
    """Run the drill, print the counts, and say whether nothing was lost."""
    instants, confirmed, doing = random.Random(seed), set[str](), Counter[str]()
    left_open = lost = endless = 0
    for number in range(1, rounds + 1):
        with RunningKiosk(home, SCRIPT) as kiosk:
            Timer(instants.uniform(0, _LONGEST_SECONDS), kiosk.kill).start()
            deposit_until_killed(kiosk.url, confirmed, doing)
        left_open += SimulatedHardware(home / "simulated_machine.json").slot_is_open()
        with RunningKiosk(home, SCRIPT):
            now_lost, unfinished, still_open = look(home, confirmed)
        lost, endless = max(lost, now_lost), endless + unfinished + still_open
        print(f"\r{number} of {rounds} kills", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    print(f"killed {rounds} times while: {dict(doing)}; the slot was open at {left_open} of the kills")
    print(f"confirmed {len(confirmed)} deposits, lost {lost}")
    print(f"after the next start: {endless} open slots or deposits without an ending")
    return not lost and not endless


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="triof-") as home:
        sys.exit(0 if drill(Path(home), options.rounds, options.seed) else 1)


if __name__ == "__main__":
    main()
