"""Kind of hardware, and the box of each type of waste."""

from typing import Literal, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from providers.options import Options


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


class SlotSettings(Options):
    """Kind of hardware, and the box of each type of waste."""

    kind: Literal["simulated"] = "simulated"
    boxes: Boxes = Boxes()
    simulated_seconds: SimulatedSeconds = SimulatedSeconds()
