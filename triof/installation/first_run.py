"""The first run: which steps are done, and the answers that become settings; an interrupted one goes on."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from triof.common.atomic_files import read_json, replace_file
from triof.installation.settings_files import write_toml
from triof.settings.loader import rows

if TYPE_CHECKING:
    from triof.settings.loader import Loaded

_STEPS = "setup.json"
_SETTINGS = "machine.toml"


class FirstRun:
    """The steps of a machine. ``load`` reads its settings, with further ones on top, by dotted names."""

    def __init__(self, load: Callable[[Mapping[str, str]], Loaded]) -> None:
        """Raises SettingsError."""
        self._load = load
        self.loaded = load({})
        home = self.loaded.settings.home
        self._steps = home / _STEPS
        self.file: Path = home / "config" / _SETTINGS
        found = read_json(self._steps).get("done")
        self.done: list[str] = [str(name) for name in found] if isinstance(found, list) else []

    def tried(self, values: Mapping[str, str]) -> Loaded:
        """Return the settings as they would be with ``values``. Raises SettingsError."""
        return self._load(values)

    def keep(self, step: str, values: Mapping[str, str]) -> list[str]:
        """Write the values of a step, and that it is done; return a sentence for each that another source overrules.

        Raises SettingUnwritable, OSError, SettingsError.
        """
        if values:
            write_toml(self.file, values)
        self.loaded = self._load({})
        if step not in self.done:
            self.done.append(step)
        replace_file(self._steps, json.dumps({"done": self.done}).encode())
        wanted = {name: value for name, value, _origin in rows(self._load(values))}
        return [
            f"{name} was written to {self.file}, but is overruled by {origin}: unset it there."
            for name, value, origin in rows(self.loaded)
            if name in values and value != wanted[name]
        ]

    def forget(self) -> None:
        """Begin anew the next time. Raises OSError."""
        self.done.clear()
        self._steps.unlink(missing_ok=True)
