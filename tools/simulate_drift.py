"""Years of deposits on simulated machines: how often chance raises an alert, and how soon a real shift does.

``make simulate-drift`` watches machines that see real photos (tools/shifted_photos.py) with everything that makes
alarms dishonest: each machine has its own mix of items and its own favourites, each day has a menu, a lamp and a
camera that are a little different, the mix drifts with the seasons, and a person brings several of one kind. At
random moments of each machine's year its state is copied and one of three shifts happens to the copy: a dirty lens,
a new lamp, another cup in place of all others. Counted are the deposits until the first alert.
"""

import argparse
import copy
import json
import math
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

from providers.base import LABELS, TASKS, Task
from providers.local_cnn.options import shipped
from tools.labelled_photos import DATA, need
from tools.shifted_photos import USUAL, Look, Pool, pool
from triof.monitoring.event_reader import Confirmed, Happening
from triof.monitoring.machine_monitor import MachineMonitor
from triof.monitoring.signals import SIGNALS, MonitoredDeposit, MonitoredPrediction
from triof.settings.sections.monitoring import MonitoringSettings

MIX = np.array([0.43, 0.37, 0.14, 0.06])
"""Of bottles, cups, cutlery and foreign items, on average."""
SHIFTS = ("dirty lens", "new lamp", "another cup")
QUARTER = 365.25 / 4
_GIVEN_UP = 600


@dataclass
class World:
    """One machine and its people; ``now`` may be changed to any of SHIFTS."""

    pool: Pool
    pace: float
    rng: np.random.Generator
    season_strength: float = 0.15
    now: str = ""
    _favourites: np.ndarray = field(init=False)
    _mix: np.ndarray = field(init=False)
    _phases: np.ndarray = field(init=False)
    _new_cup: int = field(init=False)

    def __post_init__(self) -> None:
        truth = self.pool.truth["waste_type"]
        # Web photos show dirt far more often than people bring it.
        dirty = self.pool.truth["cleanliness"] == LABELS["cleanliness"].index("dirty")
        self._favourites = self.rng.gamma(0.5, size=len(truth)) * np.where(dirty, 0.3, 1.0) + 1e-4
        self._mix = self.rng.dirichlet(40 * MIX)
        self._phases = self.rng.uniform(0, 2 * math.pi, len(MIX))
        self._new_cup = int(self.rng.integers(self.pool.cup_kind.max() + 1))

    def day(self, number: int) -> Iterator[Happening]:
        """All that happens on one day."""
        start = datetime(2026, 1, 5, 8, tzinfo=UTC) + timedelta(days=number)
        season = self.season_strength * np.sin(2 * math.pi * number / 365.25 + self._phases)
        mix = self._mix * np.exp(season + self.rng.normal(0, 0.2, len(MIX)))
        menu = self._favourites * np.exp(self.rng.normal(0, 0.4, len(self._favourites)))
        lamp, lens = 0.1 * self.rng.normal(), 0.05 * abs(self.rng.normal())
        count = self.rng.poisson(self.pace)
        at, made = start, 0
        while made < count:
            at += timedelta(hours=9) / max(count, 1)
            photo = -1
            for _ in range(1 + self.rng.poisson(0.6)):
                if photo < 0 or self.rng.random() > 0.5:
                    photo = self._item(mix / mix.sum(), menu, photo)
                at += timedelta(seconds=15)
                yield from self._deposit(at, photo, lamp, lens)
                made += 1

    def _item(self, mix: np.ndarray, menu: np.ndarray, before: int) -> int:
        truth = self.pool.truth["waste_type"]
        same = before >= 0 and self.rng.random() < 0.7
        label = truth[before] if same else self.rng.choice(len(mix), p=mix)
        weights = np.where(truth == label, menu, 0.0)
        if label == LABELS["waste_type"].index("cup"):
            weights = weights * ((self.pool.cup_kind == self._new_cup) == (self.now == "another cup"))
        total = np.cumsum(weights)
        return int(np.searchsorted(total, self.rng.random() * total[-1]))

    def _deposit(self, at: datetime, photo: int, lamp: float, lens: float) -> Iterator[Happening]:
        looks = self.pool.looks
        base = looks[self.now] if self.now in looks else looks[USUAL]

        def seen(of: "Attribute") -> np.ndarray:
            usual = of(looks[USUAL])[photo]
            daily = lamp * (of(looks["new lamp"])[photo] - usual) + lens * (of(looks["dirty lens"])[photo] - usual)
            shown: np.ndarray = of(base)[photo] + daily
            return shown

        answers = {task: self._seen(task, base, photo, seen) for task in TASKS}
        label, action = answers["waste_type"].label, _action(answers)
        brightness = float(np.clip(seen(lambda look: look.brightness) + 0.02 * self.rng.normal(), 0, 1))
        sharpness = float(seen(lambda look: look.sharpness) + 0.15 * self.rng.normal())
        yield MonitoredDeposit(at, brightness, sharpness, action, answers)
        if action != "refuse" and self.rng.random() < 0.95:
            truth = LABELS["waste_type"][self.pool.truth["waste_type"][photo]]
            meant = truth if self.rng.random() < 0.97 else self.rng.choice(LABELS["waste_type"][:3])
            yield Confirmed(at + timedelta(seconds=8), meant not in (label, "other"))

    def _seen(self, task: Task, base: Look, photo: int, seen: "Seeing") -> MonitoredPrediction:
        logits = np.log(np.maximum(base.scores[task][photo], 1e-6))
        scores = np.exp(logits + 0.4 * self.rng.normal(size=len(logits)))
        scores /= scores.sum()
        best = int(scores.argmax())
        embedding = seen(lambda look: look.embedding[task]) + 0.3 * self.rng.normal(size=16)
        truth, names = self.pool.truth[task][photo], LABELS[task]
        cloud = names[truth if truth >= 0 and self.rng.random() < 0.97 else int(self.rng.integers(len(names)))]
        rival = (cloud, "custom_vision", "1") if task == "waste_type" else None
        return MonitoredPrediction(names[best], float(scores[best]), tuple(embedding), "local_cnn", "1", rival)


