"""Fill the measured parts of docs/measurements/models.md from the shipped bundle's card and other runs.

    python -m tools.models_page [--bench bench.json] [--compare tables.md]

Figures come from `triof evaluate --record`, the ratio from `make bench ARGS='--only models'`, the tables of what lost
from `make compare-models`. What is not given stays as it is; no number is typed.
"""

import argparse
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from providers.base import TASKS, Task
from providers.local_cnn import bundle, model_card
from providers.local_cnn.options import shipped
from triof.evaluation import by_source

PAGE = Path(__file__).resolve().parent.parent / "docs" / "measurements" / "models.md"
GIVEN, CORRECTED = "test", "test, corrected labels"


@dataclass(frozen=True)
class Goal:
    """A row of the table: where its figure stands in a card, and what it shall reach."""

    what: str
    task: Task
    measurement: str
    figure: tuple[str, ...]
    bound: float
    at_least: bool = True

    def row(self, metrics: Mapping[str, Any]) -> str:
        """In Markdown."""
        found = metrics[self.measurement]
        for part in self.figure:
            found = found[part]
        met = found["value"] >= self.bound if self.at_least else found["value"] <= self.bound
        goal = f"{'≥' if self.at_least else '≤'} {self.bound}"
        measured = f"{found['value'] + 0:.3f}" if met else f"**{found['value']:.3f}** (missed)"
        return f"| {self.what} | {goal} | {measured} | {found['low'] + 0:.3f} to {found['high'] + 0:.3f} |"


_GROUND = ("robustness", "conditions", "other ground", "lost")
_MEAN = ("robustness", "mean_lost")
_CAUGHT = ("figures", "dirty caught at 5 % of clean refused")
GOALS = (
    Goal("type: accuracy over bottle, cup, cutlery", "waste_type", GIVEN, ("figures", "plastic accuracy"), 0.985),
    Goal("the same, corrected labels", "waste_type", CORRECTED, ("figures", "plastic accuracy"), 0.985),
    Goal("plastic refused as `other`", "waste_type", GIVEN, ("figures", "plastic turned away"), 0.01, at_least=False),
    Goal("foreign objects caught", "waste_type", GIVEN, ("figures", "foreign caught"), 0.98),
    Goal("cleanliness: macro-F1, labels as given", "cleanliness", GIVEN, ("figures", "macro F1"), 0.93),
    Goal("cleanliness: macro-F1, corrected", "cleanliness", CORRECTED, ("figures", "macro F1"), 0.95),
    Goal("dirty caught when at most 5 % of clean are refused, as given", "cleanliness", GIVEN, _CAUGHT, 0.95),
    Goal("the same, corrected labels", "cleanliness", CORRECTED, _CAUGHT, 0.95),
    Goal("calibration error, type", "waste_type", GIVEN, ("figures", "calibration error"), 0.03, at_least=False),
    Goal(
        "calibration error, cleanliness", "cleanliness", GIVEN, ("figures", "calibration error"), 0.03, at_least=False
    ),
    Goal("other ground: accuracy lost, type", "waste_type", GIVEN, _GROUND, 0.02, at_least=False),
    Goal("other ground: accuracy lost, cleanliness", "cleanliness", GIVEN, _GROUND, 0.04, at_least=False),
    Goal("five corruptions: accuracy lost, mean, type", "waste_type", GIVEN, _MEAN, 0.03, at_least=False),
    Goal("five corruptions: accuracy lost, mean, cleanliness", "cleanliness", GIVEN, _MEAN, 0.03, at_least=False),
)


def goals(cards: Mapping[Task, bundle.BundleCard], bench: Path | None) -> Iterator[str]:
    """The table of goals."""
    yield "| what | goal | measured | 95 % interval |"
    yield "|---|---|---|---|"
    for goal in GOALS:
        yield goal.row(cards[goal.task].metrics)
    if bench:
        ratio = next(row for row in json.loads(bench.read_text())["ratios"] if row["name"].startswith("both models"))
        value = ratio["ours"] / ratio["bare"]
        met = f"{value:.2f}" if value <= 2.5 else f"**{value:.2f}** (missed)"
        seen = f"{ratio['ours']:.1f} : {ratio['bare']:.1f} ms"
        yield f"| both models / one EfficientNet-Lite0 float32 call, one core | ≤ 2.5 | {met} | {seen} |"


def robustness(cards: Mapping[Task, bundle.BundleCard]) -> Iterator[str]:
    """Accuracy lost under each condition."""
    tables = {task: cards[task].metrics[GIVEN]["robustness"]["conditions"] for task in TASKS}
    yield f"| accuracy lost | {' | '.join(f'{task} (photos)' for task in TASKS)} |"
    yield "|---|---|---|"
    for name in tables["waste_type"]:
        yield f"| {name} | {' | '.join(_lost(tables[task][name]) for task in TASKS)} |"


def _lost(condition: Mapping[str, Any]) -> str:
    value, low, high = (f"{round(condition['lost'][part], 3) + 0:.3f}" for part in ("value", "low", "high"))
    return f"{value} ({low} to {high}; {condition['photos']})"


def sources(card: bundle.BundleCard) -> Iterator[str]:
    """What the machine would have done with the photos of each source, and with 1,000 deposits like all of them."""
    found = card.metrics[CORRECTED + model_card.BY_SOURCE]
    yield from model_card.by_source(found)
    figures = {name: figure["value"] for name, figure in found[by_source.ALL]["figures"].items()}
    asked, refused = (round(1000 * figures[name]) for name in ("asked", "refused"))
    accepted = 1000 - asked - refused
    wrong = round(accepted * figures["of all accepted, wrong"])
    yield ""
    yield f"Of 1,000 deposits like these photos the machine would accept {accepted} and be wrong about {wrong} of"
    yield f"those; it would ask about {asked} and refuse {refused}."


def thresholds(cards: Mapping[Task, bundle.BundleCard]) -> Iterator[str]:
    """What is believed, and how that went on ``test``."""
    yield "| bundle | believed from | of the `test` photos believed | of all photos believed and wrong |"
    yield "|---|---|---|---|"
    for task in TASKS:
        figures = cards[task].metrics[GIVEN]["figures"]
        shares = (f"{figures[name]['value']:.3f}" for name in ("believed", "believed and wrong"))
        labels = ", ".join(f"{label} {threshold:.3f}" for label, threshold in cards[task].thresholds.items())
        yield f"| {task} | {labels} | {' | '.join(shares)} |"


def filled(text: str, name: str, lines: Iterator[str]) -> str:
    """``text`` with ``lines`` between its markers called ``name``."""
    block = f"<!-- {name} -->\n" + "\n".join(lines) + f"\n<!-- /{name} -->"
    return re.sub(f"<!-- {name} -->.*?<!-- /{name} -->", lambda _: block, text, flags=re.DOTALL)


def main() -> None:
    """Read the cards and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bench", type=Path, help="what `make bench` wrote")
    parser.add_argument("--compare", type=Path, help="what `make compare-models` printed")
    options = parser.parse_args()
    cards = {task: bundle.load(shipped(task), task).card for task in TASKS}
    text = PAGE.read_text(encoding="utf-8")
    parts = {
        "sources": sources(cards["waste_type"]),
        "goals": goals(cards, options.bench),
        "robustness": robustness(cards),
        "thresholds": thresholds(cards),
    }
    if options.compare:
        parts["compare"] = iter(options.compare.read_text(encoding="utf-8").strip().splitlines())
    for name, lines in parts.items():
        text = filled(text, name, lines)
    PAGE.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
