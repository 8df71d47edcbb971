"""Uploads labelled photos to a cloud project, each once, even after a crash.

The main thread reads and hashes; a few workers resize and send photos, and only theirs are in memory. A
photo is in the ledger before it is sent: after Ctrl-C, a power cut or a network failure the same command resumes.
"""

import hashlib
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ALL_COMPLETED, FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from threading import Lock
from typing import Literal, NamedTuple
from uuid import UUID, uuid4

from sqlalchemy.exc import SQLAlchemyError

from providers.base import Photo as DecodedPhoto
from providers.base import PhotoRejected
from providers.custom_vision.errors import TrainingRefused
from providers.custom_vision.options import PHOTOS_A_TAG
from providers.custom_vision.provider import LIMITS
from providers.custom_vision.records import Image, Stored, Tag
from providers.custom_vision.trainer import BATCH_PHOTOS, Trainer
from providers.custom_vision.upload_matching import UploadPhoto
from providers.photo_encoding import fits, fitted
from triof.azure.upload_ledger import Outcome, Sending, UploadLedger, UploadStatus
from triof.azure.upload_report import Report, may_pass, outcome_of, sentence
from triof.common.errors import TriofError
from triof.datasets.photo_dataset import LabelledPhoto
from triof.judging import photo as photos
from triof.judging.photo import PhotoError
from triof.settings.sections.photo import DEFAULT_LIMITS, PhotoLimits

MAX_BYTES = 6_000_000
"""The vendor's size limit of a training photo in bytes."""
_FORMATS = ("JPEG", "PNG", "BMP", "GIF")
_PROOF_SIDE = 64
_BUSY_SECONDS = 0.1
_WORKERS = 4
_NOT_CORRECTED = "Its label was corrected, but the cloud does not take the new one: look at it there."


class UploadImpossible(TriofError):
    """The photos cannot be uploaded as they are; none was sent."""


class _Read(NamedTuple):
    """A file with its contents; ``photo`` is their SHA-256."""

    path: Path
    photo: str
    image: bytes
    tag: Tag