def _action(answers: dict[Task, MonitoredPrediction]) -> str:
    waste_type, cleanliness = answers["waste_type"], answers["cleanliness"]
    if (waste_type.label == "other" and waste_type.probability > 0.8) or (
        cleanliness.label == "dirty" and cleanliness.probability > 0.8
    ):
        return "refuse"
    return "accept" if waste_type.probability > 0.8 and cleanliness.probability > 0.7 else "ask"


@dataclass
class SimulationCounts:
    """What came of the machines of one pace."""

    years: float = 0.0
    watched_days: float = 0.0
    """Since the first baselines were known."""
    false: Counter[str] = field(default_factory=Counter)
    delays: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    """Deposits until the first alert; _GIVEN_UP where there was none."""
    told_by: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))


def watch_a_year(world: World, tally: SimulationCounts, moments: int, days: int) -> None:
    """A year (or so many days) without a shift, and ``moments`` copies of it with each."""
    watched = MachineMonitor("m", MonitoringSettings())
    on: set[str] = set()
    first = math.inf
    working = [number for number in range(days) if number % 7 < 5]
    shifted_on = {int(number) for number in world.rng.choice(working[30:], moments, replace=False)}
    for number in working:
        middle = world.rng.uniform() if number in shifted_on else math.inf
        for turn, happened in enumerate(world.day(number)):
            if turn >= middle * world.pace:
                _shift(world, watched, number, happened, tally)
                middle = math.inf
            watched.take(happened)
        now = _alarms(watched)
        tally.false.update(now - on)
        on = now
        if _ready(watched):
            first = min(first, number)
    tally.years += days / 365.25
    tally.watched_days += max(0.0, days - first)


def _shift(world: World, watched: MachineMonitor, number: int, at: Happening, tally: SimulationCounts) -> None:
    if _alarms(watched):
        return
    for shift in SHIFTS:
        after, seen, since = copy.deepcopy(world), copy.deepcopy(watched), 0
        after.now, day = shift, number
        while since < _GIVEN_UP and not (told := _alarms(seen)):
            for happened in after.day(day):
                # Of the first day only what is after the moment.
                if day == number and happened.at < at.at:
                    continue
                seen.take(happened)
                since += isinstance(happened, MonitoredDeposit)
                if told := _alarms(seen):
                    break
            day += 1 if (day + 1) % 7 < 5 else 3
        tally.delays[shift].append(since)
        tally.told_by[shift].update(sorted(told))


def _ready(watched: MachineMonitor) -> bool:
    return any(detector.ready for detector in watched.detectors.values())


def _alarms(watched: MachineMonitor) -> set[str]:
    return {name for (name, _), detector in watched.detectors.items() if detector.alarmed}


def interval(count: int, size: float) -> tuple[float, float]:
    """Of a Poisson rate, 95 %, exact (Garwood 1936)."""
    from scipy.stats import chi2

    low = chi2.ppf(0.025, 2 * count) / 2 / size if count else 0.0
    return float(low), float(chi2.ppf(0.975, 2 * count + 2) / 2 / size)


