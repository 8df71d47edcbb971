"""A journal of a million deposits against an empty one: ``make bench ARGS='--only journal'``.

Fills a journal with deposits of three years by bulk inserts, with what machines write in proportions as they occur, and
asks both the same in turns. Also alone: ``python -m tools.journal_bench --deposits 100000``.
"""

import argparse
import json
import random
import sqlite3
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from uuid import uuid4

from PIL import Image

from providers.base import Attempt, Photo, Prediction
from tools.bench import Ratio, seconds, turns
from triof.journal.journal import Journal
from triof.judging.sorter import Judgement
from triof.judging.verdict import Verdict
from triof.settings.tree import Settings
from triof.statistics.queries import Statistics
from triof.storage.database import Database

MACHINE = "machine-1"
DEPOSITS = 1_000_000
_YEARS_DAYS = 1095
_CALLS = 9_000
"""To the cloud in the last 30 days."""
_CLOUD = {
    "prediction_endpoint": "https://example.org",
    "prediction_key": "0" * 32,
    "project_id": "00000000-0000-0000-0000-000000000001",
    "published_name": "waste",
}
_EVENT = (
    "INSERT INTO events (id, machine_id, at, deposit_id, kind, waste_type, reason, detail) VALUES (?,?,?,?,?,?,?,?)"
)
_PREDICTION = (
    "INSERT INTO predictions (id, machine_id, at, deposit_id, task, label, probability, scores, provider,"
    " model_version, attempts, photo, believed, embedding) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?)"
)
Row = tuple[object, ...]


def _id() -> str:
    return f"{random.getrandbits(128):032x}"


def _moments(deposits: int, now: datetime) -> Iterator[datetime]:
    """Of deposits in working hours, today's until now; fewer at the weekend."""
    days = [now.date() - timedelta(days=ago) for ago in range(_YEARS_DAYS - 1, -1, -1)]
    weights = [0.1 if day.weekday() >= 5 else 1.0 for day in days]
    for day, weight in zip(days, weights, strict=True):
        begun = datetime(day.year, day.month, day.day, 7, tzinfo=UTC)
        offsets = sorted(
            random.triangular(0, 12 * 3600, 5.5 * 3600) for _ in range(round(deposits * weight / sum(weights)))
        )
        yield from (moment for offset in offsets if (moment := begun + timedelta(seconds=offset)) < now)


def _visit(opened: datetime) -> tuple[list[Row], list[Row]]:
    """The events and predictions of one deposit, as a machine would have written them."""
    deposit, photo = _id(), _id() + _id()
    label = random.choices(("bottle", "cup", "cutlery", "other"), (60, 25, 10, 5))[0]
    dirty, in_cloud, probability = random.random() < 0.06, random.random() < 0.92, round(random.uniform(0.7, 1), 6)
    reason = "other" if label == "other" else "dirty" if dirty else "unsure_type" if probability < 0.75 else "sure"
    action = {"sure": "accept", "unsure_type": "ask"}.get(reason, "refuse")
    took = random.lognormvariate(-1.6, 0.5) if in_cloud else 1.53
    texts = (f"{opened + timedelta(seconds=after):%Y-%m-%d %H:%M:%S.%f}" for after in (0, 4, 9, 15))
    at = dict(zip(("opened", "judged", "confirmed", "ended"), texts, strict=True))
    detail = json.dumps(
        {
            "action": action,
            "mode": "auto",
            "photo": photo,
            "duration_ms": round(took * 1000 + 20, 1),
            "brightness": 0.5123,
            "sharpness": 6.2011,
            "unanswered": {},
        }
    )
    events: list[Row] = [
        (_id(), MACHINE, at["opened"], deposit, "deposit.opened", None, None, "{}"),
        (_id(), MACHINE, at["judged"], deposit, "deposit.judged", label, reason, detail),
    ]
    if action == "refuse":
        events.append((_id(), MACHINE, at["ended"], deposit, "deposit.returned", None, reason, "{}"))
    else:
        chosen = label if random.random() < 0.97 else "cup"
        agreed = "agreed" if chosen == label else "corrected"
        events.append((_id(), MACHINE, at["confirmed"], deposit, "deposit.confirmed", chosen, agreed, "{}"))
        events.append((_id(), MACHINE, at["ended"], deposit, "deposit.shredded", chosen, None, "{}"))
    told = {"label": label, "probability": probability, "in_cloud": in_cloud, "took": took}
    answers = list(_answers(deposit, at["judged"], photo, **told))  # type: ignore[arg-type]
    seen = "dirty" if dirty else "clean"
    scores = json.dumps({seen: 0.97, "dirty" if seen == "clean" else "clean": 0.03})
    attempts = '[{"provider": "local_cnn", "outcome": "answered", "duration": 0.004, "message": ""}]'
    clean = ("cleanliness", seen, 0.97, scores, "local_cnn", "clean-v3", attempts, photo, 1, _embedding())
    return events, [*answers, (_id(), MACHINE, at["judged"], deposit, *clean)]


