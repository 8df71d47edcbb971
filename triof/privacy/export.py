"""Writes the photos and events of a period to a zip file, for a person who asks what is held."""

import csv
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import datetime
from io import StringIO
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID
from zipfile import ZIP_DEFLATED, ZipFile

from sqlalchemy import Connection, Row, select

from triof.common.errors import TriofError
from triof.journal.journal import Journal
from triof.journal.scope import Scope
from triof.predictions import erasure as api
from triof.privacy import deposit_rows, log_lines, slot_pictures
from triof.privacy.holdings import stored_photos
from triof.settings.tree import Settings
from triof.storage.photo_store import PhotoStore
from triof.storage.tables import Event, PredictionRow

_README = """What Triof holds of {since} to {until} on machine {machine}.

photos/           the photos of deposits that are still kept
photos.csv        each photo that the journal names, its deposit, and whether the photo is kept
slot/             other pictures of the slot: the reference of the empty one, and that of the first run
events.jsonl      what happened to each deposit: its time, the type of the item, no name
predictions.jsonl what each model said of the photo
log.jsonl         the lines of the log
waiting/          photos that were sent to the API and are not judged yet

Times are in UTC. Nothing in here says who used the machine.
"""


class ExportImpossible(TriofError):
    """The zip file cannot be written."""


class Exported(NamedTuple):
    """The numbers of what was exported; ``missing`` photos are no longer kept."""

    photos: int
    missing: int
    events: int
    predictions: int
    log_lines: int


def export(settings: Settings, journal: Journal, scope: Scope, out: Path, *, actor: str, comment: str) -> Exported:
    """Write the zip file ``out``, readable by its owner alone, and record that. Raises ExportImpossible."""
    if out.exists():
        raise ExportImpossible(f"{out} exists and is not replaced: name another file.")
    fresh = out.with_name(f".{out.name}.part")
    try:
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            with ZipFile(file, "w", ZIP_DEFLATED) as archive:
                exported = _write(archive, settings, journal, scope)
            file.flush()
            os.fsync(file.fileno())
        told: dict[str, Any] = {
            "since": scope.since.isoformat(),
            "until": scope.until.isoformat(),
            "who": actor,
            "why": comment,
        }
        journal.record("privacy.exported", reason=None, **told, **exported._asdict())
        fresh.replace(out)
    except OSError as error:
        cause = error.strerror or error
        raise ExportImpossible(f"{out} cannot be written ({cause}): name another place with --out.") from error
    finally:
        with suppress(OSError):
            fresh.unlink(missing_ok=True)
    return exported


def _write(archive: ZipFile, settings: Settings, journal: Journal, scope: Scope) -> Exported:
    begun, ended = scope.since.isoformat(timespec="minutes"), scope.until.isoformat(timespec="minutes")
    archive.writestr("README.txt", _README.format(since=begun, until=ended, machine=journal.machine_id))
    with journal.database.read() as connection:
        deposits = deposit_rows.of_period(connection, scope)
        events = list(_rows(connection, Event, deposits))
        predictions = list(_rows(connection, PredictionRow, deposits))
    archive.writestr("events.jsonl", _json_lines(events))
    archive.writestr("predictions.jsonl", _json_lines(predictions))
    named = {str(row.detail["photo"]): row.deposit_id for row in events if row.detail.get("photo")}
    photos, missing = _photos(archive, settings, scope, named)
    lines = list(_log(settings.home / "logs", scope))
    archive.writestr("log.jsonl", b"".join(lines))
    for folder, paths in (
        ("slot", slot_pictures.in_period(settings.home, scope)),
        ("waiting", api.waiting_photos(settings.home, scope)),
    ):
        for path in paths:
            with suppress(FileNotFoundError):  # judged or taken anew meanwhile
                archive.write(path, f"{folder}/{path.name}")
    return Exported(photos, missing, len(events), len(predictions), len(lines))


def _rows(
    connection: Connection, table: type[Event] | type[PredictionRow], deposits: Sequence[UUID]
) -> Iterator[Row[Any]]:
    for batch in deposit_rows.in_batches(deposits):
        query = select(*table.__table__.columns).where(table.deposit_id.in_(batch)).order_by(table.at)
        yield from connection.execute(query)


def _photos(archive: ZipFile, settings: Settings, scope: Scope, named: dict[str, UUID]) -> tuple[int, int]:
    """Write the photos of the deposits and of the period; return how many, and how many are gone."""
    store = PhotoStore.of(settings)
    stored = {photo.path.stem: photo.path for photo in stored_photos(settings, scope) if photo.path.suffix == ".jpg"}
    table = StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(("photo", "deposit", "kept"))
    kept = 0
    for name in sorted({*named, *stored}):
        path = stored.get(name, store.path(name))
        is_kept = path.is_file()
        if is_kept:
            # Not compressed again, and whatever its content: a damaged one is held, too.
            archive.writestr(f"photos/{path.name}", path.read_bytes())
        kept += is_kept
        writer.writerow((name, named.get(name, ""), "yes" if is_kept else "no"))
    archive.writestr("photos.csv", table.getvalue())
    return kept, len({*named, *stored}) - kept


def _log(folder: Path, scope: Scope) -> Iterator[bytes]:
    for path in log_lines.files(folder):
        content = path.read_bytes()
        for line in log_lines.in_period(path, scope):
            yield content[line.offset : line.offset + line.length] + b"\n"


def _json_lines(rows: Sequence[Row[Any]]) -> str:
    return "".join(f"{json.dumps(row._asdict(), default=_plain, ensure_ascii=False)}\n" for row in rows)


def _plain(value: Any) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
