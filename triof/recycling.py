"""What shredded items are worth, in kilograms, metres of filament and CO2: from counts to what a tenant reads."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from providers.options import Options

TYPES = ("bottle", "cup", "cutlery")
"""What is shredded, in the order in which people list it."""

CO2_SOURCE = (
    "PET: denkstatt for ALPLA, 2017 (2.15 kg CO2e per kg of virgin resin, 0.45 recycled). PP, taken for cups and"
    " cutlery: Hopewell, Dvorak and Kosior, Phil. Trans. R. Soc. B 364 (2009), table 3, doi:10.1098/rstb.2008.0311"
    " (2.0 virgin, typically 1.4 recycled)."
)


def _known_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise PydanticCustomError("zone", "No time zone has this name: use one like Europe/Paris") from error
    return name


class GramsSettings(Options):
    """What one item weighs, in grams."""

    bottle: float = Field(15, gt=0, le=1000)
    cup: float = Field(4, gt=0, le=1000)
    cutlery: float = Field(4, gt=0, le=1000)


class DensitySettings(Options):
    """Of the solid plastic of each type, in grams per cubic centimetre."""

    bottle: float = Field(1.38, gt=0.5, le=3)
    cup: float = Field(0.905, gt=0.5, le=3)
    cutlery: float = Field(0.905, gt=0.5, le=3)


class Co2Settings(Options):
    """Kilograms of CO2 equivalent saved by a kilogram recycled instead of made anew."""

    bottle: float = Field(1.7, ge=0, le=20)
    cup: float = Field(0.6, ge=0, le=20)
    cutlery: float = Field(0.6, ge=0, le=20)
    source: str = Field(CO2_SOURCE, min_length=1)
    """Stands under the number on every report."""


class ReportSettings(Options):
    """How days are told apart and what an item is worth."""

    timezone: Annotated[str, AfterValidator(_known_zone)] = "Europe/Paris"
    """Days and hours are those of this place, whatever the machine's own clock is set to."""
    tenant: str = ""
    """Whose machine it is, for the head of the monthly report."""
    grams: GramsSettings = GramsSettings()
    density: DensitySettings = DensitySettings()
    filament_millimetres: float = Field(1.75, ge=1, le=5)
    """The filament's diameter."""
    co2: Co2Settings = Co2Settings()


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
