"""The lamp in the slot, which is lit for the photo or by a technician; one that fails stops no deposit."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from triof.deposits.maintenance import Maintenance
from triof.machine.slot import Slot, SlotError


@contextmanager
def lamp_on(slot: Slot) -> Iterator[None]:
    """Light the slot within the context; other threads may do so as well."""
    with suppress(SlotError):
        slot.need_lamp(True)
    try:
        yield
    finally:
        with suppress(SlotError):
            slot.need_lamp(False)


class MaintenanceLamp:
    """Switches the lamp off after maintenance; ``look`` is called periodically."""

    def __init__(self, slot: Slot, maintenance: Maintenance) -> None:
        self._slot = slot
        self._maintenance = maintenance
        self._was_held = False

    def look(self) -> None:
        """Switch the lamp off if maintenance has ended since the last call."""
        if self._maintenance.actor:
            self._was_held = True
        elif self._was_held:
            with suppress(SlotError):
                self._slot.set_lamp(False)
                self._was_held = False
