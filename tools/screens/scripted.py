"""A machine whose answers and faults are files of its home folder, so that each state of its pages can be reached.

The kiosk loads these classes by the settings; :class:`Script` writes the files from the tour's process.
"""

import fcntl
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from providers.base import Photo, Prediction, ProviderUnavailable, Task
from providers.fake import FakeProvider
from triof.common.paths import DEMO_PICTURES
from triof.machine.hardware.simulated import SimulatedHardware
from triof.machine.slot import SlotError
from triof.settings.tree import Settings

_ANSWERS, _FAULT, _HELD = "script.json", "script.fault", "script.{part}.held"
Answer = Mapping[str, Any] | None
"""``scores`` and what else a Prediction holds; None: the provider does not answer."""
SURE: Mapping[str, Answer] = {
    "waste_type": {"scores": {"bottle": 0.97, "cup": 0.02, "cutlery": 0.005, "other": 0.005}},
    "cleanliness": {"scores": {"clean": 0.96, "dirty": 0.04}},
}


class Script:
    """What the machine in ``home`` will do next."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.hardware = SimulatedHardware(home / "simulated_machine.json")
        self.pictures = home / "pictures"
        self.pictures.mkdir(parents=True, exist_ok=True)

    def reset(self) -> None:
        """A machine without a fault that sees a clean bottle."""
        self.fault(None)
        self.hardware.put_item(None)
        self.hardware.release_stop()
        self.hardware.clear()
        self.see("bottle-clean-1")
        self.answer()

    def answer(self, **answers: Answer) -> None:
        """Answer so from now on; what is not named is sure."""
        content = json.dumps({**SURE, **answers})
        replaced = self.home / f"{_ANSWERS}.new"
        replaced.write_text(content)
        replaced.replace(self.home / _ANSWERS)

    def see(self, picture: str | Path | None) -> None:
        """Let the camera take this picture, a demo picture by its name; None: it gives no picture."""
        for old in self.pictures.iterdir():
            old.unlink()
        if picture:
            path = DEMO_PICTURES / f"{picture}.jpg" if isinstance(picture, str) else picture
            shutil.copy(path, self.pictures)

    def fault(self, code: str | None) -> None:
        """Let the hardware fail with ``code``; None: it works."""
        path = self.home / _FAULT
        if code:
            path.write_text(code)
        else:
            path.unlink(missing_ok=True)

    @contextmanager
    def held(self, part: str) -> Iterator[None]:
        """Hold the machine up at ``part``: slot, box, shredder or provider."""
        with _locked(self.home, part):
            yield


class ScriptedHardware(SimulatedHardware):
    """Simulated hardware that fails and is held up as the script says."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings.home / "simulated_machine.json", settings.slot.simulated_seconds)
        self._home = settings.home

    def slot_is_open(self) -> bool:
        """Return whether the slot is open. Raises SlotError with the code of the script, if there is one."""
        if (fault := self._home / _FAULT).exists():
            error = SlotError("The picture of a code is taken.")
            error.code = fault.read_text()
            raise error
        return super().slot_is_open()

    def close_slot(self) -> None:
        """Close the slot, once the script lets it."""
        with _locked(self._home, "slot"):
            super().close_slot()

    def move_box(self, number: int) -> None:
        """Move the box, once the script lets it."""
        with _locked(self._home, "box"):
            super().move_box(number)

    def shred(self) -> None:
        """Shred, once the script lets it."""
        with _locked(self._home, "shredder"):
            super().shred()


class ScriptedLocal(FakeProvider):
    """The fake provider with the answers of the script, under the name of the local one."""

    name = "local_cnn"
    fails = False

    def __init__(self, task: Task, options: Any) -> None:
        super().__init__(task, ["clean" if task == "cleanliness" else "bottle"])
        self._home = Path(os.environ["TRIOF_HOME"])

    def predict(self, photo: Photo, *, timeout: float) -> Prediction:
        """Return the script's answer. Raises ProviderUnavailable where it has none."""
        with _locked(self._home, "provider"):
            answer: Answer = json.loads((self._home / _ANSWERS).read_text())[self.task]
        if answer is None or self.fails:
            raise ProviderUnavailable("The script has no answer.")
        scores = answer["scores"]
        label = max(scores, key=scores.__getitem__)
        made = Prediction(self.task, label, scores[label], scores, self.name, model_version="script")
        return replace(made, **answer)


class ScriptedCloud(ScriptedLocal):
    """A cloud that never answers."""

    name = "custom_vision"
    needs_network = True
    fails = True


@contextmanager
def _locked(home: Path, part: str) -> Iterator[None]:
    with (home / _HELD.format(part=part)).open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
