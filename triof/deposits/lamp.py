"""The lamp in the slot, which is lit for the photo; one that fails stops no deposit."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from triof.machine.slot import Slot, SlotError


@contextmanager
def lamp_on(slot: Slot) -> Iterator[None]:
    """Light the slot within the context."""
    with suppress(SlotError):
        slot.set_lamp(True)
    try:
        yield
    finally:
        with suppress(SlotError):
            slot.set_lamp(False)
