"""Shows the machine's state on its status light."""

from contextlib import suppress

from triof.deposits.deposit import Deposits
from triof.machine.hardware.base import StatusLight
from triof.machine.slot import SlotError


class StatusShown:
    """Shows on the status light whether a deposit can begin; ``look`` is called periodically."""

    def __init__(self, deposits: Deposits) -> None:
        self._deposits = deposits
        self._shown: StatusLight | None = None

    def look(self) -> None:
        """Switch the light if the status has changed, or during a fault, which may have switched it off."""
        status = self._status()
        if status == self._shown and status != "fault":
            return
        self._shown = None
        with suppress(SlotError):
            self._deposits.slot.set_status(status)
            self._shown = status

    def _status(self) -> StatusLight:
        if self._deposits.fault():
            return "fault"
        return "busy" if self._deposits.busy("") else "ready"
