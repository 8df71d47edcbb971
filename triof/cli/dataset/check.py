"""``triof dataset check``: find faults in a set of labelled photos."""

import json
import shlex
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from triof.cli import load_settings, tell
from triof.cli.shared.labelled_photos import read_photos
from triof.curation.check import SMALLEST_SIDE, Findings
from triof.curation.check import check as look
from triof.curation.label_errors import Suggestion
from triof.datasets import corrections
from triof.datasets.photo_dataset import SPLITS, Dataset, LabelledPhoto
from triof.reporting import contact_sheet

_SHOWN = 10
"""Suggestions printed on the terminal; the report and the JSON have all."""


@click.command()
@click.argument("source", type=click.Path(path_type=Path))
@click.option("--corrections", "corrected", type=click.Path(path_type=Path), help="A file of corrected labels.")
@click.option("--limit", type=click.IntRange(1), default=300, show_default=True, help="Labels to suggest, at most.")
@click.option("--report", type=click.Path(path_type=Path), help="The contact sheet to write; default: one in runs/.")
@click.option("--no-report", is_flag=True, help="Write no contact sheet.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of tables.")
@click.pass_context
def check(
    ctx: click.Context,
    source: Path,
    *,
    corrected: Path | None,
    limit: int,
    report: Path | None,
    no_report: bool,
    as_json: bool,
) -> None:
    """Find faults in SOURCE, a manifest.csv or a folder: photos that cannot be read or are tiny, copies and
    near-duplicates, labels that contradict each other or are probably wrong, labels that are rare.

    Changes nothing. Also writes a contact sheet as an HTML page.
    """
    if report and no_report:
        raise click.UsageError("--report names a page that --no-report leaves out: give one of them.")
    settings = load_settings(ctx).settings
    dataset = read_photos(source, settings)
    known, told = corrections.named(dataset, corrected, settings.custom_vision.tags) if corrected else ({}, [])
    tell(told)
    console = Console(stderr=as_json)
    findings = look(dataset, settings, console, known)
    suggestions = findings.suspects.suggestions[:limit]
    then = _next(findings.dataset, corrected)
    if not no_report:
        report = report or Path("runs") / f"check-{datetime.now():%Y%m%d-%H%M%S}.html"
        contact_sheet.write(report, findings, suggestions, then, settings.photo, language=settings.language)
    if as_json:
        click.echo(json.dumps(_as_object(findings, suggestions), indent=1))
    else:
        _print(findings, suggestions, then, console)
    if report:
        _say(console, f"To look at: {report}")


def _next(dataset: Dataset, corrected: Path | None) -> str:
    """Return the command for deciding about the suggestions, worst first."""
    where = ["--corrections", str(corrected)] if corrected else []
    return shlex.join(["triof", "dataset", "label", str(dataset.source), *where])


def _print(findings: Findings, suggestions: Sequence[Suggestion], then: str, console: Console) -> None:
    dataset = findings.dataset
    _say(console, f"{len(dataset.photos)} photos in {dataset.source}")
    console.print(_found(findings, suggestions), _balance(findings))
    for sentence in (*findings.imbalances, *findings.suspects.unjudged):
        _say(console, sentence)
    for fault in findings.unreadable[:_SHOWN]:
        _say(console, f"{fault.path}: {fault.reason}")
    if not suggestions:
        _say(console, "No label looks wrong.")
        return
    console.print(_worst(dataset, suggestions))
    _say(console, f"What to do next: {then}")


def _found(findings: Findings, suggestions: Sequence[Suggestion]) -> Table:
    table = Table("found", "how many")
    for name, count in (
        ("cannot be read", len(findings.unreadable)),
        (f"tiny, a side below {SMALLEST_SIDE} pixels", len(findings.tiny)),
        ("sets of copies, byte for byte", len(findings.duplicates)),
        ("sets of near-duplicates, these copies among them", len(findings.near_duplicates)),
        ("of these, sets that lie in two splits", len(findings.crossing)),
        ("sets whose labels contradict each other", len(findings.conflicts)),
        ("labels to look at", len(suggestions)),
        ("labels that were confirmed, left out", findings.confirmed),
        *((f"wrong labels of {task}, as cleanlab estimates", n) for task, n in findings.suspects.estimates.items()),
    ):
        table.add_row(name, str(count))
    return table


def _balance(findings: Findings) -> Table:
    table = Table("label", *SPLITS, "all")
    for labels in findings.counts.values():
        for label, counts in labels.items():
            table.add_row(label, *(str(counts[split]) for split in SPLITS), str(sum(counts.values())))
        table.add_section()
    return table


def _worst(dataset: Dataset, suggestions: Sequence[Suggestion]) -> Table:
    table = Table(title=f"The worst {min(_SHOWN, len(suggestions))}")
    table.add_column("photo", overflow="fold")
    for heading in ("called", "rather", "probability"):
        table.add_column(heading)
    for each in suggestions[:_SHOWN]:
        share = ">99%" if each.probability > 0.995 else f"{each.probability:.0%}"
        table.add_row(escape(dataset.name(each.item)), each.label, each.suggested, share)
    return table


def _say(console: Console, sentence: str) -> None:
    # A path may contain rich markup.
    console.print(sentence, soft_wrap=True, markup=False, highlight=False)


def _as_object(findings: Findings, suggestions: Sequence[Suggestion]) -> dict[str, Any]:
    dataset = findings.dataset

    def names(family: Iterable[LabelledPhoto]) -> list[str]:
        return [dataset.name(item) for item in family]

    return {
        "source": str(dataset.source),
        "photos": len(dataset.photos),
        "remarks": list(dataset.remarks),
        "suggestions": [_suggestion(dataset, each) for each in suggestions],
        "confirmed": findings.confirmed,
        "estimated_errors": dict(findings.suspects.estimates),
        "unjudged": list(findings.suspects.unjudged),
        "unreadable": [{"path": str(fault.path), "reason": fault.reason} for fault in findings.unreadable],
        "tiny": [{"path": dataset.name(t.item), "width": t.width, "height": t.height} for t in findings.tiny],
        "duplicates": [names(family) for family in findings.duplicates],
        "near_duplicates": [names(family) for family in findings.near_duplicates],
        "crossing": [names(family) for family in findings.crossing],
        "conflicts": [
            {"task": each.task, "labels": {dataset.name(item): item.labels[each.task] for item in each.family}}
            for each in findings.conflicts
        ],
        "counts": findings.counts,
        "imbalances": list(findings.imbalances),
    }


def _suggestion(dataset: Dataset, each: Suggestion) -> dict[str, Any]:
    return {
        "path": dataset.name(each.item),
        "task": each.task,
        "label": each.label,
        "suggested": each.suggested,
        "probability": round(each.probability, 4),
        "quality": round(each.quality, 6),
        "why": each.reason,
    }
