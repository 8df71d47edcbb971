"""The calls a second that the vendor of a training resource has really granted, from one command to the next."""

import json
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from providers.custom_vision.options import CustomVisionOptions
from providers.custom_vision.rate_limiter import LearnedRate
from triof.common.atomic_files import read_json, replace_file

_FILE = "azure/pace.json"
_FORGIVEN_SECONDS = 3600.0
"""For each of these without a refusal one call a second more is tried."""


class LearnedRateFile:
    """Keeps it in the home folder. ``now`` in seconds of the epoch."""

    def __init__(self, home: Path, options: CustomVisionOptions, now: Callable[[], float] = time.time) -> None:
        self._path = home / _FILE
        # Of another resource or tier it says nothing.
        tier = f"{options.training_tier} {options.training_calls_per_second or ''}".strip()
        self._of = f"{options.training_endpoint} {tier}"
        self._now = now

    def read(self) -> LearnedRate | None:
        """What an earlier command learned; None: nothing."""
        kept = read_json(self._path)
        with suppress(KeyError, TypeError, ValueError, OverflowError):
            if kept["of"] == self._of:
                hours = int(max(0.0, self._now() - float(kept["at"])) / _FORGIVEN_SECONDS)
                return LearnedRate(int(kept["per_second"]), int(kept["most"]) + hours)
        return None

    def keep(self, learned: LearnedRate) -> None:
        """Keep it, if the disk lets us: the next command learns it anew otherwise."""
        content = {"of": self._of, "at": self._now(), **learned._asdict()}
        with suppress(OSError):
            replace_file(self._path, json.dumps(content).encode())
