"""Kill a running kiosk at random instants of running deposits and count what was lost: ``make kill-drill``.

Each round starts the machine on the same home folder, lets a person make deposits, and kills the process with
``kill -9`` after a random time. A confirmation counts as given when its answer reached the person. After the start of
the next round every confirmation given must be in the journal, every deposit must have its ending, and the slot must be
closed.
With ``--hardware gpiozero`` the parts are on mock pins, and no motor may run once the driver's process has noticed;
with ``--camera webcam`` photos come from a stand-in for OpenCV's device, which is read all the time.
"""

import argparse
import math
import os
import random
import sqlite3
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from threading import Timer

import requests

import testing.opencv
from tools.running_kiosk import QUICK, RunningKiosk
from triof.drills.visitor import Visitor
from triof.machine.hardware.simulated import SimulatedHardware

_LONGEST_SECONDS = 1.5
"""A deposit with quick movements takes about half of that, so kills fall into every step of the first few. A
busy computer needs more."""

SCRIPT = {
    **QUICK,
    "TRIOF_ROUTES__WASTE_TYPE": "fake",
    "TRIOF_ROUTES__CLEANLINESS": "fake",
    # Three are accepted, then one is handed back, so that kills also meet an open slot after a refusal.
    "TRIOF_FAKE__WASTE_TYPE": ",".join(["bottle", "cup", "cutlery", "other"] * 50),
}


PINS = {
    "TRIOF_SLOT__KIND": "gpiozero",
    "TRIOF_SLOT__GPIOZERO__PIN_FACTORY": "testing.gpio_bench:BenchFactory",
    "TRIOF_SLOT__GPIOZERO__SLOT_SECONDS": "0.05",
    "TRIOF_SLOT__GPIOZERO__BOX_SECONDS": "0.1",
    "TRIOF_SLOT__GPIOZERO__SHRED_SECONDS": "0.15",
}
_OFF_SECONDS = 10.0
"""More than the heartbeat: by then everything has to be off."""


class SimulatedSlot:
    """The simulated machine, as it stands in the home folder."""

    environ: Mapping[str, str] = {}

    def __init__(self, home: Path) -> None:
        self._hardware = SimulatedHardware(home / "simulated_machine.json")

    def is_open(self) -> bool:
        """Whether the slot is open."""
        return self._hardware.slot_is_open()

    def seconds_until_off(self) -> float:
        """After a kill; a pause that has ended drives nothing."""
        return 0.0


class SlotOnPins:
    """The machine on mock pins, whose files are in a folder beside the home."""

    def __init__(self, home: Path) -> None:
        from testing.gpio_bench import FOLDER, Bench

        self._bench = Bench(home.with_name(f"{home.name}-bench"))
        self._bench.folder.mkdir()
        self.environ = {**PINS, FOLDER: str(self._bench.folder)}

    def is_open(self) -> bool:
        """Whether the slot is open."""
        return self._bench.is_slot_open()

    def seconds_until_off(self) -> float:
        """Seconds from now until no motor is driven; infinite if that never comes."""
        began = time.monotonic()
        table = self._bench.table
        while self._bench.driven().keys() & {table.slot_servo, table.box_servo, table.shredder_relay}:
            if time.monotonic() - began > _OFF_SECONDS:
                return math.inf
            time.sleep(0.01)
        return time.monotonic() - began


MACHINES: Mapping[str, Callable[[Path], SimulatedSlot | SlotOnPins]] = {
    "simulated": SimulatedSlot,
    "gpiozero": SlotOnPins,
}

STAND_IN = Path(testing.opencv.__file__).parent
"""Holds a module ``cv2``; only the camera imports that in a kiosk."""


def folder_camera(_home: Path) -> Mapping[str, str]:
    """The demo's pictures."""
    return {}


def webcam(home: Path) -> Mapping[str, str]:
    """The camera kind ``webcam`` with a stand-in for OpenCV; the device lies beside the home folder."""
    device = home.with_name(f"{home.name}-devices") / "video0"
    device.parent.mkdir()
    device.touch()
    return {
        "TRIOF_CAMERA__KIND": "webcam",
        "TRIOF_CAMERA__WEBCAM__DEVICE": str(device),
        "TRIOF_CAMERA__WEBCAM__SETTLE_SECONDS": "0.05",
        "PYTHONPATH": os.pathsep.join([str(STAND_IN), os.environ.get("PYTHONPATH", "")]),
    }


CAMERAS: Mapping[str, Callable[[Path], Mapping[str, str]]] = {"folder": folder_camera, "webcam": webcam}


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


def look(home: Path, confirmed: set[str]) -> tuple[int, int]:
    """Confirmations lost, and deposits without ending."""
    with closing(sqlite3.connect(home / "journal.db")) as journal:
        written = {row[0] for row in journal.execute("SELECT deposit_id FROM events WHERE kind = 'deposit.confirmed'")}
        (unfinished,) = journal.execute(
            "SELECT count(DISTINCT deposit_id) FROM events WHERE deposit_id NOT IN (SELECT deposit_id FROM events WHERE"
            " kind IN ('deposit.shredded', 'deposit.returned', 'deposit.failed', 'deposit.interrupted'))"
        ).fetchone()
    return len(confirmed - written), unfinished


def drill(
    home: Path,
    rounds: int,
    seed: int,
    *,
    hardware: str = "simulated",
    camera: str = "folder",
    longest_seconds: float = _LONGEST_SECONDS,
) -> bool:
    """Run the drill, print the counts, and say whether nothing was lost."""
    instants, confirmed, doing = random.Random(seed), set[str](), Counter[str]()
    machine = MACHINES[hardware](home)
    environ = {**SCRIPT, **machine.environ, **CAMERAS[camera](home)}
    left_open = lost = endless = 0
    longest_on = 0.0
    for number in range(rounds + 1):
        with RunningKiosk(home, environ) as kiosk:
            if number:
                # The start after a kill is that of the next round.
                now_lost, unfinished = look(home, confirmed)
                shown = Visitor(kiosk.url).shown
                endless += shown not in ("attract", "interrupted") or machine.is_open()
                lost, endless = max(lost, now_lost), endless + unfinished
                print(f"\r{number} of {rounds} kills", end="", file=sys.stderr, flush=True)
            if number == rounds:
                break
            Timer(instants.uniform(0, longest_seconds), kiosk.kill).start()
            deposit_until_killed(kiosk.url, confirmed, doing)
            longest_on = max(longest_on, machine.seconds_until_off())
        left_open += machine.is_open()
    print(file=sys.stderr)
    print(f"killed {rounds} times while: {dict(doing)}; the slot was open at {left_open} of the kills")
    print(f"confirmed {len(confirmed)} deposits, lost {lost}")
    print(f"after the next start: {endless} open slots or deposits without an ending")
    if hardware != "simulated":
        print(f"motors were off at most {longest_on:.2f} s after the person's page had broken off")
    return not lost and not endless and longest_on < _OFF_SECONDS


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--hardware", choices=MACHINES, default="simulated")
    parser.add_argument("--camera", choices=CAMERAS, default="folder")
    parser.add_argument("--longest-seconds", type=float, default=_LONGEST_SECONDS)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="triof-") as home:
        place = Path(home) / "home"
        is_well = drill(
            place,
            options.rounds,
            options.seed,
            hardware=options.hardware,
            camera=options.camera,
            longest_seconds=options.longest_seconds,
        )
        sys.exit(0 if is_well else 1)


if __name__ == "__main__":
    main()
