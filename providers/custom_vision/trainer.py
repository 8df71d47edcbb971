"""A project in the cloud: all that ``triof azure`` does there, at the pace of the tier, and again where it failed.

Nobody stands in front of the machine here, so what may pass is tried again: a rate that was too high, a network or a
server that is away for a while. What the vendor refuses is not.
"""

import hashlib
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event
from typing import ParamSpec, TypeVar

import psutil

from providers.base import ProviderError, ProviderMisconfigured, ProviderUnavailable, RateLimited
from providers.custom_vision.faults import Refused
from providers.custom_vision.options import DOMAINS, TRAINING_TIERS, CustomVisionOptions, TrainingTier
from providers.custom_vision.pace import Pace
from providers.custom_vision.records import Export, Image, Iteration, Performance, Project, Stored, Tag

T = TypeVar("T")
P = ParamSpec("P")

BATCH_PHOTOS = 64
"""The vendor's limit for one request, which its SDK does not check."""
_PAGE = 256
"""The vendor's limit for one page of photos."""
_PATIENCE_SECONDS = 300.0
"""How long a call is tried before the command gives up; what was done until then stays done."""
_LONGEST_PAUSE_SECONDS = 15.0
_BATCH = "triof_batch"
"""The metadata by which a photo tells which request it came with."""


class TrainingNotNeeded(ProviderError):
    """Nothing has changed since the last training."""


class TrainingFailed(ProviderError):
    """The vendor could not train, or not export."""


@dataclass(frozen=True)
class Photo:
    """A photo made fit for the vendor; ``name`` is unique within its batch."""

    name: str
    image: bytes
    tag_id: str


