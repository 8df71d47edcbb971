"""A bundle is given the distance from what it has learned, by operators in its own network."""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from providers.base import LABELS, ProviderMisconfigured
from providers.local_cnn import bundle, familiarity, reading_back
from providers.local_cnn.isolated import Isolation
from providers.local_cnn.options import LocalCnnOptions, shipped
from providers.local_cnn.provider import LocalCnn
from providers.local_cnn.runtime import Extractor, Runtime
from tests import colour_models
from tests.colour_models import shown
from tests.conftest import encoded
from tools import know_unfamiliar
from triof import photo

STRANGE = encoded(Image.new("RGB", (32, 32), (255, 0, 255)), "PNG")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Four kinds of photos to learn from, and plastic like them in val."""
    lines = ["path,waste_type,source,group,split"]
    for split, labels in (("train", LABELS["waste_type"] * 3), ("val", ("bottle", "cup", "cutlery"))):
        for number, label in enumerate(labels):
            (tmp_path / f"{split}{number}.png").write_bytes(shown(label, "clean"))
            lines.append(f"{split}{number}.png,{label},{'home' if number % 2 else 'web'},{split}{number},{split}")
    (tmp_path / "manifest.csv").write_text("\n".join(lines))
    return tmp_path / "manifest.csv"


def know(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    monkeypatch.setattr(sys, "argv", ["know_unfamiliar", *map(str, arguments)])
    return know_unfamiliar.main()


def asked(folder: Path) -> LocalCnn:
    Isolation(folder.parent / "tried").remember(bundle.load(folder).model)
    return LocalCnn("waste_type", LocalCnnOptions(waste_type_bundle=folder, bundles=folder.parent / "tried"))


def test_what_it_has_learned_is_familiar_and_else_nothing(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before = bundle.load(colour_models.save_both(tmp_path / "both"))
    assert know(monkeypatch, tmp_path / "both", tmp_path / "knows", "--data", data) == 0
    after = bundle.load(tmp_path / "knows")
    assert f"{after.card.version} is in" in capsys.readouterr().out
    assert after.card.version != before.card.version
    assert after.card.trained_on["familiar_photos"] == 12
    knowing, plain = asked(tmp_path / "knows"), asked(tmp_path / "both")
    for label in LABELS["waste_type"]:
        seen = photo.load(shown(label, "clean"))
        answer = knowing.predict(seen, timeout=5)
        assert not answer.is_unfamiliar
        assert answer.scores == pytest.approx(plain.predict(seen, timeout=5).scores, abs=1e-6)
    assert knowing.predict(photo.load(STRANGE), timeout=5).is_unfamiliar


def test_what_was_left_out_is_unfamiliar(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = data.read_text().replace("train1.png,cup,home", "train1.png,cup,belt").splitlines()
    (tmp_path / "purple.png").write_bytes(STRANGE)
    rows = [f"purple.png,cup,belt,p{number},train" for number in range(5)]
    data.write_text("\n".join([*lines, *rows]))
    colour_models.save_both(tmp_path / "both")
    for name, left_out, expected in (("all", (), False), ("without", ("--leave-out", "belt"), True)):
        assert know(monkeypatch, tmp_path / "both", tmp_path / name, "--data", data, *left_out) == 0
        assert asked(tmp_path / name).predict(photo.load(STRANGE), timeout=5).is_unfamiliar is expected


def test_the_shipped_network_works_the_distance_out_itself() -> None:
    before = bundle.load(shipped("waste_type"), "waste_type")
    side, (low, high) = before.card.input.width, before.card.input.range
    rng = np.random.default_rng(1)
    photos = [rng.integers(0, 255, (side, side, 3)).astype(np.uint8) for _ in range(8)]
    extractor = Extractor(familiarity.features_alone(before))
    scale = np.float32((high - low) / 255)
    features = np.stack([extractor(pixels * scale + np.float32(low))[0] for pixels in photos])
    assert features.shape == (8, 1280)
    model = familiarity.knowing(before, features[:6])
    card = before.card.model_copy(update={"unfamiliar_from": 1.0})
    known, plain = Runtime(replace(before, card=card, model=model)), Runtime(before)
    for pixels, expected in zip(photos, familiarity.distances(features, features[:6]), strict=True):
        answer, as_before = known.ask(pixels, timeout=5), plain.ask(pixels, timeout=5)
        assert answer.unfamiliarity == pytest.approx(float(expected), abs=2e-3)
        assert answer.outputs["waste_type"] == pytest.approx(as_before.outputs["waste_type"], abs=1e-3)
        assert answer.embedding == pytest.approx(as_before.embedding, abs=1e-3)


def test_a_training_goes_on_from_the_same_layers() -> None:
    before = bundle.load(shipped("cleanliness"), "cleanliness")
    stored = np.random.default_rng(1).random((5, 1280), np.float32)
    after = replace(before, model=familiarity.knowing(before, stored))
    layers, again = (list(reading_back._layers(each)) for each in (before, after))
    assert len(again) == len(layers)
    for (kernel, bias), (same, also) in zip(layers, again, strict=True):
        assert np.array_equal(kernel, same)
        assert np.array_equal(bias, also)


def test_the_distance_is_that_of_the_fifth_nearest() -> None:
    stored = np.array([[1, 0], [1, 0], [1, 0], [1, 0], [0, 1]], np.float32)
    assert familiarity.distances(np.array([[2, 0], [0, 3], [-1, 0]], np.float32), stored) == pytest.approx([1, 1, 2])
    assert familiarity.distances(np.array([[5, 0]], np.float32), np.vstack([stored, stored])) == pytest.approx([0])


def test_kinds_are_drawn_in_turn() -> None:
    kinds = ["often"] * 50 + ["rare"] * 3
    chosen = familiarity.evenly(kinds, 8)
    assert [kinds[position] for position in chosen].count("rare") == 3
    assert chosen == sorted(set(chosen))
    assert len(familiarity.evenly(kinds, 100)) == 53


def test_what_cannot_be_done_is_a_sentence(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    colour_models.save(tmp_path / "plain", "waste_type")
    assert know(monkeypatch, tmp_path / "plain", tmp_path / "out", "--data", data) == 1
    assert "it has no embedding" in capsys.readouterr().err
    colour_models.save_both(tmp_path / "knows", knows_itself=True)
    assert know(monkeypatch, tmp_path / "knows", tmp_path / "out", "--data", data) == 1
    assert "a distance already" in capsys.readouterr().err
    data.write_text("\n".join(data.read_text().splitlines()[:4] + data.read_text().splitlines()[-1:]))
    colour_models.save_both(tmp_path / "both")
    assert know(monkeypatch, tmp_path / "both", tmp_path / "out", "--data", data) == 1
    assert "3 photos to learn from" in capsys.readouterr().err
    with pytest.raises(ProviderMisconfigured, match="as `triof train` makes it"):
        familiarity.features_alone(bundle.load(tmp_path / "plain"))