class Upload:
    """One upload run. ``on_photos`` gets the number of completed photos, from any thread; ``on_stop`` reports stops."""

    def __init__(
        self,
        trainer: Trainer,
        ledger: UploadLedger,
        on_photos: Callable[[int], None] = lambda _: None,
        on_stop: Callable[[], None] = lambda: None,
        *,
        held: Collection[str] = frozenset(),
        again: bool = False,
        limits: PhotoLimits = DEFAULT_LIMITS,
    ) -> None:
        """``held``: SHA-256 of photos that must not be learned; ``again``: send photos sent before, too."""
        self.report = Report()
        self._trainer = trainer
        self._ledger = ledger
        self._on_photos = on_photos
        self._on_stop = on_stop
        self._side = trainer.options.training_side
        self._batch_bytes = trainer.options.training_batch_bytes
        self._held = held
        self._limits = limits
        self._anew = again
        self._seen: dict[str, Tag] = {}
        self._cleared: set[str] = set()
        """Photos of an earlier run known to have arrived since this run began."""
        self._since: datetime | None = None
        """Time of the newest photo that the cloud has reported, by its clock."""
        self._lock = Lock()

    def run(self, items: Iterable[tuple[LabelledPhoto, Tag]]) -> Report:
        """Send the missing photos. Raises ProviderError if the cloud stays unreachable, SQLAlchemyError."""
        self._reconcile_uncertain()
        self._since = self._trainer.newest()
        workers = min(_WORKERS, self._trainer.rate_limiter.per_second)
        under_way: dict[Future[None], Sequence[_Read]] = {}
        with ThreadPoolExecutor(workers, "upload") as pool:
            try:
                for batch in self._batches(items):
                    under_way[self._submit(pool, batch)] = batch
                    # Limits the photos in memory to those about to be sent.
                    if len(under_way) > workers:
                        _take_finished(under_way, FIRST_COMPLETED)
                _take_finished(under_way, ALL_COMPLETED)
            except BaseException:
                self._trainer.give_up()
                self._on_stop()
                pool.shutdown(cancel_futures=True)
                never_left = [read.photo for future, batch in under_way.items() if future.cancelled() for read in batch]
                # Uncertain requests cost the next run one query each.
                with suppress(SQLAlchemyError):
                    self._ledger.forget(never_left)
                raise
        return self.report

    def count_new(self, items: Iterable[tuple[LabelledPhoto, Tag]]) -> int:
        """Return how many photos are not in the ledger of the project; reads every file."""
        trial = Upload(self._trainer, self._ledger, held=self._held)
        return sum(1 for _ in trial._new(items))

    def rehearse(self, items: Iterable[tuple[LabelledPhoto, Tag]]) -> Report:
        """Return the report of a dry run; ``sent`` counts the photos that would be sent."""
        for read in self._new(items):
            try:
                fit(read.image, self._side, self._limits)
            except (PhotoError, PhotoRejected) as error:
                self._count("refused", read.tag, read.path, str(error))
            else:
                self._count("sent", read.tag, read.path)
        return self.report

    def _submit(self, pool: ThreadPoolExecutor, batch: Sequence[_Read]) -> Future[None]:
        name, since = uuid4(), self._since
        sendings = [Sending(read.photo, str(read.path.absolute()), read.tag.id) for read in batch]
        self._ledger.begin(name, sendings, since)
        return pool.submit(self._send, name, batch, since)

    def _reconcile_uncertain(self) -> None:
        """Query the cloud for requests that an earlier run left unfinished."""
        in_doubt = self._ledger.in_doubt()
        if not in_doubt:
            return
        counts = {str(batch): len(doubt.photos) for batch, doubt in in_doubt.items()}
        found = self._trainer.of_batches(counts, _earliest(doubt.since for doubt in in_doubt.values()))
        for batch, doubt in in_doubt.items():
            arrived = self._arrived(found[str(batch)], doubt.photos)
            self._ledger.finalize({photo: ("sent", "", image_id) for photo, image_id in arrived.items()})
            self._ledger.forget({sending.photo for sending in doubt.photos} - arrived.keys())
            # Counted when the data set reaches them, if they are still in it.
            self._cleared |= arrived.keys()

    def _arrived(self, images: Sequence[Image], sendings: Sequence[Sending]) -> Mapping[str, str]:
        """Return which photos of a request are among the cloud's ``images``, with the cloud's id if it is known."""
        if len(images) >= len(sendings):
            return {sending.photo: "" for sending in sendings}
        # Only some arrived: match unchanged files by their contents.
        photos = [UploadPhoto(sending.photo, image, "") for sending in sendings if (image := self._again(sending))]
        return {photo: image.id for photo, image in self._trainer.match(images, photos).items()}

    def _again(self, sending: Sending) -> bytes | None:
        """Return the photo as it was sent, if its file is unchanged."""
        try:
            image = Path(sending.path).read_bytes()
            same = hashlib.sha256(image).hexdigest() == sending.photo
            return fit(image, self._side, self._limits) if same else None
        except (OSError, PhotoError, PhotoRejected):
            return None

    def _batches(self, items: Iterable[tuple[LabelledPhoto, Tag]]) -> Iterator[list[_Read]]:
        """Yield the photos to send, in batches within the vendor's limits."""
        batch: list[_Read] = []
        for read in self._new(items, carry=True):
            full = len(batch) == BATCH_PHOTOS
            if batch and (full or sum(len(other.image) for other in batch) + len(read.image) > self._batch_bytes):
                yield batch
                batch = []
            batch.append(read)
        if batch:
            yield batch

    def _new(self, items: Iterable[tuple[LabelledPhoto, Tag]], *, carry: bool = False) -> Iterator[_Read]:
        """Yield the photos that the project lacks; ``carry`` updates corrected labels of the others in the cloud."""
        for asked in self._together(self._read(items)):
            known = self._ledger.known(read.photo for read in asked)
            if self._anew and carry:
                self._ledger.forget(known)
                known = {}
            corrected = [
                (read, its)
                for read in asked
                if (its := known.get(read.photo)) and its.outcome != "refused" and its.tag_id != read.tag.id
            ]
            lost = {read.photo for read, _ in corrected} - self._carried(corrected) if carry else set()
            for read in asked:
                if read.photo not in known:
                    yield read
                else:
                    self._count_known(read, known[read.photo], lost=read.photo in lost)

    def _together(self, reading: Iterator[_Read]) -> Iterator[list[_Read]]:
        """Group photos, as one database query takes as long as reading them; limited by memory."""
        asked: list[_Read] = []
        for read in reading:
            asked.append(read)
            if len(asked) == BATCH_PHOTOS or sum(len(other.image) for other in asked) > self._batch_bytes:
                yield asked
                asked = []
        yield asked

    def _read(self, items: Iterable[tuple[LabelledPhoto, Tag]]) -> Iterator[_Read]:
        """Yield the files, each content once."""
        for item, tag in items:
            try:
                image = item.path.read_bytes()
            except OSError as error:
                self._count("refused", tag, item.path, f"The file cannot be read ({error.strerror}).")
                continue
            photo = hashlib.sha256(image).hexdigest()
            other = self._seen.get(photo)
            if photo in self._held:
                self._count("refused", tag, item.path, "The same photo is held back for the test.")
            elif other is None:
                self._seen[photo] = tag
                yield _Read(item.path, photo, image, tag)
            elif other is tag:
                self._count("copies", tag, item.path)
            else:
                reason = f"The same photo is also labelled {other.name}: `triof dataset check` shows both."
                self._count("refused", tag, item.path, reason)

    def _count_known(self, read: _Read, known: UploadStatus, *, lost: bool) -> None:
        """Count a photo that an earlier run has handled."""
        if known.outcome == "refused":
            self._count("refused", read.tag, read.path, sentence(known.reason))
            return
        if lost:
            self._count("refused", read.tag, read.path, _NOT_CORRECTED)
            return
        if known.tag_id != read.tag.id:
            self.report.count("retagged", read.tag, read.path)
        self._count("sent" if read.photo in self._cleared else "there", read.tag, read.path)

    def _carried(self, corrected: Sequence[tuple[_Read, UploadStatus]]) -> set[str]:
        """Update corrected labels in the cloud; return the photos whose tag changed."""
        moves: dict[tuple[str, str], dict[str, str]] = defaultdict(dict)
        ids = self._ids(corrected)
        for read, known in corrected:
            if read.photo in ids:
                moves[known.tag_id, read.tag.id][read.photo] = ids[read.photo]
        carried: set[str] = set()
        for (was, tag_id), images in moves.items():
            changed = self._retagged(images, was, tag_id)
            self._ledger.retagged(changed, tag_id)
            carried |= changed.keys()
        return carried

    def _ids(self, known: Sequence[tuple[_Read, UploadStatus]]) -> dict[str, str]:
        """Return the cloud's id of each photo, matched by contents if the response with it was lost."""
        ids = {read.photo: its.image_id for read, its in known if its.image_id}
        unnamed: dict[str, list[UploadPhoto]] = defaultdict(list)
        for read, its in known:
            if not its.image_id:
                unnamed[str(its.batch)].append(
                    UploadPhoto(read.photo, fit(read.image, self._side, self._limits), its.tag_id)
                )
        if unnamed:
            since = _earliest(its.since for _, its in known if not its.image_id)
            found = self._trainer.of_batches(dict.fromkeys(unnamed, BATCH_PHOTOS), since)
            for batch, photos in unnamed.items():
                ids |= {photo: image.id for photo, image in self._trainer.match(found[batch], photos).items()}
        return ids

    def _retagged(self, images: Mapping[str, str], was: str, tag_id: str) -> Mapping[str, str]:
        """Change the tag of ``images``, the cloud's id by photo; return those that still exist."""
        try:
            self._trainer.retag(list(images.values()), [was], tag_id)
        except TrainingRefused:
            # One removed photo fails the call for all.
            alone = [{photo: image} for photo, image in images.items()] if len(images) > 1 else []
            return {photo: image for one in alone for photo, image in self._retagged(one, was, tag_id).items()}
        return images

    def _send(self, batch: UUID, reads: Sequence[_Read], since: datetime | None) -> None:
        outcomes: dict[str, tuple[Outcome, str, str]] = {}
        ready: dict[str, _Read] = {}
        fit_photos: list[UploadPhoto] = []
        for read in reads:
            try:
                image = fit(read.image, self._side, self._limits)
            except (PhotoError, PhotoRejected) as error:
                outcomes[read.photo] = ("refused", str(error), "")
                continue
            name = f"{read.photo[:16]}.jpg"
            ready[name] = read
            fit_photos.append(UploadPhoto(name, image, read.tag.id))
        stored = self._trainer.store(str(batch), fit_photos, since) if fit_photos else []
        self._heard(stored)
        for photo, became in zip(fit_photos, stored, strict=True):
            outcomes[ready[photo.name].photo] = outcome_of(became)
            self._claim(became, ready[photo.name])
        self._note(outcomes)
        for read in reads:
            outcome, reason, _ = outcomes[read.photo]
            self._count(outcome, read.tag, read.path, sentence(reason))

    def _heard(self, stored: Sequence[Stored]) -> None:
        """Note the newest time reported by the cloud: photos sent from now on are newer."""
        with self._lock:
            times = [one.image.created for one in stored if one.image and one.image.created]
            self._since = max([*times, *([self._since] if self._since else [])], default=None)

    def _note(self, outcomes: Mapping[str, tuple[Outcome, str, str]]) -> None:
        passing = [photo for photo, (_, reason, _) in outcomes.items() if may_pass(reason)]
        self._ledger.finalize({photo: outcome for photo, outcome in outcomes.items() if photo not in passing})
        self._ledger.forget(passing)

    def _claim(self, became: Stored, read: _Read) -> None:
        """Set the tag of a photo that was already in the project."""
        if became.status == "OKDuplicate" and became.image and became.image.tags != (read.tag.id,):
            self._trainer.retag([became.image.id], became.image.tags, read.tag.id)
            self.report.count("retagged", read.tag, read.path)

    def _count(self, outcome: Outcome | Literal["copies"], tag: Tag, path: Path, reason: str = "") -> None:
        self.report.count(outcome, tag, path, reason)
        self._on_photos(1)


