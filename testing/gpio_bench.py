"""A machine made of gpiozero's mock pins, seen and played from other processes by two files.

``BenchFactory`` is the pin factory of the driver's process (``slot.gpiozero.pin_factory``); the folder in the
variable ``GPIO_BENCH`` holds ``pins.jsonl``, each level that an output was driven to, and ``inputs.jsonl``, each
level that a switch or sensor took. The machine behaves: the slot's switch follows its servo, a box motor moves the
boxes past their switches, and the shredder takes the item, unless a part is stuck. What is in the files outlives the
processes, as a slot does.
"""

import json
import os
import time
from contextlib import suppress
from pathlib import Path
from threading import Event, RLock, Thread
from typing import Any

from gpiozero.pins.mock import MockFactory, MockPWMPin

from triof.settings.sections.machine.gpio import GpioSettings

FOLDER = "GPIO_BENCH"
_TICK_SECONDS = 0.005
_STEPS_BETWEEN_BOXES = 3
_STEPS_TO_SHRED = 3
_OPEN_DEGREES = 45


class Bench:
    """The two files, as a test uses them."""

    def __init__(self, folder: Path, settings: GpioSettings | None = None) -> None:
        self.folder = folder
        self.table = settings or GpioSettings()

    def press_stop(self) -> None:
        """Press the emergency stop."""
        self._put({"pin": self.table.emergency_stop, "level": 1})

    def release_stop(self) -> None:
        """Release the emergency stop."""
        self._put({"pin": self.table.emergency_stop, "level": 0})

    def put_item(self, is_there: bool = True) -> None:
        """Put an item in, or take it out."""
        self._put({"pin": self.table.item_sensor, "level": int(not is_there)})

    def stick(self, *parts: str) -> None:
        """Let these parts stick: ``slot``, ``box``, ``shredder``; none: all are free."""
        self._put({"stuck": parts})

    def set_switch(self, is_closed: bool) -> None:
        """Push the slot's door by hand."""
        self._put({"pin": self.table.slot_switch, "level": int(not is_closed)})

    def history(self, pin: int) -> list[float]:
        """Every level that the output was driven to, oldest first."""
        return [entry["value"] for entry in self.entries() if entry["pin"] == pin]

    def level(self, pin: int) -> float:
        """The level of an output now."""
        return (self.history(pin) or [0.0])[-1]

    def driven(self) -> dict[int, float]:
        """The outputs that are on."""
        last = {entry["pin"]: entry["value"] for entry in self.entries()}
        return {pin: value for pin, value in last.items() if value}

    def is_slot_open(self) -> bool:
        """Whether the slot's door stands open."""
        levels = [entry for entry in _lines(self.folder / "inputs.jsonl") if entry.get("pin") == self.table.slot_switch]
        return bool(levels and levels[-1]["level"])

    def entries(self) -> list[dict[str, Any]]:
        """What the outputs were driven to: ``at`` (monotonic), ``pid``, ``pin``, ``value``."""
        return _lines(self.folder / "pins.jsonl")

    def _put(self, entry: dict[str, Any]) -> None:
        _append(self.folder / "inputs.jsonl", entry)


class BenchPin(MockPWMPin):  # type: ignore[misc]
    """A mock pin that tells its factory of each change, and takes its input from it."""

    @property
    def number(self) -> int:
        """BCM number."""
        return int(self.info.name.removeprefix("GPIO"))

    def _change_state(self, value: float) -> bool:
        changed = bool(super()._change_state(value))
        # Also an unchanged one: the outside may still have what a killed process left.
        if self._function == "output":
            self.factory.driven(self.number, float(value))
        return changed

    def _set_pull(self, value: str) -> None:
        super()._set_pull(value)
        self.factory.apply(self)


