"""Finds out what the service really does, in a project of its own that is deleted afterwards.

The facts and the replies go into a recording without secrets, ids and addresses, which the strict fake of the tests can
load. Every step that fails is a fact as well.
"""

import json
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple
from uuid import uuid4

from providers.base import ProviderError, ProviderUnavailable, RateLimited
from providers.custom_vision.client import Client, TrainingClient
from providers.custom_vision.options import DOMAINS, TAGS_TO_TRAIN, CustomVisionOptions
from providers.custom_vision.records import TFLITE, Iteration

PHOTOS = 10
FILTERS = ("metadata=triof_batch eq '{}'", "triof_batch eq '{}'", "metadata/triof_batch eq '{}'")
"""The forms of a filter that the documentation may mean."""
_BURST = 30
_CALL_SECONDS = 30.0
_LONGEST_SECONDS = 7200.0
_KEPT_HEADERS = ("retry-after", "content-type")
_NAME = "rehearsal"
_UUID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}", re.IGNORECASE)
_ADDRESS = re.compile(r"https?://[^\s\"\\]+")


class RehearsalPhoto(NamedTuple):
    """A photo as it is sent; ``label`` becomes its tag."""

    name: str
    image: bytes
    label: str


class Rehearsal:
    """Runs the steps. ``say`` gets a sentence about each; ``sleep`` takes seconds."""

    def __init__(
        self,
        options: CustomVisionOptions,
        say: Callable[[str], object],
        sleep: Callable[[float], object] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Check the settings without sending anything. Raises ProviderMisconfigured."""
        endpoint, key = options.check_training()
        self.facts: dict[str, Any] = {"tier": options.tier}
        self.replies: dict[str, Any] = {}
        self._options = options
        self._say, self._sleep, self._clock = say, sleep, clock
        self._step = ""
        self._training = TrainingClient(
            endpoint, key, connect_seconds=5.0, timeout=options.training_timeout_seconds, on_reply=self._keep
        )

    def run(self, photos: Sequence[RehearsalPhoto], export: Path) -> None:
        """Run all steps; the exported model goes to ``export``. Raises ProviderError if there is no project."""
        with self._project() as project:
            tags = {
                label: self._training.create_tag(project, label, negative=False).id
                for label in sorted({photo.label for photo in photos})
            }
            self._upload(project, photos, tags)
            iteration = self._fact("training", lambda: self._train(project))
            if not isinstance(iteration, Iteration):
                return
            with self._published(project, iteration):
                self._predict(project, photos)
            self._fact("export", lambda: self._export(project, iteration, export))

    def close(self) -> None:
        """Close the connections."""
        self._training.close()

    @contextmanager
    def _project(self) -> Iterator[str]:
        self._say("A project of its own is made; it is deleted at the end.")
        domain = DOMAINS[self._options.domain]
        project = self._training.create_project(f"triof-rehearsal-{uuid4().hex[:8]}", domain).id
        try:
            yield project
        finally:
            self._training.delete_project(project)
            self._say("The project is deleted.")

    def _upload(self, project: str, photos: Sequence[RehearsalPhoto], tags: Mapping[str, str]) -> None:
        self._say(f"{len(photos)} photos are sent, and one of them twice.")
        entries = [(photo.name, photo.image, tags[photo.label]) for photo in photos]
        half = len(entries) // 2
        for batch, part in (("a", entries[:half]), ("b", entries[half:])):
            self._training.store(project, part, {"triof_batch": batch})
        with self._recorded("duplicate"):
            self._fact("duplicate", lambda: self._training.store(project, entries[:1], {"triof_batch": "c"})[0].status)
        found = {form: self._attempt(lambda form=form: self._filtered(project, form)) for form in FILTERS}  # type: ignore[misc]
        self.facts["filters"] = {form: {"found": count, "expected": half} for form, count in found.items()}

    def _filtered(self, project: str, form: str) -> int:
        with self._recorded(f"filter {form}"):
            return len(self._training.filtered(project, form.format("a")))

    def _train(self, project: str) -> Iteration:
        self._say("The project is trained, which takes minutes and may queue.")
        iteration, until = self._training.train(project, None, None), self._clock() + _LONGEST_SECONDS
        while iteration.status not in ("Completed", "Failed") and self._clock() < until:
            self._sleep(self._options.poll_seconds)
            iteration = self._training.iteration(project, iteration.id)
        if iteration.status != "Completed":
            raise ProviderUnavailable(f"The training ended as {iteration.status}: {iteration.failure}")
        return iteration

    @contextmanager
    def _published(self, project: str, iteration: Iteration) -> Iterator[None]:
        resource = self._options.prediction_resource_id or ""
        self._training.publish(project, iteration.id, _NAME, resource, overwrite=False)
        try:
            yield
        finally:
            self._training.unpublish(project, iteration.id)

    def _predict(self, project: str, photos: Sequence[RehearsalPhoto]) -> None:
        self._say("The model is asked for each photo, then faster than the tier allows.")
        asked = self._client(project, _NAME)
        try:
            answers = [self._attempt(lambda photo=photo: self._answer(asked, photo)) for photo in photos]  # type: ignore[misc]
            self.facts["answers"] = answers
            self._fact("rate", lambda: self._burst(asked, photos[0]))
        finally:
            asked.close()
        for step, name, key in (("unpublished", "another", None), ("wrong_key", _NAME, "0" * 32)):
            client = self._client(project, name, key)
            with self._recorded(step):
                self._fact(step, lambda client=client: client.classify(photos[0].image, timeout=_CALL_SECONDS))  # type: ignore[misc]
            client.close()

    def _client(self, project: str, name: str, key: str | None = None) -> Client:
        options = self._options.model_copy(update={"project_id": project, "published_name": name})
        endpoint, ours, _, _ = options.check()
        return Client(endpoint, key or ours, project, name, store=False, connect_seconds=5.0, on_reply=self._keep)

    def _answer(self, client: Client, photo: RehearsalPhoto) -> dict[str, float]:
        with self._recorded("prediction"):
            for _ in range(_BURST):
                try:
                    return dict(client.classify(photo.image, timeout=_CALL_SECONDS).probabilities)
                except RateLimited as error:
                    self._sleep(error.retry_after)
        raise ProviderUnavailable("The service never let the call in.")

    def _burst(self, client: Client, photo: RehearsalPhoto) -> dict[str, Any]:
        """Call until one is too many, then once more after the time that the service states."""
        answered, began = 0, self._clock()
        with self._recorded("too_fast"):
            for _ in range(_BURST):
                try:
                    client.classify(photo.image, timeout=_CALL_SECONDS)
                    answered += 1
                except RateLimited as error:
                    stated = error.retry_after
                    break
            else:
                return {"answered": answered, "seconds": round(self._clock() - began, 2), "refused": 0}
        self._sleep(stated)
        holds = not isinstance(self._attempt(lambda: client.classify(photo.image, timeout=_CALL_SECONDS)), Mapping)
        return {"answered": answered + holds, "refused": 1, "retry_after": stated, "retry_after_holds": holds}

    def _export(self, project: str, iteration: Iteration, to: Path) -> dict[str, Any]:
        self._say("The model is exported.")
        self._training.export(project, iteration.id, *TFLITE)
        until = self._clock() + _LONGEST_SECONDS
        while self._clock() < until:
            with self._recorded("exports"):
                export = next(each for each in self._training.exports(project, iteration.id) if each.kind == TFLITE)
            if export.status == "Done":
                self._training.download(export.address, to)
                return {"bytes": to.stat().st_size}
            self._sleep(self._options.poll_seconds)
        raise ProviderUnavailable("The export did not end.")

    def _fact(self, name: str, find: Callable[[], Any]) -> Any:
        found = self._attempt(find)
        self.facts[name] = found.status if isinstance(found, Iteration) else found
        return found

    def _attempt(self, find: Callable[[], Any]) -> Any:
        """Return what ``find`` returns; a failure as an object with its class and message."""
        try:
            return find()
        except ProviderError as error:
            return {"error": type(error).__name__, "message": self._clean(str(error))}

    @contextmanager
    def _recorded(self, step: str) -> Iterator[None]:
        self._step = step
        try:
            yield
        finally:
            self._step = ""

    def _keep(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        if not self._step:
            return
        kept = {name.lower(): value for name, value in headers.items() if name.lower() in _KEPT_HEADERS}
        text = self._clean(body.decode(errors="replace")[:20_000])
        content: Any = text
        with suppress(ValueError):
            content = json.loads(text)
        # Of a burst the last reply counts, the one that was too many.
        self.replies[self._step] = {"status": status, "headers": kept, "body": content}

    def _clean(self, text: str) -> str:
        """Return the text without addresses, ids and secrets."""
        options = self._options
        for secret in (options.prediction_key, options.training_key, options.entra.client_secret):
            if secret and (word := secret.get_secret_value().strip()):
                text = text.replace(word, "…")
        return _UUID.sub("00000000-0000-0000-0000-000000000000", _ADDRESS.sub("https://service.invalid/", text))


def fair_choice(photos: Sequence[RehearsalPhoto]) -> list[RehearsalPhoto]:
    """Return ten photos of two labels, five of each. Raises ValueError if there are too few."""
    each = PHOTOS // TAGS_TO_TRAIN
    labels = [label for label in sorted({photo.label for photo in photos}) if _count(photos, label) >= each]
    if len(labels) < TAGS_TO_TRAIN:
        raise ValueError(f"there have to be {each} photos of {TAGS_TO_TRAIN} labels")
    chosen = labels[:TAGS_TO_TRAIN]
    return [photo for label in chosen for photo in [each_ for each_ in photos if each_.label == label][:each]]


def _count(photos: Sequence[RehearsalPhoto], label: str) -> int:
    return sum(photo.label == label for photo in photos)
