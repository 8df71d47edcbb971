"""A project in the cloud: all that ``triof azure`` does there, at the pace of the tier, and again where it failed.

Nobody stands in front of the machine here, so what may pass is tried again: a rate that was too high, a network or a
server that is away for a while. What the vendor refuses is not.
"""

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import ParamSpec, TypeVar

import psutil

from providers.base import ProviderError, ProviderMisconfigured
from providers.custom_vision import upload_matching
from providers.custom_vision.errors import TrainingRefused
from providers.custom_vision.options import DOMAINS, TRAINING_TIERS, CustomVisionOptions, TrainingTier
from providers.custom_vision.rate_limiter import LearnedRate, RateLimiter
from providers.custom_vision.records import TFLITE, Export, Image, Iteration, Kind, Performance, Project, Stored, Tag
from providers.custom_vision.retry_policy import RetryPolicy
from providers.custom_vision.upload_matching import UploadPhoto

T = TypeVar("T")
P = ParamSpec("P")

BATCH_PHOTOS = 64
"""The vendor's limit for one request, which its SDK does not check."""
_PAGE = 256
"""The vendor's limit for one page of photos."""


class TrainingNotNeeded(ProviderError):
    """Nothing has changed since the last training."""


class TrainingFailed(ProviderError):
    """The vendor could not train, or not export."""


