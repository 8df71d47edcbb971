"""Drift: chance raises no alarm, however often it is looked; a real shift does, soon, once."""

import json
import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast
from uuid import UUID, uuid4

import numpy as np
import pytest
from sqlalchemy import Table, insert

from triof.journal.journal import Journal
from triof.monitoring.drift import Detector, Measure, threshold
from triof.monitoring.machine_monitor import SignalStatus
from triof.monitoring.monitor import Monitor
from triof.settings.tree import Settings
from triof.storage.database import Database
from triof.storage.tables import Event, PredictionRow

pytestmark = pytest.mark.slow

MEASURES = {
    "number": Measure("number", 0.25, least=0.01),
    "share": Measure("share", 0.05),
    "vector": Measure("vector", 0.5, 16, 0.05),
}
Draw = Callable[[np.random.Generator], np.ndarray]
PACE = 30
HEIGHT = threshold(PACE / 10 * 365)


def seen(kind: str, rng: np.random.Generator, day_effect: np.ndarray, step: float = 0.0) -> np.ndarray:
    """One observation; ``step`` in standard deviations, of a share in its own units."""
    if kind == "share":
        return np.array([float(rng.random() < 0.15 + 0.03 * day_effect[0] + step)])
    drawn: np.ndarray = rng.normal(day_effect + step / np.sqrt(len(day_effect)), 1.0)
    return drawn


class Canteen:
    """A machine whose days differ and whose visitors bring two alike."""

    def __init__(self, kind: str, seed: int, days_differ: float = 0.25, least_days: int = 10) -> None:
        self.kind, self.rng, self.days_differ = kind, np.random.default_rng(seed), days_differ
        self.detector = Detector(MEASURES[kind], least_days, 200)
        self.day = 0
        self.fired = 0

    def days(self, count: int, step: float = 0.0) -> int:
        """Live through them; returns after how many observations an alarm was on, or how many there were."""
        lived = 0
        for _ in range(count):
            self.day += 1
            effect = self.rng.normal(0, self.days_differ, self.detector.measure.size)
            for turn in range(PACE):
                if turn % 2 == 0:
                    value = seen(self.kind, self.rng, effect, step)
                before = self.detector.alarmed
                self.detector.add(self.day, float(self.day), value, HEIGHT)
                lived += 1
                self.fired += self.detector.alarmed and not before
                if step and self.detector.alarmed:
                    return lived
        return lived


@pytest.mark.parametrize("kind", MEASURES)
def test_years_of_different_days_and_visits_raise_no_alarm(kind: str) -> None:
    canteens = [Canteen(kind, seed) for seed in range(4)]
    for canteen in canteens:
        canteen.days(250)
    # One in a year by chance is what the threshold allows for each: four machines, four years.
    assert sum(canteen.fired for canteen in canteens) <= 1
    # The days' own variance was found, at least its order of magnitude.
    assert np.mean([canteen.detector.profile.visits for canteen in canteens]) == pytest.approx(2.0, rel=0.25)


@pytest.mark.parametrize(("kind", "step"), [("number", 1.2), ("share", 0.35), ("vector", 1.6)])
def test_a_real_step_is_noticed_within_200_deposits(kind: str, step: float) -> None:
    delays = []
    for seed in range(12):
        canteen = Canteen(kind, 100 + seed, days_differ=0.15)
        canteen.days(25)
        assert not canteen.fired
        delays.append(canteen.days(12, step))
    assert np.quantile(delays, 0.9) <= 200, delays


def test_what_is_too_small_to_matter_is_never_an_alarm_however_many_photos_prove_it() -> None:
    canteen = Canteen("number", 7, days_differ=0.02)
    canteen.days(40)
    assert canteen.days(200, 0.15) == 200 * PACE


def test_an_alarm_ends_when_the_shift_does_and_comes_back_with_it() -> None:
    canteen = Canteen("number", 3, days_differ=0.1)
    canteen.days(30)
    canteen.days(10, 2.0)
    assert canteen.fired == 1
    canteen.days(2, 0.0)
    canteen.days(6, 0.0)
    assert (canteen.fired, canteen.detector.state) == (1, "quiet")
    canteen.days(10, 2.0)
    assert canteen.fired == 2


def test_fewer_photos_need_a_larger_step() -> None:
    assert threshold(100) < threshold(1000) < threshold(100_000) < 6
    few, many = Canteen("number", 5, days_differ=0.05), Canteen("number", 5, days_differ=0.05)
    few.days(30)
    many.days(30)
    assert few.days(10, 3.0) < many.days(10, 0.8)


