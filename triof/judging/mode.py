"""The mode switch (auto, cloud, local), which a running kiosk reads before every photo."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple, get_args

from providers.event_log import get_logger
from triof.common.atomic_files import read_json, replace_file
from triof.judging import cloud_providers
from triof.settings.modes import Mode
from triof.settings.tree import Settings

log = get_logger(__name__)


class Turned(NamedTuple):
    """The last change of the switch that still holds."""

    mode: Mode
    actor: str
    comment: str
    at: str
    """Local time, to the second."""


class Switch:
    """The current mode: the one last switched to, or that of the settings if they changed since.

    Stored in a file rather than in the journal: the last change must hold even if the machine's clock is wrong, and
    must be quick to read. The file also holds the mode of the settings at the kiosk's last start.
    """

    def __init__(self, home: Path, configured: Mode) -> None:
        self._path = home / "mode.json"
        self._configured = configured

    def mode(self) -> Mode:
        """The current mode."""
        turned = self.turned()
        return turned.mode if turned else self._configured

    def turned(self) -> Turned | None:
        """The last change, or None if the settings hold."""
        kept = read_json(self._path)
        if kept.get("mode") not in get_args(Mode) or kept.get("configured") != self._configured:
            return None
        return Turned(kept["mode"], *(str(kept.get(name, "")) for name in ("who", "why", "at")))

    def turn(self, mode: Mode, actor: str, comment: str) -> None:
        """Switch to ``mode`` permanently; a running kiosk has it on return. Raises OSError."""
        turned = Turned(mode, actor, comment, datetime.now(UTC).astimezone().isoformat(" ", "seconds"))
        # The kiosk's settings, not this shell's, decide whether the change still holds.
        kept = {"configured": self._configured, **read_json(self._path)}
        self._keep({**kept, "mode": turned.mode, "who": turned.actor, "why": turned.comment, "at": turned.at})

    def reconcile(self) -> None:
        """Remove a change that the settings have overruled since; called when the kiosk starts."""
        kept = read_json(self._path)
        if kept.get("configured", self._configured) != self._configured:
            kept = {}
        kept = {**kept, "configured": self._configured}
        if kept == read_json(self._path):
            return
        try:
            self._keep(kept)
        except OSError as error:
            log.error("mode.not_settled", cause=error)

    def at_kiosk(self) -> "Switch":
        """Return the switch with the kiosk's settings, which may differ from this shell's."""
        configured: Any = read_json(self._path).get("configured")
        return Switch(self._path.parent, configured) if configured in get_args(Mode) else self

    def _keep(self, content: dict[str, Any]) -> None:
        replace_file(self._path, json.dumps(content).encode())


@dataclass(frozen=True)
class CurrentMode:
    """The mode of this machine and its origin."""

    holds: Mode
    """The mode in effect: ``chosen``, or local if no cloud provider is configured."""
    chosen: Mode
    """The mode of the switch or of the settings."""
    turned: Turned | None
    """The last change of the switch; None if the settings hold."""
    left_out: Mapping[str, str]
    """See :func:`triof.judging.cloud_providers.left_out`."""


def current_mode(settings: Settings) -> CurrentMode:
    """Return the mode of the machine, as shown by doctor, ``triof mode`` and the dashboard."""
    switch, left_out = Switch(settings.home, settings.mode).at_kiosk(), cloud_providers.left_out(settings)
    chosen = switch.mode()
    has_cloud = any(name not in left_out for name in cloud_providers.in_routes(settings))
    return CurrentMode(chosen if has_cloud else "local", chosen, switch.turned(), left_out)
