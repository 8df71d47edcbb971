"""A provider with scripted answers, for tests, demonstrations and drills; never a default.

Each call takes the next step of the script; the last step repeats. A step is a label, a mapping of scores, or
an exception to raise; ``history`` holds the photos of all calls.
"""

from collections.abc import Mapping, Sequence

from providers.base import LABELS, Photo, Prediction, ProviderError, ProviderMisconfigured, ProviderUnavailable, Task
from providers.options import Names, Options

Step = str | Mapping[str, float] | ProviderError


class FakeOptions(Options):
    """Settings of the fake provider; a step that is not a label is the message of a ProviderUnavailable."""

    waste_type: Names = ("bottle",)
    cleanliness: Names = ("clean",)


class FakeProvider:
    """Answers with the steps of its script, one for each call."""

    name = "fake"
    needs_network = False
    needed_side = 1

    def __init__(self, task: Task, options: FakeOptions | Sequence[Step]) -> None:
        steps: Sequence[Step] = getattr(options, task) if isinstance(options, FakeOptions) else options
        if not steps:
            raise ProviderMisconfigured(f"The fake provider has no script for {task}: give it at least one step")
        self.task = task
        self.history: list[Photo] = []
        self._steps = list(steps)

    def predict(self, photo: Photo, *, timeout: float) -> Prediction:
        """Return the next step of the script as a prediction, or raise its error."""
        self.history.append(photo)
        scores = self._scores(self._steps[min(len(self.history), len(self._steps)) - 1])
        label = max(scores, key=scores.__getitem__)
        return Prediction(self.task, label, scores[label], scores, self.name, model_version="script")

    def _scores(self, step: Step) -> Mapping[str, float]:
        if isinstance(step, ProviderError):
            raise step
        if isinstance(step, Mapping):
            return step
        labels = LABELS[self.task]
        if step not in labels:
            raise ProviderUnavailable(step)
        rest = 0.01 / (len(labels) - 1)
        return {label: 0.99 if label == step else rest for label in labels}

    def ping(self) -> None:
        """Do nothing, as the script is always available."""

    def close(self) -> None:
        """Do nothing, as there is nothing to release."""
