"""Builds the hardware of the settings; the module of a kind is imported only where it is used."""

from importlib import import_module
from typing import cast

from triof.machine.hardware.base import Hardware
from triof.machine.slot import SlotError
from triof.settings.tree import Settings

_NEEDED = tuple(name for name in vars(Hardware) if not name.startswith("_"))


def build_hardware(settings: Settings) -> Hardware:
    """Build the hardware of the settings. Raises SlotError if a foreign driver cannot be used."""
    match settings.slot.kind:
        case "simulated":
            from triof.machine.hardware.simulated import SimulatedHardware

            return SimulatedHardware(settings.home / "simulated_machine.json", settings.slot.simulated_seconds)
        case foreign:
            return _foreign(foreign, settings)


def _foreign(name: str, settings: Settings) -> Hardware:
    module, _, attribute = name.partition(":")
    try:
        driver = getattr(import_module(module), attribute)
        built = driver(settings)
    except SlotError:
        raise
    # A foreign module may raise anything.
    except Exception as error:
        raise SlotError(f"Hardware {name!r} cannot be used ({error!r}): install it, or mend slot.kind.") from error
    if missing := [needed for needed in _NEEDED if not hasattr(built, needed)]:
        raise SlotError(
            f"{name!r} is no hardware (it lacks {', '.join(missing)}): see triof/machine/hardware/base.py,"
            " or mend slot.kind."
        )
    return cast(Hardware, built)
