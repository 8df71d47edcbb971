"""Erases what could lead to a person in a period: photos, and what journal, copies, logs and queues say of the time.

Each step can be repeated, so an interrupted erasure is finished by another one of the same period. Photos go before
the rows that name them. A running kiosk goes on.
"""

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import select

from triof.common.errors import TriofError
from triof.common.process_lock import ProcessLock
from triof.journal.journal import Journal
from triof.journal.scope import Scope
from triof.predictions import erasure as api
from triof.predictions.queue import FOLDER
from triof.privacy import copied_photos, deposit_rows, journal_copies, log_lines, slot_pictures, waiting_rows
from triof.privacy.deposit_rows import AnonymousRows
from triof.privacy.journal_copies import CopyUnreadable
from triof.settings.tree import Settings
from triof.statistics.calendar import Calendar
from triof.storage import data_folder
from triof.storage.data_folder import MachineTaken
from triof.storage.photo_store import PhotoStore
from triof.storage.tables import UploadRow


class ErasureUnderWay(TriofError):
    """Another process erases in the same home folder."""


@dataclass
class Erased:
    """What was erased, and sentences about what was ``left`` and why."""

    photos: int = 0
    slot_pictures: int = 0
    """The reference of the empty slot, and the picture of the first run."""
    deposits: int = 0
    events: int = 0
    predictions: int = 0
    copies: int = 0
    """Copies of the journal that had deposits of the period."""
    log_lines: int = 0
    api_photos: int = 0
    api_predictions: int = 0
    waiting_rows: int = 0
    copied_photos: int = 0
    uploaded_photos: int = 0
    """Photos that were uploaded to a cloud project for training; they are there still."""
    left: list[str] = field(default_factory=list)

    def counts(self) -> dict[str, int]:
        """Return the numbers by name."""
        return {name: value for name, value in vars(self).items() if isinstance(value, int)}


def erase(
    settings: Settings, journal: Journal, scope: Scope, *, actor: str, comment: str, others: Sequence[Path] = ()
) -> Erased:
    """Erase the period of ``scope`` and record that in the journal.

    ``others`` are copies elsewhere: journals, and folders of ``triof dataset from-journal``. Raises ErasureUnderWay,
    SQLAlchemyError.
    """
    lock = ProcessLock(settings.home / "privacy.lock")
    if not lock.is_ours():
        raise ErasureUnderWay(f"Another process erases in {settings.home}: wait until it has ended.")
    try:
        told: dict[str, Any] = {
            "since": scope.since.isoformat(),
            "until": scope.until.isoformat(),
            "who": actor,
            "why": comment,
        }
        journal.record("privacy.erasure_begun", **told)
        erased = _Erasure(settings, journal, scope).run(others)
        journal.record("privacy.erased", **{**told, **erased.counts(), "left": erased.left})
    finally:
        lock.release()
    return erased


