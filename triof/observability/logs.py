"""Logging: one JSON object a line to a rotating file, readable lines to the terminal.

The code logs events with fields through the standard library (:mod:`providers.event_log`):
``log.warning("router.fell_back", task=task, cause=cause)``. structlog is imported only here, so that
``triof classify``, which writes no log, starts without it. Fields of every line of a request are bound once, by
:func:`bind`, and are passed to the threads that work for it.
"""

import logging
import logging.handlers
import re
import sys
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager, suppress
from io import TextIOWrapper
from pathlib import Path
from typing import Any, TextIO

import structlog
from structlog.typing import Processor

from providers.event_log import LogEvent
from triof.observability.terminal import is_ours
from triof.settings.sections.logs import LogsSettings

bind = structlog.contextvars.bind_contextvars
"""Add fields to every further line of this request."""
begin = structlog.contextvars.clear_contextvars
"""Remove the fields that the thread's last request has bound."""

_LONGEST = {"exception": 8000}
_LONGEST_OTHER = 1000
_SECRETS = (
    # A URL's query may hold a key, its user part a password.
    (re.compile(r"(\w+://[^\s?'\"<>]*)\?[^\s'\"<>)]*"), r"\1?…"),
    (re.compile(r"(\w+://)[^\s/@'\"]+@"), r"\1…@"),
    (re.compile(r"\btriof_[\w-]{16,}"), "triof_…"),
)


@contextmanager
def kept(settings: LogsSettings, folder: Path, name: str, terminal: TextIO | None = None) -> Iterator[None]:
    """Log to ``folder``/``name``.log and to ``terminal`` (None: stderr) within the context.

    A terminal shows all lines of Triof, the stderr of a service only warnings and errors; lines of libraries go to the
    file only.
    """
    terminal = terminal or sys.stderr
    shown = logging.StreamHandler(terminal)
    shown.setFormatter(_formatter(structlog.dev.ConsoleRenderer(colors=terminal.isatty())))
    shown.addFilter(is_ours)
    shown.setLevel(logging.NOTSET if terminal.isatty() else logging.WARNING)
    file = _Rotating(folder / f"{name}.log", round(settings.megabytes * 1e6), settings.files)
    file.setFormatter(_formatter(structlog.processors.JSONRenderer(ensure_ascii=False)))
    handlers = (shown, file)
    _speak_up(settings.level.upper())
    root = logging.getLogger()
    for handler in handlers:
        root.addHandler(handler)
    try:
        yield
    finally:
        for handler in handlers:
            root.removeHandler(handler)
        file.close()


def _speak_up(level: str) -> None:
    for name in ("triof", "providers"):
        logging.getLogger(name).setLevel(level)
    # waitress warns of each queued request; the metrics count them.
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)


def _formatter(renderer: Processor) -> logging.Formatter:
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[
            _to_fields,
            structlog.contextvars.merge_contextvars,
            structlog.stdlib.add_log_level,
            structlog.stdlib.add_logger_name,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            _without_secrets,
        ],
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
    )


def _to_fields(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Use the name and fields of a Triof event; a library's line stays text."""
    message = event["_record"].msg
    if isinstance(message, LogEvent):
        event.update({**message.fields, "event": message.name})
    return event


def _without_secrets(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Keep only short text and numbers: no photo, no key, no password."""
    for name, value in event.items():
        if not name.startswith("_"):
            event[name] = _plain(value, _LONGEST.get(name, _LONGEST_OTHER))
    return event


def _plain(value: Any, longest: int) -> Any:
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return round(value, 4)
    if isinstance(value, bytes | bytearray | memoryview):
        return f"{len(value)} bytes"
    text = str(value)
    if "://" in text or "triof_" in text:
        for secret, instead in _SECRETS:
            text = secret.sub(instead, text)
    return text if len(text) <= longest else f"{text[:longest]}…"


class _Rotating(logging.handlers.RotatingFileHandler):
    """Ignores write errors after reporting one on stderr, so that the machine goes on."""

    def __init__(self, path: Path, max_bytes: int, files: int) -> None:
        self._told = ""
        self._line: tuple[logging.LogRecord | None, str] = None, ""
        super().__init__(path, maxBytes=max_bytes, backupCount=files, encoding="utf-8", delay=True)

    def _open(self) -> TextIOWrapper:
        Path(self.baseFilename).parent.mkdir(exist_ok=True)
        return super()._open()

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, cached, as the standard library formats it twice: for the size and for writing."""
        if self._line[0] is not record:
            self._line = record, super().format(record)
        return self._line[1]

    def doRollover(self) -> None:  # noqa: N802
        """Start a new file; if that fails, go on with the current one."""
        try:
            super().doRollover()
        except OSError as error:
            self._tell(error)

    def close(self) -> None:
        """Close, even if the last lines cannot be written."""
        with suppress(OSError):
            super().close()

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802
        """Report a line that could not be written."""
        self._tell(sys.exc_info()[1])

    def _tell(self, error: BaseException | None) -> None:
        if str(error) != self._told:
            self._told = str(error)
            with suppress(Exception):
                print(f"The log cannot be written ({error}): make room, or mend its folder.", file=sys.stderr)  # noqa: T201
