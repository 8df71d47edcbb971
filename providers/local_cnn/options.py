"""The settings of the local provider, and those of every provider that answers from bundles."""

import os
from pathlib import Path
from typing import ClassVar, Literal, Self

from pydantic import Field

from providers.base import Task
from providers.local_cnn.engine import LITERT, Engine, Format
from providers.options import Options

SHIPPED_BUNDLES = Path(__file__).parent / "bundles"
_OF_ALL_TASKS = "all"


def shipped(task: Task) -> Path:
    """Return the folder of the shipped bundle for ``task``: its own one, or the one that answers all tasks."""
    own = SHIPPED_BUNDLES / task
    return own if own.is_dir() else SHIPPED_BUNDLES / _OF_ALL_TASKS


class BundleOptions(Options):
    """The bundle of each task; None: the active one, or else the shipped one."""

    format: ClassVar[Format]
    """The format of the networks."""

    waste_type_bundle: Path | None = None
    cleanliness_bundle: Path | None = None
    bundles: Path | None = None
    """Folder of installed bundles; the active one answers unless one of the two above is set."""
    threads: int = Field(default=1, ge=1, le=64)
    """Threads of each interpreter; more than one was slower on a busy machine."""
    interpreters: int = Field(default_factory=lambda: min(os.cpu_count() or 1, 4), ge=1, le=64)
    """Photos that a model can process at the same time; each beyond the first allocates memory on demand."""

    @property
    def engine(self) -> Engine:
        """What runs the networks."""
        raise NotImplementedError

    def shipped(self, task: Task) -> Path | None:
        """Return the folder of the shipped bundle for ``task``; None if there is none in this format."""
        raise NotImplementedError

    def chosen(self, task: Task) -> Path | None:
        """Return the folder that the settings name for ``task``, which overrides the active bundle."""
        return self.waste_type_bundle if task == "waste_type" else self.cleanliness_bundle

    def installed_in(self, folder: Path) -> Self:
        """Return these settings with ``folder`` for installed bundles unless it is set."""
        return self if self.bundles else self.model_copy(update={"bundles": folder})


class LocalCnnOptions(BundleOptions):
    """Bundles with a network of TensorFlow Lite, which LiteRT runs."""

    format: ClassVar[Format] = "tflite"

    precision: Literal["auto", "half", "8-bit"] = "auto"
    """The network to use of a bundle with two; auto: the 8-bit one if the measurement favours it."""

    @property
    def engine(self) -> Engine:
        """Return LiteRT."""
        return LITERT

    def shipped(self, task: Task) -> Path:
        """Return the folder of the shipped bundle for ``task``."""
        return shipped(task)
