"""Cutting items out, laying them elsewhere, and soiling them and nothing else."""

import numpy as np
import pytest
from PIL import Image, ImageDraw

from providers.local_cnn.training import augmentation, scenes, stains
from providers.local_cnn.training.augmentation import Subject
from providers.local_cnn.training.cutout import cut_out
from providers.local_cnn.training.scenes import Scenery

pytest.importorskip("cv2", reason="the train extra is not installed")

DRAWN = Scenery(())
DISC = (60, 40, 140, 120)


def disc(ground: Image.Image) -> Image.Image:
    picture = ground.copy()
    ImageDraw.Draw(picture).ellipse(DISC, fill=(40, 160, 220))
    return picture


def grass() -> Image.Image:
    blades = np.random.default_rng(1).normal((70, 110, 50), 25, (160, 200, 3))
    return Image.fromarray(np.clip(blades, 0, 255).astype(np.uint8))


def truth() -> np.ndarray:
    mask = Image.new("L", (200, 160))
    ImageDraw.Draw(mask).ellipse(DISC, fill=255)
    return np.asarray(mask) > 127


@pytest.mark.parametrize(
    "ground", [Image.new("RGB", (200, 160), "white"), Image.new("RGB", (200, 160), "black"), grass()]
)
def test_an_item_is_cut_out_of_a_plain_ground_and_of_grass(ground: Image.Image) -> None:
    cutout = cut_out(disc(ground))
    assert cutout is not None
    found = np.asarray(cutout.alpha) > 127
    assert (found & truth()).sum() / (found | truth()).sum() > 0.9
    assert cutout.divisible == (ground.getpixel((0, 0)) == (255, 255, 255))


def test_what_cannot_be_told_from_its_ground_is_left_alone() -> None:
    assert cut_out(grass()) is None
    assert cut_out(Image.new("RGB", (200, 160), "white")) is None


def subject() -> Subject:
    return augmentation.subject(augmentation.kept(disc(Image.new("RGB", (200, 160), "white"))))


def test_views_are_the_same_for_the_same_seed_and_differ_from_each_other() -> None:
    first, again, other = (
        augmentation.view(subject(), 64, DRAWN, np.random.default_rng(seed), other_ground=0.5) for seed in (1, 1, 2)
    )
    assert first.shape == (64, 64, 3)
    assert first.dtype == np.uint8
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def corner(seed: int, other_ground: float) -> float:
    view = augmentation.view(subject(), 64, DRAWN, np.random.default_rng(seed), other_ground=other_ground)
    return float(view[0, 0].mean())


@pytest.mark.slow
def test_the_ground_is_exchanged_under_the_item_where_it_shall_be() -> None:
    kept, exchanged = (np.array([corner(seed, share) for seed in range(30)]) for share in (0.0, 1.0))
    assert np.median(kept) > 215
    assert np.median(exchanged) < 200


@pytest.mark.slow
@pytest.mark.parametrize("kind", list(stains.RESIDUES))
def test_a_stain_changes_the_item_visibly_and_nothing_else(kind: str) -> None:
    residues = {kind: stains.RESIDUES[kind], f"{kind} again": stains.RESIDUES[kind]}
    alpha = truth()[:160, 20:180].astype(np.float32)
    pixels = np.full((160, 160, 3), 200, np.float32)
    for seed in range(8):
        stained = stains.soiled(pixels, alpha, np.random.default_rng(seed), residues)
        changed = np.abs(stained - pixels).max(axis=2)
        assert changed[alpha == 0].max() == 0
        assert (changed > 15).sum() / alpha.sum() > 0.01


def test_a_ground_is_found_beside_an_item_and_holds_nothing_of_it() -> None:
    picture = disc(grass())
    (ground,) = scenes.found([(picture, cut_out(picture)), (picture, None)])
    assert ground.width == ground.height
    assert np.abs(np.asarray(ground, float).mean(axis=(0, 1)) - (70, 110, 50)).max() < 8


def test_what_ships_is_split_into_what_is_learned_from_and_what_is_not() -> None:
    for kind in ("grounds", "hands"):
        learned, kept = scenes.rendered(kind), scenes.rendered(kind, held_out=True)
        assert len(learned) > 2 * len(kept) > 8
        assert not {id(picture) for picture in learned} & {id(picture) for picture in kept}


def test_an_empty_slot_may_show_a_hand() -> None:
    hand = Image.new("RGBA", (80, 80), (255, 0, 0, 255))
    seen = [
        augmentation.empty(64, Scenery((), hands=[hand]), np.random.default_rng(seed)).astype(int) for seed in range(20)
    ]
    red = [bool(((view[..., 0] - view[..., 1]) > 60).mean() > 0.05) for view in seen]
    assert 0 < sum(red) < len(red)
