"""A training that goes on from a bundle: it rehearses what the bundle kept, and says whether it is any better."""

from pathlib import Path

import numpy as np
import pytest

from providers.base import ProviderMisconfigured
from providers.local_cnn import bundle
from providers.local_cnn.training import rehearsal
from providers.local_cnn.training.rehearsal import RehearsalSet, Rows
from providers.local_cnn.training.training_set import UNKNOWN, Batch, TrainingSet
from tests.support import colour_models
from tests.support.training_sets import CUP, OTHER, SMALL, pictures
from triof.evaluation.training_comparison import ACCEPTING, Hits, LearnedMore
from triof.models import training_outcome

RECIPE = SMALL.model_copy(update={"epochs": 0, "members": 1, "frozen_blocks": rehearsal.BLOCKS, "empty": 0.0})


def made(count: int, source: str = "web", size: int = 100) -> Rows:
    numbers = np.random.default_rng(1).normal(0, 2, (count, size)).astype(np.float32)
    return Rows.of(numbers, {"waste_type": np.arange(count) % 4}, [source] * count)


def test_rows_keep_their_numbers_and_what_is_known_of_the_photos() -> None:
    numbers = np.random.default_rng(1).normal(0, 3, (5, 150)).astype(np.float32)
    # A feature map, and averages beside it that are a hundred times smaller.
    numbers[:, 128:] /= 100
    rows = Rows.of(numbers, {"cleanliness": np.array([0, 1, UNKNOWN, 0, 1])}, list("abcde"))
    stored = RehearsalSet(11, 176, 208, rows, made(3))
    found = RehearsalSet.of(stored.to_bytes())
    assert found.learned.floats()[:, :128] == pytest.approx(numbers[:, :128], abs=0.05)
    assert found.learned.floats()[:, 128:] == pytest.approx(numbers[:, 128:], abs=0.0005)
    assert found.learned.classes["cleanliness"].tolist() == [0, 1, UNKNOWN, 0, 1]
    assert found.learned.classes["waste_type"].tolist() == [UNKNOWN] * 5
    assert (found.blocks, found.learned_side, found.judged_side) == (11, 176, 208)
    assert list(found.learned.sources) == list("abcde")


def test_a_new_source_gets_its_share_of_the_rows() -> None:
    both = made(40, "web").beside(made(4, "canteen"), 16)
    assert len(both) == 16
    assert list(both.sources).count("canteen") == 4
    assert set(both.elsewhere({"canteen"}).sources) == {"web"}
    assert len(both.elsewhere({"canteen", "web"})) == 16, "where no other source is left, all of them judge"


@pytest.mark.train
def test_a_part_of_each_batch_is_rehearsed() -> None:
    asked: list[int] = []

    def recall(count: int, _: np.random.Generator) -> Batch:
        asked.append(count)
        return Batch(np.full((count, 3), 7, np.float32), {"waste_type": np.full(count, OTHER)})

    hyperparameters = RECIPE.model_copy(update={"batch": 8, "rehearsal": 0.25, "fewest_batches": 2})
    learned = TrainingSet(("waste_type",), pictures(2), hyperparameters, recall)
    (first, _) = learned.batches(2, lambda view: view[0, 0], 0)
    assert asked == [2, 2]
    assert first.rows[-2:].tolist() == [[7] * 3] * 2
    assert first.classes["waste_type"].tolist() == [CUP] * 6 + [OTHER] * 2


@pytest.mark.train
def test_few_photos_make_an_epoch_of_many_batches() -> None:
    assert TrainingSet(("waste_type",), pictures(2), RECIPE.model_copy(update={"fewest_batches": 30})).steps == 30


def test_a_bundle_takes_its_rows_along_and_needs_them_for_no_answer(tmp_path: Path) -> None:
    plain = bundle.load(colour_models.save_both(tmp_path / "plain"))
    assert rehearsal.load(plain) is None
    content = RehearsalSet(11, 176, 208, made(3), made(2)).to_bytes()
    bundle.save(tmp_path / "kept", plain.card, plain.model, rehearsal=content)
    kept = bundle.load(tmp_path / "kept")
    found = rehearsal.load(kept)
    assert found
    assert (len(found.learned), len(found.judged)) == (3, 2)
    (tmp_path / "kept" / bundle.REHEARSAL_FILE).write_bytes(content[:-1])
    bundle.load(tmp_path / "kept")
    with pytest.raises(ProviderMisconfigured, match=r"rehearsal\.npz is damaged"):
        rehearsal.load(kept)
    bundle.save(tmp_path / "kept", plain.card, plain.model)
    assert not (tmp_path / "kept" / bundle.REHEARSAL_FILE).exists()
    assert (tmp_path / "kept" / bundle.CARD_FILE).read_bytes() == (tmp_path / "plain" / bundle.CARD_FILE).read_bytes()


BETTER = Hits("theirs", "waste_type", 15, 0, 5, 3)
SAME = Hits("theirs", "cleanliness", 20, 1, 2, 0)
ELSEWHERE = Hits("elsewhere", "waste_type", 177, 4, 3, 8)


@pytest.mark.parametrize(
    ("hits", "result", "words"),
    [
        ([BETTER, SAME, ELSEWHERE], "better", "Better on your photos and not worse elsewhere."),
        ([BETTER], "unknown_elsewhere", "as web-1 keeps no rows that judge."),
        ([SAME, ELSEWHERE], "no_better", "cleanliness as before, 22 of 23 right instead of 21"),
        ([BETTER, Hits("theirs", ACCEPTING, 10, 6, 0, 0)], "no_better", "10 of 16 not accepted wrongly instead of 16"),
        ([BETTER, Hits("elsewhere", ACCEPTING, 170, 9, 2, 8)], "worse_elsewhere", "Elsewhere: accepting worse"),
        # Chance may do this, but it is more than may be lost.
        ([BETTER, Hits("elsewhere", "waste_type", 80, 6, 3, 11)], "worse_elsewhere", "waste_type worse"),
    ],
)
def test_the_result_is_better_only_if_nothing_is_lost(hits: list[Hits], result: str, words: str) -> None:
    found = LearnedMore("web-1", hits, (4, 2))
    assert (found.result, words in str(found)) == (result, True), str(found)


def test_the_words_have_numbers_and_their_uncertainty() -> None:
    assert str(LearnedMore("web-1", [BETTER, ELSEWHERE], (4, 2))) == (
        "Better on your photos and not worse elsewhere. On your photos: waste_type better, 20 of 23 right instead of 15"
        " (+2 to +40 points). Elsewhere: waste_type as before, 180 of 192 right instead of 181 (-4 to +3 points)."
        " It would ask about 2 of your photos instead of 4."
    )


def test_the_model_card_says_it(tmp_path: Path) -> None:
    plain = bundle.load(colour_models.save_both(tmp_path / "both"))
    card = LearnedMore("web-1", [BETTER, ELSEWHERE]).on(plain.card)
    bundle.save(tmp_path / "next", card, plain.model)
    assert "20 of 23 right instead of 15" in (tmp_path / "next" / bundle.PAGE_FILE).read_text()
    for task in card.tasks:
        training_outcome.check(bundle.load(tmp_path / "next", task).card)
