"""The servers of the tour, each with the scenes that are taken there one after the other."""

import csv
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import requests
from PIL import Image

from tools import journal_bench
from tools.running_kiosk import QUICK, RunningKiosk, free_port
from tools.screens import deposits, desks, faults
from tools.screens.visit import ScreenState
from triof.access.technician_pin import TechnicianPin
from triof.access.users import Users
from triof.common.paths import DEMO_PICTURES
from triof.journal.journal import Journal
from triof.machine.reference_store import ReferenceStore
from triof.settings.sections.machine.camera import CameraSettings
from triof.storage.database import Database

ROOT = Path(__file__).parents[2]
_PAST_DEPOSITS = 20_000
"""Of three years."""
_EMPTIED_DAYS_AGO = {"bottle": 4, "cup": 9, "cutlery": 12}
_NEVER = "3600"
_LOCAL = "tools.screens.scripted:ScriptedLocal"
_SCRIPTED = {
    **QUICK,
    "PYTHONPATH": str(ROOT),
    "TRIOF_MODE": "local",
    "TRIOF_MACHINE_ID": "canteen-1",
    "TRIOF_MACHINE__NAME": "Cantine",
    "TRIOF_SUPPORT__NAME": "Atelier Nord",
    "TRIOF_SUPPORT__PHONE": "+33 1 23 45 67 89",
    "TRIOF_ROUTES__WASTE_TYPE": _LOCAL,
    "TRIOF_ROUTES__CLEANLINESS": _LOCAL,
    "TRIOF_SLOT__KIND": "tools.screens.scripted:ScriptedHardware",
    "TRIOF_DEADLINE_SECONDS": "60",
    "TRIOF_DEPOSIT__IDLE_SECONDS": _NEVER,
    "TRIOF_DEPOSIT__RETURN_SECONDS": "99",
    "TRIOF_DEPOSIT__THANKS_SECONDS": _NEVER,
}
_CLOUD = {
    "TRIOF_MODE": "cloud",
    "TRIOF_ROUTES__WASTE_TYPE": f"tools.screens.scripted:ScriptedCloud,{_LOCAL}",
}
_IMPATIENT = {
    "TRIOF_DEPOSIT__IDLE_SECONDS": "45",
    "TRIOF_DEPOSIT__WARNING_SECONDS": "44",
    "TRIOF_DEPOSIT__RETURN_SECONDS": "45",
    "TRIOF_DEADLINE_SECONDS": "20",
}
"""A question is on the screen for as long as its pictures take."""
_TENANT = {
    "TRIOF_TENANT__NAME": "Ateliers du Parc",
    "TRIOF_TENANT__LOGO": "logo.png",
    "TRIOF_TENANT__COLOURS__MAIN": "#1f4e8c",
    "TRIOF_TENANT__COLOURS__PAPER": "#eef3fa",
    "TRIOF_TENANT__WHERE_ELSE__OTHER__FR": "Bac jaune, au fond du couloir",
    "TRIOF_TENANT__WHERE_ELSE__OTHER__EN": "Yellow bin, at the end of the corridor",
    "TRIOF_TENANT__WHERE_ELSE__OTHER__PICTURE": "bin.png",
    "TRIOF_TENANT__WHERE_ELSE__DIRTY__FR": "Évier, à droite de la fontaine",
    "TRIOF_TENANT__WHERE_ELSE__DIRTY__EN": "Sink, right of the water fountain",
}


@dataclass(frozen=True)
class Lane:
    """One server and its scenes; ``serve`` runs it on a home folder and gives its address."""

    name: str
    scenes: tuple[ScreenState, ...]
    serve: Callable[[Path], AbstractContextManager[str]]
    scripted: bool = True


def _run(home: Path, *words: object, **environ: str) -> None:
    command = [sys.executable, "-m", "triof.cli", *map(str, words)]
    subprocess.run(command, env={**_environ(home), **environ}, check=True, stdout=subprocess.DEVNULL)


