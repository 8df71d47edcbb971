"""What shredded items are worth, in kilograms, metres of filament and CO2: from counts to what a tenant reads."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from triof.settings.sections.reports import ReportSettings

TYPES = ("bottle", "cup", "cutlery")
"""What is shredded, in the order in which people list it."""


@dataclass(frozen=True)
class Recycled:
    """What the shredded items of a scope are worth, by type; estimates, as items are counted and not weighed."""

    items: Mapping[str, int]
    kilograms: Mapping[str, float]
    metres: Mapping[str, float]
    """Of filament, without what an extruder loses."""
    co2_kilograms: Mapping[str, float]
    co2_source: str

    @property
    def total_kilograms(self) -> float:
        """Of all types."""
        return sum(self.kilograms.values())

    @property
    def total_metres(self) -> float:
        """Of all types."""
        return sum(self.metres.values())

    @property
    def total_co2_kilograms(self) -> float:
        """Of all types."""
        return sum(self.co2_kilograms.values())


def recycled(shredded: Mapping[str, int], settings: ReportSettings) -> Recycled:
    """What ``shredded`` items, counted by type, are worth."""
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
