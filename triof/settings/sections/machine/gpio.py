"""Pins, angles, times and active levels of the hardware kind ``gpiozero``."""

from collections import defaultdict
from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from providers.options import Options

Level = Literal["high", "low"]
HEADER_PINS = range(2, 28)
"""BCM numbers on the Raspberry Pi's header; 0 and 1 belong to the memory of add-on boards."""


def _split(value: object) -> object:
    return [item.strip() for item in value.split(",") if item.strip()] if isinstance(value, str) else value


Degrees = Annotated[float, Field(ge=0, le=180)]


class GpioSettings(Options):
    """BCM numbers of the pins, 0 for a part that is not there; ``*_active``: the level that means "on"."""

    slot_servo: int = 18
    slot_open_degrees: Degrees = 90
    slot_closed_degrees: Degrees = 0
    slot_switch: int = 23
    """Switch that is active while the slot is closed; without it the slot is believed after ``slot_seconds``."""
    slot_switch_active: Level = "low"
    slot_seconds: float = Field(0.8, ge=0)
    """Duration of a movement without end switch; the slot also gets it to open wholly."""
    slot_timeout_seconds: float = Field(3.0, gt=0)

    box_drive: Literal["servo", "motor"] = "servo"
    box_servo: int = 12
    box_degrees: Annotated[tuple[Degrees, ...], BeforeValidator(_split)] = (0, 90, 180)
    """Angle of the servo for box 1, 2, 3 …"""
    box_seconds: float = Field(1.5, ge=0)
    box_forward: int = 0
    """The motor's relay towards boxes with higher numbers, or round and round."""
    box_backward: int = 0
    box_motor_active: Level = "high"
    box_switches: Annotated[tuple[int, ...], BeforeValidator(_split)] = ()
    """Switch that is active while box 1, 2, 3 … is under the slot."""
    box_switch_active: Level = "low"
    box_timeout_seconds: float = Field(10.0, gt=0)

    servo_shortest_ms: float = Field(0.5, gt=0, lt=20)
    """Pulse at 0 degrees; the usual small servos take 0.5 to 2.5 ms for 180 degrees."""
    servo_longest_ms: float = Field(2.5, gt=0, lt=20)

    shredder_relay: int = 24
    shredder_active: Level = "high"
    shred_seconds: float = Field(4.0, gt=0)
    shredder_timeout_seconds: float = Field(15.0, gt=0)
    """With an item sensor the shredder runs on until the item is gone, but not longer than this."""

    item_sensor: int = 25
    item_active: Level = "low"
    """Level while an item lies in the slot; a broken beam of the usual receivers is ``low``."""
    emergency_stop: int = 17
    emergency_stop_active: Level = "high"
    """Level while pressed: ``high`` with a contact that opens, so that a broken wire stops the machine too."""
    lamp_relay: int = 22
    lamp_active: Level = "high"
    status_red: int = 5
    status_green: int = 6
    status_blue: int = 13
    status_active: Level = "high"

    heartbeat_seconds: float = Field(3.0, ge=0.5, le=60)
    """The driver's process stops everything after this long without a sign of life of the kiosk."""
    pin_factory: str = "lgpio"
    """How gpiozero reaches the pins: one of its pin factories, or ``module:Class``."""

    def pins(self) -> dict[str, int]:
        """Return the pin of every part that is there, by the name of its setting."""
        left_out = ("box_forward", "box_backward") if self.box_drive == "servo" else ("box_servo",)
        found = {
            name: value
            for name, value in self
            if name not in left_out and type(self).model_fields[name].annotation is int and value
        }
        if self.box_drive == "motor":
            found |= {f"box_switches[{number}]": pin for number, pin in enumerate(self.box_switches, 1)}
        return found

    def mistakes(self, boxes: int) -> Iterator[str]:
        """Yield what is wrong with the pin table; ``boxes``: the highest number of a box."""
        users: defaultdict[int, list[str]] = defaultdict(list)
        for name, pin in self.pins().items():
            users[pin].append(name)
            if pin not in HEADER_PINS:
                yield f"{name} = {pin} is no pin of the header (BCM 2 to 27)"
        for pin, names in users.items():
            if len(names) > 1:
                yield f"{' and '.join(names)} share pin {pin}"
        for name in self._needed():
            if not getattr(self, name):
                yield f"{name} is needed"
        yield from self._wrong_ways(boxes)

    def _needed(self) -> tuple[str, ...]:
        box = "box_servo" if self.box_drive == "servo" else "box_forward"
        return ("slot_servo", box, "shredder_relay", "emergency_stop")

    def _wrong_ways(self, boxes: int) -> Iterator[str]:
        places = self.box_degrees if self.box_drive == "servo" else self.box_switches
        name = "box_degrees" if self.box_drive == "servo" else "box_switches"
        if len(places) < boxes:
            yield f"{name} has {len(places)} positions for {boxes} boxes"
        if len(set(places)) < len(places) and self.box_drive == "servo":
            yield "box_degrees has one position twice"
        if self.slot_open_degrees == self.slot_closed_degrees:
            yield "slot_open_degrees and slot_closed_degrees are the same"
        if self.servo_longest_ms <= self.servo_shortest_ms:
            yield "servo_longest_ms must be above servo_shortest_ms"
        if self.slot_timeout_seconds <= self.slot_seconds:
            yield "slot_timeout_seconds must be above slot_seconds"
        if self.shredder_timeout_seconds <= self.shred_seconds:
            yield "shredder_timeout_seconds must be above shred_seconds"
