"""Time zone of statistics and reports, and the value of an item."""

from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from providers.options import Options

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
    """Weight of one item, in grams."""

    bottle: float = Field(15, gt=0, le=1000)
    cup: float = Field(4, gt=0, le=1000)
    cutlery: float = Field(4, gt=0, le=1000)


class DensitySettings(Options):
    """Density of the solid plastic of each type, in grams per cubic centimetre."""

    bottle: float = Field(1.38, gt=0.5, le=3)
    cup: float = Field(0.905, gt=0.5, le=3)
    cutlery: float = Field(0.905, gt=0.5, le=3)


class Co2Settings(Options):
    """Kilograms of CO2 equivalent saved per kilogram of recycled instead of new plastic."""

    bottle: float = Field(1.7, ge=0, le=20)
    cup: float = Field(0.6, ge=0, le=20)
    cutlery: float = Field(0.6, ge=0, le=20)
    source: str = Field(CO2_SOURCE, min_length=1)
    """Printed under the number on every report."""


class ReportSettings(Options):
    """Time zone of statistics and reports, and the value of an item."""

    timezone: Annotated[str, AfterValidator(_known_zone)] = "Europe/Paris"
    """Time zone of all days and hours, independent of the system clock's."""
    grams: GramsSettings = GramsSettings()
    density: DensitySettings = DensitySettings()
    filament_millimetres: float = Field(1.75, ge=1, le=5)
    """Diameter of the filament."""
    co2: Co2Settings = Co2Settings()
