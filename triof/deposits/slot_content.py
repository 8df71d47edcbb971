"""What lies in the slot, as far as the sensor, the picture or the deposits before can tell."""

from collections.abc import Callable

from triof.machine.slot import Slot, SlotError


class SlotContent:
    """Looks for an item in ``slot``. ``look_inside`` compares a picture of it; None if that tells nothing."""

    def __init__(self, slot: Slot, look_inside: Callable[[], bool | None]) -> None:
        self._slot = slot
        self._look_inside = look_inside
        self.may_be_left = False
        """Whether an earlier item may still be in the slot."""
        self.is_emptied = False
        """Whether the latest item was shredded, so that the slot is surely empty."""

    def is_sensed(self) -> bool | None:
        """Return whether the sensor sees an item; None without a sensor."""
        try:
            return self._slot.sensors().item
        except SlotError:
            return None

    def is_seen(self) -> bool | None:
        """Return whether sensor or picture show an item; None if neither can tell. A picture takes up to a second."""
        sensed = self.is_sensed()
        return self._look_inside() if sensed is None else sensed

    def has_leftover(self) -> bool:
        """Return whether an item lies in the slot; where neither sensor nor picture can tell, whether one may."""
        seen = self.is_seen()
        return self.may_be_left if seen is None else seen
