"""What a technician does at the machine: moves single parts, clears faults, tests the camera.

Every action holds the machine (``triof/deposits/maintenance.py``), and is in journal and log with its actor before it
begins. A journal that cannot be written holds up no technician.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from providers.event_log import get_logger
from triof.common.errors import TriofError
from triof.deposits.lamp import lamp_on

if TYPE_CHECKING:
    from triof.deposits.deposit import Deposits
    from triof.deposits.slot_watch import SlotWatch
    from triof.journal.journal import Journal
    from triof.judging.sorter import Judgement, Sorter

log = get_logger(__name__)


class ActionRefused(TriofError):
    """There is no such action."""


@dataclass(frozen=True)
class JudgedTest:
    """A picture that was judged for a technician: no deposit, and not in the statistics."""

    judgement: Judgement
    photo: bytes
    """As a JPEG to show."""


class TechnicianWork:
    """The actions on one machine. ``sorter`` judges test deposits; ``slot_watch`` takes the reference picture."""

    def __init__(self, deposits: Deposits, journal: Journal, sorter: Sorter, slot_watch: SlotWatch | None) -> None:
        self._slot_watch = slot_watch
        self._deposits = deposits
        self._journal = journal
        self._sorter = sorter
        slot = deposits.slot
        self._actions: Mapping[str, Callable[[], None]] = {
            "open_slot": slot.open,
            "close_slot": slot.close,
            "shred": slot.shred,
            "lamp_on": lambda: slot.set_lamp(True),
            "lamp_off": lambda: slot.set_lamp(False),
            "clear": slot.clear,
        }

    @property
    def actions(self) -> list[str]:
        """The names for :meth:`act`; ``box_N`` for each box besides."""
        return [*self._actions, *(f"box_{number}" for number in sorted(self._deposits.boxes.values()))]

    def begin(self, actor: str) -> None:
        """Begin maintenance. Raises MaintenanceRefused while a deposit is under way."""
        self._deposits.hold(actor)
        self.note("begin", actor)

    def end(self, actor: str) -> None:
        """End maintenance, if there is any; the slot closes by itself."""
        if self._deposits.maintenance.actor:
            self.note("end", actor)
            self._deposits.maintenance.end()

    def act(self, action: str, actor: str) -> None:
        """Do one action by its name. Raises ActionRefused, MaintenanceRefused, SlotError."""
        number = action.removeprefix("box_")
        if action not in self.actions:
            raise ActionRefused(f"{action!r} is no action of this machine: choose {', '.join(self.actions)}.")
        self._deposits.hold(actor)
        self.note(action, actor)
        if action in self._actions:
            self._actions[action]()
        else:
            self._deposits.slot.move_box(int(number))

    def test_deposit(self, actor: str) -> JudgedTest:
        """Take a picture and judge it, as that of a deposit if the slot is closed.

        Raises MaintenanceRefused, CameraError, PhotoError.
        """
        self._deposits.hold(actor)
        self.note("test_deposit", actor)
        slot = self._deposits.slot
        with lamp_on(slot):
            image = self._deposits.camera.take(None)
        judgement = self._sorter.judge(image, shows_slot=not slot.may_be_open())
        return JudgedTest(judgement, self._sorter.to_jpeg(image))

    def take_reference(self, actor: str) -> None:
        """Take the reference picture of the empty slot.

        Raises MaintenanceRefused, SlotError, ActionRefused unless the slot is closed, CameraError, ReferenceUnusable.
        """
        self._deposits.hold(actor)
        self.note("reference", actor)
        if not self._slot_watch:
            raise ActionRefused("This machine does not look at its empty slot.")
        if self._deposits.slot.is_open():
            raise ActionRefused("The slot is open: empty and close it, as the picture shows it while items are judged.")
        self._slot_watch.take()

    def note(self, action: str, actor: str) -> None:
        """Record an action of ``actor`` in log and journal."""
        log.info("technician.acted", action=action, actor=actor)
        try:
            self._journal.record("technician.acted", reason=action[:32], who=actor)
        except Exception as error:  # each database driver raises its own
            log.warning("journal.not_written", kind="technician.acted", cause=error)
