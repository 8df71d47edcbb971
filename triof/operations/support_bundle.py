"""The support bundle: a zip for the people who help from afar. It holds no photo, and no secret.

Secrets are left out twice: the settings print them hidden, and each text is searched for their values at the end.
"""

from __future__ import annotations

import io
import json
import platform
import re
import sys
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, SecretStr

from triof import __version__
from triof.observability import system_stats
from triof.operations.records import latest_faults, log_tail
from triof.settings.loader import Loaded, rows

if TYPE_CHECKING:
    from triof.journal.journal import Journal
    from triof.judging.sorter import Sorter
    from triof.observability.health_checks.runner import HealthReport
    from triof.settings.tree import Settings

HIDDEN = "**********"
_LIBRARIES = ("ai-edge-litert", "Flask", "gpiozero", "lgpio", "numpy", "opencv-python-headless", "picamera2", "Pillow")
_SHORTEST_SECRET = 4
"""Characters; shorter values would be found everywhere."""
_LOG_LINES = 2000
_CREDENTIALS = re.compile(r"(\w+://)[^\s/@'\"]+@")


def versions(sorter: Sorter) -> Mapping[str, str]:
    """Return the versions of Triof, its models, its libraries and the computer."""
    models = {
        f"model {task}": f"{member.name} {card.version}"
        for task in ("waste_type", "cleanliness")
        for member in sorter.router.members(task)
        if (card := getattr(member, "card", None))
    }
    return {
        "triof": __version__,
        **models,
        "python": platform.python_version(),
        "system": platform.platform(),
        **dict(_libraries()),
    }


def build(settings: Settings, journal: Journal, sorter: Sorter, health: HealthReport) -> bytes:
    """Return the zip's bytes."""
    texts = {
        "versions.txt": _table(versions(sorter).items()),
        "settings.txt": _table((name, value) for name, value, _ in rows(Loaded(settings, {}))),
        "health.txt": _table((check.name, f"{found.status}\t{found.text}") for check, found in health.results.items()),
        "faults.txt": "".join(f"{json.dumps(fault._asdict(), default=str)}\n" for fault in latest_faults(journal, 200)),
        "computer.txt": _table(_computer(settings.home)),
        "log.jsonl": "".join(f"{line}\n" for line in log_tail(settings.home, _LOG_LINES)),
        "README.txt": f"Support bundle of machine {journal.machine_id}, {datetime.now(UTC):%Y-%m-%d %H:%M} UTC.\n"
        "It holds no photo and no secret: look through it before you send it.\n",
    }
    hidden = sorted(_secrets(settings), key=len, reverse=True)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as bundle:
        for name, text in texts.items():
            bundle.writestr(name, _without(hidden, text))
    return packed.getvalue()


def _libraries() -> Iterator[tuple[str, str]]:
    for name in _LIBRARIES:
        try:
            yield name, metadata.version(name)
        except metadata.PackageNotFoundError:
            continue


def _computer(home: Path) -> Iterator[tuple[str, str]]:
    yield "machine", platform.machine()
    yield "arguments", " ".join(sys.argv[1:])
    yield "memory free", f"{system_stats.memory_available_bytes() / 1e6:.0f} MB"
    yield "temperature", f"{system_stats.temperature_celsius()} °C"
    try:
        yield "disk free", f"{system_stats.disk_free_bytes(home) / 1e6:.0f} MB"
    except OSError as error:
        yield "disk free", str(error)
    for name, addresses in system_stats.network_addresses().items():
        yield f"network {name}", ", ".join(addresses) or "down"


def _table(lines: Any) -> str:
    return "".join(f"{name}\t{value}\n" for name, value in lines)


def _secrets(section: BaseModel) -> Iterator[str]:
    """Yield every secret of the settings, and the contents of the files that hold one."""
    for name in type(section).model_fields:
        value = getattr(section, name)
        if isinstance(value, BaseModel):
            yield from _secrets(value)
        elif isinstance(value, SecretStr):
            yield value.get_secret_value()
        elif isinstance(value, Path) and name.endswith("_key_file"):
            try:
                yield value.read_text(errors="replace").strip()
            except OSError:
                continue


def _without(hidden: Sequence[str], text: str) -> str:
    for secret in hidden:
        if len(secret) >= _SHORTEST_SECRET:
            text = text.replace(secret, HIDDEN)
    return _CREDENTIALS.sub(lambda found: f"{found[1]}{HIDDEN}@", text)
