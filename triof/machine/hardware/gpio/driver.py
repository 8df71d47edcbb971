"""Moves the parts on their pins: time-outs, end switches and the emergency stop.

Runs in the driver's process. Each output is switched under one lock that the emergency stop takes too, so that
nothing can be switched on after it.
"""

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from threading import RLock
from typing import Any

from triof.machine.hardware.base import Part, Sensors, StatusLight
from triof.machine.hardware.gpio.latch import Latched, LatchFile
from triof.machine.hardware.gpio.parts import GpioParts
from triof.machine.slot import EmergencyStopped, Interlocked, Jammed, SlotError
from triof.settings.sections.machine.gpio import GpioSettings

_POLL_SECONDS = 0.01


class PinDriver:
    """Hardware on pins; every output is off when it is built and after ``close``."""

    def __init__(
        self,
        settings: GpioSettings,
        path: Path,
        factory: Any,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.parts = GpioParts(settings, factory)
        self._settings = settings
        self._latch = LatchFile(path)
        self._clock = clock
        self._sleep = sleep
        self._lock = RLock()
        self._slot_driven: bool | None = None
        """Whether the slot was last driven open; None: not known."""
        self._box: int | None = None
        """The box whose switch was active last."""
        self._closed = False
        if button := self.parts.emergency_stop:
            button.when_active(self._emergency_stop)
            self._is_stopped()

    def open_slot(self) -> None:
        """Open the slot; wholly open is not seen, so it gets its time after the switch."""
        self._check("slot")
        if self._slot_driven and self.slot_is_open():
            return
        self._slot_driven = True
        self._turn(self.parts.slot_servo, self._settings.slot_open_degrees)
        self._pass(self._settings.slot_seconds)
        self._until("slot", self.slot_is_open, self._settings.slot_timeout_seconds - self._settings.slot_seconds)

    def close_slot(self) -> None:
        """Close the slot; it counts as closed when its switch says so, or after its time without one."""
        self._check("slot")
        if self._slot_driven is False and not self.slot_is_open():
            return
        self._slot_driven = None
        self._turn(self.parts.slot_servo, self._settings.slot_closed_degrees)
        if self.parts.slot_switch:
            self._until("slot", lambda: not self.slot_is_open(), self._settings.slot_timeout_seconds)
        else:
            self._pass(self._settings.slot_seconds)
        self._slot_driven = False

    def move_box(self, number: int) -> None:
        """Move box ``number`` under the slot, by angle or to its switch."""
        self._check("box")
        if self._settings.box_drive == "motor":
            self._drive_box(number)
            return
        self._turn(self.parts.box_servo, self._settings.box_degrees[number - 1])
        self._pass(self._settings.box_seconds)

    def shred(self) -> None:
        """Run the shredder for its time, and with an item sensor until the item is gone.

        Raises Interlocked if the slot is open or is opened meanwhile.
        """
        self._check("shredder")
        self._check_closed()
        item = self.parts.item
        shortest, longest = self._settings.shred_seconds, self._settings.shredder_timeout_seconds
        try:
            self._switch_on(self.parts.shredder)
            self._pass(shortest, self._check_closed)
            if item:
                self._until("shredder", lambda: not item.is_active, longest - shortest, self._check_closed)
        finally:
            self._off(self.parts.shredder)

    def slot_is_open(self) -> bool:
        """Return what the switch says; without one the slot counts as open until it was closed."""
        if self.parts.slot_switch:
            return not self.parts.slot_switch.is_active
        return self._slot_driven is not False

    def jammed(self) -> Part | None:
        """Return the jammed part, if any."""
        return self._latch.now.jammed

    def sensors(self) -> Sensors:
        """Return what the sensors say now."""
        item = self.parts.item.is_active if self.parts.item else None
        return Sensors(self.slot_is_open(), item, self._is_stopped())

    def set_lamp(self, on: bool) -> None:
        """Switch the lamp on or off."""
        if self.parts.lamp:
            self.parts.lamp.value = on

    def set_status(self, status: StatusLight) -> None:
        """Show ``status`` by its light alone."""
        for name, light in self.parts.lights.items():
            if light:
                light.value = name == status

    def clear(self) -> None:
        """Forget a jam and an emergency stop. Raises SlotError if the button is still pressed."""
        self._slot_driven = None
        # Within the lock, so that a button pressed meanwhile is latched afterwards.
        with self._lock:
            if self.parts.emergency_stop and self.parts.emergency_stop.is_active:
                raise SlotError("The emergency stop is still pressed: release the button, then run `triof slot clear`.")
            self._latch.now = Latched()
        self._latch.write()

    def close(self) -> None:
        """Switch every output off and free the pins; a movement under way ends with an error."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            self.parts.all_off()
            self.parts.close()
        with suppress(OSError):
            self._latch.write()

    def _is_stopped(self) -> bool:
        """Return whether the emergency stop holds; a button whose edge was missed stops everything, too."""
        button = self.parts.emergency_stop
        if not self._closed and not self._latch.now.emergency_stop and button and button.is_active:
            self._emergency_stop()
        return self._latch.now.emergency_stop

    def _emergency_stop(self) -> None:
        with self._lock:
            if self._closed:
                return
            self.parts.all_off()
            self._latch.now = replace(self._latch.now, emergency_stop=True)
        # A disk that fails does not matter now: it holds until it is cleared, or this process ends.
        with suppress(OSError):
            self._latch.write()

    def _drive_box(self, number: int) -> None:
        try:
            self._until("box", lambda: self._steer_to(number), self._settings.box_timeout_seconds)
        finally:
            self._off(self.parts.box_forward, self.parts.box_backward)

    def _steer_to(self, number: int) -> bool:
        """Run the motor towards box ``number``; return whether its switch says that it is there."""
        switches = enumerate(self.parts.box_switches, 1)
        here = next((box for box, switch in switches if switch and switch.is_active), None)
        self._box = here or self._box
        if here == number:
            return True
        # From an unknown place a carriage goes back to where the boxes begin; a turntable has one direction.
        forward, backward = self.parts.box_forward, self.parts.box_backward
        ahead = not backward or (self._box is not None and self._box < number)
        self._off(backward if ahead else forward)
        self._switch_on(forward if ahead else backward)
        return False

    def _turn(self, servo: Any, degrees: float) -> None:
        with self._lock:
            self._check_running()
            servo.angle = degrees

    def _switch_on(self, output: Any) -> None:
        with self._lock:
            self._check_running()
            output.on()

    def _off(self, *outputs: Any) -> None:
        with self._lock:
            for output in () if self._closed else outputs:
                if output:
                    output.off()

    def _pass(self, seconds: float, check: Callable[[], None] = lambda: None) -> None:
        """Let ``seconds`` pass; ``check`` may end the movement by an error."""
        end = self._clock() + seconds
        while True:
            self._check_running()
            check()
            left = end - self._clock()
            if left <= 0:
                return
            self._sleep(min(_POLL_SECONDS, left))

    def _until(
        self, part: Part, is_done: Callable[[], bool], seconds: float, check: Callable[[], None] = lambda: None
    ) -> None:
        """Return once ``is_done``. Raises Jammed, with every motor off, if that takes longer than ``seconds``."""
        end = self._clock() + seconds
        while True:
            self._check_running()
            check()
            if is_done():
                return
            if self._clock() >= end:
                break
            self._sleep(_POLL_SECONDS)
        with self._lock:
            if not self._closed:
                self.parts.motors_off()
            self._latch.now = replace(self._latch.now, jammed=part)
        with suppress(OSError):
            self._latch.write()
        raise Jammed(part)

    def _check(self, part: Part) -> None:
        self._check_running()
        if self.jammed() == part:
            raise Jammed(part)

    def _check_running(self) -> None:
        if self._closed:
            raise SlotError("The driver is being stopped: nothing moves any more.")
        if self._is_stopped():
            raise EmergencyStopped()

    def _check_closed(self) -> None:
        if self.slot_is_open():
            raise Interlocked("The slot's own switch says that it is open.")
