"""Structured logging: an event has a dotted name and fields that keep their types until a handler formats them.

``log.warning("router.fell_back", task=task, cause=cause)`` creates a record of the standard library whose ``msg`` is an
:class:`Event`. A plain handler writes ``router.fell_back task=… cause=…``; the machine's own log reads the fields.
It lies in ``providers`` because providers log too; it does not import structlog, which is slow to import.
"""

import logging
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any

_OF_LOGGING = ("exc_info", "stack_info", "stacklevel")


@dataclass(frozen=True, slots=True)
class Event:
    """An event's name and fields. ``str()`` gives ``name key=value …``, for people only."""

    name: str
    fields: Mapping[str, object]

    def __str__(self) -> str:
        return " ".join([self.name, *(f"{key}={_text(value)}" for key, value in self.fields.items())])


class EventLogger(logging.LoggerAdapter[logging.Logger]):
    """A logger whose methods take an event's name and its fields as keyword arguments.

    A trailing underscore is removed from a field's name, for Python keywords: ``from_=before``. ``exc_info``,
    ``stack_info`` and ``stacklevel`` keep their meaning in the standard library. These names, ``extra``, ``level`` and
    ``msg`` are reserved.
    """

    def process(self, msg: str, kwargs: MutableMapping[str, Any]) -> tuple[Event, dict[str, Any]]:
        """Build the event from the arguments of a call; called only if the level is enabled."""
        of_logging = {name: kwargs.pop(name) for name in _OF_LOGGING if name in kwargs}
        return Event(msg, {name.removesuffix("_"): value for name, value in kwargs.items()}), of_logging


def get_logger(name: str) -> EventLogger:
    """Return the logger of the module ``name``."""
    return EventLogger(logging.getLogger(name))


def _text(value: object) -> str:
    return f"{round(value, 4):.10g}" if isinstance(value, float) else str(value)
