"""The monitor of one machine: its detectors and the status of each signal."""

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, datetime
from typing import Any

import numpy as np

from providers.base import Task
from triof.monitoring.baseline import Array
from triof.monitoring.drift import Detector, State, threshold
from triof.monitoring.event_reader import Accepted, Bookmark, Confirmed, Happening, utc_day
from triof.monitoring.signals import (
    OF_PEOPLE,
    OF_THE_MODELS,
    SIGNALS,
    MonitoredDeposit,
    MonitoredPrediction,
    Signal,
    observed,
    observed_correction,
    sentence,
    shown,
)
from triof.settings.sections.monitoring import MonitoringSettings

ALERT = "drift."
"""Prefix of a signal's alert name."""
ALL = "all"
_STREAK = 20
"""Consecutive deposits by another model after which it counts as in production; fewer may be a candidate's."""

References = Mapping[tuple[str, str], float]
"""Reference values from the bundles' cards, by signal and part."""


@dataclass(frozen=True)
class SignalStatus:
    """The status of one signal of one machine; values in the signal's units (0 to 1, or as the photo statistics)."""

    machine: str
    signal: str
    task: Task | None
    part: str
    """The most deviant label; empty if the signal covers all deposits."""
    state: State
    value: float | None
    """Current value; for an embedding the distance from the baseline, in standard deviations of one photo."""
    baseline: float | None
    """Value in the machine's baseline."""
    reference: float | None
    """Value on the photos on which the model was selected; for an embedding the distance from those."""
    evidence: float
    """Evidence in standard deviations beyond the tolerance ..."""
    threshold: float
    """... and the alarm threshold."""
    n: int
    """Number of deposits behind it."""
    since: datetime | None
    """Beginning of the deviation."""
    days: int
    """Of the baseline."""
    deposits: int
    text: str
    """For a technician."""

    def as_json(self) -> dict[str, Any]:
        """To be written down."""
        return {**asdict(self), "since": self.since.isoformat() if self.since else None}

    @classmethod
    def from_json(cls, written: Mapping[str, Any]) -> "SignalStatus":
        """Create it from its JSON form, ignoring fields of other versions."""
        known = {each.name: written[each.name] for each in fields(cls)}
        return cls(**{**known, "since": datetime.fromisoformat(known["since"]) if known["since"] else None})