START = datetime(2026, 3, 2, 9, tzinfo=UTC)
EVENTS, PREDICTIONS = cast(Table, Event.__table__), cast(Table, PredictionRow.__table__)


class Site:
    """A machine's journal that a test fills with days, and the monitor that looks at it."""

    def __init__(self, home: Path, machine: str = "machine-1", **monitoring: Any) -> None:
        self.settings = Settings.model_validate({"home": home, "monitoring": monitoring, "language": "en"})
        self.now = START
        self.journal = Journal(Database(os.environ["TRIOF_JOURNAL__URL"], machine), now=lambda: self.now)
        self.monitor = self.started()
        self.rng = np.random.default_rng(1)

    def started(self) -> Monitor:
        """A process begins."""
        return Monitor(self.settings, self.journal.database, lambda: self.now)

    def days(self, count: int, *, look: bool = True, **looks: Any) -> list[UUID]:
        """Thirty deposits each, and a look at the end of each day."""
        made = []
        for _ in range(count):
            self.now = self.now.replace(hour=9, minute=0) + timedelta(days=1)
            made += self.deposits(30, **looks)
            if look:
                self.look()
        return made

    def look(self, seconds: float = 10) -> None:
        self.now += timedelta(seconds=seconds)
        self.monitor.look()
        self.monitor.alerts.finish()

    def deposits(
        self, count: int, brightness: float = 0.6, version: str = "local-1", machine: str | None = None
    ) -> list[UUID]:
        events: list[dict[str, Any]] = []
        answers: list[dict[str, Any]] = []
        made = [uuid4() for _ in range(count)]
        for deposit in made:
            self.now += timedelta(minutes=2)
            row = {"machine_id": machine or self.journal.machine_id, "deposit_id": deposit, "at": self.now}
            light = float(np.clip(brightness + 0.05 * self.rng.normal(), 0, 1))
            detail = {"action": "accept", "brightness": light, "sharpness": 7 + 0.3 * self.rng.normal()}
            events.append({**row, "kind": "deposit.judged", "reason": "sure", "detail": detail})
            corrected = self.rng.random() < 0.05
            reason = "corrected" if corrected else "agreed"
            events.append({**row, "kind": "deposit.confirmed", "reason": reason, "detail": {}})
            label = ("bottle", "cup")[int(self.rng.random() < 0.4)]
            cloud = {"provider": "custom_vision", "model_version": "it-1", "believed": True, "embedding": None}
            embedding = self.rng.normal(0, 1, 16).round(3).tolist()
            own = {"provider": "local_cnn", "model_version": version, "believed": False, "embedding": embedding}
            common = {"task": "waste_type", "probability": 0.97, "scores": {}, "attempts": [], "photo": "0" * 64}
            for each, answer in ((cloud, label), (own, label if self.rng.random() < 0.95 else "other")):
                answers.append({**row, **common, **each, "label": answer})
        with self.journal.database.write() as connection:
            connection.execute(insert(EVENTS), [{"id": uuid4(), "waste_type": None, **event} for event in events])
            connection.execute(insert(PREDICTIONS), [{"id": uuid4(), **answer} for answer in answers])
        return made

    def standing(self, signal: str) -> SignalStatus:
        return next(each for each in self.monitor.state() if each.signal == signal)

    def told(self) -> list[tuple[str, str]]:
        """What fired and what was cleared, in order."""
        with self.journal.database.read() as connection:
            rows = connection.execute(EVENTS.select().where(EVENTS.c.kind.like("alert.%")).order_by(EVENTS.c.at))
            return [(row.kind.removeprefix("alert."), row.reason) for row in rows]


@pytest.fixture
def home(tmp_path: Path, journal_url: str) -> Path:
    return tmp_path / "home"


BuildSite = Callable[..., Site]


@pytest.fixture
def build_site(home: Path) -> Iterator[BuildSite]:
    sites: list[Site] = []

    def build(*arguments: Any, **options: Any) -> Site:
        sites.append(Site(home, *arguments, **options))
        return sites[-1]

    yield build
    for site in sites:
        site.monitor.close()
        site.journal.database.close()


