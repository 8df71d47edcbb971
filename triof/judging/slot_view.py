"""Finds the item in a photo of the slot: the step between photo and router, with a reference of the empty slot."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from providers.base import Photo
from triof.machine.empty_slot.comparison import Comparison, compare, nearest
from triof.machine.empty_slot.item import Box, with_margin
from triof.machine.empty_slot.pictures import reduced
from triof.machine.reference_store import Reference
from triof.settings.sections.slot_view import SlotViewSettings

_SHIFTED = 0.015
"""Shift of the camera, relative to the picture's sides, from which it counts as moved."""
_NARROWEST = 32
"""Shorter side in pixels of a reduced picture below which it shows too little."""


@dataclass(frozen=True)
class SlotFinding:
    """What a photo shows beside the empty slot."""

    comparison: Comparison
    cut: Box | None
    """The part of the photo that the models see; None: all of it."""

    @property
    def is_other_view(self) -> bool:
        """Whether the camera seems to have moved, or its lens to be dirty."""
        return self.comparison.state == "other_view" or max(map(abs, self.comparison.shift)) > _SHIFTED


class SlotView:
    """Compares photos with the references that ``references`` returns at that moment. Thread-safe."""

    def __init__(self, settings: SlotViewSettings, references: Callable[[], Sequence[Reference]]) -> None:
        self._settings = settings
        self._references = references

    def find(self, photo: Photo) -> SlotFinding | None:
        """Return what the photo shows; None without a reference of this size."""
        if not self._settings.enabled:
            return None
        references = [each for each in self._references() if (each.width, each.height) == (photo.width, photo.height)]
        if not references:
            return None
        size = references[0].background.size
        if min(size) < _NARROWEST:
            return None
        now = reduced(photo.picture, size)
        comparison = compare(nearest([each.background for each in references], now), now)
        return SlotFinding(comparison, self._cut(comparison, photo.width / photo.height))

    def _cut(self, comparison: Comparison, aspect: float) -> Box | None:
        if not (self._settings.cut and comparison.state == "item" and comparison.box):
            return None
        return with_margin(comparison.box, self._settings.margin, aspect)


def cut_out(photo: Photo, box: Box) -> Photo:
    """Return the part of the photo in ``box``; it keeps the hash of the whole."""
    wide, high = photo.picture.size
    left, top = int(box.left * wide), int(box.top * high)
    right, bottom = max(left + 1, round(box.right * wide)), max(top + 1, round(box.bottom * high))
    width, height = _size(photo, box)
    part = photo.picture.crop((left, top, right, bottom))
    return replace(photo, picture=part, width=round(width), height=round(height), _resized={})


def needed_side(photo: Photo, box: Box, side: int) -> int:
    """Return the side that the whole photo needs, so that its part in ``box`` has ``side`` pixels."""
    return round(side * min(photo.width, photo.height) / max(min(_size(photo, box)), 1.0))


def _size(photo: Photo, box: Box) -> tuple[float, float]:
    return (box.right - box.left) * photo.width, (box.bottom - box.top) * photo.height
