"""Predictions that outlive their request: asynchronous ones, and those with an idempotency key.

::

    answering ──┐                     a request waits for it; removed if it fails to finish
                ├──► succeeded, failed      kept for some days
    queued ─────┘                     its photo is on the disk before the response is sent

The table is the queue; the first process of a home folder to take the lock works it off. Photos queued when that
process ends are judged after the next start.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from threading import Event, Lock, Thread
from typing import Any, Literal, cast
from uuid import UUID, uuid4

from sqlalchemy import ColumnElement, Row, Table, func, select, update
from sqlalchemy.exc import IntegrityError

from providers.event_log import get_logger
from triof.common.atomic_files import replace_file
from triof.common.errors import TriofError
from triof.common.process_lock import ProcessLock
from triof.common.repeated_faults import Complaints
from triof.judging.decoding.errors import DecoderBusy
from triof.predictions.results import Outcome, refusal
from triof.settings.sections.api import ApiSettings
from triof.storage.database import Database
from triof.storage.tables import JobRow

log = get_logger(__name__)

Status = Literal["answering", "queued", "succeeded", "failed"]

_JOBS = cast(Table, JobRow.__table__)
_LOOK_SECONDS = 1.0
"""Seconds between checks for photos queued by other processes."""
_PAUSE_SECONDS = 5.0
"""Seconds that the worker waits after an error of the disk or the database."""
_ABANDONED = timedelta(minutes=5)
"""No request waits this long: its process has died."""
_ORPHANED_SECONDS = 3600.0
FOLDER = "queue"
"""Folder of the queued photos in the home folder."""
TRIES = (".photo", ".second", ".last")
"""File suffixes of a queued photo before its first try, during it, and during its second."""


class QueueFull(TriofError):
    """The queue is full, or the photo cannot be written."""


class KeyReused(TriofError):
    """The idempotency key was used with another request."""


class StillRunning(TriofError):
    """The request with this idempotency key is still running."""


@dataclass(frozen=True)
class RequestIdentity:
    """Identity of a request: the API key's id, the idempotency key if any, and the digest of the request."""

    key_id: UUID
    idempotency_key: str | None
    fingerprint: str


@dataclass(frozen=True)
class PredictionJob:
    """A stored prediction; ``outcome`` is None until it is finished."""

    id: UUID
    status: Status
    at: datetime
    finished_at: datetime | None
    outcome: dict[str, Any] | None

    @property
    def is_finished(self) -> bool:
        """Whether the job has an outcome."""
        return self.status in ("succeeded", "failed")


