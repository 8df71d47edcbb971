"""Converts shredded items to kilograms, metres of filament and CO2."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from triof.settings.sections.reports import ReportSettings

TYPES = ("bottle", "cup", "cutlery")
"""The shredded types, in display order."""


@dataclass(frozen=True)
class Recycled:
    """Kilograms, filament and CO2 of a scope, by type; estimates, as items are counted and not weighed."""

    items: Mapping[str, int]
    kilograms: Mapping[str, float]
    metres: Mapping[str, float]
    """Metres of filament, less the extruder's loss."""
    co2_kilograms: Mapping[str, float]
    co2_source: str

    @property
    def total_kilograms(self) -> float:
        """Sum over all types."""
        return sum(self.kilograms.values())

    @property
    def total_metres(self) -> float:
        """Sum over all types."""
        return sum(self.metres.values())

    @property
    def total_co2_kilograms(self) -> float:
        """Sum over all types."""
        return sum(self.co2_kilograms.values())


def recycled(shredded: Mapping[str, int], settings: ReportSettings) -> Recycled:
    """Convert ``shredded`` items, counted by type."""
    items = {waste_type: shredded.get(waste_type, 0) for waste_type in TYPES}
    grams, density, co2 = settings.grams.model_dump(), settings.density.model_dump(), settings.co2.model_dump()
    kilograms = {waste_type: count * grams[waste_type] / 1000 for waste_type, count in items.items()}
    square_centimetres = math.pi * (settings.filament_millimetres / 20) ** 2
    return Recycled(
        items,
        kilograms,
        {each: kilograms[each] * 1000 / density[each] / square_centimetres / 100 for each in TYPES},
        {each: kilograms[each] * co2[each] for each in TYPES},
        settings.co2.source,
    )