class Trainer:
    """The projects of a training resource. Every method raises ProviderError; ``sleep`` takes seconds."""

    def __init__(
        self,
        options: CustomVisionOptions,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] | None = None,
        on_wait: Callable[[ProviderError], None] = lambda _: None,
    ) -> None:
        """Check the settings; nothing is sent yet. Raises ProviderMisconfigured.

        ``on_wait`` is told, from any thread, why a call is going to be tried again.
        """
        from providers.custom_vision.client import TrainingClient

        endpoint, key = options.check_training()
        self.options = options
        self.tier: TrainingTier = TRAINING_TIERS[options.training_tier]
        self._sleep = sleep or self._nap
        self._on_wait = on_wait
        self._given_up = Event()
        self.pace = Pace(options.training_calls_per_second or self.tier.per_second, clock, self._sleep)
        # Commands that follow each other share the vendor's second: the one before ended when this process began.
        self.pace.rest(seconds_ago=time.time() - psutil.Process().create_time())
        self._client = TrainingClient(
            endpoint,
            key,
            connect_seconds=options.connect_seconds,
            timeout=options.training_timeout_seconds,
            turn=self.pace.turn,
        )

    @property
    def project_id(self) -> str:
        """The project of the settings. Raises ProviderMisconfigured where there is none."""
        if not self.options.project_id:
            raise ProviderMisconfigured(
                "There is no project yet: make one with `triof azure setup`, or set TRIOF_CUSTOM_VISION__PROJECT_ID."
            )
        return str(self.options.project_id)

    def projects(self) -> list[Project]:
        """All projects of the resource."""
        return self._patiently(self._client.projects)

    def project(self) -> Project:
        """The project of the settings."""
        return self._patiently(self._client.project, self.project_id)

    def create_project(self, name: str) -> Project:
        """A project of the domain of the settings, in which each photo has one tag."""
        domain = DOMAINS[self.options.domain]
        return self._once(self._client.create_project, name, domain)

    def tags(self, project_id: str | None = None) -> list[Tag]:
        """The tags with the number of their photos."""
        return self._patiently(self._client.tags, project_id or self.project_id)

    def create_tag(self, project_id: str, name: str, *, negative: bool) -> Tag:
        """A new tag."""
        return self._once(self._client.create_tag, project_id, name, negative=negative)

    def count_images(self) -> int:
        """How many photos the project holds."""
        return self._patiently(self._client.count_images, self.project_id)

    def images(self) -> Iterator[Image]:
        """Every photo of the project, the oldest first."""
        skip = 0
        while page := self._page(skip):
            yield from page
            skip += len(page)

    def store(self, batch: str, photos: Sequence[Photo]) -> list[Stored]:
        """Store up to BATCH_PHOTOS photos and tell what became of each, in their order.

        ``batch`` is the request's own id: where an answer got lost the cloud is asked first what has arrived with it,
        so that nothing is sent twice.
        """
        doubt = False

        def attempt() -> list[Stored]:
            nonlocal doubt
            arrived = self._arrived(batch, photos) if doubt else {}
            doubt = True
            try:
                return self._store(batch, photos, arrived)
            except ProviderError as error:
                doubt = _may_have_arrived(error)
                raise

        return self._patiently(attempt)

    def count_stored(self, batch: str) -> int:
        """How many photos came with ``batch``."""
        return len(self._patiently(self._of_batch, batch))

    def find(self, batch: str, photos: Sequence[Photo]) -> dict[str, Image]:
        """Those of the photos that came with ``batch`` and are still there, by name; the batch is fetched for it."""
        return self._patiently(lambda: self._matched(self._of_batch(batch), photos))

    def retag(self, image_ids: Sequence[str], was: Sequence[str], tag_id: str) -> None:
        """Give photos that are there another tag instead of theirs. Raises Refused if one keeps its own."""
        for start in range(0, len(image_ids), BATCH_PHOTOS):
            chosen = image_ids[start : start + BATCH_PHOTOS]
            self._patiently(self._client.retag, self.project_id, chosen, was, tag_id)

    def iterations(self) -> list[Iteration]:
        """All iterations, the newest first."""
        return self._patiently(self._client.iterations, self.project_id)

    def find_iteration(self, wanted: str) -> Iteration:
        """The iteration that somebody means: its id or how that begins, its name, its published name, or "latest".

        Raises ProviderMisconfigured where it is none, or more than one.
        """
        iterations = self.iterations()
        completed = [iteration for iteration in iterations if iteration.status == "Completed"]
        if wanted == "latest" and completed:
            return completed[0]
        exact = [found for found in iterations if wanted and wanted in (found.id, found.published_as, found.name)]
        begins = [found for found in iterations if len(wanted) >= 4 and found.id.startswith(wanted.lower())]
        if len(found := exact or begins) == 1:
            return found[0]
        known = ", ".join(f"{iteration.name} ({iteration.id[:8]})" for iteration in iterations) or "there is none yet"
        what = f"{len(found)} iterations are" if found else "No iteration is"
        raise ProviderMisconfigured(
            f"{what} called {wanted!r}; use the name or the first letters of the id of: {known}."
        )

    def train(self, tags: Sequence[Tag] | None = None, advanced_hours: int | None = None) -> Iteration:
        """Begin a training (None: of all tags), or find the one that is under way. Raises TrainingNotNeeded."""
        chosen = [tag.id for tag in tags] if tags else None
        try:
            return self._begun(chosen, advanced_hours) or self._once(
                self._client.train, self.project_id, chosen, advanced_hours
            )
        except Refused as error:
            if error.code.startswith("BadRequestTrainingNotNeeded"):
                raise TrainingNotNeeded(
                    "Nothing has changed since the last training: add photos or change tags, then train again."
                ) from error
            raise

    def wait_for(self, iteration: Iteration, on_look: Callable[[Iteration], None] = lambda _: None) -> Iteration:
        """Look until the training has ended; it goes on in the cloud when nobody looks. Raises TrainingFailed."""
        while iteration.status not in ("Completed", "Failed"):
            on_look(iteration)
            self._sleep(self.options.poll_seconds)
            iteration = self._patiently(self._client.iteration, self.project_id, iteration.id)
        on_look(iteration)
        if iteration.status == "Failed":
            raise TrainingFailed(
                f"The cloud could not train {iteration.name} ({iteration.failure or 'it does not say why'}): look at"
                " the project in the portal, then train again."
            )
        return iteration

    def delete_iteration(self, iteration: Iteration) -> None:
        """Delete an iteration that is not published."""
        self._once(self._client.delete_iteration, self.project_id, iteration.id)

    def performance(self, iteration: Iteration, threshold: float = 0.5) -> Performance:
        """The vendor's own measure, of labels that reach ``threshold``."""
        return self._patiently(self._client.performance, self.project_id, iteration.id, threshold)

    def publish(self, iteration: Iteration, name: str, *, overwrite: bool) -> None:
        """Let the prediction resource answer with this iteration under ``name``."""
        resource = self.options.prediction_resource_id
        if not resource:
            raise ProviderMisconfigured(
                "Nobody has said where to publish to: set TRIOF_CUSTOM_VISION__PREDICTION_RESOURCE_ID to the Resource"
                " ID of the prediction resource (its page Properties in the portal)."
            )
        publish = self._client.publish
        try:
            self._patiently(publish, self.project_id, iteration.id, name, resource, overwrite=overwrite)
        except Refused:
            # Where an answer got lost it is published already, and the vendor refuses to do it again.
            if self.find_iteration(iteration.id).published_as != name:
                raise

    def unpublish(self, iteration: Iteration) -> None:
        """Take the iteration from the prediction resource."""
        self._once(self._client.unpublish, self.project_id, iteration.id)

    def export(
        self,
        iteration: Iteration,
        to: Path,
        platform: str = "TensorFlow",
        flavor: str | None = "TensorFlowLite",
        on_look: Callable[[str], None] = lambda _: None,
    ) -> None:
        """Bring the model home as the file ``to``, whole or not at all. Raises TrainingFailed, OSError."""
        export = self._export(iteration, platform, flavor)
        if not export or export.status == "Failed":
            export = None
            self._begin_export(iteration, platform, flavor)
        while not export or export.status not in ("Done", "Failed"):
            on_look(export.status if export else "Exporting")
            self._sleep(self.options.poll_seconds)
            export = self._export(iteration, platform, flavor)
        if export.status == "Failed":
            raise TrainingFailed(f"The cloud could not export {iteration.name} for {flavor or platform}: try again.")
        fresh = to.with_name(f"{to.name}.part")
        try:
            self.download(export.address, fresh)
            with fresh.open("r+b") as file:
                os.fsync(file.fileno())
            fresh.replace(to)
        finally:
            fresh.unlink(missing_ok=True)

    def exports(self, iteration: Iteration) -> list[Export]:
        """The exports that were begun."""
        return self._patiently(self._client.exports, self.project_id, iteration.id)

    def download(self, address: str, to: Path) -> None:
        """Fetch what the cloud gave an address for. Raises ProviderError, OSError."""
        self._patiently(self._client.download, address, to)

    def give_up(self) -> None:
        """Try nothing again and wait for nothing from now on: what is under way ends, the rest fails."""
        self._given_up.set()

    def close(self) -> None:
        """Close all connections."""
        self._client.close()

    def _nap(self, seconds: float) -> None:
        if self._given_up.wait(seconds):
            raise ProviderUnavailable("The call was given up before it was made.", sent=False)

    def _page(self, skip: int) -> list[Image]:
        return self._patiently(self._client.images, self.project_id, take=_PAGE, skip=skip)

    def _begun(self, tag_ids: Sequence[str] | None, advanced_hours: int | None) -> Iteration | None:
        """What is being trained from now on, or was already; None if that has ended a moment ago."""
        try:
            return self._once(self._client.train, self.project_id, tag_ids, advanced_hours)
        except Refused as error:
            if error.code != "BadRequestTrainingAlreadyInProgress":
                raise
            return self._in_training()

    def _in_training(self) -> Iteration | None:
        return next((found for found in self.iterations() if found.status not in ("Completed", "Failed")), None)

    def _export(self, iteration: Iteration, platform: str, flavor: str | None) -> Export | None:
        wanted = (platform, flavor or "")
        return next((found for found in self.exports(iteration) if (found.platform, found.flavor) == wanted), None)

    def _begin_export(self, iteration: Iteration, platform: str, flavor: str | None) -> None:
        try:
            self._once(self._client.export, self.project_id, iteration.id, platform, flavor)
        except Refused as error:
            # Somebody else has begun it meanwhile, or we have, and the answer got lost.
            if error.code != "BadRequestExportAlreadyInProgress":
                raise

    def _store(self, batch: str, photos: Sequence[Photo], arrived: Mapping[str, Stored]) -> list[Stored]:
        rest = [photo for photo in photos if photo.name not in arrived]
        if not rest:
            return [arrived[photo.name] for photo in photos]
        entries = [(photo.name, photo.image, photo.tag_id) for photo in rest]
        stored = _by_name(rest, self._client.store(self.project_id, entries, {_BATCH: batch}))
        return [{**arrived, **stored}[photo.name] for photo in photos]

    def _arrived(self, batch: str, photos: Sequence[Photo]) -> dict[str, Stored]:
        """What of the batch is in the cloud already, by name."""
        images = self._of_batch(batch)
        if len(images) >= len(photos):
            return {photo.name: Stored(photo.name, "OK", None) for photo in photos}
        return {name: Stored(name, "OK", image) for name, image in self._matched(images, photos).items()}

    def _matched(self, images: Sequence[Image], photos: Sequence[Photo]) -> dict[str, Image]:
        """Which photo is which image, by its contents: the vendor does not tell under what name they came."""
        with TemporaryDirectory() as folder:
            found = {self._digest(image, Path(folder)): image for image in images}
        digests = {photo.name: hashlib.sha256(photo.image).hexdigest() for photo in photos}
        return {name: found[digest] for name, digest in digests.items() if digest in found}

    def _of_batch(self, batch: str) -> list[Image]:
        """The photos that came with ``batch``; none where the vendor does not know how to look for them.

        What is sent again then, the vendor knows by its contents (``OKDuplicate``).
        """
        for where in (f"metadata={_BATCH} eq '{batch}'", f"{_BATCH} eq '{batch}'"):
            try:
                images = self._client.images(self.project_id, take=_PAGE, skip=0, where=where, newest=True)
            except Refused:
                continue
            if found := [image for image in images if image.metadata.get(_BATCH) == batch]:
                return found
        return []

    def _digest(self, image: Image, folder: Path) -> str:
        self._client.download(image.address, folder / "photo")
        return hashlib.sha256((folder / "photo").read_bytes()).hexdigest()

    def _patiently(self, ask: Callable[P, T], *args: P.args, **options: P.kwargs) -> T:
        """Ask until there is an answer; for what does no harm when it is done twice."""
        return self._retried(lambda: ask(*args, **options), repeatable=True)

    def _once(self, ask: Callable[P, T], *args: P.args, **options: P.kwargs) -> T:
        """Ask again only where the cloud certainly has not done it."""
        return self._retried(lambda: ask(*args, **options), repeatable=False)

    def _retried(self, ask: Callable[[], T], *, repeatable: bool) -> T:
        import stamina

        def wait(error: Exception) -> bool | float:
            if isinstance(error, RateLimited):
                self.pace.pause(error.retry_after)
            elif not isinstance(error, ProviderUnavailable) or (error.sent and not repeatable):
                return False
            if self._given_up.is_set():
                return False
            self._on_wait(error)
            # Where everybody is to wait it is the pace that waits, from which one can be called away.
            return 0.0 if isinstance(error, RateLimited) else True

        for attempt in stamina.retry_context(
            on=wait, attempts=None, timeout=_PATIENCE_SECONDS, wait_max=_LONGEST_PAUSE_SECONDS
        ):
            with attempt:
                # Not through the decorator, whose cycles would keep photos until the garbage is collected.
                return ask()
        raise AssertionError("the last attempt returns or raises")


def _may_have_arrived(error: ProviderError) -> bool:
    return isinstance(error, ProviderUnavailable) and error.sent


def _by_name(photos: Sequence[Photo], stored: Sequence[Stored]) -> dict[str, Stored]:
    """What became of each photo: by the names in the answer, or by its order where it has none."""
    names = {result.name: result for result in stored}
    if set(names) == {photo.name for photo in photos}:
        return names
    return {photo.name: result for photo, result in zip(photos, stored, strict=True)}
