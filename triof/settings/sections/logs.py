"""What is logged, and how much of it is kept."""

from typing import Literal

from pydantic import Field

from providers.options import Options


class LogsSettings(Options):
    """How much of the log is kept, in ``logs`` of the home folder."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    megabytes: float = Field(10, gt=0)
    """Size at which a new file is begun."""
    files: int = Field(5, ge=1)
    """Number of older files that are kept."""