def _environ(home: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TRIOF_")}
    return {**kept, **_SCRIPTED, "TRIOF_HOME": str(home), "TRIOF_CAMERA__FOLDER": str(home / "pictures")}


@contextmanager
def _kiosk(home: Path, **changes: str) -> Iterator[str]:
    kind = changes.get("TRIOF_CAMERA__KIND", "folder")
    TechnicianPin(home).set(desks.PIN)
    if kind == "folder":
        camera = CameraSettings(kind="folder", folder=home / "pictures")
        with Image.open(deposits.empty_slot(home)) as empty:
            ReferenceStore(home, camera).save(empty.convert("RGB"), *empty.size)
    with RunningKiosk(home, {**_environ(home), "TRIOF_CAMERA__KIND": kind, **changes}) as kiosk:
        yield kiosk.url


@contextmanager
def _tenant(home: Path) -> Iterator[str]:
    config = home / "config"
    config.mkdir()
    for name, size, colour in (("logo.png", (480, 160), "#1f4e8c"), ("bin.png", (300, 300), "#ffc21a")):
        Image.new("RGB", size, colour).save(config / name)
    with _kiosk(home, **_TENANT) as url:
        yield url


@contextmanager
def _interrupted(home: Path) -> Iterator[str]:
    """A machine that lost its power while an item was in it."""
    with RunningKiosk(home, _environ(home)) as kiosk, requests.Session() as person:
        for path in ("/start", "/waste/pick-type"):
            token = re.search(r'name="csrf_token" value="([^"]+)"', person.get(kiosk.url).text)
            assert token
            person.post(f"{kiosk.url}{path}", {"csrf_token": token[1]})
        kiosk.kill()
    with _kiosk(home) as url:
        yield url


def _with(changes: Mapping[str, str]) -> Callable[[Path], AbstractContextManager[str]]:
    return lambda home: _kiosk(home, **changes)


def _emptied(database: Database, waste_type: str, at: datetime) -> None:
    journal = Journal(database, lambda: at)
    journal.record("box.emptied", waste_type=waste_type, reason="1", who=desks.NAME, items=60, grams=1500.0)


@contextmanager
def _kiosk_with_past(home: Path) -> Iterator[str]:
    path = home / "journal.db"
    now = datetime.now(UTC)
    journal_bench.fill(path, _PAST_DEPOSITS, now)
    with closing(Database(f"sqlite:///{path}", journal_bench.MACHINE)) as database:
        Users(database).create(desks.NAME, "technician", desks.PASSWORD)
        for waste_type, days in _EMPTIED_DAYS_AGO.items():
            _emptied(database, waste_type, now - timedelta(days=days))
    with _kiosk(home, TRIOF_MACHINE_ID=journal_bench.MACHINE) as url:
        yield url


def _photos(home: Path) -> Path:
    """Write a manifest of the demo pictures; return its path."""
    manifest = home / "manifest.csv"
    with manifest.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(("path", "waste_type", "cleanliness", "group", "split"))
        for path in sorted(DEMO_PICTURES.glob("*.jpg")):
            waste_type, state, _ = path.stem.split("-")
            clean = state if state in ("clean", "dirty") else ""
            rows.writerow((path, waste_type, clean, path.stem, "test"))
    return manifest


@contextmanager
def _labelling(home: Path) -> Iterator[str]:
    port = free_port()
    words = ["dataset", "label", _photos(home), "--order", "as-is", "--task", "waste_type", "--port", port]
    command = [sys.executable, "-u", "-m", "triof.cli", *map(str, words)]
    with subprocess.Popen(command, env=_environ(home), stdout=subprocess.PIPE, text=True, cwd=home) as running:
        assert running.stdout
        if not any("to look at" in line for line in running.stdout):
            raise RuntimeError("the label page did not start")
        yield f"http://127.0.0.1:{port}"
        running.terminate()


@contextmanager
def _reports(home: Path) -> Iterator[str]:
    _run(home, "evaluate", "--data", _photos(home), "--report", home / "evaluation.html", PYTHONPATH=str(ROOT))
    yield home.as_uri()


LANES = (
    Lane("deposits", deposits.SCENES, _with({})),
    Lane("faults", faults.SCENES, _with({})),
    Lane("patience", faults.PATIENCE, _with(_IMPATIENT)),
    Lane("camera", deposits.OWN_CAMERA, _with({"TRIOF_CAMERA__KIND": "browser"})),
    Lane("tenant", deposits.TENANT, _tenant),
    Lane("low", deposits.LOW, _with({"TRIOF_TOUCHSCREEN__REACH": "low"})),
    Lane("interrupted", faults.INTERRUPTED, _interrupted),
    Lane("cloud", faults.CLOUD_AWAY, _with(_CLOUD)),
    Lane("technician", desks.TECHNICIAN_PAGES, _with({})),
    Lane("dashboard", desks.DASHBOARD_PAGES, _kiosk_with_past),
    Lane("labels", desks.LABEL_PAGES, _labelling, scripted=False),
    Lane("reports", desks.REPORTS, _reports, scripted=False),
)
