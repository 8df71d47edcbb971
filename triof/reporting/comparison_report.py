"""The page of ``triof compare``: a table of all providers, and the photos about which they differ."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

from providers.base import TASKS
from triof.datasets.photo_dataset import Dataset
from triof.evaluation.curves import Figure
from triof.evaluation.engine_comparison import SHOWN, Disagreement, EngineComparison, EngineFigures
from triof.reporting import html_page
from triof.reporting.evaluation_report import thumbnail_of
from triof.settings.sections.photo import PhotoLimits

MOST_PICTURES = 24
_NOTHING = "–"  # noqa: RUF001 (as in the other reports)
_OF_MODELS = ("accuracy", "macro F1", "calibration error")


class Cell(NamedTuple):
    """A figure in words, with its 95 % interval, if it has one."""

    text: str
    interval: str = ""


@dataclass(frozen=True)
class Row:
    """One figure of every provider."""

    part: str
    name: str
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class DifferingPhoto:
    """A photo about which providers differ. ``picture`` is a ``data:`` URL; None if it is left out or unreadable."""

    name: str
    picture: str | None
    answers: tuple[Disagreement, ...]


def rows(result: EngineComparison) -> list[Row]:
    """Return the table of the comparison."""
    return [*_models(result), *_machine(result), *_service(result)]


def write(
    path: Path,
    dataset: Dataset,
    result: EngineComparison,
    notes: Sequence[str],
    limits: PhotoLimits,
    *,
    with_pictures: bool,
) -> None:
    """Write the page; ``notes`` are sentences for its top. Raises ReportUnwritable."""
    parts = [(part, list(found)) for part, found in groupby(rows(result), key=lambda row: row.part)]
    html_page.write(
        path,
        "comparison.html",
        result=result,
        parts=parts,
        differing=list(_differing(dataset, result, limits, with_pictures=with_pictures)),
        with_pictures=with_pictures,
        notes=notes,
    )


def _models(result: EngineComparison) -> Iterator[Row]:
    for task in TASKS:
        evaluations = [engine.evaluations.get(task) for engine in result.engines]
        for name in _OF_MODELS if any(evaluations) else ():
            cells = (_figure(each.figures.get(name)) if each else Cell(_NOTHING) for each in evaluations)
            yield Row("How right it is", f"{task}: {name}", tuple(cells))


def _machine(result: EngineComparison) -> Iterator[Row]:
    part = "What the machine would have done"
    for name in SHOWN:
        if any(name in engine.machine for engine in result.engines):
            yield Row(part, name, tuple(_figure(engine.machine.get(name)) for engine in result.engines))
    yield _row(result, part, "cleanliness judged by", lambda engine: engine.cleanliness_by or _NOTHING)


def _service(result: EngineComparison) -> Iterator[Row]:
    part, first = "Time, cost, and where the photos go", result.engines[0].name
    yield _row(result, part, "median, ms", lambda engine: f"{engine.median_ms:.1f}")
    yield _row(result, part, "95 % within, ms", lambda engine: f"{engine.p95_ms:.1f}")
    yield _row(result, part, "€ for 1,000 photos", lambda engine: _euros(engine.euros_per_1000))
    month = f"€ for this machine's last 30 days ({result.judged_last_month:,} photos)"
    yield _row(result, part, month, lambda engine: f"{engine.euros_last_month:.2f}")
    yield _row(result, part, "works offline", lambda engine: "no" if engine.needs_network else "yes")
    yield _row(result, part, "photos go to", lambda engine: engine.place)
    yield _row(result, part, f"same label as {first}", lambda engine: f"{100 * engine.same_label:.2f} %")
    yield _row(result, part, "largest difference of a probability", lambda engine: f"{engine.largest_difference:.4f}")
    yield _row(result, part, "model", lambda engine: ", ".join(engine.model_versions))


def _row(result: EngineComparison, part: str, name: str, text: Callable[[EngineFigures], str]) -> Row:
    return Row(part, name, tuple(Cell(text(engine)) for engine in result.engines))


def _euros(amount: float | None) -> str:
    return "by the hour" if amount is None else f"{amount:.2f}"


def _figure(figure: Figure | None) -> Cell:
    if not figure:
        return Cell(_NOTHING)
    # Adding 0 turns -0.0 into 0.0.
    value, low, high = (f"{round(number, 3) + 0:.3f}" for number in (figure.value, figure.low, figure.high))
    return Cell(value, f"{low} to {high}")


def _differing(
    dataset: Dataset, result: EngineComparison, limits: PhotoLimits, *, with_pictures: bool
) -> Iterator[DifferingPhoto]:
    found = [(item, list(about)) for item, about in groupby(result.disagreements, key=lambda each: each.item)]
    for item, about in found[:MOST_PICTURES]:
        picture = thumbnail_of(item, limits) if with_pictures else None
        yield DifferingPhoto(dataset.name(item), picture, tuple(about))
