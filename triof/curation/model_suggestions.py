"""Predictions of the local models as suggestions for labelling."""

from contextlib import suppress
from functools import lru_cache

from providers.base import ProviderError, Task
from providers.local_cnn.options import LocalCnnOptions
from providers.local_cnn.provider import LocalCnn
from triof.curation.labelling import ModelSuggestion, Question
from triof.judging import photo
from triof.judging.photo import PhotoError
from triof.settings.sections.photo import DEFAULT_LIMITS, PhotoLimits

_TIMEOUT = 5.0


class ModelSuggestions:
    """Runs the local networks; gives no suggestion if one is missing or the photo cannot be read."""

    def __init__(self, options: LocalCnnOptions, limits: PhotoLimits = DEFAULT_LIMITS) -> None:
        self._options = options
        self._limits = limits
        self._model = lru_cache(maxsize=None)(self._load)

    def of(self, question: Question) -> ModelSuggestion | None:
        """Return the most probable label and its probability."""
        model = self._model(question.task)
        if not model:
            return None
        with suppress(ProviderError, PhotoError, OSError):
            decoded = photo.load(question.item.path.read_bytes(), self._limits, needed_side=model.needed_side)
            prediction = model.predict(decoded, timeout=_TIMEOUT)
            return ModelSuggestion(prediction.label, prediction.probability)
        return None

    def _load(self, task: Task) -> LocalCnn | None:
        with suppress(ProviderError):
            return LocalCnn(task, self._options)
        return None
