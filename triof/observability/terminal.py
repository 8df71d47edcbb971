"""Terminal output apart from a command's own: log lines of Triof, but not those of libraries."""

import logging
import sys
import warnings

_OURS = ("triof", "providers")


def is_ours(record: logging.LogRecord) -> bool:
    """Return whether a log record is Triof's."""
    return record.name.split(".")[0] in _OURS


def keep_clean() -> None:
    """Hide log lines and warnings of libraries from the terminal of this process.

    Warnings stay enabled if Python was started with ``-W`` or ``PYTHONWARNINGS``.
    """
    if logging.lastResort:
        logging.lastResort.addFilter(is_ours)
    if not sys.warnoptions:
        warnings.filterwarnings("ignore", module=rf"(?!({'|'.join(_OURS)})(\.|$))")
