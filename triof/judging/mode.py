"""The switch between cloud and local, which a running kiosk looks at before every photo."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple, get_args

from providers.event_log import get_logger
from triof.common.atomic_files import read_json, replace_file
from triof.judging import cloud_providers
from triof.settings.tree import Mode, Settings

log = get_logger(__name__)


class Turned(NamedTuple):
    """The last turn of the switch that still holds."""

    mode: Mode
    actor: str
    comment: str
    at: str
    """Local time, to the second."""


class Switch:
    """Which mode holds: the one the switch was turned to, or the one of the settings if they changed since.

    A file of its own rather than a row of the journal: the last turn must hold even where the machine's clock is
    wrong, and be read in front of a person. It also names the mode of the settings with which the kiosk started last.
    """

    def __init__(self, home: Path, configured: Mode) -> None:
        self._path = home / "mode.json"
        self._configured = configured

    def mode(self) -> Mode:
        """What holds now."""
        turned = self.turned()
        return turned.mode if turned else self._configured

    def turned(self) -> Turned | None:
        """The last turn, unless the settings hold."""
        kept = read_json(self._path)
        if kept.get("mode") not in get_args(Mode) or kept.get("configured") != self._configured:
            return None
        return Turned(kept["mode"], *(str(kept.get(name, "")) for name in ("who", "why", "at")))

    def turn(self, mode: Mode, actor: str, comment: str) -> None:
        """Turn to ``mode`` for good; on return it holds for a running kiosk too. Raises OSError."""
        turned = Turned(mode, actor, comment, datetime.now(UTC).astimezone().isoformat(" ", "seconds"))
        # Whose settings it is measured by, says the kiosk.
        kept = {"configured": self._configured, **read_json(self._path)}
        self._keep({**kept, "mode": turned.mode, "who": turned.actor, "why": turned.comment, "at": turned.at})

    def reconcile(self) -> None:
        """At the kiosk's start: forget a turn that its settings have overruled, so that it does not come back."""
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
        """The switch as the kiosk sees it, whose settings may differ from those of this shell."""
        configured: Any = read_json(self._path).get("configured")
        return Switch(self._path.parent, configured) if configured in get_args(Mode) else self

    def _keep(self, content: dict[str, Any]) -> None:
        replace_file(self._path, json.dumps(content).encode())


@dataclass(frozen=True)
class CurrentMode:
    """Which mode holds on this machine, and why."""

    holds: Mode
    """What photos are judged by: ``chosen``, or local where no provider in the cloud is set up."""
    chosen: Mode
    """What the switch says, or the settings."""
    turned: Turned | None
    """The last turn of the switch; None: as the settings say."""
    left_out: Mapping[str, str]
    """See :func:`triof.judging.cloud_providers.left_out`."""


def current_mode(settings: Settings) -> CurrentMode:
    """The mode of the machine, as doctor, ``triof mode`` and the dashboard show it."""
    switch, left_out = Switch(settings.home, settings.mode).at_kiosk(), cloud_providers.left_out(settings)
    chosen = switch.mode()
    has_cloud = any(name not in left_out for name in cloud_providers.in_routes(settings))
    return CurrentMode(chosen if has_cloud else "local", chosen, switch.turned(), left_out)
