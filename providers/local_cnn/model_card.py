"""Generates a bundle's model card for people: training data, quality, intended use and limits.

After Mitchell et al., Model Cards for Model Reporting (2019). Generated only from ``bundle.json``, so that all
numbers come from the training or a measurement.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from providers.base import LABELS

if TYPE_CHECKING:
    from providers.local_cnn.bundle import BundleCard, TaskCard

_USES: Mapping[str, str] = {
    "waste_type": (
        "Tells what kind of plastic item lies in the slot of a Triof machine, photographed from above or obliquely: a"
        " bottle, a cup, cutlery, or something else (`other`: glass, metal, paper, cardboard, an empty slot, a hand)."
    ),
    "cleanliness": (
        "Tells whether a plastic bottle, cup or piece of cutlery in the slot of a Triof machine is clean, that is empty"
        " and without visible residue, or dirty: food, drink, soil or residue visible on or in it."
    ),
}
_LIMITS: Mapping[str, str] = {
    "waste_type": (
        "It sees shapes and surfaces, not polymers: it does not tell PET from PLA, and may take a clear glass bottle"
        " for a plastic one. Kinds of items that no photo showed (food trays, toys, bags) get some answer, with a"
        " probability that is not to be trusted there."
    ),
    "cleanliness": (
        "It sees what the camera sees: no residue inside an opaque bottle, none on the far side, no clear liquid. Of a"
        " thing that is no bottle, cup or cutlery its answer means nothing."
    ),
}


BY_SOURCE = ", by source"
"""Suffix of measurements of what a machine would have done with the photos of each source."""
_SHOWN_BY_SOURCE = (
    "type over plastic",
    "plastic refused",
    "foreign called other",
    "foreign not accepted",
    "of all accepted, wrong",
    "asked",
    "clean plastic asked about",
    "calibration error",
)


def render(card: "BundleCard") -> str:
    """Return the card in Markdown."""
    return "\n".join(_lines(card)) + "\n"


def _lines(card: "BundleCard") -> Iterator[str]:
    parts = (card, *card.also)
    yield from (
        f"# {card.version}",
        "",
        f"{' '.join(_USES[part.task] for part in parts)} Not made for anything else.",
        "",
    )
    trained_on = dict(card.trained_on)
    notes, photos = trained_on.pop("notes", ""), trained_on.pop("photos", {})
    yield from ("## Photos", "")
    if photos:
        counts = ", ".join(f"{count:,} in `{split}`" for split, count in photos.items())
        yield from (f"{counts}. SHA-256 of their list: `{trained_on.pop('data_sha256', 'unknown')}`.", "")
    if notes:
        yield from (notes.strip(), "")
    if more := card.metrics.get("learned_more"):
        yield from (f"## Against {more['before']}, from which it was trained", "", more["said"], "")
    for part in parts:
        yield from _of_task(part, f": {part.task}" if card.also else "")
    eight_bit = " It carries the same network in 8 bits too." if card.eight_bit_sha256 else ""
    for name, sources in card.metrics.items():
        if name.endswith(BY_SOURCE):
            yield from (f"## What a machine would have done: {name}", "", *by_source(sources), "")
    yield f"Input {card.input.width} x {card.input.height} pixels.{eight_bit}"
    yield from (
        "",
        "## Recipe",
        "",
        *_table(("setting", "value"), ((name, f"`{value}`") for name, value in trained_on.items())),
    )


def _of_task(part: "TaskCard", title: str) -> Iterator[str]:
    yield from (f"## Measured{title}", "")
    measured = {name: numbers for name, numbers in part.metrics.items() if is_measured(numbers)}
    if not measured:
        yield from (
            "Nothing yet beyond the training's own `val`: `triof evaluate --record` measures and writes it here.",
            "",
        )
    for name, numbers in measured.items():
        yield from _measured(name, numbers)
    yield from (f"## Limits{title}", "", _LIMITS[part.task], "")
    yield from (f"## Use{title}", "", *_table(("label", "believed from"), _thresholds(part)), "")
    yield from (f"Temperature {part.temperature}.", "")


def _measured(name: str, numbers: Mapping[str, Any]) -> Iterator[str]:
    yield from (
        f"### {name}",
        "",
        f"{numbers['photos']:,} photos in {numbers['groups']:,} groups; intervals of 95 %, by resampling whole groups:",
        "",
    )
    yield from _table(
        ("figure", "value", "interval"), ((figure, *_figure(found)) for figure, found in numbers["figures"].items())
    )
    yield ""
    if robust := numbers.get("robustness"):
        yield from ("The same photos under other conditions:", "")
        rows = [(condition, *_figure(found["lost"])) for condition, found in robust["conditions"].items()]
        yield from _table(
            ("condition", "accuracy lost", "interval"),
            [*rows, ("mean of the corruptions", *_figure(robust["mean_lost"]))],
        )
        yield ""


def by_source(sources: Mapping[str, Any]) -> Iterator[str]:
    """Yield a row for each source with its photos, the metrics and their 95 % intervals."""
    rows = []
    for name, part in sources.items():
        found = (part["figures"].get(figure) for figure in _SHOWN_BY_SOURCE)
        rows.append((f"{name}, {part['photos']:,}", *(_brief(figure) if figure else "" for figure in found)))
    yield from _table(("source, photos", *_SHOWN_BY_SOURCE), rows)


def _brief(found: Mapping[str, float]) -> str:
    return f"{found['value']:.2f} ({found['low']:.2f} to {found['high']:.2f})"


def is_measured(numbers: Any) -> bool:
    """Return whether an entry of a card's metrics comes from `triof evaluate --record`."""
    return isinstance(numbers, Mapping) and "figures" in numbers


def _thresholds(part: "TaskCard") -> Iterator[tuple[str, str]]:
    for label in dict.fromkeys(label for label in part.labels if label in LABELS[part.task]):
        yield label, f"{part.thresholds[label]:.3f}" if label in part.thresholds else "the policy's"


def _figure(found: Mapping[str, float]) -> tuple[str, str]:
    # Adding 0 turns -0.0 into 0.0, which would be shown as -0.000.
    value, low, high = (f"{round(found[part], 3) + 0:.3f}" for part in ("value", "low", "high"))
    return value, f"{low} to {high}"


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield f"|{'---|' * len(head)}"
    for row in rows:
        yield f"| {' | '.join(row)} |"