class _Erasure:
    """One erasure, step by step."""

    def __init__(self, settings: Settings, journal: Journal, scope: Scope) -> None:
        self._settings = settings
        self._database = journal.database
        self._scope = scope
        self._calendar = Calendar(settings.reports.timezone)
        self._store = PhotoStore.of(settings)
        self._erased = Erased()

    def run(self, others: Sequence[Path]) -> Erased:
        """Erase everything; return what was done."""
        for name in ("photos", "logs", FOLDER):
            if (folder := self._settings.home / name).is_dir():
                # A folder that cannot be read must not pass for an empty one.
                self._try(os.listdir, folder)
        self._journal()
        self._copies(others)
        self._photos_by_time()
        self._slot_pictures()
        self._logs()
        self._api()
        self._try(lambda _: self._outbox(), None)
        return self._erased

    def _journal(self) -> None:
        with self._database.read() as connection:
            found = deposit_rows.of_period(connection, self._scope)
            under_way = deposit_rows.under_way(connection, found)
            chosen = [deposit for deposit in found if deposit not in under_way]
            photos = deposit_rows.photos(connection, chosen)
        self._photos(photos)
        if under_way:
            self._erased.left.append(
                f"{len(under_way)} deposits have not ended: run this again when they have; the start of a kiosk ends"
                " those that were interrupted."
            )
        changed = AnonymousRows()
        for batch in deposit_rows.in_batches(chosen):
            with self._database.write() as connection:
                changed.add(deposit_rows.anonymise(connection, batch, self._calendar))
        self._erased.deposits, self._erased.events = changed.deposits, changed.events
        self._erased.predictions = changed.predictions
        if (path := self._database.path) and not journal_copies.empty_wal(path):
            self._erased.left.append(f"{path}-wal is in use and may hold former rows: run this again.")

    def _copies(self, others: Sequence[Path]) -> None:
        path = self._database.path
        # Before the copies are listed: a backup begun earlier is then either found or told.
        if path and journal_copies.being_written(self._settings, path):
            self._erased.left.append("A backup of the journal is being made: run this again in a minute.")
        for copy in journal_copies.all_of(self._settings, path) if path else ():
            self._try(self._copy, copy)
        for other in others:
            self._try(self._folder if other.is_dir() else self._copy, other)

    def _copy(self, path: Path) -> None:
        try:
            changed = journal_copies.anonymise(path, self._scope, self._calendar)
        except CopyUnreadable as error:
            self._erased.left.append(
                f"{error} When `triof journal salvage {path}` has merged what it can read of it into"
                f" {self._database.path}, remove it, and run this again."
            )
            return
        self._erased.copies += bool(changed.deposits)
        self._photos(changed.photos)

    def _folder(self, path: Path) -> None:
        self._erased.copied_photos += copied_photos.erase(path, self._scope)

    def _photos(self, names: Iterable[str]) -> None:
        for name in names:
            self._erased.photos += bool(self._try(self._store.discard, name))
            with self._database.read() as connection:
                uploaded = select(UploadRow.id).where(UploadRow.path.endswith(f"{name}.jpg", autoescape=True)).limit(1)
                self._erased.uploaded_photos += connection.scalar(uploaded) is not None

    def _photos_by_time(self) -> None:
        since, until = self._scope.since.timestamp(), self._scope.until.timestamp()
        for photo in self._store.all():
            if since <= photo.stored_at < until:
                self._erased.photos += bool(self._try(self._store.discard, photo.path.stem))

    def _slot_pictures(self) -> None:
        for path in self._try(lambda home: slot_pictures.in_period(home, self._scope), self._settings.home) or ():
            self._erased.slot_pictures += bool(self._try(_removed, path))

    def _logs(self) -> None:
        for path in log_lines.files(self._settings.home / "logs"):
            self._erased.log_lines += self._try(lambda path: log_lines.erase(path, self._scope), path) or 0

    def _api(self) -> None:
        waiting = api.waiting_photos(self._settings.home, self._scope)
        self._erased.api_predictions = api.erase(self._database, self._scope)
        for path in waiting:
            self._try(lambda path: path.unlink(missing_ok=True), path)
        self._erased.api_photos = len(waiting)

    def _outbox(self) -> None:
        home = self._settings.home
        if not waiting_rows.in_period(home, self._scope):
            return
        try:
            lock = data_folder.take_machine(self._settings)
        except MachineTaken:
            self._erased.left.append("The outbox of the running kiosk holds rows: run this again when it is empty.")
            return
        try:
            self._erased.waiting_rows, photos = waiting_rows.anonymise(home, self._scope, self._calendar)
        finally:
            lock.release()
        self._photos(photos)

    def _try(self, step: Callable[[Any], Any], of: Any) -> Any:
        """Return what ``step`` returns; note why it could not be done."""
        try:
            return step(of)
        except OSError as error:
            self._erased.left.append(f"{error.filename or of}: {error.strerror or error}.")
        except TriofError as error:
            self._erased.left.append(str(error))
        return None


def _removed(path: Path) -> bool:
    path.unlink(missing_ok=True)
    return True
