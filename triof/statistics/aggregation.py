"""Aggregates counted numbers into results."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import cast

from providers.base import TASKS, Task
from triof.statistics import histogram
from triof.statistics.counting import Numbers
from triof.statistics.results import ModelStatistics, Response, Totals

Counts = Mapping[str, Mapping[str, int]]
"""Counts by kind, then by the rest of the name."""


def counts(numbers: Numbers) -> Counts:
    """Group the numbers by kind."""
    found: defaultdict[str, dict[str, int]] = defaultdict(dict)
    for name, number in numbers.items():
        what, _, label = name.partition("|")
        found[what][label] = int(number)
    return found


def totals(numbers: Numbers, cloud: Collection[str]) -> Totals:
    """Return the totals; ``cloud`` are the names of the cloud providers."""
    found = counts(numbers)
    told = _of(found["chosen"], "waste_type")
    in_cloud = sum(count for provider, count in told.items() if provider in cloud)
    return Totals(
        opened=found["opened"].get("", 0),
        judged=found["judged"].get("", 0),
        actions=found["action"],
        reasons=found["reason"],
        seen=found["seen"],
        confirmed=found["confirmed"].get("", 0),
        compared=found["compared"].get("", 0),
        corrected=found["corrected"].get("", 0),
        shredded=found["shredded"],
        returned=found["returned"],
        failed=found["failed"],
        interrupted=found["interrupted"].get("", 0),
        cloud=in_cloud,
        local=sum(told.values()) - in_cloud,
        seconds=histogram.read(_buckets(found["seconds"])),
    )


def durations(numbers: Numbers) -> Mapping[int, int]:
    """Return the number of deposits by bucket of the time from photo to verdict (``histogram.py``)."""
    return _buckets(counts(numbers)["seconds"])


def responses(numbers: Numbers, routes: Mapping[Task, Sequence[str]], cloud: Collection[str]) -> Iterator[Response]:
    """Yield the responses of each provider, in the order of ``routes``, then of those in no route any more."""
    found = counts(numbers)
    for task in TASKS:
        answered, failed = _of(found["answered"], task), _of(found["failure"], task)
        skipped, accepted = _of(found["spared"], task), _of(found["chosen"], task)
        asked = {name.partition("|")[0] for name in (*answered, *failed, *skipped)}
        for provider in sorted(asked, key=lambda name: (*_place(name, routes[task]), name)):
            buckets, failures = _buckets(_of(answered, provider)), _of(failed, provider)
            yield Response(
                task=task,
                provider=provider,
                cloud=provider in cloud,
                questions=sum(buckets.values()) + sum(failures.values()),
                answered=sum(buckets.values()),
                accepted=accepted.get(provider, 0),
                skipped=skipped.get(provider, 0),
                failures=failures,
                seconds=histogram.read(buckets),
            )


def models(numbers: Numbers) -> Sequence[ModelStatistics]:
    """Return the models by task, most predictions first."""
    names = [name.partition("|")[2] for name in numbers if name.startswith("probability|")]
    found = [_model(numbers, name) for name in names]
    return sorted(found, key=lambda model: (TASKS.index(model.task), -model.answers, model.provider))


def _model(numbers: Numbers, name: str) -> ModelStatistics:
    task, provider, model_version = name.split("|", 2)
    counted = {what: int(numbers.get(f"{what}|{name}", 0)) for what in ("believed", "beside", "compared", "corrected")}
    accepted, alternatives = counted["believed"], counted["beside"]
    return ModelStatistics(
        cast(Task, task),
        provider,
        model_version,
        accepted,
        alternatives,
        probability=numbers[f"probability|{name}"] / (accepted + alternatives),
        compared=counted["compared"],
        corrected=counted["corrected"],
    )


def _place(provider: str, route: Sequence[str]) -> tuple[bool, int]:
    return provider not in route, route.index(provider) if provider in route else 0


def _of(labels: Mapping[str, int], first: str) -> Mapping[str, int]:
    """Return the counts whose name begins with ``first``, without that prefix."""
    start = f"{first}|"
    return {label[len(start) :]: number for label, number in labels.items() if label.startswith(start)}


def _buckets(labels: Mapping[str, int]) -> Mapping[int, int]:
    return {int(label): number for label, number in labels.items()}
