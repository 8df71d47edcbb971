"""What the kiosk and the driver's process say to each other: one JSON object a line.

A request is ``{"id": 1, "call": "move_box", "args": [2]}``, its reply ``{"id": 1, "value": null}`` or
``{"id": 1, "error": "Jammed", "text": "box"}``. ``{"beat": 1}`` is a sign of life, without a reply.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any

from triof.machine.slot import EmergencyStopped, Interlocked, Jammed, SlotError

QUICK = ("slot_is_open", "jammed", "sensors", "set_lamp", "set_status", "clear")
MOVEMENTS = ("open_slot", "close_slot", "move_box", "shred")
FOR_GUESTS = ("slot_is_open", "jammed", "sensors", "clear")
"""What programs beside the one that runs the machine may ask for."""

_ERRORS: Mapping[str, Callable[[str], SlotError]] = {
    "EmergencyStopped": lambda _: EmergencyStopped(),
    "Interlocked": Interlocked,
    "Jammed": Jammed,  # type: ignore[dict-item]
    "SlotError": SlotError,
}


def line(message: Mapping[str, Any]) -> bytes:
    """Return the message as a line."""
    return json.dumps(message).encode() + b"\n"


def failure(error: Exception) -> dict[str, str]:
    """Return the fields of a reply that say what went wrong."""
    match error:
        case Jammed():
            return {"error": "Jammed", "text": error.part}
        case SlotError():
            return {"error": type(error).__name__, "text": str(error)}
        case _:
            return {"error": "SlotError", "text": f"The driver failed: {error!r}."}


def value_of(reply: Mapping[str, Any]) -> Any:
    """Return the value of a reply. Raises the SlotError that it tells."""
    if "error" in reply:
        raise _ERRORS.get(reply["error"], SlotError)(reply["text"])
    return reply.get("value")
