"""What every provider must do; each provider's test class inherits it and says how one is built."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from PIL import Image

from providers.base import LABELS, TASKS, Photo, Provider, Task
from testing.image_files import encoded
from triof.judging import photo


class ProviderContract:
    """Inherit, and build a provider that answers."""

    def build(self, task: Task) -> Provider:
        raise NotImplementedError

    @pytest.fixture(params=TASKS)
    def provider(self, request: pytest.FixtureRequest) -> Provider:
        return self.build(request.param)

    @pytest.fixture
    def shown(self) -> Photo:
        picture = Image.linear_gradient("L").convert("RGB")
        return photo.load(encoded(picture, "PNG"))

    @pytest.mark.parametrize("task", TASKS)
    def test_the_prediction_is_whole(self, task: Task, shown: Photo) -> None:
        prediction = self.build(task).predict(shown, timeout=5)
        assert prediction.task == task
        assert tuple(prediction.scores) == LABELS[task]
        assert sum(prediction.scores.values()) == pytest.approx(1, abs=1e-3)
        assert prediction.label == max(prediction.scores, key=prediction.scores.__getitem__)
        assert prediction.probability == prediction.scores[prediction.label]
        assert prediction.model_version
        assert all(0 <= threshold <= 1 for threshold in prediction.thresholds.values())

    def test_it_knows_itself(self, provider: Provider) -> None:
        assert provider.name
        assert isinstance(provider.needs_network, bool)
        assert provider.needed_side >= 1

    def test_it_is_ready_when_it_is_built(self, provider: Provider) -> None:
        provider.ping()

    def test_many_threads_get_the_same_answer(self, provider: Provider, shown: Photo) -> None:
        alone = provider.predict(shown, timeout=5)
        with ThreadPoolExecutor(8) as pool:
            together = list(pool.map(lambda _: provider.predict(shown, timeout=5), range(32)))
        assert all(prediction.scores == pytest.approx(alone.scores) for prediction in together)

    def test_closing_twice_is_harmless(self, provider: Provider) -> None:
        provider.close()
        provider.close()
