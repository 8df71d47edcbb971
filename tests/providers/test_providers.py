"""The registry, and the contract that every provider keeps."""

from collections.abc import Iterator
from pathlib import Path

import pytest

import providers
from providers.base import Photo, Provider, ProviderMisconfigured, ProviderUnavailable, Task
from providers.custom_vision.provider import CustomVision
from providers.fake import FakeOptions, FakeProvider
from providers.local_cnn import bundle
from providers.local_cnn.isolated import Isolation
from providers.local_cnn.options import LocalCnnOptions
from providers.local_cnn.provider import LocalCnn
from providers.onnx.options import ENGINES, OnnxOptions
from providers.onnx.provider import Onnx
from providers.rekognition.provider import Rekognition
from testing.aws.rekognition_server import RekognitionServer
from testing.azure.custom_vision_server import CustomVisionServer
from tests.support.cloud_options import CLEANLINESS_TAGS, options_for
from tests.support.colour_models import save_both
from tests.support.provider_contract import ProviderContract
from tests.support.rekognition_options import rekognition_options


class TestFake(ProviderContract):
    def build(self, task: Task) -> Provider:
        return FakeProvider(task, FakeOptions())

    def test_it_follows_its_script_and_repeats_the_end(self, shown: Photo) -> None:
        fake = FakeProvider("waste_type", ["cup", ProviderUnavailable("off"), "bottle"])
        assert fake.predict(shown, timeout=1).label == "cup"
        with pytest.raises(ProviderUnavailable, match="off"):
            fake.predict(shown, timeout=1)
        assert [fake.predict(shown, timeout=1).label for _ in range(2)] == ["bottle", "bottle"]
        assert fake.history == [shown] * 4

    def test_a_step_of_the_settings_that_is_no_label_is_a_fault(self, shown: Photo) -> None:
        with pytest.raises(ProviderUnavailable, match="the cloud is gone"):
            FakeProvider("waste_type", FakeOptions(waste_type=("the cloud is gone",))).predict(shown, timeout=1)

    def test_an_empty_script_is_refused(self) -> None:
        with pytest.raises(ProviderMisconfigured, match="at least one step"):
            FakeProvider("waste_type", [])


class TestLocalCnn(ProviderContract):
    def build(self, task: Task) -> Provider:
        return LocalCnn(task, LocalCnnOptions())


class TestOnnx(ProviderContract):
    @pytest.fixture(autouse=True, params=ENGINES)
    def _bundle(self, request: pytest.FixtureRequest, tmp_path: Path) -> None:
        self.runtime, self.folder = request.param, save_both(tmp_path / "both", knows_itself=True, format="onnx")
        Isolation(tmp_path / "bundles", ENGINES[request.param]).remember(bundle.load(self.folder).model)

    def build(self, task: Task) -> Provider:
        options = {f"{task}_bundle": self.folder, "bundles": self.folder.parent / "bundles", "runtime": self.runtime}
        return Onnx(task, OnnxOptions.model_validate(options))


class TestCustomVision(ProviderContract):
    @pytest.fixture(autouse=True)
    def _cloud(self) -> Iterator[None]:
        with CustomVisionServer() as self.server:
            yield

    def build(self, task: Task) -> Provider:
        if task == "cleanliness":
            self.server.scores = {"sale": 0.8, "propre": 0.2}
        return CustomVision(task, options_for(self.server, tags=CLEANLINESS_TAGS))


class TestRekognition(ProviderContract):
    @pytest.fixture(autouse=True)
    def _cloud(self) -> Iterator[None]:
        pytest.importorskip("boto3", reason="needs the extra rekognition")
        with RekognitionServer() as self.server:
            yield

    def build(self, task: Task) -> Provider:
        if task == "cleanliness":
            self.server.scores = {"sale": 0.8, "propre": 0.2}
        return Rekognition(task, rekognition_options(self.server))


@pytest.mark.parametrize("name", providers.PROVIDERS)
def test_every_registered_provider_loads(name: str) -> None:
    assert providers.load(name).name == name


def test_any_class_can_be_named() -> None:
    assert providers.load("providers.fake:FakeProvider") is FakeProvider


@pytest.mark.parametrize(
    "name", ["nobody", ":X", "providers.fake:Nobody", "no.such.module:Class", "os:path", "pathlib:Path"]
)
def test_an_unknown_name_is_a_mistake_of_the_configuration(name: str) -> None:
    with pytest.raises(ProviderMisconfigured):
        providers.load(name)