class Jobs:
    """The jobs of one machine; ``ask`` judges a photo under an id. ``now`` returns aware datetimes."""

    def __init__(
        self,
        home: Path,
        settings: ApiSettings,
        database: Database,
        ask: Callable[[bytes, UUID], Outcome],
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._folder = home / FOLDER
        self._settings = settings
        self._database = database
        self._ask = ask
        self._now = now
        self._putting = Lock()
        self._process_lock = ProcessLock(home / "queue.lock")
        self._news = Event()
        self._complaints = Complaints(log)
        self._closed = False
        self._thread = Thread(target=self._run, name="jobs", daemon=True)

    @property
    def depth(self) -> int:
        """Return the number of queued photos. Raises SQLAlchemyError."""
        with self._database.read() as connection:
            query = select(func.count()).select_from(_JOBS).where(*self._are("queued"))
            return connection.scalar(query) or 0

    def start(self) -> None:
        """Start the worker."""
        self._thread.start()

    def close(self) -> None:
        """Stop the worker after the current photo; the others stay queued."""
        self._closed = True
        self._news.set()
        if self._thread.is_alive():
            self._thread.join()
        self._process_lock.release()

    def claim(self, asked: RequestIdentity) -> PredictionJob:
        """Return the job of a synchronous request: a new one to ``finish`` or ``forget``, or the finished one.

        Raises KeyReused, StillRunning.
        """
        job = self._insert(asked, "answering")
        if job:
            return job
        row = self._earlier(asked)
        if row.status == "answering" and self._now() - row.at > _ABANDONED and self._take_over(row):
            return _job(row)
        if row.status in ("answering", "queued"):
            raise StillRunning("The request with this Idempotency-Key is still being answered: ask again in a moment.")
        return _job(row)

    def put(self, asked: RequestIdentity, image: bytes) -> PredictionJob:
        """Queue ``image``, which is on the disk on return; the same request again returns the same job.

        Raises QueueFull, KeyReused, StillRunning.
        """
        id_ = uuid4()
        with self._putting:
            if self.depth >= self._settings.queue_length and not self._is_known(asked):
                raise QueueFull("The queue is full: ask again later, or more slowly.")
            path = self._folder / f"{id_}{TRIES[0]}"
            try:
                self._folder.mkdir(0o700, exist_ok=True)
                replace_file(path, image)
            except OSError as error:
                raise QueueFull(f"The photo cannot be written ({error.strerror}): ask again later.") from error
            job = self._insert(asked, "queued", id_)
        if job:
            self._news.set()
            return job
        path.unlink(missing_ok=True)
        row = self._earlier(asked)
        if row.status == "answering":
            raise StillRunning("The request with this Idempotency-Key is still being answered: ask again in a moment.")
        return _job(row)

    def finish(self, id_: UUID, outcome: Outcome) -> None:
        """Store the outcome of a job."""
        status: Status = "failed" if "problem" in outcome else "succeeded"
        values = {"status": status, "finished_at": self._now(), "answer": outcome}
        with self._database.write() as connection:
            connection.execute(update(_JOBS).where(_JOBS.c.id == id_).values(**values))

    def forget(self, id_: UUID) -> None:
        """Remove a job, so that the same request can be made again."""
        with self._database.write() as connection:
            connection.execute(_JOBS.delete().where(_JOBS.c.id == id_))

    def find(self, id_: UUID, key_id: UUID) -> PredictionJob | None:
        """Return the job with this id if it belongs to the key, else None."""
        with self._database.read() as connection:
            row = connection.execute(select(_JOBS).where(_JOBS.c.id == id_, _JOBS.c.key_id == key_id)).first()
        return _job(row) if row else None

    def work(self) -> bool:
        """Judge the oldest queued photo; return False if there is none, or another process works the queue off."""
        if not self._process_lock.is_ours():
            return False
        with self._database.read() as connection:
            waiting = select(_JOBS.c.id).where(*self._are("queued")).order_by(_JOBS.c.at, _JOBS.c.id).limit(1)
            id_ = connection.scalar(waiting)
        if not id_:
            return False
        path = self._begin(id_)
        try:
            outcome = self._outcome(id_, path)
            if outcome.get("problem", {}).get("code") == "busy":
                raise DecoderBusy(outcome["problem"]["detail"])
            self.finish(id_, outcome)
        except Exception:
            # The photo is not the cause, so it stays queued.
            if path:
                path.rename(self._folder / f"{id_}{TRIES[0]}")
            raise
        if path:
            path.unlink(missing_ok=True)
        return True

    def prune(self) -> None:
        """Remove expired outcomes, abandoned requests, and photos without a job."""
        oldest = self._now() - timedelta(days=self._settings.result_days)
        with self._database.write() as connection:
            of = (_JOBS.c.machine_id == self._database.machine_id, _JOBS.c.status != "queued", _JOBS.c.at < oldest)
            connection.execute(_JOBS.delete().where(*of))
            queued = {str(id_) for id_ in connection.scalars(select(_JOBS.c.id).where(*self._are("queued")))}
        for path in self._folder.glob("*"):
            # Includes files half-written at a power cut; never files that are not the queue's.
            if path.stem not in queued and any(suffix in path.name for suffix in TRIES):
                self._remove_orphan(path)

    def _remove_orphan(self, path: Path) -> None:
        """Remove a photo without a job if it is old: a photo is written a moment before its row."""
        try:
            if path.is_file() and self._now().timestamp() - path.stat().st_mtime > _ORPHANED_SECONDS:
                path.unlink()
        except OSError as error:
            self._complaints.failed("job.photo_not_removed", error)

    def _run(self) -> None:
        while not self._closed:
            pause = _LOOK_SECONDS
            try:
                while not self._closed and self.work():
                    pass
            except Exception as error:
                self._complaints.failed("job.postponed", error)
                pause = _PAUSE_SECONDS
            self._news.wait(pause)
            self._news.clear()

    def _begin(self, id_: UUID) -> Path | None:
        """Rename the photo for its next try and return its path; None if it is missing or has crashed us twice."""
        for before, during in pairwise(TRIES):
            path = self._folder / f"{id_}{before}"
            if path.exists():
                return path.rename(self._folder / f"{id_}{during}")
        return None

    def _outcome(self, id_: UUID, path: Path | None) -> Outcome:
        if not path:
            (self._folder / f"{id_}{TRIES[-1]}").unlink(missing_ok=True)
            return refusal(
                "interrupted", "The photo is lost, or the service ended twice while judging it: send it again."
            )
        image = path.read_bytes()
        try:
            return self._ask(image, id_)
        except Exception:
            log.exception("job.failed", id=id_)
            return refusal("internal", "The service failed at this photo; its log says why.")

    def _insert(self, asked: RequestIdentity, status: Status, id_: UUID | None = None) -> PredictionJob | None:
        """Insert a job and return it; None if there is one with this idempotency key."""
        job = PredictionJob(id_ or uuid4(), status, self._now(), None, None)
        row = {
            "id": job.id,
            "machine_id": self._database.machine_id,
            "at": job.at,
            "key_id": asked.key_id,
            "idempotency_key": asked.idempotency_key,
            "fingerprint": asked.fingerprint,
            "status": status,
        }
        try:
            with self._database.write() as connection:
                connection.execute(_JOBS.insert(), row)
        except IntegrityError:
            return None
        return job

    def _earlier(self, asked: RequestIdentity) -> Row[Any]:
        """Return the row with this idempotency key. Raises KeyReused, StillRunning."""
        with self._database.read() as connection:
            row = connection.execute(select(_JOBS).where(*_same(asked))).first()
        if not row:
            # Just removed by the request that it belonged to.
            raise StillRunning("The request with this Idempotency-Key has just failed: ask again.")
        if row.fingerprint != asked.fingerprint:
            raise KeyReused("This Idempotency-Key came with another request before: take a new one for each request.")
        return row

    def _is_known(self, asked: RequestIdentity) -> bool:
        if asked.idempotency_key is None:
            return False
        with self._database.read() as connection:
            return connection.execute(select(_JOBS.c.id).where(*_same(asked))).first() is not None

    def _take_over(self, row: Row[Any]) -> bool:
        of = (_JOBS.c.id == row.id, _JOBS.c.at == row.at)
        with self._database.write() as connection:
            return bool(connection.execute(update(_JOBS).where(*of).values(at=self._now())).rowcount)

    def _are(self, status: Status) -> tuple[ColumnElement[bool], ...]:
        return _JOBS.c.machine_id == self._database.machine_id, _JOBS.c.status == status


def _same(asked: RequestIdentity) -> tuple[ColumnElement[bool], ...]:
    return _JOBS.c.key_id == asked.key_id, _JOBS.c.idempotency_key == asked.idempotency_key


def _job(row: Row[Any]) -> PredictionJob:
    return PredictionJob(row.id, row.status, row.at, row.finished_at, row.answer)
