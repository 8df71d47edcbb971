"""The Azure Custom Vision provider."""

import time
from typing import TYPE_CHECKING

from providers.base import LABELS, Photo, Prediction, ProviderMisconfigured, ProviderUnavailable, Task
from providers.custom_vision.options import CustomVisionOptions
from providers.photo_encoding import ImageLimits, fitted
from providers.text_files import plain

if TYPE_CHECKING:
    from providers.custom_vision.client import CloudPrediction

LIMITS = ImageLimits(max_bytes=4_000_000, max_side=10_240, max_aspect=25)
"""The vendor's limits for a photo to classify; see docs/guide/azure.md."""
_PING_SECONDS = 1.5
_SUM_TOLERANCE = 0.02


class CustomVision:
    """Calls a published model in the cloud; every call counts against the quota of its prediction resource."""

    name = "custom_vision"
    needs_network = True

    def __init__(self, task: Task, options: CustomVisionOptions) -> None:
        """Check the settings without sending anything. Raises ProviderMisconfigured."""
        # The SDK takes a quarter of a second to import, which a machine in local mode does not need.
        from providers.custom_vision.client import Client

        self.task = task
        self.needed_side = options.side
        self.allowance = options.allowance
        self._tags = {tag: label for tag, label in options.tags.items() if label in LABELS[task]}
        if not self._tags:
            raise ProviderMisconfigured(f"No tag of custom_vision.tags means a label of {task}: add them.")
        endpoint, key, project_id, self._published_name = options.check()
        self._client = Client(
            endpoint,
            key,
            project_id,
            self._published_name,
            store=options.store,
            connect_seconds=options.connect_seconds,
        )

    def predict(self, photo: Photo, *, timeout: float) -> Prediction:
        """Return a prediction within ``timeout`` seconds. Raises ProviderError."""
        ends = time.monotonic() + timeout
        jpeg = fitted(photo.picture, self.needed_side, LIMITS)
        left = ends - time.monotonic()
        if left <= 0:
            raise ProviderUnavailable("There was no time left to ask the cloud.", sent=False)
        answer = self._client.classify(jpeg, timeout=left)
        scores = self._scores(answer)
        label = max(scores, key=scores.__getitem__)
        version = f"{self._published_name}@{answer.iteration}"
        return Prediction(self.task, label, scores[label], scores, self.name, version)

    def ping(self) -> None:
        """Raise ProviderUnavailable if the endpoint cannot be reached; does not check the key and the model."""
        self._client.ping(timeout=_PING_SECONDS)

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def _scores(self, answer: "CloudPrediction") -> dict[str, float]:
        unknown = [tag for tag, _ in answer.probabilities if plain(tag) not in self._tags]
        if unknown:
            raise ProviderMisconfigured(
                f"The project has tags without a label: {', '.join(unknown)}. Say in custom_vision.tags which"
                f" of {', '.join(LABELS[self.task])} each one means."
            )
        total = sum(probability for _, probability in answer.probabilities)
        if abs(total - 1) > _SUM_TOLERANCE:
            raise ProviderMisconfigured(
                f"The probabilities of the tags add up to {total:.2f} instead of 1: make the project Multiclass"
                " (one tag per image), train it again and publish."
            )
        scores = dict.fromkeys(LABELS[self.task], 0.0)
        for tag, probability in answer.probabilities:
            scores[self._tags[plain(tag)]] += probability / total
        return scores
