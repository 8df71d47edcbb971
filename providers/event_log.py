"""Log lines as events: a dotted name, and fields that stay values until a handler writes them.

``log.warning("router.fell_back", task=task, cause=cause)`` is a record of the standard library whose ``msg`` is an
:class:`LogEvent`. A handler that knows no events writes ``router.fell_back task=… cause=…``; the machine's own log
takes the fields as they are. Providers log too, so it lies here; structlog is left to the log, for its import time.
"""

import logging
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any

_OF_LOGGING = ("exc_info", "stack_info", "stacklevel")


@dataclass(frozen=True, slots=True)
class LogEvent:
    """What happened, and its fields; as text a line of ``name key=value``, for people only."""

    name: str
    fields: Mapping[str, object]

    def __str__(self) -> str:
        return " ".join([self.name, *(f"{key}={_text(value)}" for key, value in self.fields.items())])


class EventLogger(logging.LoggerAdapter[logging.Logger]):
    """A logger whose methods take an event's name and its fields as keyword arguments.

    A trailing underscore is dropped from a field's name, for the words of Python: ``from_=before``. ``exc_info``,
    ``stack_info`` and ``stacklevel`` keep their meaning in the standard library; no field can be called like these,
    ``extra``, ``level`` or ``msg``.
    """

    def process(self, msg: str, kwargs: MutableMapping[str, Any]) -> tuple[LogEvent, dict[str, Any]]:
        """Gather the fields of a call; called only where the level is enabled."""
        of_logging = {name: kwargs.pop(name) for name in _OF_LOGGING if name in kwargs}
        return LogEvent(msg, {name.removesuffix("_"): value for name, value in kwargs.items()}), of_logging


def get_logger(name: str) -> EventLogger:
    """The logger of the module ``name``."""
    return EventLogger(logging.getLogger(name))


def _text(value: object) -> str:
    return f"{round(value, 4):.10g}" if isinstance(value, float) else str(value)