class BenchFactory(MockFactory):  # type: ignore[misc]
    """Mock pins in the folder of ``GPIO_BENCH``; a thread lets time pass unless ``ticks_alone`` is false."""

    def __init__(self, folder: Path | None = None, table: GpioSettings | None = None, ticks_alone: bool = True) -> None:
        super().__init__(pin_class=BenchPin)
        self.folder = folder or Path(os.environ[FOLDER])
        self._table = table or GpioSettings()
        self._guard = RLock()
        self._levels = {self._table.emergency_stop: 0, self._table.slot_switch: 0, self._table.item_sensor: 1}
        self._outputs = {entry["pin"]: entry["value"] for entry in _lines(self.folder / "pins.jsonl")}
        self._stuck: list[str] = []
        self._read_bytes = 0
        self._box_steps = 0
        self._shredder_steps = 0
        self._ended = Event()
        self.tick()
        if ticks_alone:
            Thread(target=self._run, daemon=True).start()

    def driven(self, pin: int, value: float) -> None:
        """An output was driven to ``value``."""
        if self._outputs.get(pin, 0.0) == value:
            return
        self._outputs[pin] = value
        _append(self.folder / "pins.jsonl", {"at": time.monotonic(), "pid": os.getpid(), "pin": pin, "value": value})

    def apply(self, pin: BenchPin) -> None:
        """Give an input the level of its switch."""
        if pin.function == "input" and pin.number in self._levels:
            pin.drive_high() if self._levels[pin.number] else pin.drive_low()

    def tick(self) -> None:
        """Read what was played, and let the parts move a little."""
        with self._guard:
            self._read()
            self._move_slot()
            self._move_box()
            self._shred()
            for pin in list(self.pins.values()):
                self.apply(pin)

    def close(self) -> None:
        """Release the pins."""
        self._ended.set()
        super().close()

    def _run(self) -> None:
        while not self._ended.wait(_TICK_SECONDS):
            with suppress(AssertionError):  # a pin that was released meanwhile
                self.tick()

    def _read(self) -> None:
        path = self.folder / "inputs.jsonl"
        if not path.exists() or path.stat().st_size <= self._read_bytes:
            return
        with path.open("rb") as file:
            file.seek(self._read_bytes)
            fresh = file.read()
        fresh = fresh[: fresh.rfind(b"\n") + 1]
        self._read_bytes += len(fresh)
        for entry in map(json.loads, fresh.splitlines()):
            if "stuck" in entry:
                self._stuck = entry["stuck"]
            else:
                self._levels[entry["pin"]] = entry["level"]

    def _move_slot(self) -> None:
        value = self._outputs.get(self._table.slot_servo, 0.0)
        if not value or "slot" in self._stuck:
            return
        degrees = (value * 20 - self._table.servo_shortest_ms) / 2 * 180
        self._set(self._table.slot_switch, int(degrees > _OPEN_DEGREES))

    def _move_box(self) -> None:
        boxes = self._table.box_switches
        way = sum(
            (1 if pin == self._table.box_forward else -1)
            for pin in (self._table.box_forward, self._table.box_backward)
            if pin and self._outputs.get(pin)
        )
        if not boxes or not way or "box" in self._stuck:
            return
        self._box_steps = (self._box_steps + way) % (_STEPS_BETWEEN_BOXES * len(boxes))
        for number, pin in enumerate(boxes):
            self._levels[pin] = int(self._box_steps != number * _STEPS_BETWEEN_BOXES)

    def _shred(self) -> None:
        running = bool(self._outputs.get(self._table.shredder_relay))
        self._shredder_steps = self._shredder_steps + 1 if running else 0
        if self._shredder_steps > _STEPS_TO_SHRED and "shredder" not in self._stuck:
            self._set(self._table.item_sensor, 1)

    def _set(self, pin: int, level: int) -> None:
        if self._levels[pin] != level:
            self._levels[pin] = level
            _append(self.folder / "inputs.jsonl", {"pin": pin, "level": level})


def _append(path: Path, entry: dict[str, Any]) -> None:
    with path.open("ab", buffering=0) as file:
        file.write(json.dumps(entry).encode() + b"\n")


def _lines(path: Path) -> list[dict[str, Any]]:
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_bytes().splitlines()]
