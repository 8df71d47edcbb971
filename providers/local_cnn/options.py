"""The settings of the local network."""

import os
from pathlib import Path
from typing import Literal, Self

from pydantic import Field

from providers.base import Task
from providers.options import Options

SHIPPED_BUNDLES = Path(__file__).parent / "bundles"
_OF_ALL_TASKS = "all"


def shipped(task: Task) -> Path:
    """The folder of the bundle that ships with Triof for ``task``: its own one, or that which answers all tasks."""
    own = SHIPPED_BUNDLES / task
    return own if own.is_dir() else SHIPPED_BUNDLES / _OF_ALL_TASKS


class LocalCnnOptions(Options):
    """Which bundle answers which task; None means the active one, or else the one that ships with Triof."""

    waste_type_bundle: Path | None = None
    cleanliness_bundle: Path | None = None
    bundles: Path | None = None
    """Where bundles are installed; what is active there answers, unless one of the two above overrules it."""
    threads: int = Field(default=1, ge=1, le=64)
    """Threads of each interpreter; more than one was slower on a busy machine."""
    interpreters: int = Field(default_factory=lambda: min(os.cpu_count() or 1, 4), ge=1, le=64)
    """Photos that one model can look at at once; each beyond the first takes memory only when it is needed."""

    precision: Literal["auto", "half", "8-bit"] = "auto"
    """Which network answers of a bundle that carries two; auto: the one in 8 bits where it was measured to pay."""

    def chosen(self, task: Task) -> Path | None:
        """The folder that the settings name for ``task``, which overrules what is active."""
        return self.waste_type_bundle if task == "waste_type" else self.cleanliness_bundle

    def installed_in(self, folder: Path) -> Self:
        """The same, with ``folder`` for the installed bundles where the settings name none."""
        return self if self.bundles else self.model_copy(update={"bundles": folder})
