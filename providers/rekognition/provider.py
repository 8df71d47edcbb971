"""The Amazon Rekognition Custom Labels provider."""

import time

from providers.base import LABELS, Photo, Prediction, ProviderMisconfigured, ProviderUnavailable, Task
from providers.photo_encoding import ImageLimits, fitted
from providers.rekognition.options import RekognitionOptions
from providers.text_files import plain

LIMITS = ImageLimits(max_bytes=4_000_000, max_side=4096, max_aspect=20)
"""The vendor's limits for the bytes and sides of an image; its aspect is our guess, as it states none."""
_PING_SECONDS = 1.5
_LONGEST_VERSION = 128
"""Characters of a version's name that are kept; the vendor allows 255, and the end is what differs."""


class Rekognition:
    """Calls a version of a Custom Labels model, which has to run and is paid by the hour."""

    name = "rekognition"
    needs_network = True

    def __init__(self, task: Task, options: RekognitionOptions) -> None:
        """Check the settings and find the credentials. Raises ProviderMisconfigured."""
        self.task = task
        self.needed_side = options.side
        self._version = options.check(task)
        self.allowance = options.allowance
        self._tags = options.tags
        if not set(options.tags.values()) & set(LABELS[task]):
            raise ProviderMisconfigured(f"No tag of rekognition.tags means a label of {task}: add them.")
        try:
            # Takes a third of a second to import, which a machine in local mode does not need.
            from providers.rekognition.client import RekognitionClient
        except ImportError as error:
            raise ProviderMisconfigured(
                "The provider rekognition needs boto3: pip install 'triof[rekognition]'."
            ) from error
        self._client = RekognitionClient(
            self._version, endpoint=options.endpoint, connect_seconds=options.connect_seconds
        )

    def predict(self, photo: Photo, *, timeout: float) -> Prediction:
        """Return a prediction within ``timeout`` seconds. Raises ProviderError."""
        ends = time.monotonic() + timeout
        jpeg = fitted(photo.picture, self.needed_side, LIMITS)
        left = ends - time.monotonic()
        if left <= 0:
            raise ProviderUnavailable("There was no time left to ask the cloud.", sent=False)
        scores = self._scores(self._client.detect(jpeg, timeout=left))
        label = max(scores, key=scores.__getitem__)
        return Prediction(self.task, label, scores[label], scores, self.name, self._version.version[-_LONGEST_VERSION:])

    def ping(self) -> None:
        """Raise ProviderUnavailable if the endpoint cannot be reached; does not check credentials and model."""
        self._client.ping(timeout=_PING_SECONDS)

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def _scores(self, found: tuple[tuple[str, float], ...]) -> dict[str, float]:
        """Return a probability for each label, together 1.

        The vendor's confidences need not add up to 1. Above, they are scaled; what is missing is shared by all labels,
        so that the machine is less sure, never more.
        """
        unknown = [name for name, _ in found if plain(name) not in self._tags]
        if unknown:
            raise ProviderMisconfigured(
                f"The model has labels of no meaning here: {', '.join(unknown)}. Say in rekognition.tags which of"
                f" {', '.join(LABELS[self.task])} each one means."
            )
        # A model that answers both tasks has the labels of the other one too.
        told = [(self._tags[plain(name)], share) for name, share in found]
        ours = [(label, share) for label, share in told if label in LABELS[self.task]]
        total = max(1.0, sum(share for _, share in ours))
        missing = 1.0 - sum(share for _, share in ours) / total
        scores = dict.fromkeys(LABELS[self.task], missing / len(LABELS[self.task]))
        for label, share in ours:
            scores[label] += share / total
        return scores