def measured(seen: Pool, console: Console) -> None:
    """What the shifts do to the photos."""
    table = Table("what changed", "brightness", "sharpness", "embedding moved", "unsure of type", "of cleanliness")
    base = seen.looks[USUAL]
    for name, look in seen.looks.items():
        moved = np.linalg.norm((look.embedding["waste_type"] - base.embedding["waste_type"]).mean(axis=0))
        unsure = [f"{1 - look.scores[task].max(axis=1).mean():.3f}" for task in TASKS]
        spread = (f"{v.mean():.3f} ± {v.std():.3f}" for v in (look.brightness, look.sharpness))
        table.add_row(name, *spread, f"{moved:.2f} sd", *unsure)
    cups = base.embedding["waste_type"]
    for kind in range(seen.cup_kind.max() + 1):
        own, others = seen.cup_kind == kind, (seen.cup_kind >= 0) & (seen.cup_kind != kind)
        moved = np.linalg.norm(cups[own].mean(axis=0) - cups[others].mean(axis=0))
        light, sharp = (f"{v[own].mean():.3f} ± {v[own].std():.3f}" for v in (base.brightness, base.sharpness))
        table.add_row(
            f"cups of kind {kind + 1} ({own.sum()} photos)", light, sharp, f"{moved:.2f} sd, among cups", "", ""
        )
    console.print(table)


def report(tallies: dict[int, SimulationCounts], console: Console) -> None:
    """False alarms and delays."""
    table = Table("deposits a day", "machine years", "false alerts", "a quarter", "95 %", "which")
    for pace, tally in tallies.items():
        count, quarters = tally.false.total(), tally.watched_days / QUARTER
        low, high = interval(count, quarters)
        which = ", ".join(f"{name} {times}" for name, times in tally.false.most_common(4))
        table.add_row(
            str(pace), f"{tally.years:.0f}", str(count), f"{count / quarters:.3f}", f"{low:.3f} to {high:.3f}", which
        )
    console.print(table)
    table = Table("deposits a day", "shift", "runs", "median", "90 %", "95 %", "99 %", "within 200", "first told by")
    for pace, tally in tallies.items():
        for shift, delays in tally.delays.items():
            quantiles = (f"{np.quantile(delays, share):.0f}" for share in (0.5, 0.9, 0.95, 0.99))
            within = f"{np.mean(np.array(delays) <= 200):.1%}"
            told = ", ".join(f"{name} {times}" for name, times in tally.told_by[shift].most_common(3))
            table.add_row(str(pace), shift, str(len(delays)), *quantiles, within, told)
    console.print(table)


Attribute = Callable[[Look], np.ndarray]
Seeing = Callable[[Attribute], np.ndarray]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA, help="a manifest.csv or a folder")
    for task in TASKS:
        name = f"--bundle-{task.replace('_', '-')}"
        parser.add_argument(name, type=Path, default=shipped(task), help="default: the one that ships")
    parser.add_argument("--years", default="30:100,120:40,600:8", help="deposits a day : machine years, ...")
    parser.add_argument("--moments", type=int, default=4, help="of each year at which the shifts are tried")
    parser.add_argument("--days", type=int, default=365, help="of each year, if it is to be a short one")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--cache", type=Path, default=Path("/tmp/triof-drift"), help="where measured photos are kept")
    parser.add_argument("--json", type=Path, help="write the counts there, too, after each year")
    asked = parser.parse_args()
    need(asked.data)
    console = Console(width=150)
    bundles = {task: getattr(asked, f"bundle_{task}") for task in TASKS}
    photos = pool(asked.data, bundles, asked.cache)
    console.print(
        f"{len(photos.cup_kind)} photos; embeddings by {photos.embedded_by}; {len(SIGNALS)} signals a machine"
    )
    measured(photos, console)
    tallies: dict[int, SimulationCounts] = {}
    started = time.monotonic()
    for wanted in asked.years.split(","):
        pace, years = map(int, wanted.split(":"))
        tallies[pace] = SimulationCounts()
        for year in track(range(years), f"{pace} deposits a day", console=console):
            rng = np.random.default_rng([asked.seed, pace, year])
            watch_a_year(World(photos, pace, rng), tallies[pace], asked.moments, asked.days)
            if asked.json:
                asked.json.write_text(json.dumps({pace: vars(each) for pace, each in tallies.items()}))
    report(tallies, console)
    console.print(f"{time.monotonic() - started:.0f} s")


if __name__ == "__main__":
    main()
