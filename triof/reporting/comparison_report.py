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
    """A figure, a name, yes or no; None for nothing. A figure has ``digits`` decimals and may have a 95 % interval."""

    value: float | str | bool | None
    digits: int = 2
    interval: tuple[float, float] | None = None

    @property
    def text(self) -> str:
        """The value in English."""
        match self.value:
            case None:
                return _NOTHING
            case bool():
                return "yes" if self.value else "no"
            case str():
                return self.value
        return f"{self.value:.{self.digits}f}"


@dataclass(frozen=True)
class FigureRow:
    """One figure of every provider."""

    part: str
    name: str
    """In English; ``about`` is what it refers to: a task, a provider, or a number of photos."""
    about: str | int
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class DifferingPhoto:
    """A photo about which providers differ. ``picture`` is a ``data:`` URL; None if it is left out or unreadable."""

    name: str
    picture: str | None
    answers: tuple[Disagreement, ...]


def rows(result: EngineComparison) -> list[FigureRow]:
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
    language: str,
) -> None:
    """Write the page in ``language``; ``notes`` are sentences for its top. Raises ReportUnwritable."""
    parts = [(part, list(found)) for part, found in groupby(rows(result), key=lambda row: row.part)]
    html_page.write(
        path,
        "comparison.html",
        language,
        result=result,
        parts=parts,
        differing=list(_differing(dataset, result, limits, with_pictures=with_pictures)),
        with_pictures=with_pictures,
        notes=notes,
    )


def _models(result: EngineComparison) -> Iterator[FigureRow]:
    for task in TASKS:
        evaluations = [engine.evaluations.get(task) for engine in result.engines]
        for name in _OF_MODELS if any(evaluations) else ():
            cells = (_figure(each.figures.get(name)) if each else Cell(None) for each in evaluations)
            yield FigureRow("How right it is", name, task, tuple(cells))


def _machine(result: EngineComparison) -> Iterator[FigureRow]:
    part = "What the machine would have done"
    for name in SHOWN:
        if any(name in engine.machine for engine in result.engines):
            yield FigureRow(part, name, "", tuple(_figure(engine.machine.get(name)) for engine in result.engines))
    yield _row(result, part, "cleanliness judged by", lambda engine: Cell(engine.cleanliness_by or None))


def _service(result: EngineComparison) -> Iterator[FigureRow]:
    part, first = "Time, cost, and where the photos go", result.engines[0].name
    judged = result.judged_last_month
    yield _row(result, part, "median, ms", lambda engine: Cell(engine.median_ms, 1))
    yield _row(result, part, "95 % within, ms", lambda engine: Cell(engine.p95_ms, 1))
    yield _row(result, part, "€ for 1,000 photos", lambda engine: Cell(_euros(engine.euros_per_1000)))
    yield _row(result, part, "€ for this machine's last 30 days", lambda engine: Cell(engine.euros_last_month), judged)
    yield _row(result, part, "works offline", lambda engine: Cell(not engine.needs_network))
    yield _row(result, part, "photos go to", lambda engine: Cell(engine.place))
    yield _row(result, part, "% same label as the first", lambda engine: Cell(100 * engine.same_label), first)
    yield _row(result, part, "largest difference of a probability", lambda engine: Cell(engine.largest_difference, 4))
    yield _row(result, part, "model", lambda engine: Cell(", ".join(engine.model_versions)))


def _row(
    result: EngineComparison, part: str, name: str, cell: Callable[[EngineFigures], Cell], about: str | int = ""
) -> FigureRow:
    return FigureRow(part, name, about, tuple(cell(engine) for engine in result.engines))


def _euros(amount: float | None) -> float | str:
    return "by the hour" if amount is None else amount


def _figure(figure: Figure | None) -> Cell:
    if not figure:
        return Cell(None)
    # Adding 0 turns -0.0 into 0.0.
    value, low, high = (round(number, 3) + 0 for number in (figure.value, figure.low, figure.high))
    return Cell(value, 3, (low, high))


def _differing(
    dataset: Dataset, result: EngineComparison, limits: PhotoLimits, *, with_pictures: bool
) -> Iterator[DifferingPhoto]:
    found = [(item, list(about)) for item, about in groupby(result.disagreements, key=lambda each: each.item)]
    for item, about in found[:MOST_PICTURES]:
        picture = thumbnail_of(item, limits) if with_pictures else None
        yield DifferingPhoto(dataset.name(item), picture, tuple(about))
