"""Starts and stops the models in the cloud that are paid by the hour, by the opening hours of the settings.

Only the beginning and the end of the hours are acted on, so that what a person starts or stops meanwhile stays so.
"""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from providers.event_log import get_logger
from providers.rekognition.options import RekognitionOptions
from triof.common.atomic_files import keep_state, read_json
from triof.common.scheduler import ScheduledTask
from triof.judging import cloud_providers
from triof.settings.modes import Mode
from triof.settings.tree import Settings

log = get_logger(__name__)

_NAME = "rekognition"
_LOOK_SECONDS = 60.0
_FILE = "rekognition-hours.json"


class ModelSchedule:
    """Keeps the models running during the hours. ``now`` gives aware datetimes."""

    def __init__(
        self,
        home: Path,
        options: RekognitionOptions,
        zone: ZoneInfo,
        mode: Callable[[], Mode],
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._file = home / _FILE
        self._options = options
        self._zone = zone
        self._mode = mode
        self._now = now

    def keep(self) -> None:
        """Start or stop the models if the hours began or ended since the last time. Raises ProviderError, OSError."""
        # In mode local nothing is asked of the network.
        if self._mode() == "local":
            return
        lead = timedelta(minutes=self._options.lead_minutes)
        wanted = self._options.hours.is_open(self._now().astimezone(self._zone), lead)
        if read_json(self._file).get("open") is wanted:
            return
        turned = [self._turn(arn, wanted) for arn in self._options.versions]
        if all(turned):
            keep_state(self._file, json.dumps({"open": wanted}).encode())

    def _turn(self, arn: str, wanted: bool) -> bool:
        # Imports the vendor's library, which only this needs.
        from providers.rekognition.versions import ModelVersion

        with ModelVersion(arn, self._options) as version:
            done = version.start() if wanted else version.stop()
            if done:
                log.info("model.started" if wanted else "model.stopped", name=version.name, by="hours")
            return done


def tasks(settings: Settings, mode: Callable[[], Mode]) -> Iterator[ScheduledTask]:
    """Yield the task of a machine that asks such a model and has hours."""
    asked = _NAME in cloud_providers.in_routes(settings) and _NAME not in cloud_providers.left_out(settings)
    if asked and settings.rekognition.hours.is_set:
        schedule = ModelSchedule(settings.home, settings.rekognition, ZoneInfo(settings.reports.timezone), mode)
        yield ScheduledTask("rekognition.hours", _LOOK_SECONDS, schedule.keep)
