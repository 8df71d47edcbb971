"""The parts on their pins; the only import of gpiozero.

Every output is built switched off, so that a new process begins with everything off.
"""

from collections.abc import Callable
from importlib import import_module
from importlib.metadata import entry_points
from importlib.util import find_spec
from typing import Any

from triof.machine.slot import SlotError
from triof.settings.sections.machine.gpio import GpioSettings, Level

_MISSING = "gpiozero is not installed: pip install 'triof[gpio]', or set slot.kind to simulated."

_NO_LGPIO = (
    "lgpio, which reaches the pins, is not installed: sudo apt-get install python3-lgpio (without Triof's Debian"
    " package: pip install 'triof[gpio]'), or mend slot.gpiozero.pin_factory."
)

_NOT_ALLOWED = "This user may not use the pins (/dev/gpiochip*): sudo usermod -aG gpio USER, then log in again."


class Contact:
    """A switch or sensor that is active at one level of its pin."""

    def __init__(self, device: Any, active: Level) -> None:
        self._device = device
        self._active = active

    @property
    def is_active(self) -> bool:
        """Whether the pin has its active level now."""
        return bool(self._device.is_active) == (self._active == "low")

    def when_active(self, call: Callable[[], None]) -> None:
        """Call ``call`` in a thread of gpiozero each time the pin becomes active."""
        if self._active == "low":
            self._device.when_activated = call
        else:
            self._device.when_deactivated = call


class GpioParts:
    """The devices of the pin table. A part that is not there is None."""

    def __init__(self, settings: GpioSettings, factory: Any) -> None:
        self.factory = factory
        self._settings = settings
        self.shredder = self._output(settings.shredder_relay, settings.shredder_active)
        self.box_forward = self.box_backward = self.box_servo = None
        self.box_switches: list[Contact | None] = []
        if settings.box_drive == "motor":
            self.box_forward = self._output(settings.box_forward, settings.box_motor_active)
            self.box_backward = self._output(settings.box_backward, settings.box_motor_active)
            self.box_switches = [self._input(pin, settings.box_switch_active) for pin in settings.box_switches]
        else:
            self.box_servo = self._servo(settings.box_servo)
        self.slot_servo = self._servo(settings.slot_servo)
        self.slot_switch = self._input(settings.slot_switch, settings.slot_switch_active)
        self.item = self._input(settings.item_sensor, settings.item_active)
        self.emergency_stop = self._input(settings.emergency_stop, settings.emergency_stop_active)
        self.lamp = self._output(settings.lamp_relay, settings.lamp_active)
        self.lights = {
            "fault": self._output(settings.status_red, settings.status_active),
            "ready": self._output(settings.status_green, settings.status_active),
            "busy": self._output(settings.status_blue, settings.status_active),
        }

    def motors_off(self) -> None:
        """Switch shredder and box motor off, and let the servos go."""
        for output in (self.shredder, self.box_forward, self.box_backward):
            if output:
                output.off()
        for servo in (self.slot_servo, self.box_servo):
            if servo:
                servo.detach()

    def all_off(self) -> None:
        """Switch every output off."""
        self.motors_off()
        for output in (self.lamp, *self.lights.values()):
            if output:
                output.off()

    def close(self) -> None:
        """Free the pins."""
        self.factory.close()

    def _output(self, pin: int, active: Level) -> Any:
        from gpiozero import DigitalOutputDevice

        if not pin:
            return None
        return DigitalOutputDevice(pin, active_high=active == "high", initial_value=False, pin_factory=self.factory)

    def _input(self, pin: int, active: Level) -> "Contact | None":
        from gpiozero import DigitalInputDevice

        if not pin:
            return None
        # Always pulled up: switches, and the receivers of beams, connect the pin to ground.
        return Contact(DigitalInputDevice(pin, pull_up=True, pin_factory=self.factory), active)

    def _servo(self, pin: int) -> Any:
        from gpiozero import AngularServo

        return AngularServo(
            pin,
            initial_angle=None,
            min_angle=0,
            max_angle=180,
            min_pulse_width=self._settings.servo_shortest_ms / 1000,
            max_pulse_width=self._settings.servo_longest_ms / 1000,
            pin_factory=self.factory,
        )


def pin_factory(name: str) -> Any:
    """Return how to reach the pins: a factory of gpiozero by its name, or any ``module:Class``.

    Raises SlotError if it cannot be had.
    """
    if not find_spec("gpiozero"):
        raise SlotError(_MISSING)
    from gpiozero.exc import BadPinFactory

    try:
        if ":" in name:
            module, _, attribute = name.partition(":")
            return getattr(import_module(module), attribute)()
        (entry,) = entry_points(group="gpiozero_pin_factories", name=name)
        return entry.load()()
    except (ValueError, ImportError, AttributeError, BadPinFactory) as error:
        if isinstance(error, ImportError) and error.name == "lgpio":
            raise SlotError(_NO_LGPIO) from error
        raise SlotError(
            f"The pins cannot be reached by {name!r} ({error}): pip install 'triof[gpio]', or mend"
            " slot.gpiozero.pin_factory."
        ) from error
    except PermissionError as error:
        raise SlotError(_NOT_ALLOWED) from error
    except Exception as error:
        # lgpio has an error class of its own, whose text is all there is.
        raise SlotError(_NOT_ALLOWED if "permission" in str(error).lower() else f"No pins here: {error}.") from error
