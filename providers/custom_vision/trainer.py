"""Operations on a cloud project for ``triof azure``, within the rate limit of the tier and with retries.

Temporary errors (rate limit, network, server) are retried, as no employee waits for these calls. Refusals are not.
"""

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import ParamSpec, TypeVar

from providers.base import ProviderError, ProviderMisconfigured
from providers.custom_vision import upload_matching
from providers.custom_vision.errors import TrainingRefused
from providers.custom_vision.options import DOMAINS, TRAINING_TIERS, CustomVisionOptions, TrainingTier
from providers.custom_vision.rate_limiter import LearnedRate, RateLimiter, process_age_seconds
from providers.custom_vision.records import TFLITE, Export, Image, Iteration, Kind, Performance, Project, Stored, Tag
from providers.custom_vision.retry_policy import RetryPolicy
from providers.custom_vision.upload_matching import UploadPhoto

T = TypeVar("T")
P = ParamSpec("P")

BATCH_PHOTOS = 64
"""The vendor's limit for one request, which the SDK does not check."""
PAGE = 256
"""The vendor's limit for one page of photos."""


class TrainingNotNeeded(ProviderError):
    """Nothing has changed since the last training."""


class TrainingFailed(ProviderError):
    """The vendor could not train or export."""


class Trainer:
    """Manages the projects of a training resource. Every method raises ProviderError; ``sleep`` takes seconds."""

    def __init__(
        self,
        options: CustomVisionOptions,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] | None = None,
        on_wait: Callable[[ProviderError], None] = lambda _: None,
        *,
        learned: LearnedRate | None = None,
        on_learned: Callable[[LearnedRate], None] = lambda _: None,
        page: int = PAGE,
    ) -> None:
        """Check the settings without sending anything. Raises ProviderMisconfigured.

        ``on_wait`` gets, in any thread, the error before each retry. ``learned`` and ``on_learned`` are those of
        :class:`RateLimiter`. Photos are listed ``page`` at a time.
        """
        from providers.custom_vision.client import TrainingClient

        endpoint, key = options.check_training()
        self.options = options
        self._page = page
        self.tier: TrainingTier = TRAINING_TIERS[options.training_tier]
        per_second = options.training_calls_per_second or self.tier.per_second
        self._retry_policy = RetryPolicy(
            lambda nap: RateLimiter(per_second, clock, nap, learned=learned, on_learned=on_learned), on_wait, sleep
        )
        self.rate_limiter = self._retry_policy.rate_limiter
        # Consecutive commands share the vendor's second: the previous one ended when this process started.
        self.rate_limiter.rest(seconds_ago=process_age_seconds())
        self._client = TrainingClient(
            endpoint,
            key,
            connect_seconds=options.connect_seconds,
            timeout=options.training_timeout_seconds,
            slot=self.rate_limiter.slot,
        )

    @property
    def project_id(self) -> str:
        """The project id of the settings. Raises ProviderMisconfigured if there is none."""
        if not self.options.project_id:
            raise ProviderMisconfigured(
                "There is no project yet: make one with `triof azure setup`, or set TRIOF_CUSTOM_VISION__PROJECT_ID."
            )
        return str(self.options.project_id)

    def projects(self) -> list[Project]:
        """Return all projects of the resource."""
        return self._patiently(self._client.projects)

    def project(self) -> Project:
        """Return the project of the settings."""
        return self._patiently(self._client.project, self.project_id)

    def create_project(self, name: str) -> Project:
        """Create a Multiclass project of the domain of the settings; ``name`` must be unique."""
        domain = DOMAINS[self.options.domain]
        return self._retry_policy.once(
            lambda: self._client.create_project(name, domain),
            lambda: next((project for project in self.projects() if project.name == name), None),
        )

    def tags(self, project_id: str | None = None) -> list[Tag]:
        """Return the tags with the number of their photos."""
        return self._patiently(self._client.tags, project_id or self.project_id)

    def create_tag(self, project_id: str, name: str, *, negative: bool) -> Tag:
        """Create a tag."""
        return self._retry_policy.once(
            lambda: self._client.create_tag(project_id, name, negative=negative),
            lambda: next((tag for tag in self.tags(project_id) if tag.name == name), None),
        )

    def count_images(self) -> int:
        """Return the number of photos in the project."""
        return self._patiently(self._client.count_images, self.project_id)

    def images(self, *, newest: bool = False) -> Iterator[Image]:
        """Yield every photo of the project, the oldest or the newest first; one may repeat while others are added."""
        skip = 0
        while page := self._patiently(self._client.images, self.project_id, take=self._page, skip=skip, newest=newest):
            yield from page
            skip += len(page)

    def images_by_id(self, image_ids: Sequence[str]) -> Iterator[Image]:
        """Yield those of these photos that exist, with fresh addresses."""
        for start in range(0, len(image_ids), self._page):
            yield from self._patiently(
                self._client.images_by_id, self.project_id, image_ids[start : start + self._page]
            )

    def newest(self) -> datetime | None:
        """Return when the newest photo was stored, by the cloud's clock; None if there is none."""
        page = self._patiently(self._client.images, self.project_id, take=1, skip=0, newest=True)
        return page[0].created if page else None

    def store(self, batch: str, photos: Sequence[UploadPhoto], since: datetime | None = None) -> list[Stored]:
        """Upload up to BATCH_PHOTOS photos; returns the outcome of each, in their order.

        ``batch`` is the id of the request, ``since`` a time before it by the cloud's clock. After a lost answer,
        the next attempt sends only the photos that have not arrived.
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
        """Return the photos that arrived with each request; ``counts`` maps request ids to numbers of photos.

        Photos older than ``since`` by the cloud's clock are not read.
        """
        return upload_matching.of_batches(self.images(newest=True), counts, since)

    def match(self, images: Sequence[Image], photos: Sequence[UploadPhoto]) -> dict[str, Image]:
        """Match images to photos by downloading them; returns the images by the photo's name."""
        return upload_matching.match(images, photos, self.download)

    def retag(self, image_ids: Sequence[str], was: Sequence[str], tag_id: str) -> None:
        """Replace the tags of stored photos. Raises TrainingRefused if a photo keeps its tag."""
        for start in range(0, len(image_ids), BATCH_PHOTOS):
            chosen = image_ids[start : start + BATCH_PHOTOS]
            self._patiently(self._client.retag, self.project_id, chosen, was, tag_id)

    def iterations(self) -> list[Iteration]:
        """Return all iterations, the newest first."""
        return self._patiently(self._client.iterations, self.project_id)

    def find_iteration(self, wanted: str) -> Iteration:
        """Find an iteration by its id or the start of it, its name, its published name, or "latest".

        Raises ProviderMisconfigured if no iteration or more than one matches.
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
        """Start a training (None: of all tags), or return the one under way. Raises TrainingNotNeeded."""
        chosen = [tag.id for tag in tags] if tags else None
        before = {iteration.id for iteration in self.iterations()}

        def ask() -> Iteration:
            try:
                return self._client.train(self.project_id, chosen, advanced_hours)
            except TrainingRefused as error:
                if error.code != "BadRequestTrainingAlreadyInProgress":
                    raise
            # If the other training has just ended, this one can start.
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
        """Poll until the training has ended; it continues in the cloud without polling. Raises TrainingFailed."""
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
        """Return the vendor's metrics for labels that reach ``threshold``."""
        return self._patiently(self._client.performance, self.project_id, iteration.id, threshold)

    def publish(self, iteration: Iteration, name: str, *, overwrite: bool) -> None:
        """Publish the iteration to the prediction resource under ``name``."""
        resource = self.options.prediction_resource_id
        if not resource:
            raise ProviderMisconfigured(
                "No prediction resource to publish to is set: set TRIOF_CUSTOM_VISION__PREDICTION_RESOURCE_ID to the"
                " Resource ID of the prediction resource (its page Properties in the portal)."
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
        """Unpublish the iteration."""
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
        """Download the exported model to the file ``to``, atomically. Raises TrainingFailed, OSError.

        ``check`` raises Refused for a file that is not an export; the file is then downloaded once more.
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
            # The address may have expired, or a proxy may have answered instead of the cloud.
            fresh = self._export(iteration, kind)
            self._bring(fresh.address if fresh else export.address, to, check)

    def exports(self, iteration: Iteration) -> list[Export]:
        """Return the exports that were started."""
        return self._patiently(self._client.exports, self.project_id, iteration.id)

    def download(self, address: str, to: Path) -> None:
        """Download a file from an address that the cloud returned. Raises ProviderError, OSError."""
        self._patiently(self._client.download, address, to)

    def give_up(self) -> None:
        """Stop retrying and waiting: calls under way finish, the others raise."""
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
            # Another command has started it meanwhile.
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
        """Return the photos of a request that are already stored, by name."""
        images = self.of_batches({batch: len(photos)}, since)[batch]
        if len(images) >= len(photos):
            return {photo.name: Stored(photo.name, "OK", None) for photo in photos}
        return {name: Stored(name, "OK", image) for name, image in self.match(images, photos).items()}

    def _patiently(self, ask: Callable[P, T], *args: P.args, **options: P.kwargs) -> T:
        """Make an idempotent call with retries."""
        return self._retry_policy.call(lambda: ask(*args, **options))

    def _ensure(self, tell: Callable[[], None], is_done: Callable[[], bool]) -> None:
        """Make a call that must take effect once, even if its answer is lost."""

        def told() -> bool:
            tell()
            return True

        self._retry_policy.once(told, lambda: is_done() or None)
