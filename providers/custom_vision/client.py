"""Client of Azure Custom Vision's prediction and training APIs; the only module that imports the vendor's SDK.

Whatever the SDK raises or returns (``TypeError`` for an error without a body, None for an empty answer, ...) becomes a
valid answer or one of the errors in ``providers/base.py``. Nothing is retried here: for predictions the router falls
back to the next provider at once, and ``trainer.py`` retries for training.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, TypeVar, cast

import requests
from azure.cognitiveservices.vision.customvision.prediction import CustomVisionPredictionClient
from msrest.authentication import ApiKeyCredentials, Authentication, BasicTokenAuthentication

from providers.base import ProviderError, ProviderUnavailable
from providers.custom_vision import records
from providers.custom_vision.entra import EntraToken, check_host
from providers.custom_vision.entra_options import EntraOptions
from providers.custom_vision.errors import (
    TrainingRefused,
    check_digest,
    download_refusal,
    prediction_refusal,
    training_refusal,
)
from providers.custom_vision.records import Export, Image, Iteration, Performance, Project, Stored, Tag
from providers.http_connection import RequestSlot, no_wait
from providers.vendor_endpoint import Refusal, VendorEndpoint

T = TypeVar("T")

_TURNED_AWAY = (401, 403, 404, 410, 429)
"""Status codes with which a gateway refuses a call before it reaches the service."""


@dataclass(frozen=True)
class CloudPrediction:
    """The vendor's answer: the probability of each tag (0 to 1), and the iteration that gave them."""

    iteration: str
    probabilities: tuple[tuple[str, float], ...]


class _TokenAuthentication(BasicTokenAuthentication):
    """Sends a token of Entra ID, which the SDK knows only as a fixed one. Thread-safe."""

    def __init__(self, options: EntraOptions, endpoint: str) -> None:
        """Raises ProviderMisconfigured."""
        check_host(endpoint)
        super().__init__({"access_token": ""})
        self._source = EntraToken(options)

    def renew(self, timeout: float) -> float:
        """Fetch a token if there is none that is valid; return what is left of ``timeout``. Raises ProviderError."""
        ends = time.monotonic() + timeout
        self.token = {"access_token": self._source.get()}
        left = ends - time.monotonic()
        if left <= 0:
            raise ProviderUnavailable("Entra ID took all the time there was to ask the cloud.", sent=False)
        return left


class _Endpoint(VendorEndpoint):
    """One of the vendor's two APIs, asked through the vendor's SDK."""

    def __init__(
        self,
        sdk: Callable[[str, Authentication], Any],
        endpoint: str,
        header: str,
        key: str | EntraOptions,
        refusal: Refusal,
        **options: Any,
    ) -> None:
        super().__init__(endpoint, _turned_away(refusal), secret=key if isinstance(key, str) else "", **options)
        self._token = None if isinstance(key, str) else _TokenAuthentication(key, endpoint)
        self.sdk = cast(Any, sdk(endpoint, self._token or ApiKeyCredentials(in_headers={header: str(key)})))
        self.sdk.config.session_configuration_callback = self._mount
        self.sdk.config.proxies.use_env_settings = self.trust_env

    def call(self, ask: Callable[..., Any], read: Callable[[Any], T], *args: Any, timeout: float, **options: Any) -> T:
        """Call the SDK within ``timeout`` seconds and convert its answer with ``read``. Raises only ProviderError."""
        connection = self.connection()
        timeout = self._token.renew(timeout) if self._token else timeout
        try:
            with connection.call(timeout):
                # A redirect would send the key to another host, such as the login page of a guest Wi-Fi.
                answer = ask(*args, timeout=self.timeouts(timeout), allow_redirects=False, **options)
            result = read(answer)
        except Exception as error:
            raise self.fault(error, connection, timeout) from error
        connection.forget()
        return result

    def download(self, method: str, address: str, *, timeout: float, to: Path | None = None) -> None:
        """Request an address without the key; a complete body is written to ``to``. Raises ProviderError, OSError."""
        refusal = _turned_away(download_refusal)
        headers, body = self.fetch(method, address, timeout=timeout, refusal=refusal, must_be_ok=to is not None)
        if to:
            check_digest(body, headers)
            to.write_bytes(body)

    def _mount(self, session: requests.Session, _config: Any, _operation: Any, **options: Any) -> Any:
        """Mount our connection on a session of the SDK, which has one for each thread, in place of its retrying one."""
        connection = self.connection()
        if session.get_adapter(self.address) is not connection:
            session.mount("https://", connection)
            session.mount("http://", connection)
        return options