def fit(image: bytes, side: int, limits: PhotoLimits = DEFAULT_LIMITS) -> bytes:
    """Return the photo within the vendor's limits: its own bytes if possible, else a JPEG of about ``side`` pixels.

    Raises PhotoError, PhotoRejected.
    """
    # Decoding at a reduced scale is enough to check the whole file.
    seen = _decoded(image, limits, _PROOF_SIDE)
    if len(image) <= MAX_BYTES and fits(seen.width, seen.height, side, LIMITS) and photos.is_plain(image, _FORMATS):
        return image
    return fitted(_decoded(image, limits, side).picture, side, LIMITS._replace(max_bytes=MAX_BYTES))


def _decoded(image: bytes, limits: PhotoLimits, side: int) -> DecodedPhoto:
    """Return the decoded photo, waiting for memory: a rejection would be recorded for good.

    Raises PhotoError.
    """
    while True:
        try:
            return photos.load(image, limits, needed_side=side)
        except PhotoError as error:
            if not error.is_passing:
                raise
        time.sleep(_BUSY_SECONDS)


def check(upload: Upload, trainer: Trainer, items: Sequence[tuple[LabelledPhoto, Tag]]) -> None:
    """Raise UploadImpossible if the photos exceed the limits of the tier. Raises ProviderError."""
    limits, tier = trainer.tier, trainer.options.training_tier
    tags = trainer.tags()
    if len(tags) > limits.tags:
        raise UploadImpossible(f"The project has {len(tags)} tags, and {tier} takes {limits.tags}: remove some.")
    there = trainer.count_images()
    # Counted only near the limit, as it reads every file.
    coming = len(items) if there + len(items) <= limits.photos else upload.count_new(items)
    if there + coming > limits.photos:
        raise UploadImpossible(
            f"{tier} takes {limits.photos:,} photos a project: {there:,} are there, and {coming:,} are to come. Send"
            " fewer with --limit, remove some in the portal, or move the training resource to S0."
        )
    planned = Counter(tag.name for _, tag in items)
    few = [tag for tag in tags if tag.name in planned and tag.photos + planned[tag.name] < PHOTOS_A_TAG]
    if few:
        names = ", ".join(f"{tag.name} ({tag.photos + planned[tag.name]})" for tag in few)
        raise UploadImpossible(f"The cloud trains from {PHOTOS_A_TAG} photos a tag on: add photos of {names}.")


def _earliest(times: Iterable[datetime | None]) -> datetime | None:
    """Return the earliest time; None if one of them is unknown."""
    known = list(times)
    return None if None in known else min(filter(None, known), default=None)


def _take_finished(under_way: dict[Future[None], Sequence[_Read]], until: str) -> None:
    """Wait, and remove the completed futures. Raises the exception of one of them."""
    for future in wait(under_way, return_when=until).done:
        future.result()
        del under_way[future]
