"""Level and size of the log."""

from typing import Literal

from pydantic import Field

from providers.options import Options


class LogsSettings(Options):
    """Level of the log, and size and number of its files in ``logs`` of the home folder."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    megabytes: float = Field(10, gt=0)
    """Size at which a new file is started."""
    files: int = Field(5, ge=1)
    """Number of older files to keep."""