def _answers(
    deposit: str, at: str, photo: str, *, label: str, probability: float, in_cloud: bool, took: float
) -> Iterator[Row]:
    rest = round((1 - probability) / 3, 6)
    scores = json.dumps(
        {each: probability if each == label else rest for each in ("bottle", "cup", "cutlery", "other")}
    )
    outcome = "answered" if in_cloud else "ProviderUnavailable"
    attempts = json.dumps(
        [
            {"provider": "custom_vision", "outcome": outcome, "duration": took, "message": ""},
            {"provider": "local_cnn", "outcome": "answered", "duration": 0.006, "message": ""},
        ]
    )
    head = (MACHINE, at, deposit, "waste_type", label, probability, scores)
    if in_cloud:
        yield (_id(), *head, "custom_vision", "iteration-7@0f3c", attempts, photo, 1, None)
    given = "[]" if in_cloud else attempts
    yield (_id(), *head, "local_cnn", "waste-v4", given, photo, int(not in_cloud), _embedding())


@cache
def _embeddings() -> Sequence[str]:
    return [json.dumps([round(random.gauss(0, 1), 3) for _ in range(16)]) for _ in range(1000)]


def _embedding() -> str:
    return random.choice(_embeddings())


def fill(path: Path, deposits: int, now: datetime) -> None:
    """Write ``deposits`` visits of the last three years into the journal at ``path``, which is made."""
    database = Database(f"sqlite:///{path}", MACHINE)
    database.upgrade()
    database.close()
    random.seed(0)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for pragma in ("synchronous=OFF", "journal_mode=OFF", "cache_size=-1000000"):
            connection.execute(f"PRAGMA {pragma}")
        kept = connection.execute(
            "SELECT sql, name FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL"
        ).fetchall()
        of_rows = [(sql, name) for sql, name in kept if name.startswith(("events_", "predictions_"))]
        connection.execute("BEGIN")
        # Sorted into a finished index a row costs a tenth.
        for _, name in of_rows:
            connection.execute(f"DROP INDEX {name}")
        for moment in _moments(deposits, now):
            events, predictions = _visit(moment)
            connection.executemany(_EVENT, events)
            connection.executemany(_PREDICTION, predictions)
        for sql, _ in of_rows:
            connection.execute(sql)
        calls = [
            (_id(), MACHINE, f"{now - timedelta(minutes=4 * number):%Y-%m-%d %H:%M:%S.%f}") for number in range(_CALLS)
        ]
        ledger = (
            "INSERT INTO ledger (id, machine_id, at, resource, tier, kind) VALUES (?,?,?,'example.org','F0','call')"
        )
        connection.executemany(ledger, calls)
        connection.execute("COMMIT")


def started(path: Path) -> None:
    """An empty journal, as a machine has it that has just been switched on."""
    database = Database(f"sqlite:///{path}", MACHINE)
    database.upgrade()
    Journal(database).record("machine.started", interrupted=0)
    database.close()


def _judgement() -> Judgement:
    photo = Photo(Image.new("RGB", (8, 8)), "0" * 64, 8, 8)
    embedding = tuple(random.gauss(0, 1) for _ in range(16))
    scores = {"bottle": 0.97, "cup": 0.01, "cutlery": 0.01, "other": 0.01}
    local = Prediction("waste_type", "bottle", 0.97, scores, "local_cnn", "waste-v4", embedding=embedding)
    attempts = (Attempt("custom_vision", "answered", 0.2), Attempt("local_cnn", "answered", 0.006))
    cloud = Prediction(
        *("waste_type", "bottle", 0.97, scores, "custom_vision", "iteration-7@0f3c"),
        attempts=attempts,
        alternatives=(local,),
    )
    clean = Prediction(
        *("cleanliness", "clean", 0.97, {"clean": 0.97, "dirty": 0.03}, "local_cnn", "clean-v3"),
        attempts=(Attempt("local_cnn", "answered", 0.004),),
        embedding=embedding,
    )
    verdict = Verdict("accept", "bottle", "sure")
    return Judgement(photo, {"waste_type": cloud, "cleanliness": clean}, {}, verdict, 0.22, "auto")


