"""The local network answers, the same for everybody, from what the machine sees."""

import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier, Event

import numpy as np
import pytest
from PIL import Image, ImageDraw

from providers.base import LABELS, TASKS, Photo, ProviderUnavailable, Task
from providers.local_cnn import bundle
from providers.local_cnn.options import LocalCnnOptions, shipped
from providers.local_cnn.provider import LocalCnn
from providers.local_cnn.training import augmentation, scenes
from providers.local_cnn.training.augmentation import border_colour
from providers.local_cnn.training.scenes import Scenery
from testing.image_files import encoded
from tests.support.paths import ROOT
from tests.support.watched import watched
from triof.datasets import photo_dataset
from triof.judging import photo
from triof.settings.sections.photo import DEFAULT_LIMITS

pytestmark = pytest.mark.slow


def drawn_bottle(shift: int = 0) -> Photo:
    """A blue bottle on a light tray; ``shift`` moves it to the right, in pixels."""
    picture = Image.new("RGB", (480, 480), (225, 227, 228))
    draw = ImageDraw.Draw(picture)
    draw.rounded_rectangle((180 + shift, 150, 300 + shift, 450), 30, fill=(150, 195, 225), outline=(90, 140, 180))
    draw.polygon([(190 + shift, 160), (225 + shift, 90), (255 + shift, 90), (290 + shift, 160)], fill=(150, 195, 225))
    draw.rectangle((222 + shift, 55, 258 + shift, 92), fill=(20, 70, 180))
    draw.rectangle((180 + shift, 240, 300 + shift, 340), fill=(240, 245, 250))
    return photo.load(encoded(picture, "PNG"))


@pytest.fixture(params=TASKS)
def provider(request: pytest.FixtureRequest) -> LocalCnn:
    return LocalCnn(request.param, LocalCnnOptions())


def test_a_drawn_bottle_is_a_clean_bottle() -> None:
    labels = [LocalCnn(task, LocalCnnOptions()).predict(drawn_bottle(), timeout=5).label for task in TASKS]
    assert labels == ["bottle", "clean"]


def test_an_empty_tray_is_other() -> None:
    empty = photo.load(encoded(Image.new("RGB", (640, 480), (205, 207, 208)), "PNG"))
    assert LocalCnn("waste_type", LocalCnnOptions()).predict(empty, timeout=5).label == "other"


def test_the_prediction_names_its_bundle(provider: LocalCnn) -> None:
    prediction = provider.predict(drawn_bottle(), timeout=5)
    card = bundle.load(shipped(provider.task), provider.task).card
    assert (prediction.model_version, prediction.thresholds) == (card.version, card.thresholds)
    assert tuple(prediction.scores) == LABELS[provider.task]
    assert sum(prediction.scores.values()) == pytest.approx(1)


def test_eight_threads_get_the_answers_of_one(provider: LocalCnn) -> None:
    photos = [drawn_bottle(shift) for shift in range(-80, 80, 10)]
    alone = [provider.predict(shown, timeout=30).scores for shown in photos]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda shown: provider.predict(shown, timeout=30).scores, photos * 4))
    assert together == alone * 4
    assert len({tuple(scores.values()) for scores in alone}) > 1


@pytest.mark.parametrize("task", TASKS)
def test_a_model_that_wants_bgr_gets_bgr(tmp_path: Path, task: Task) -> None:
    folder = Path(shutil.copytree(shipped(task), tmp_path / task))
    loaded = bundle.load(folder, task)
    swapped = loaded.card.input.model_copy(update={"channels": "bgr"})
    bundle.save(folder, loaded.card.model_copy(update={"input": swapped}), loaded.model)
    shown = drawn_bottle()
    mirrored = Image.fromarray(np.ascontiguousarray(np.asarray(shown.picture)[:, :, ::-1]))
    options = LocalCnnOptions.model_validate({f"{task}_bundle": folder})
    in_bgr = LocalCnn(task, options).predict(photo.load(encoded(mirrored, "PNG")), timeout=5)
    in_rgb = LocalCnn(task, LocalCnnOptions()).predict(shown, timeout=5)
    assert in_bgr.scores == pytest.approx(in_rgb.scores, abs=1e-4)