@dataclass
class MachineMonitor:
    """The detectors of ``machine``."""

    machine: str
    settings: MonitoringSettings
    bookmark: Bookmark = field(default_factory=Bookmark)
    detectors: dict[tuple[str, str], Detector] = field(default_factory=dict)
    _streaks: dict[str, tuple[str, int]] = field(default_factory=dict)
    _height: float = math.inf
    _day: int = 0

    def take(self, happened: Happening) -> None:
        """Process an event."""
        day, at = utc_day(happened.at), happened.at.timestamp()
        if day != self._day:
            self._day, self._height = day, self.height()
        match happened:
            case Accepted(name=name):
                self.forget(signal for signal in SIGNALS.values() if name in (ALL, ALERT + signal.name))
            case Confirmed(corrected=corrected):
                self._observe(*observed_correction(corrected), day, at)
            case MonitoredDeposit():
                for signal, part, value in observed(happened._replace(seen=dict(self._known(happened.seen)))):
                    self._observe(signal, part, value, day, at)

    def height(self) -> float:
        """Alarm threshold, exceeded by chance once per ``false_alarm_days``."""
        looks = sum(detector.looks_a_day for detector in self.detectors.values())
        return threshold(looks * self.settings.false_alarm_days)

    def forget(self, signals: Iterable[Signal]) -> None:
        """Begin new baselines for ``signals``."""
        for signal in signals:
            for part in signal.parts:
                self.detectors.pop((signal.name, part), None)

    def standings(self, references: References) -> Iterator[SignalStatus]:
        """Yield the status of each signal with data, for its most deviant part."""
        for signal in SIGNALS.values():
            found = {part: self.detectors[signal.name, part] for part in signal.parts if self._has(signal, part)}
            if found:
                part = max(found, key=lambda part: _prominence(found[part]))
                yield self._standing(signal, part, found, references)

    def _has(self, signal: Signal, part: str) -> bool:
        return (signal.name, part) in self.detectors

    def _observe(self, signal: Signal, part: str, value: Array, day: int, at: float) -> None:
        key = (signal.name, part)
        if key not in self.detectors:
            self.detectors[key] = self._detector(signal)
        self.detectors[key].add(day, at, value, self._height)

    def _detector(self, signal: Signal) -> Detector:
        return Detector(signal.measure, self.settings.baseline_days, self.settings.baseline_deposits)

    def _known(self, seen: Mapping[Task, MonitoredPrediction]) -> Iterator[tuple[Task, MonitoredPrediction]]:
        """Yield the predictions of models in production."""
        for task, answer in seen.items():
            of_task = [signal for signal in OF_THE_MODELS if signal.task == task]
            key = f"{task}/{answer.provider}"
            if not (
                self._is_established(task, answer.provider, of_task)
                and self._is_established(key, answer.version, of_task)
            ):
                continue
            yield task, answer if self._knows_rival(task, answer) else answer._replace(rival=None)

    def _knows_rival(self, task: Task, answer: MonitoredPrediction) -> bool:
        if not answer.rival:
            return False
        _, rival, version = answer.rival
        return self._is_established(f"{task}/{rival}", version, [SIGNALS[f"agreement.{task}"]])

    def _is_established(self, key: str, value: str, signals: Iterable[Signal]) -> bool:
        """Return whether ``value`` is established; a new one is after a while, and begins new baselines."""
        known = self.bookmark.versions.setdefault(key, value)
        if value == known:
            self._streaks.pop(key, None)
            return True
        last, times = self._streaks.get(key, (value, 0))
        self._streaks[key] = (value, times + 1 if last == value else 1)
        if self._streaks[key][1] < _STREAK:
            return False
        self.bookmark.versions[key] = value
        self.forget([*signals, *OF_PEOPLE])
        return True

    def _standing(
        self, signal: Signal, part: str, found: Mapping[str, Detector], references: References
    ) -> SignalStatus:
        detector = found[part]
        n, latest = detector.latest()
        finding = detector.finding
        mean = finding.mean if detector.alarmed and finding.n else latest
        before = detector.profile.mean if detector.ready else None
        value, usual = _in_units(signal, detector, mean, before)
        since = datetime.fromtimestamp(finding.since, UTC) if detector.alarmed and finding.since else None
        return SignalStatus(
            machine=self.machine,
            signal=signal.name,
            task=signal.task,
            part=part,
            state=detector.state,
            value=value,
            baseline=usual,
            reference=_from_reference(found) if signal.topic == "embedding" else references.get((signal.name, part)),
            evidence=round(finding.evidence, 2),
            threshold=round(self.height(), 2),
            n=finding.n if detector.alarmed else n,
            since=since,
            days=len(detector.baseline.days),
            deposits=detector.baseline.observations,
            text=self._text(signal, part, detector, value, usual),
        )

    def _text(self, signal: Signal, part: str, detector: Detector, value: float | None, usual: float | None) -> str:
        if detector.state == "learning":
            days, deposits = len(detector.baseline.days), detector.baseline.observations
            wanted = self.settings
            return (
                f"Learning what is usual: {days} of {wanted.baseline_days} days,"
                f" {deposits} of {wanted.baseline_deposits} deposits."
            )
        assert value is not None
        assert usual is not None
        if detector.state == "alarm":
            return sentence(signal, part, value, usual)
        if signal.topic == "embedding":
            return f"As usual: '{part}' looks {shown(signal, value)} standard deviations off the first days."
        of = f"'{part}' " if part else ""
        return f"As usual: {of}{shown(signal, value)}, in the first days {shown(signal, usual)}."

    def as_json(self) -> dict[str, Any]:
        """To be written down."""
        return {
            "bookmark": self.bookmark.as_json(),
            "height": self._height if math.isfinite(self._height) else None,
            "detectors": [[*key, detector.as_json()] for key, detector in self.detectors.items()],
        }

    def restore(self, written: Mapping[str, Any]) -> None:
        """Restore the state from its JSON form. Raises KeyError, TypeError or ValueError if it is invalid."""
        self.bookmark = Bookmark.from_json(written["bookmark"])
        self._height = math.inf if written["height"] is None else float(written["height"])
        for name, part, detector in written["detectors"]:
            self.detectors[name, part] = self._detector(SIGNALS[name])
            self.detectors[name, part].restore(detector)


def _prominence(detector: Detector) -> tuple[bool, bool, float]:
    return detector.alarmed, detector.ready, detector.finding.evidence


def _in_units(
    signal: Signal, detector: Detector, mean: Array, before: Array | None
) -> tuple[float | None, float | None]:
    if signal.topic == "embedding":
        if before is None:
            return None, None
        return round(float(np.linalg.norm(detector.profile.turn @ (mean - before))), 3), 0.0
    return round(float(mean[0]), 4), None if before is None else round(float(before[0]), 4)


def _from_reference(found: Mapping[str, Detector]) -> float:
    """Return the distance of the latest deposits, of all labels, from the photos on which the model was selected."""
    latest = [detector.latest() for detector in found.values()]
    n = sum(count for count, _ in latest)
    return round(float(np.linalg.norm(sum(count * mean for count, mean in latest) / max(n, 1))), 3)
