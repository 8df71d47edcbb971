"""The local network as a provider."""

import numpy as np

from providers.base import LABELS, Photo, Prediction, ProviderUnavailable, Task
from providers.local_cnn import bundle
from providers.local_cnn.calibration import softmax
from providers.local_cnn.options import LocalCnnOptions
from providers.local_cnn.runtime import Logits, Runtime

_PING_SECONDS = 5.0


class LocalCnn:
    """Answers from a bundle in a few milliseconds, without any network."""

    name = "local_cnn"
    needs_network = False

    def __init__(self, task: Task, options: LocalCnnOptions) -> None:
        """Load and check the bundle of ``task``. Raises ProviderMisconfigured."""
        loaded = bundle.load(options.bundle(task), task)
        self.task = task
        self.card = loaded.card
        self.needed_side = max(loaded.card.input.width, loaded.card.input.height)
        self._runtime = Runtime(loaded, options.threads)

    def predict(self, photo: Photo, *, timeout: float) -> Prediction:
        """Answer within ``timeout`` seconds. Raises ProviderUnavailable."""
        pixels = photo.resized(self.card.input.width, self.card.input.height)
        scores = self._probabilities(self._runtime.logits(pixels, timeout=timeout))
        label = max(scores, key=scores.__getitem__)
        return Prediction(
            self.task, label, scores[label], scores, self.name, self.card.version, dict(self.card.thresholds)
        )

    def ping(self) -> None:
        """Answer about a black picture, which also warms the model up. Raises ProviderUnavailable."""
        black = np.zeros((self.card.input.height, self.card.input.width, 3), np.uint8)
        self._runtime.logits(black, timeout=_PING_SECONDS)

    def close(self) -> None:
        """Give the model's memory back; harmless when called twice."""
        self._runtime.close()

    def _probabilities(self, logits: Logits) -> dict[str, float]:
        if not np.isfinite(logits).all():
            raise ProviderUnavailable("The local model's answer makes no sense: it holds numbers that are not finite.")
        shares = softmax(logits[None], self.card.temperature)[0]
        return dict(zip(LABELS[self.task], map(float, shares), strict=True))
