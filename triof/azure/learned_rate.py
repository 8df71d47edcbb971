"""The learned rate limit of a training resource, kept between commands."""

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
"""Seconds without a 429 after which one more call a second is tried."""


class LearnedRateFile:
    """Stores the rate in the home folder. ``now`` in Unix time."""

    def __init__(self, home: Path, options: CustomVisionOptions, now: Callable[[], float] = time.time) -> None:
        self._path = home / _FILE
        # Another resource or tier has its own rate.
        tier = f"{options.training_tier} {options.training_calls_per_second or ''}".strip()
        self._of = f"{options.training_endpoint} {tier}"
        self._now = now

    def read(self) -> LearnedRate | None:
        """Return the rate that an earlier command learned, or None."""
        kept = read_json(self._path)
        with suppress(KeyError, TypeError, ValueError, OverflowError):
            if kept["of"] == self._of:
                hours = int(max(0.0, self._now() - float(kept["at"])) / _FORGIVEN_SECONDS)
                return LearnedRate(int(kept["per_second"]), int(kept["most"]) + hours)
        return None

    def keep(self, learned: LearnedRate) -> None:
        """Store the rate; a write error is ignored, as the next command can learn it again."""
        content = {"of": self._of, "at": self._now(), **learned._asdict()}
        with suppress(OSError):
            replace_file(self._path, json.dumps(content).encode())