class Trainer:
    """The projects of a training resource. Every method raises ProviderError; ``sleep`` takes seconds."""

    def __init__(
        self,
        options: CustomVisionOptions,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] | None = None,
        on_wait: Callable[[ProviderError], None] = lambda _: None,
        *,
        learned: LearnedRate | None = None,
        on_learned: Callable[[LearnedRate], None] = lambda _: None,
    ) -> None:
        """Check the settings; nothing is sent yet. Raises ProviderMisconfigured.

        ``on_wait`` is told, from any thread, why a call is going to be tried again. ``learned`` and ``on_learned`` are
        those of the pace.
        """
        from providers.custom_vision.client import TrainingClient

        endpoint, key = options.check_training()
        self.options = options
        self.tier: TrainingTier = TRAINING_TIERS[options.training_tier]
        per_second = options.training_calls_per_second or self.tier.per_second
        self._retry_policy = RetryPolicy(
            lambda nap: RateLimiter(per_second, clock, nap, learned=learned, on_learned=on_learned), on_wait, sleep
        )
        self.rate_limiter = self._retry_policy.rate_limiter
        # Commands that follow each other share the vendor's second: the one before ended when this process began.
        self.rate_limiter.rest(seconds_ago=time.time() - psutil.Process().create_time())
        self._client = TrainingClient(
            endpoint,
            key,
            connect_seconds=options.connect_seconds,
            timeout=options.training_timeout_seconds,
            slot=self.rate_limiter.slot,
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
        """A project of the domain of the settings, in which each photo has one tag; no other may have its ``name``."""
        domain = DOMAINS[self.options.domain]
        return self._retry_policy.once(
            lambda: self._client.create_project(name, domain),
            lambda: next((project for project in self.projects() if project.name == name), None),
        )

    def tags(self, project_id: str | None = None) -> list[Tag]:
        """The tags with the number of their photos."""
        return self._patiently(self._client.tags, project_id or self.project_id)

    def create_tag(self, project_id: str, name: str, *, negative: bool) -> Tag:
        """A new tag."""
        return self._retry_policy.once(
            lambda: self._client.create_tag(project_id, name, negative=negative),
            lambda: next((tag for tag in self.tags(project_id) if tag.name == name), None),
        )

    def count_images(self) -> int:
        """How many photos the project holds."""
        return self._patiently(self._client.count_images, self.project_id)

    def images(self, *, newest: bool = False) -> Iterator[Image]:
        """Every photo of the project, the oldest or the newest first; one may come twice while others are added."""
        skip = 0
        while page := self._patiently(self._client.images, self.project_id, take=_PAGE, skip=skip, newest=newest):
            yield from page
            skip += len(page)

    def images_by_id(self, image_ids: Sequence[str]) -> Iterator[Image]:
        """These photos with fresh addresses, as far as they are there."""
        for start in range(0, len(image_ids), _PAGE):
            yield from self._patiently(self._client.images_by_id, self.project_id, image_ids[start : start + _PAGE])

    def newest(self) -> datetime | None:
        """When the newest photo was stored, by the cloud's clock; None if there is none."""
        page = self._patiently(self._client.images, self.project_id, take=1, skip=0, newest=True)
        return page[0].created if page else None

    def store(self, batch: str, photos: Sequence[UploadPhoto], since: datetime | None = None) -> list[Stored]:
        """Store up to BATCH_PHOTOS photos and tell what became of each, in their order.

        ``batch`` is the request's own id, ``since`` a time before it by the cloud's clock. Where an answer got lost,
        the next attempt sends only what has not arrived.
        """
        arrived: Mapping[str, Stored] = {}

        def ask() -> list[Stored]:
            rest = [photo for photo in photos if photo.name not in arrived]
            entries = [(photo.name, photo.image, photo.tag_id) for photo in rest]
            stored = upload_matching.by_name(
                rest, self._client.store(self.project_id, entries, {upload_matching.BATCH: batch})
            )
            return [{**arrived, **stored}[photo.name] for photo in photos]

        def done() -> list[Stored] | None:
            nonlocal arrived
            arrived = self._arrived(batch, photos, since)
            return [arrived[photo.name] for photo in photos] if len(arrived) == len(photos) else None

        return self._retry_policy.once(ask, done)

    def of_batches(self, counts: Mapping[str, int], since: datetime | None) -> dict[str, list[Image]]:
        """The photos that came with each of these requests, of which ``counts`` tells how many were sent.

        Looks at no photo that is older than ``since`` by the cloud's clock.
        """
        return upload_matching.of_batches(self.images(newest=True), counts, since)

    def match(self, images: Sequence[Image], photos: Sequence[UploadPhoto]) -> dict[str, Image]:
        """Which photo is which image, by the photo's name; fetches the images."""
        return upload_matching.match(images, photos, self.download)

    def retag(self, image_ids: Sequence[str], was: Sequence[str], tag_id: str) -> None:
        """Give photos that are there another tag instead of theirs. Raises TrainingRefused if one keeps its own."""
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
        before = {iteration.id for iteration in self.iterations()}

        def ask() -> Iteration:
            try:
                return self._client.train(self.project_id, chosen, advanced_hours)
            except TrainingRefused as error:
                if error.code != "BadRequestTrainingAlreadyInProgress":
                    raise
            # Where it has ended a moment ago, there is room for another one.
            return self._in_training() or self._client.train(self.project_id, chosen, advanced_hours)

        try:
            return self._retry_policy.once(
                ask, lambda: next((found for found in self.iterations() if found.id not in before), None)
            )
        except TrainingRefused as error:
            if error.code.startswith("BadRequestTrainingNotNeeded"):
                raise TrainingNotNeeded(
                    "Nothing has changed since the last training: add photos or change tags, then train again."
                ) from error
            raise

    def wait_for(self, iteration: Iteration, on_look: Callable[[Iteration], None] = lambda _: None) -> Iteration:
        """Look until the training has ended; it goes on in the cloud when nobody looks. Raises TrainingFailed."""
        while iteration.status not in ("Completed", "Failed"):
            on_look(iteration)
            self._retry_policy.sleep(self.options.poll_seconds)
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
        self._ensure(
            lambda: self._client.delete_iteration(self.project_id, iteration.id),
            lambda: all(found.id != iteration.id for found in self.iterations()),
        )

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
        try:
            self._ensure(
                lambda: self._client.publish(self.project_id, iteration.id, name, resource, overwrite=overwrite),
                lambda: self._published_as(iteration) == name,
            )
        except TrainingRefused as error:
            if error.code != "BadRequestInvalidPublishTarget":
                raise
            raise ProviderMisconfigured(
                f"The cloud knows no prediction resource {resource}, or this project may not publish to it: copy the"
                " Resource ID from the page Properties of the prediction resource (in the same region as the training"
                " resource) to TRIOF_CUSTOM_VISION__PREDICTION_RESOURCE_ID."
            ) from error

    def unpublish(self, iteration: Iteration) -> None:
        """Take the iteration from the prediction resource."""
        self._ensure(
            lambda: self._client.unpublish(self.project_id, iteration.id),
            lambda: not self._published_as(iteration),
        )

    def export(
        self,
        iteration: Iteration,
        to: Path,
        check: Callable[[Path], None],
        kind: Kind = TFLITE,
        on_look: Callable[[str], None] = lambda _: None,
    ) -> None:
        """Bring the model home as the file ``to``, whole or not at all. Raises TrainingFailed, OSError.

        ``check`` raises Refused for a file that is no export; it is fetched once more then.
        """
        export = self._export(iteration, kind)
        if not export or export.status == "Failed":
            export = None
            self._begin_export(iteration, kind)
        while not export or export.status not in ("Done", "Failed"):
            on_look(export.status if export else "Exporting")
            self._retry_policy.sleep(self.options.poll_seconds)
            export = self._export(iteration, kind)
        if export.status == "Failed":
            raise TrainingFailed(f"The cloud could not export {iteration.name} for {kind[1] or kind[0]}: try again.")
        try:
            self._bring(export.address, to, check)
        except TrainingRefused:
            # Its address may have expired, or something on the way may have answered for the cloud.
            fresh = self._export(iteration, kind)
            self._bring(fresh.address if fresh else export.address, to, check)

    def exports(self, iteration: Iteration) -> list[Export]:
        """The exports that were begun."""
        return self._patiently(self._client.exports, self.project_id, iteration.id)

    def download(self, address: str, to: Path) -> None:
        """Fetch what the cloud gave an address for. Raises ProviderError, OSError."""
        self._patiently(self._client.download, address, to)

    def give_up(self) -> None:
        """Try nothing again and wait for nothing from now on: what is under way ends, the rest fails."""
        self._retry_policy.give_up()

    def close(self) -> None:
        """Close all connections."""
        self._client.close()

    def _in_training(self) -> Iteration | None:
        return next((found for found in self.iterations() if found.status not in ("Completed", "Failed")), None)

    def _export(self, iteration: Iteration, kind: Kind) -> Export | None:
        return next((found for found in self.exports(iteration) if found.kind == kind), None)

    def _begin_export(self, iteration: Iteration, kind: Kind) -> None:
        try:
            self._ensure(
                lambda: self._client.export(self.project_id, iteration.id, *kind),
                lambda: (found := self._export(iteration, kind)) is not None and found.status != "Failed",
            )
        except TrainingRefused as error:
            # Another command has begun it meanwhile.
            if error.code != "BadRequestExportAlreadyInProgress":
                raise

    def _bring(self, address: str, to: Path, check: Callable[[Path], None]) -> None:
        fresh = to.with_name(f"{to.name}.part")
        try:
            self.download(address, fresh)
            check(fresh)
            with fresh.open("r+b") as file:
                os.fsync(file.fileno())
            fresh.replace(to)
        finally:
            fresh.unlink(missing_ok=True)

    def _published_as(self, iteration: Iteration) -> str:
        return self._patiently(self._client.iteration, self.project_id, iteration.id).published_as

    def _arrived(self, batch: str, photos: Sequence[UploadPhoto], since: datetime | None) -> dict[str, Stored]:
        """What of a request is in the cloud already, by name."""
        images = self.of_batches({batch: len(photos)}, since)[batch]
        if len(images) >= len(photos):
            return {photo.name: Stored(photo.name, "OK", None) for photo in photos}
        return {name: Stored(name, "OK", image) for name, image in self.match(images, photos).items()}

    def _patiently(self, ask: Callable[P, T], *args: P.args, **options: P.kwargs) -> T:
        """Ask until there is an answer; for what may be done twice."""
        return self._retry_policy.call(lambda: ask(*args, **options))

    def _ensure(self, tell: Callable[[], None], is_done: Callable[[], bool]) -> None:
        """Let something be done once, though the answer that says so may get lost."""

        def told() -> bool:
            tell()
            return True

        self._retry_policy.once(told, lambda: is_done() or None)
