"""The Azure Custom Vision provider."""

import time
from io import BytesIO
from typing import TYPE_CHECKING

from PIL import Image

from providers.base import LABELS, Photo, PhotoRejected, Prediction, ProviderMisconfigured, ProviderUnavailable, Task
from providers.custom_vision.options import CustomVisionOptions
from providers.text_files import plain

if TYPE_CHECKING:
    from providers.custom_vision.client import CloudPrediction

_MAX_BYTES = 4_000_000
_MAX_SIDE = 10_240
_MAX_ASPECT = 25
"""The vendor's limits for a photo to classify; see docs/guide/azure.md."""
_JPEG_QUALITY = 90
_WORTH_SHRINKING = 1.5
"""A photo less than this factor larger is sent unchanged, as shrinking takes longer than it saves."""
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
        jpeg = fitted(photo.picture, self.needed_side)
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


def fits(width: int, height: int, side: int) -> bool:
    """Return whether a photo of this size can be sent unchanged for ``side``, within the vendor's limits."""
    shorter, longer = sorted((width, height))
    return shorter < side * _WORTH_SHRINKING and longer <= min(_MAX_SIDE, _MAX_ASPECT * shorter)


def fitted(picture: Image.Image, side: int, max_bytes: int = _MAX_BYTES) -> bytes:
    """Encode the picture as a JPEG within the vendor's limits, its shorter side about ``side`` pixels, no metadata.

    Raises PhotoRejected if the picture is too narrow for the vendor.
    """
    if max(picture.size) > _MAX_ASPECT * min(picture.size):
        raise PhotoRejected(f"The cloud takes no photo narrower than {_MAX_ASPECT}:1.", sent=False)
    shrunk = side / min(picture.size)
    scale = min(1.0, shrunk if shrunk * _WORTH_SHRINKING < 1 else 1.0, _MAX_SIDE / max(picture.size))
    while len(jpeg := _jpeg(picture, scale)) > max_bytes:
        scale *= 0.7
    return jpeg


def _jpeg(picture: Image.Image, scale: float) -> bytes:
    if scale < 1:
        width, height = (max(1, round(length * scale)) for length in picture.size)
        picture = picture.resize((width, height), Image.Resampling.BILINEAR, reducing_gap=2.0)
    buffer = BytesIO()
    picture.save(buffer, "JPEG", quality=_JPEG_QUALITY)
    return buffer.getvalue()
