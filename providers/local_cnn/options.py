"""The settings of the local network."""

from pathlib import Path

from pydantic import Field

from providers.base import Task
from providers.options import Options

SHIPPED_BUNDLES = Path(__file__).parent / "bundles"


class LocalCnnOptions(Options):
    """Which bundle answers which task; None means the one that ships with Triof."""

    waste_type_bundle: Path | None = None
    cleanliness_bundle: Path | None = None
    threads: int = Field(default=1, ge=1, le=64)
    """Threads of the interpreter; more than one was slower on a busy machine."""

    def bundle(self, task: Task) -> Path:
        """The folder of the bundle for ``task``."""
        chosen = self.waste_type_bundle if task == "waste_type" else self.cleanliness_bundle
        return chosen or SHIPPED_BUNDLES / task
