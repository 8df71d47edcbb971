"""Installs the services of a machine: which files there are, and what has to be run after they have changed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from triof.common.errors import TriofError
from triof.installation import units
from triof.installation.system_files import SystemFile
from triof.installation.units import ServicePlan

if TYPE_CHECKING:
    from triof.settings.tree import Settings

_BOOTED = Path("/run/systemd/system")


class NotRoot(TriofError):
    """Only root may change the services of a computer."""


@dataclass(frozen=True)
class Target:
    """Where to install: a running computer, a person's own services on it, or the tree of an image at ``root``."""

    root: Path
    is_user: bool

    @property
    def is_live(self) -> bool:
        """Whether the services of the running computer are meant."""
        return self.root == Path("/")

    @property
    def units(self) -> Path:
        """The folder of the units."""
        if self.is_user:
            # In the tree of an image no variable of this session counts.
            own = os.environ.get("XDG_CONFIG_HOME") if self.is_live else None
            return Path(own or self.below(Path.home() / ".config")) / "systemd" / "user"
        return self.below("/etc/systemd/system")

    def below(self, path: str | Path) -> Path:
        """Return an absolute path of the installed computer, as it is found from here."""
        return self.root / Path(path).relative_to("/")

    def check_rights(self) -> None:
        """Raise NotRoot if this user may not install there."""
        if self.is_live and not self.is_user and hasattr(os, "geteuid") and os.geteuid():
            raise NotRoot(
                "Services of the whole computer are root's: put `sudo` before the command, with the whole path of"
                f" triof ({command()[0]}); or see what it would do with --dry-run, or install your own with --user."
            )


def command(root: Path = Path("/")) -> list[str]:
    """Return the words that run this installation of Triof, seen from a computer whose tree is ``root``."""
    beside = Path(sys.executable).with_name("triof")
    found = beside if beside.exists() else Path(sys.executable)
    program = Path("/") / found.relative_to(root) if found.is_relative_to(root) else found
    return [str(program), *([] if beside.exists() else ["-m", "triof.cli"])]


def outside(settings: Settings) -> list[Path]:
    """Return the folders outside the home folder that the settings let a server write to."""
    from triof.storage import data_folder

    journal = data_folder.database_path(settings)
    found = (settings.journal.backup_folder, settings.local_cnn.bundles, journal.parent if journal else None)
    absolute = {path.absolute() for path in found if path}
    return sorted(path for path in absolute if not path.is_relative_to(settings.home.absolute()))


def files(plan: ServicePlan, target: Target, *, browser: bool) -> list[SystemFile]:
    """Return the files of an installation, in the order in which they are written."""
    texts = {"triof.service": units.server(plan), **({"triof-browser.service": units.browser(plan)} if browser else {})}
    found = [SystemFile(target.units / name, text) for name, text in texts.items()]
    for name, text in texts.items():
        wanted = next(line.partition("=")[2] for line in text.splitlines() if line.startswith("WantedBy="))
        place = str(target.units / name) if target.is_live else f"../{name}"
        found.append(SystemFile(target.units / f"{wanted}.wants" / name, target=place))
    if not target.is_user:
        found.append(SystemFile(target.below("/etc/sysusers.d/triof.conf"), units.system_user(plan)))
        found.append(SystemFile(target.below("/etc/udev/rules.d/60-triof.rules"), units.device_rules()))
    return found


def steps(plan: ServicePlan, target: Target) -> list[Sequence[str]]:
    """Return the commands after the files of a running computer have changed."""
    if not target.is_live:
        return []
    if target.is_user:
        return [["systemctl", "--user", "daemon-reload"]]
    home = plan.home
    return [
        ["systemd-sysusers", str(target.below("/etc/sysusers.d/triof.conf"))],
        *([["install", "-d", "-m", "0700", "-o", plan.user or "", str(home)]] if home != units.SYSTEM_HOME else []),
        ["udevadm", "control", "--reload"],
        ["udevadm", "trigger", "--subsystem-match=gpio", "--subsystem-match=video4linux"],
        ["systemctl", "daemon-reload"],
    ]


def end(target: Target) -> list[Sequence[str]]:
    """Return the commands before the files of a running computer are removed."""
    scope = ["--user"] if target.is_user else []
    names = [name for name in ("triof-browser.service", "triof.service") if (target.units / name).exists()]
    return [["systemctl", *scope, "stop", name] for name in names] if target.is_live and _BOOTED.exists() else []


def run(words: Sequence[str]) -> str:
    """Run a command of the system; return why it could not be done, empty if it was."""
    if not shutil.which(words[0]):
        return f"There is no {words[0]} on this computer."
    if words[0] in ("systemctl", "udevadm") and not _BOOTED.exists():
        return "systemd does not run here; at the next start of the computer it reads the files by itself."
    done = subprocess.run(words, capture_output=True, text=True, check=False)  # noqa: S603
    return "" if not done.returncode else (done.stderr.strip() or f"exit code {done.returncode}")