def _turned_away(refusal: Refusal) -> Refusal:
    """Return ``refusal``, whose errors say whether the gateway refused the call."""

    def marked(status: int, headers: Mapping[str, str], text: str, now: datetime) -> ProviderError:
        fault = refusal(status, headers, text, now)
        fault.refused = status in _TURNED_AWAY
        return fault

    return marked


class Client:
    """One published model of one project."""

    def __init__(
        self,
        endpoint: str,
        key: str | EntraOptions,
        project_id: str,
        published_name: str,
        *,
        store: bool,
        connect_seconds: float,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._api = _Endpoint(
            CustomVisionPredictionClient,
            endpoint,
            "Prediction-key",
            key,
            prediction_refusal,
            connect_seconds=connect_seconds,
            now=now,
        )
        sdk = self._api.sdk
        ask = sdk.classify_image if store else sdk.classify_image_with_no_store
        self._ask: Callable[..., Any] = partial(ask, project_id, published_name)

    def classify(self, jpeg: bytes, *, timeout: float) -> CloudPrediction:
        """Classify a photo within ``timeout`` seconds. Raises only ProviderError."""
        return self._api.call(self._ask, _sensible, jpeg, timeout=timeout)

    def ping(self, *, timeout: float) -> None:
        """Connect to the endpoint without a call that costs quota. Raises ProviderUnavailable."""
        self._api.download("HEAD", self._api.address, timeout=timeout)

    def close(self) -> None:
        """Close the connections of all threads; one in use is closed after its call."""
        self._api.close()


def _sensible(answer: Any) -> CloudPrediction:
    """Convert the SDK's answer, which is None or full of None for an empty one. Raises ProviderUnavailable."""
    found = [(each.tag_name, each.probability) for each in (getattr(answer, "predictions", None) or [])]
    if not found or not all(tag and probability is not None and 0 <= probability <= 1 for tag, probability in found):
        raise ProviderUnavailable("The cloud's answer makes no sense: it names no tags, or no probabilities for them.")
    return CloudPrediction(str(answer.iteration), tuple(found))


class TrainingClient:
    """Client of the training resource and its projects. Each call raises ProviderError."""

    def __init__(
        self,
        endpoint: str,
        key: str | EntraOptions,
        *,
        connect_seconds: float,
        timeout: float,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        slot: RequestSlot = no_wait,
    ) -> None:
        """``timeout`` in seconds, for each call; ``slot`` is entered before each one."""
        # Takes a tenth of a second to import, which predictions do not need.
        from azure.cognitiveservices.vision.customvision import training

        self._models: Any = training.models
        self._timeout = timeout
        self._api = _Endpoint(
            training.CustomVisionTrainingClient,
            endpoint,
            "Training-key",
            key,
            training_refusal,
            connect_seconds=connect_seconds,
            now=now,
            slot=slot,
        )

    def projects(self) -> list[Project]:
        """Return all projects of the resource."""
        return self._ask("get_projects", _each(records.read_project))

    def project(self, project_id: str) -> Project:
        """Return one project."""
        return self._ask("get_project", records.read_project, project_id)

    def create_project(self, name: str, domain: str) -> Project:
        """Create a Multiclass project; its models can be exported if the ``domain`` is compact."""
        return self._ask(
            "create_project", records.read_project, name, domain_id=domain, classification_type="Multiclass"
        )

    def tags(self, project_id: str) -> list[Tag]:
        """Return the tags sorted by name, as the vendor's order is arbitrary."""
        return sorted(self._ask("get_tags", _each(records.read_tag), project_id), key=lambda tag: tag.name)

    def create_tag(self, project_id: str, name: str, *, negative: bool) -> Tag:
        """Create a tag."""
        return self._ask("create_tag", records.read_tag, project_id, name, type="Negative" if negative else "Regular")

    def store(
        self, project_id: str, photos: Sequence[tuple[str, bytes, str]], metadata: Mapping[str, str]
    ) -> list[Stored]:
        """Upload photos (name, bytes, tag id), all with the same ``metadata``; returns the outcome of each."""
        entries = [
            self._models.ImageFileCreateEntry(name=name, contents=image, tag_ids=[tag]) for name, image, tag in photos
        ]
        batch = self._models.ImageFileCreateBatch(images=entries, metadata=dict(metadata))
        stored = self._ask("create_images_from_files", records.read_stored, project_id, batch)
        if len(stored) != len(photos):
            raise ProviderUnavailable("The cloud's answer makes no sense: it does not name each photo.")
        return stored

    def images(self, project_id: str, *, take: int, skip: int, newest: bool) -> list[Image]:
        """Return ``take`` (up to 256) photos after skipping ``skip``, the newest or the oldest first."""
        which = {"take": take, "skip": skip, "order_by": "Newest" if newest else "Oldest"}
        return self._ask("get_images", _each(records.read_image), project_id, **which)

    def images_by_id(self, project_id: str, image_ids: Sequence[str]) -> list[Image]:
        """Return those of up to 256 photos that exist."""
        return self._ask("get_images_by_ids", _each(records.read_image), project_id, image_ids=list(image_ids))

    def count_images(self, project_id: str) -> int:
        """Return the number of photos."""
        return self._ask("get_image_count", int, project_id)

    def retag(self, project_id: str, image_ids: Sequence[str], was: Sequence[str], tag_id: str) -> None:
        """Replace the tags ``was`` of up to 64 photos by ``tag_id``."""
        if was:
            self._tell("delete_image_tags", project_id, list(image_ids), list(was))
        entries = [self._models.ImageTagCreateEntry(image_id=image, tag_id=tag_id) for image in image_ids]
        exceeded = self._ask("create_image_tags", lambda told: len(told.exceeded or ()), project_id, entries)
        if exceeded:
            raise TrainingRefused(
                "Some of the photos have another tag in the cloud.", "BadRequestExceedTagPerImageLimit"
            )

    def iterations(self, project_id: str) -> list[Iteration]:
        """Return all iterations, the newest first."""
        found = self._ask("get_iterations", _each(records.read_iteration), project_id)
        return sorted(found, key=lambda iteration: iteration.created, reverse=True)

    def iteration(self, project_id: str, iteration_id: str) -> Iteration:
        """Return one iteration."""
        return self._ask("get_iteration", records.read_iteration, project_id, iteration_id)

    def train(self, project_id: str, tag_ids: Sequence[str] | None, advanced_hours: int | None) -> Iteration:
        """Start training on the photos of these tags (None: all); ``advanced_hours`` selects an advanced training."""
        return self._ask(
            "train_project",
            records.read_iteration,
            project_id,
            training_type="Advanced" if advanced_hours else "Regular",
            reserved_budget_in_hours=advanced_hours or 0,
            # The SDK ignores `training_parameters`, the API's own name, silently.
            selected_tags=tag_ids,
        )

    def delete_iteration(self, project_id: str, iteration_id: str) -> None:
        """Delete an iteration that is not published."""
        self._tell("delete_iteration", project_id, iteration_id)

    def performance(self, project_id: str, iteration_id: str, threshold: float) -> Performance:
        """Return the vendor's evaluation of a completed iteration."""
        return self._ask(
            "get_iteration_performance", records.read_performance, project_id, iteration_id, threshold=threshold
        )

    def publish(self, project_id: str, iteration_id: str, name: str, resource_id: str, *, overwrite: bool) -> None:
        """Publish an iteration under ``name``; with ``overwrite`` it may replace another iteration."""
        self._tell("publish_iteration", project_id, iteration_id, name, resource_id, overwrite=overwrite)

    def unpublish(self, project_id: str, iteration_id: str) -> None:
        """Unpublish an iteration."""
        self._tell("unpublish_iteration", project_id, iteration_id)

    def export(self, project_id: str, iteration_id: str, platform: str, flavor: str | None) -> None:
        """Start an export; the API allows one of each kind."""
        self._tell("export_iteration", project_id, iteration_id, platform, flavor=flavor)

    def exports(self, project_id: str, iteration_id: str) -> list[Export]:
        """Return the exports that were started."""
        return self._ask("get_exports", _each(records.read_export), project_id, iteration_id)

    def download(self, address: str, to: Path) -> None:
        """Download a photo or a model without sending the key. Raises ProviderError, OSError."""
        self._api.download("GET", address, timeout=self._timeout, to=to)

    def close(self) -> None:
        """Close all connections."""
        self._api.close()

    def _ask(self, operation: str, read: Callable[[Any], T], *args: Any, **options: Any) -> T:
        return self._api.call(getattr(self._api.sdk, operation), read, *args, timeout=self._timeout, **options)

    def _tell(self, operation: str, *args: Any, **options: Any) -> None:
        """Call an operation whose answer is not needed, so that the SDK's None is accepted."""
        self._ask(operation, lambda _: None, *args, **options)


def _each(read: Callable[[Any], T]) -> Callable[[Any], list[T]]:
    return lambda answers: [read(answer) for answer in answers]
