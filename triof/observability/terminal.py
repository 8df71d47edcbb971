"""What reaches a terminal besides the words of a command: log lines of ours, and no line or warning of a library."""

import logging
import sys
import warnings

_OURS = ("triof", "providers")


def is_ours(record: logging.LogRecord) -> bool:
    """Whether a log line was written by Triof."""
    return record.name.split(".")[0] in _OURS


def keep_clean() -> None:
    """Keep the lines and the warnings of libraries from the terminal of this process.

    Warnings stay where Python was asked for them (``-W``, ``PYTHONWARNINGS``).
    """
    if logging.lastResort:
        logging.lastResort.addFilter(is_ours)
    if not sys.warnoptions:
        warnings.filterwarnings("ignore", module=rf"(?!({'|'.join(_OURS)})(\.|$))")
