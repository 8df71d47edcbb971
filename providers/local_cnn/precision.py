"""Chooses between the half-precision and the 8-bit network of a bundle on this machine.

On processors with integer dot products, 8 bits may take less than half the time, on others they gain nothing, and
their answers differ a little. Both are therefore measured once on each machine
(``triof/models/precision_benchmark.py``), and the result is stored beside the installed bundles, by the SHA-256 of the
8-bit network::

    bundles/precision.json      {SHA256: {"version": ..., "processor": ..., "ratio": 2.1, "agreement": 1.0, ...}, ...}

A result is valid only for the same networks, processor and LiteRT version. Without one, half precision answers.
"""

import hashlib
import json
import platform
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

from pydantic import Field, ValidationError

from providers.local_cnn.bundle import EIGHT_BIT_FILE, Bundle, BundleCard, Probability
from providers.local_cnn.options import LocalCnnOptions
from providers.options import Options

MEMORY_FILE = "precision.json"
LEAST_RATIO = 1.4
"""Minimum speed-up of 8 bits."""
LEAST_AGREEMENT = 0.995
"""Minimum share of the reference photos with the same answers."""

_CPUINFO = Path("/proc/cpuinfo")
_ABOUT = (
    *("vendor_id", "cpu family", "model", "model name", "flags"),
    *("CPU implementer", "CPU variant", "CPU part", "Features"),
)
"""Fields of Linux's /proc/cpuinfo that determine a processor's speed, on x86 and on Arm."""


class PrecisionMeasurement(Options):
    """The comparison of both networks of a bundle on the reference photos."""

    version: str
    """Version of the bundle, for people."""
    sha256: str
    """SHA-256 of the half-precision network."""
    processor: str
    interpreter: str
    fault: str = ""
    """Why the measurement failed; the numbers are invalid then."""
    photos: int = Field(default=0, ge=0)
    ratio: float = Field(default=0.0, ge=0)
    """Median time of a call in half precision, divided by that in 8 bits."""
    agreement: Probability = 0.0
    """Share of the photos with the same answer to every task."""

    @property
    def pays(self) -> bool:
        """Whether the 8-bit network should answer."""
        return not self.fault and self.ratio >= LEAST_RATIO and self.agreement >= LEAST_AGREEMENT

    def __str__(self) -> str:
        return self.fault or (
            f"8 bits are {self.ratio:.2f} times as fast and agree on {100 * self.agreement:.1f} % of {self.photos}"
            f" reference photos (needed: {LEAST_RATIO:g} times, {100 * LEAST_AGREEMENT:g} %)"
        )


class Choice(NamedTuple):
    """The chosen network and the reason."""

    eight_bit: bool
    reason: str
    is_fault: bool = False
    """Whether the reason is a damaged file or a failed measurement, which the technician should fix."""


def choose(loaded: Bundle, options: LocalCnnOptions) -> Choice:
    """Choose the network by the settings, or else by the measurement on this machine."""
    if loaded.card.eight_bit_sha256 is None:
        return Choice(False, "the bundle carries no 8-bit network")
    if loaded.lacks_its_eight_bit:
        return Choice(False, f"its {EIGHT_BIT_FILE} is missing or damaged: install the bundle again", is_fault=True)
    if options.precision != "auto":
        return Choice(options.precision == "8-bit", "the settings say so (local_cnn.precision)")
    measured = remembered(loaded.card, options.bundles)
    if measured is None:
        return Choice(False, "its 8-bit network was not measured on this machine yet")
    return Choice(measured.pays, str(measured), is_fault=bool(measured.fault))


def is_due(loaded: Bundle, options: LocalCnnOptions) -> bool:
    """Return whether both networks must be measured on this machine; failed measurements are repeated."""
    if options.precision != "auto" or loaded.eight_bit is None:
        return False
    measured = remembered(loaded.card, options.bundles)
    return measured is None or bool(measured.fault)


def remembered(card: BundleCard, bundles: Path | None) -> PrecisionMeasurement | None:
    """Return the measurement of this bundle on this machine; None if there is none or it is unreadable."""
    if bundles is None or card.eight_bit_sha256 is None:
        return None
    try:
        kept = json.loads((bundles / MEMORY_FILE).read_bytes())
        measured = PrecisionMeasurement.model_validate(kept[card.eight_bit_sha256])
    except (OSError, ValueError, ValidationError, RecursionError, KeyError, TypeError):
        return None
    here = (card.sha256, processor(), interpreter())
    return measured if (measured.sha256, measured.processor, measured.interpreter) == here else None


def processor(cpuinfo: Path = _CPUINFO) -> str:
    """Return the processor's name and a digest of its features, as virtual machines hide its exact model."""
    try:
        lines = cpuinfo.read_text("utf-8", "replace").split("\n\n")[0].splitlines()
    except OSError:
        lines = []
    told = {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    about = "\n".join(f"{name}: {told[name]}" for name in _ABOUT if name in told)
    name = told.get("model name") or platform.processor() or platform.machine()
    return f"{name} ({hashlib.sha256(about.encode()).hexdigest()[:8]})"


def interpreter() -> str:
    """Return name and version of the interpreter."""
    return f"ai-edge-litert {metadata.version('ai-edge-litert')}"