def visit(journal: Journal) -> None:
    """All that one deposit writes."""
    deposit = uuid4()
    journal.record("deposit.opened", deposit)
    journal.record_judgement(deposit, _judgement())
    journal.record("deposit.confirmed", deposit, waste_type="bottle", reason="agreed")
    journal.record("deposit.shredded", deposit, waste_type="bottle")


def dashboard(statistics: Statistics) -> None:
    """What the dashboard asks: of today, the last 30 days and the last 12 months."""
    today = statistics.today
    for days in (0, 29, 364):
        scope = statistics.days(today - timedelta(days=days), today)
        statistics.totals(scope)
        statistics.recycled(scope)
        statistics.responses(scope)
        statistics.models(scope)
        if days:
            statistics.by_day(scope)
        else:
            statistics.by_hour(scope)
            statistics.latest(scope)
    statistics.machines()
    statistics.quota()


def asked_anew(statistics: Statistics, journal: Journal) -> float:
    """The seconds that the dashboard's questions take after one more deposit."""
    visit(journal)
    return seconds(lambda: dashboard(statistics))


def told(name: str, call: Callable[[], object]) -> None:
    """Print how long something takes that has no counterpart in an empty journal."""
    print(f"  {name:<45} {seconds(call) * 1000:10.1f} ms", flush=True)


def ratios(rounds: int, deposits: int = DEPOSITS) -> Sequence[Ratio]:
    """Both journals, one process; prints what has no counterpart in an empty one."""
    with tempfile.TemporaryDirectory(prefix="triof-journal-") as folder:
        # Early in the afternoon, so that there is a half-counted day, whenever this runs.
        noon = datetime.now(UTC).replace(hour=13, minute=0, second=0, microsecond=0)
        full, empty = Path(folder) / "full.db", Path(folder) / "empty.db"
        told(f"filling in {deposits:,} deposits", lambda: fill(full, deposits, noon))
        started(empty)
        journals = [Journal(Database(f"sqlite:///{path}", MACHINE), now=lambda: noon) for path in (full, empty)]
        settings = Settings(home=Path(folder), custom_vision=_CLOUD)
        ask_full, ask_empty = (Statistics(journal.database, settings, now=lambda: noon) for journal in journals)
        told("unfinished deposits, at the start", journals[0].unfinished)
        told("the first 100 judged deposits", lambda: next(journals[0].judged()))
        yesterday = ask_full.today - timedelta(days=1)
        told("counting one day", lambda: ask_full.totals(ask_full.days(yesterday, yesterday)))
        told("counting the other days of 12 months", lambda: dashboard(ask_full))
        told(
            "the dashboard's questions by a new process",
            lambda: dashboard(Statistics(journals[0].database, settings, now=lambda: noon)),
        )
        insert = turns(rounds, *(_visits(journal) for journal in journals))
        asked = turns(rounds, lambda: dashboard(ask_full), lambda: dashboard(ask_empty))
        pairs = [(asked_anew(ask_full, journals[0]), asked_anew(ask_empty, journals[1])) for _ in range(rounds)]
        changed = [sorted(column)[rounds // 2] for column in zip(*pairs, strict=True)]
        for journal in journals:
            journal.database.close()
    return [
        Ratio("journal: one deposit's inserts, full / empty", insert[0] * 1000, insert[1] * 1000, "ms", "<= 2"),
        Ratio("dashboard's questions, full / empty", asked[0] * 1000, asked[1] * 1000, "ms", "<= 3"),
        Ratio("the same after one more deposit", changed[0] * 1000, changed[1] * 1000, "ms", "<= 3"),
    ]


def _visits(journal: Journal) -> Callable[[], None]:
    return lambda: visit(journal)


def main() -> None:
    """The command line."""
    from tools.bench import shown

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--deposits", type=int, default=DEPOSITS)
    parser.add_argument("--rounds", type=int, default=50)
    options = parser.parse_args()
    for ratio in ratios(options.rounds, options.deposits):
        shown(ratio)


if __name__ == "__main__":
    main()
