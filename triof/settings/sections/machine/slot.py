"""Kind of hardware, and the box of each type of waste."""

from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from providers import names_a_class
from providers.options import Options
from triof.settings.sections.machine.gpio import GpioSettings

KINDS = ("simulated", "gpiozero")
"""The drivers of ``triof/machine/hardware``."""


class SimulatedSeconds(Options):
    """Durations of the movements of the simulated machine, in seconds."""

    slot: float = Field(0.6, ge=0)
    box: float = Field(1.5, ge=0)
    shred: float = Field(3.0, ge=0)


class Boxes(Options):
    """Number of the box for each type of waste."""

    bottle: int = Field(1, ge=1)
    cup: int = Field(2, ge=1)
    cutlery: int = Field(3, ge=1)

    @model_validator(mode="after")
    def _has_one_for_each_type(self) -> Self:
        types: dict[int, list[str]] = {}
        for waste_type, number in self.model_dump().items():
            types.setdefault(number, []).append(waste_type)
        for number, sharing in types.items():
            if len(sharing) > 1:
                raise PydanticCustomError(
                    "shared_box",
                    "{sharing} share box {number}: two plastics in one spoil the filament, give each type its own",
                    {"sharing": " and ".join(sharing), "number": number},
                )
        return self


class BoxCapacity(Options):
    """How much shredded plastic each box holds, in grams."""

    bottle: float = Field(2000, gt=0, le=1_000_000)
    cup: float = Field(2000, gt=0, le=1_000_000)
    cutlery: float = Field(2000, gt=0, le=1_000_000)


def _can_be_driven(kind: str) -> str:
    if kind not in KINDS and not names_a_class(kind):
        raise PydanticCustomError(
            "no_hardware",
            "No hardware is called {kind}: use {known} or module:Class",
            {"kind": repr(kind), "known": ", ".join(KINDS)},
        )
    return kind


class SlotSettings(Options):
    """Kind of hardware, and the box of each type of waste."""

    kind: Annotated[str, AfterValidator(_can_be_driven)] = "simulated"
    """``simulated``, ``gpiozero``, or the ``module:Class`` of a driver, which is built with the settings."""
    boxes: Boxes = Boxes()
    capacity_grams: BoxCapacity = BoxCapacity()
    simulated_seconds: SimulatedSeconds = SimulatedSeconds()
    gpiozero: GpioSettings = GpioSettings()

    @model_validator(mode="after")
    def _can_be_wired(self) -> Self:
        if self.kind != "gpiozero":
            return self
        if found := "; ".join(self.gpiozero.mistakes(max(self.boxes.model_dump().values()))):
            raise PydanticCustomError(
                "pin_table", "The pin table is wrong: {found}", {"found": found, "below": "gpiozero"}
            )
        return self