def test_a_darker_lamp_is_one_alert_through_restarts_until_it_is_accepted(build_site: BuildSite) -> None:
    site = build_site()
    site.days(4)
    assert site.standing("brightness").state == "learning"
    assert "4 of 10 days" in site.standing("brightness").text
    site.days(16)
    assert {each.state for each in site.monitor.state() if each.signal != "embedding.waste_type"} == {"quiet"}
    assert site.told() == []
    site.days(1, brightness=0.5)
    assert site.told() == [("fired", "drift.brightness")]
    lamp = site.standing("brightness")
    assert lamp.state == "alarm"
    assert "darker" in lamp.text
    assert lamp.baseline == pytest.approx(0.6, abs=0.01)
    assert lamp.since is not None
    assert lamp.since.date() == site.now.date()
    for _ in range(2):
        site.monitor.close()
        site.monitor = site.started()
        site.days(1, brightness=0.5)
    assert site.told() == [("fired", "drift.brightness")]
    site.monitor.alerts.accept("machine-1", "drift.brightness", "eve", "a new lamp")
    site.days(12, brightness=0.5)
    assert site.told()[1:] == [("acknowledged", "drift.brightness"), ("cleared", "drift.brightness")]
    assert site.standing("brightness").baseline == pytest.approx(0.5, abs=0.01)
    assert site.standing("brightness").state == "quiet"
    assert site.standing("sharpness").days > 20, "only what was accepted begins anew"


def test_an_alert_is_over_when_the_lamp_is_mended(build_site: BuildSite) -> None:
    site = build_site()
    site.days(14)
    site.days(2, brightness=0.5)
    site.days(6)
    assert site.told() == [("fired", "drift.brightness"), ("cleared", "drift.brightness")]


def test_a_new_model_is_no_drift_and_a_candidate_beside_it_is_not_looked_at(build_site: BuildSite) -> None:
    site = build_site()
    site.days(12)
    before = site.standing("confidence.waste_type")
    assert (before.state, before.value) == ("quiet", pytest.approx(0.03))
    for _ in range(2):
        site.deposits(5, version="candidate-1")
        site.deposits(10)
    site.look()
    assert site.standing("confidence.waste_type").deposits == before.deposits
    site.days(2, version="local-2")
    after = site.standing("confidence.waste_type")
    assert (after.state, after.days) == ("learning", 2)
    assert site.standing("brightness").state == "quiet"
    assert site.told() == []


def test_the_deposits_of_a_drill_are_left_out(build_site: BuildSite) -> None:
    site = build_site()
    site.days(12)
    before = site.standing("brightness")
    site.journal.record("drill.started")
    site.now += timedelta(seconds=1)
    made = site.deposits(10, brightness=0.1)
    site.look()
    assert site.standing("brightness").n == before.n, "a drill that is under way is waited for"
    site.journal.record("drill.ended", deposits=[str(deposit) for deposit in made])
    site.look()
    site.days(1)
    assert site.standing("brightness").value == pytest.approx(0.6, abs=0.02)
    assert site.told() == []


def test_each_machine_of_a_shared_journal_has_a_state_of_its_own(build_site: BuildSite) -> None:
    site = build_site("server", machines=["north", "south"])
    for day in range(15):
        site.days(1, machine="north", look=False)
        site.deposits(30, machine="south", brightness=0.6 if day < 14 else 0.4)
        site.look()
    alarms = {(each.machine, each.signal) for each in site.monitor.state() if each.state == "alarm"}
    assert alarms == {("south", "brightness")}
    (alert,) = site.monitor.alerts.open()
    assert (alert.machine, alert.name) == ("south", "drift.brightness")


def test_a_lost_state_is_made_again_from_the_journal_without_firing_again(build_site: BuildSite, home: Path) -> None:
    site = build_site()
    site.days(14)
    site.days(1, brightness=0.45)
    kept = home / "monitoring" / "machine-1.json"
    before = json.loads(kept.read_text())["standings"]
    kept.write_text("{ torn")
    site.monitor.close()
    site.monitor = site.started()
    site.look()
    after = json.loads(kept.read_text())["standings"]
    assert [(each["signal"], each["state"], each["value"]) for each in after] == [
        (each["signal"], each["state"], each["value"]) for each in before
    ]
    assert site.told() == [("fired", "drift.brightness")]


def test_what_an_earlier_version_wrote_down_is_read(build_site: BuildSite, home: Path) -> None:
    site = build_site()
    site.days(1)
    kept = home / "monitoring" / "machine-1.json"
    written = json.loads(kept.read_text())
    for each in written["standings"]:
        each["a_field_that_is_gone"] = 1
    kept.write_text(json.dumps(written))
    assert site.standing("brightness").state == "learning"