def test_a_closed_provider_says_so(provider: LocalCnn) -> None:
    provider.close()
    provider.close()
    with pytest.raises(ProviderUnavailable, match="closed"):
        provider.ping()
    with pytest.raises(ProviderUnavailable, match="closed"):
        provider.predict(drawn_bottle(), timeout=5)


def test_several_photos_are_looked_at_at_once_and_no_more_than_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    both = Barrier(2, timeout=10)
    made = watched(monkeypatch, both.wait)
    provider = LocalCnn("waste_type", LocalCnnOptions(interpreters=2))
    assert len(made) == 1
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: provider.predict(drawn_bottle(), timeout=10), range(8)))
    assert len(made) == 2


def test_a_busy_model_is_unavailable_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    asked, let = Event(), Event()
    watched(monkeypatch, lambda: (asked.set(), let.wait(10)))
    provider = LocalCnn("waste_type", LocalCnnOptions(interpreters=1))
    with ThreadPoolExecutor(1) as pool:
        under_way = pool.submit(provider.predict, drawn_bottle(), timeout=5)
        assert asked.wait(10)
        with pytest.raises(ProviderUnavailable, match="busy"):
            provider.predict(drawn_bottle(), timeout=0.01)
        provider.close()
        let.set()
        assert under_way.result().label == "bottle"


def test_a_model_that_cannot_be_run_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise RuntimeError("Node number 3 (CONV_2D) failed to invoke.")

    watched(monkeypatch, fail)
    # Its own number of threads: a runtime is shared by all that are alike, and the error keeps this one alive.
    with pytest.raises(ProviderUnavailable, match="CONV_2D"):
        LocalCnn("waste_type", LocalCnnOptions(threads=3)).predict(drawn_bottle(), timeout=5)


def test_hands_and_empty_slots_that_no_training_has_seen_are_other() -> None:
    scenery = Scenery(scenes.rendered("grounds", held_out=True), hands=scenes.rendered("hands", held_out=True), drawn=0)
    provider = LocalCnn("waste_type", LocalCnnOptions())
    rng = np.random.default_rng(1)
    seen = [Image.fromarray(augmentation.empty(320, scenery, rng)) for _ in range(60)]
    labels = [provider.predict(photo.load(encoded(picture, "PNG")), timeout=5).label for picture in seen]
    assert labels.count("other") >= 54


def test_serving_needs_no_tensorflow() -> None:
    code = (
        "import sys\n"
        "from providers.local_cnn.provider import LocalCnn\n"
        "from providers.local_cnn.options import LocalCnnOptions\n"
        "LocalCnn('waste_type', LocalCnnOptions())\n"
        "assert not {'tensorflow', 'keras', 'torch'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


@pytest.mark.parametrize(("task", "kept"), [("waste_type", 0.9), ("cleanliness", 0.9)])
def test_another_ground_under_the_item_changes_few_answers(dataset: Path, task: Task, kept: float) -> None:
    provider = LocalCnn(task, LocalCnnOptions())
    items = [item for item in photo_dataset.read(dataset).of(task, "test") if "cleanliness" in item.labels][::4]
    pairs = [
        (provider.predict(shown, timeout=5).label, provider.predict(on_grey(shown), timeout=5).label)
        for _, shown in photo_dataset.decode(items, DEFAULT_LIMITS, needed_side=provider.needed_side, unreadable=[])
        if min(border_colour(shown.picture)) > 200
    ]
    same = sum(white == grey for white, grey in pairs) / len(pairs)
    assert len(pairs) > 40
    assert same >= kept


def on_grey(shown: Photo) -> Photo:
    """The same item on a grey tray: what is as light as white paper becomes as light as the tray."""
    pixels = np.asarray(shown.picture, np.float32) / border_colour(shown.picture)
    grey = np.clip(pixels * np.array([196, 200, 203]), 0, 255).astype(np.uint8)
    return photo.load(encoded(Image.fromarray(grey), "PNG"))
