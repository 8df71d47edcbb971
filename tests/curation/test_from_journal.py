"""The machine's own photos as a set: what people said becomes a label, what the machine said does not."""

import csv
import os
import shutil
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from click.testing import CliRunner, Result
from filelock import FileLock
from sqlalchemy import Engine
from sqlalchemy import event as listening

from providers.local_cnn import bundle
from providers.local_cnn.options import shipped
from tests.support.faulty_disk import FULL, failing_replace
from tests.support.machines import BuildMachine
from triof.cli import main
from triof.common.paths import DEMO_PICTURES
from triof.curation.folder_lock import LOCK
from triof.datasets import photo_dataset
from triof.journal.journal import Journal, Kind
from triof.machine.cameras.folder import FolderCamera
from triof.storage.database import Database
from triof.storage.photo_store import PhotoStore
from triof.storage.tables import PredictionRow

DAY = datetime(2026, 11, 1, 12, tzinfo=UTC)


class Past:
    """A machine's journal and photo store, into which deposits are written as they would have happened."""

    def __init__(self, home: Path, new_journal: Path) -> None:
        self.home = home
        home.mkdir(exist_ok=True)
        (home / "machine_id").write_text("machine-7\n")
        shutil.copy(new_journal, home / "journal.db")
        self.at = DAY
        self.journal = Journal(Database(f"sqlite:///{home / 'journal.db'}", "machine-7"), now=lambda: self.at)
        self.store = PhotoStore(home / "photos", 30, 500)

    def deposit(
        self,
        said: str | None = "bottle",
        confirmed: str | None = None,
        *,
        action: str = "accept",
        reason: str = "sure",
        returned: str | None = None,
        ended: bool = True,
        beside: str | None = None,
        probability: float = 0.95,
        version: str = "v1",
        believed: str | None = "",
        photo: str = "",
        kept: bool = True,
        journal: Journal | None = None,
        called: str = "",
    ) -> UUID:
        """One deposit, an hour after the last one; ``said`` is what the machine predicted.

        ``called`` is what the person said of its cleanliness; where it is empty, the journal is of a time before that.

        ``believed`` is what the verdict rested on; where it is empty, the journal is of a time that did not say.
        """
        journal = journal or self.journal
        deposit = uuid4()
        self.at += timedelta(hours=1)
        name = photo or deposit.hex * 2
        detail = {"action": action, "photo": name} | ({} if believed == "" else {"label": believed})
        detail |= {"cleanliness": called} if called else {}
        happened: list[tuple[Kind, str | None, str | None]] = [("deposit.opened", None, None)]
        happened.append(("deposit.judged", said, reason))
        if confirmed:
            happened.append(("deposit.confirmed", confirmed, "agreed" if confirmed == said else "corrected"))
        if returned:
            happened.append(("deposit.returned", None, returned))
        elif ended:
            happened.append(("deposit.shredded", confirmed, None))
        answers = [("waste_type", said, True), ("waste_type", beside, False), ("cleanliness", "clean", True)]
        # In one go: a year of single writes would take the tests minutes.
        journal.write(
            [
                *(
                    journal.event(kind, deposit, waste_type=label, reason=why, **detail)
                    for kind, label, why in happened
                ),
                *(self._row(deposit, name, *answer, probability, version) for answer in answers if answer[1]),
            ]
        )
        if kept:
            self.store.store(name, name.encode())
        return deposit

    def _row(
        self, deposit: UUID, photo: str, task: str, label: str | None, believed: bool, sure: float, version: str
    ) -> Any:
        return PredictionRow(
            machine_id="machine-7",
            at=self.at,
            deposit_id=deposit,
            task=task,
            label=label,
            probability=sure,
            scores={},
            provider="local_cnn" if believed else "custom_vision",
            model_version=version,
            attempts=[],
            photo=photo,
            believed=believed,
        )


@pytest.fixture
def past(tmp_path: Path, new_journal: Path) -> Iterator[Past]:
    past = Past(tmp_path / "home", new_journal)
    yield past
    past.journal.database.close()


def triof(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def fetch(out: Path, *arguments: object) -> list[dict[str, str]]:
    """Run the command well; the rows of its manifest."""
    ran = triof("dataset", "from-journal", "--out", out, *arguments)
    assert ran.exit_code == 0, ran.output
    return rows(out)


def rows(out: Path) -> list[dict[str, str]]:
    if not (out / "manifest.csv").exists():
        return []
    with (out / "manifest.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def told(rows: Sequence[dict[str, str]]) -> list[tuple[str, str, str]]:
    return [(row["waste_type"], row["cleanliness"], row["why"]) for row in rows]


def test_what_people_corrected_is_the_label(past: Past, tmp_path: Path) -> None:
    past.deposit("bottle", "bottle")
    deposit = past.deposit("bottle", "cup")
    (row,) = fetch(tmp_path / "out")
    assert told([row]) == [("cup", "", "corrected")]
    assert {name: row[name] for name in ("source", "machine_id", "deposit", "at", "verdict")} == {
        "source": "journal",
        "machine_id": "machine-7",
        "deposit": str(deposit),
        "at": "2026-11-01T14:00:00+00:00",
        "verdict": "accept sure",
    }
    predicted = [row[f"waste_type_{name}"] for name in ("predicted", "probability", "model_version")]
    assert predicted == ["bottle", "0.9500", "v1"]
    assert row["cleanliness_predicted"] == "clean"
    assert (tmp_path / "out" / row["path"]).read_bytes() == past.store.path(deposit.hex * 2).read_bytes()
    assert (row["group"], row["split"]) == (str(deposit), photo_dataset.split_for(str(deposit)))


def test_the_machines_own_word_is_never_a_label(past: Past, tmp_path: Path) -> None:
    past.deposit("other", action="refuse", reason="other", returned="other")
    past.deposit("bottle", action="refuse", reason="dirty", returned="dirty")
    past.deposit("cup", returned="cancelled")
    past.deposit("cup", action="ask", reason="unsure_type", returned="timed_out")
    assert told(fetch(tmp_path / "out", "--which", "random", "--share", 1)) == [("", "", "random")] * 4


def test_what_a_person_agreed_to_is_a_label(past: Past, tmp_path: Path) -> None:
    past.deposit("cup", "cup")
    assert told(fetch(tmp_path / "out", "--which", "random", "--share", 1)) == [("cup", "", "random")]


def test_all_that_people_confirmed_can_be_had_and_what_is_left_out_is_said(past: Past, tmp_path: Path) -> None:
    past.deposit("bottle", "cup")
    for _ in range(2):
        past.deposit("cup", "cup")
    past.deposit("other", action="refuse", reason="other", returned="other")
    usual = triof("dataset", "from-journal", "--out", tmp_path / "usual")
    assert "1 photo copied" in usual.stdout
    assert "2 photos with a confirmed type left out" in usual.stdout
    assert "`--which confirmed`" in usual.stdout
    found = fetch(tmp_path / "out", "--which", "confirmed")
    assert told(found) == [("cup", "", "confirmed")] * 3
    assert "left out" not in triof("dataset", "from-journal", "--out", tmp_path / "out", "--which", "confirmed").stdout


@pytest.mark.slow
@pytest.mark.parametrize(
    ("confirmed", "called", "returned"), [("cup", "clean", None), ("cup", "dirty", "dirty"), ("other", "", "other")]
)
def test_what_the_person_said_is_the_label_also_of_an_item_handed_back(
    past: Past, tmp_path: Path, confirmed: str, called: str, returned: str | None
) -> None:
    past.deposit("cup", confirmed, action="ask", reason="unsure_cleanliness", called=called, returned=returned)
    whys = "corrected unsure" if confirmed == "other" else "unsure"
    assert told(fetch(tmp_path / "out")) == [(confirmed, called, whys)]


@pytest.mark.parametrize(
    ("reason", "cleanliness"),
    [("unsure_cleanliness", "clean"), ("cleanliness_not_answered", "clean"), ("unsure_type", ""), ("sure", "")],
)
def test_clean_is_told_only_where_the_page_asked(past: Past, tmp_path: Path, reason: str, cleanliness: str) -> None:
    past.deposit("cup", "cup", action="ask", reason=reason)
    assert told(fetch(tmp_path / "out")) == [("cup", cleanliness, "unsure")]


def test_a_question_that_nobody_confirmed_tells_nothing(past: Past, tmp_path: Path) -> None:
    past.deposit("cup", action="ask", reason="unsure_cleanliness", returned="cancelled")
    assert told(fetch(tmp_path / "out")) == [("", "", "unsure")]


def test_unsure_is_a_question_or_an_item_handed_back_before_one(past: Past, tmp_path: Path) -> None:
    past.deposit("cup", "cup", action="ask", reason="unsure_type", probability=0.5)
    past.deposit("cup", action="refuse", reason="dirty", returned="dirty", probability=0.5)
    past.deposit("cup", action="refuse", reason="dirty", returned="dirty", probability=0.9)
    past.deposit("cup", "cup", probability=0.7)  # believed: its model's threshold was lower
    assert [row["verdict"] for row in fetch(tmp_path / "out", "--which", "unsure")] == [
        "ask unsure_type",
        "refuse dirty",
    ]


SHIPPED = bundle.load(shipped("waste_type")).card
DIRTY: dict[str, Any] = {"action": "refuse", "reason": "dirty", "returned": "dirty"}


@pytest.mark.slow
@pytest.mark.parametrize("probability", [0.05, 0.85, 0.95])
@pytest.mark.parametrize("believed", ["cup", None])
def test_the_machine_was_as_sure_as_its_verdict_says(
    past: Past, tmp_path: Path, probability: float, believed: str | None
) -> None:
    past.deposit("cup", probability=probability, version=SHIPPED.version, believed=believed, **DIRTY)
    assert len(fetch(tmp_path / "out", "--which", "unsure")) == (believed is None)


@pytest.mark.slow
@pytest.mark.parametrize("label", SHIPPED.thresholds)
def test_what_an_older_journal_does_not_say_follows_from_the_model_that_answered(
    past: Past, tmp_path: Path, label: str
) -> None:
    least = SHIPPED.thresholds[label]
    for probability, version in (
        (least - 0.001, SHIPPED.version),
        (least, SHIPPED.version),
        (0.79, "gone"),
        (0.8, "gone"),
    ):
        past.deposit(label, probability=probability, version=version, **DIRTY)
    found = fetch(tmp_path / "out", "--which", "unsure")
    assert [row["waste_type_probability"] for row in found] == [f"{least - 0.001:.4f}", "0.7900"]
    policy = ("--set", f"policy.thresholds.{label}={least - 0.01}")
    assert triof(*policy, "dataset", "from-journal", "--out", tmp_path / "new", "--which", "unsure").exit_code == 0
    assert f"{least - 0.001:.4f}" not in [row["waste_type_probability"] for row in rows(tmp_path / "new")]


@pytest.mark.slow
def test_a_real_deposit_is_unsure_where_its_models_threshold_was_not_reached(
    build_machine: BuildMachine, tmp_path: Path
) -> None:
    dirty = {"clean": 0.01, "dirty": 0.99}
    # The policy of today is not the one of then.
    machine = build_machine(
        waste_type=[{"bottle": 0.0, "cup": 0.85, "cutlery": 0.1, "other": 0.05}],
        cleanliness=[dirty],
        camera=FolderCamera(DEMO_PICTURES),
        policy={"thresholds": {"cup": 0.92}},
    )
    machine.visitor().press("/start").press("/waste/pick-type").press("/done")
    (tmp_path / "home" / "machine_id").write_text("machine-1\n")
    assert told(fetch(tmp_path / "out", "--which", "unsure")) == [("", "", "unsure")]


def test_an_unanswered_type_is_unsure_but_not_corrected(past: Past, tmp_path: Path) -> None:
    past.deposit(None, "cup", action="ask", reason="type_not_answered")
    (row,) = fetch(tmp_path / "out")
    assert told([row]) == [("cup", "", "unsure")]
    assert row["waste_type_predicted"] == row["waste_type_probability"] == ""


def test_disagreeing_is_one_answer_beside_another(past: Past, tmp_path: Path) -> None:
    past.deposit("cup", "cup", beside="cup")
    past.deposit("cup", "cup", beside="bottle")
    past.deposit("cup", "bottle", beside="bottle")
    found = fetch(tmp_path / "out", "--which", "disagreeing", "--which", "corrected")
    assert told(found) == [("cup", "", "disagreeing"), ("bottle", "", "corrected disagreeing")]


@pytest.mark.slow
def test_a_random_share_is_the_same_every_time_and_grows(past: Past, tmp_path: Path) -> None:
    for _ in range(60):
        past.deposit("cup", "cup")

    def drawn(out: str, share: float, seed: int = 0) -> set[str]:
        found = fetch(tmp_path / out, "--which", "random", "--share", share, "--seed", seed)
        return {row["deposit"] for row in found}

    third = drawn("a", 0.3)
    assert 8 <= len(third) <= 30
    assert drawn("b", 0.3) == third
    assert drawn("c", 0.6) > third
    assert drawn("d", 0.3, seed=1) != third
    assert drawn("e", 0) == set()


def test_a_rerun_adds_only_what_is_new(past: Past, tmp_path: Path) -> None:
    out = tmp_path / "out"
    past.deposit("bottle", "cup")
    (first,) = fetch(out)
    # Somebody has looked at it since.
    (out / "manifest.csv").write_text((out / "manifest.csv").read_text().replace(",cup,,", ",cutlery,dirty,"))
    past.deposit("bottle", "cutlery")
    ran = triof("dataset", "from-journal", "--out", out)
    assert "1 photo copied" in ran.output
    assert "1 photo there already" in ran.output
    assert told(rows(out)) == [("cutlery", "dirty", "corrected"), ("cutlery", "", "corrected")]
    assert rows(out)[0]["path"] == first["path"]
    before = (out / "manifest.csv").read_bytes()
    assert "0 photos copied" in triof("dataset", "from-journal", "--out", out).output
    assert (out / "manifest.csv").read_bytes() == before


def test_photos_that_are_gone_or_should_be_are_counted(past: Past, tmp_path: Path) -> None:
    past.deposit("bottle", "cup", kept=False)
    old = past.deposit("bottle", "cup")
    past.deposit("bottle", "cup")
    # The kiosk has not run for long, and so has not cleared it away.
    long_ago = time.time() - 31 * 86_400
    os.utime(past.store.path(old.hex * 2), (long_ago, long_ago))
    ran = triof("dataset", "from-journal", "--out", tmp_path / "out")
    assert "1 photo copied" in ran.output
    assert "2 photos not kept any more" in ran.output
    assert "outlive the 30 days" in ran.output


@pytest.mark.parametrize("name", ["keep_photo_days", "keep_photo_megabytes"])
def test_a_machine_that_keeps_no_photos_gives_none(past: Past, tmp_path: Path, name: str) -> None:
    past.deposit("bottle", "cup")
    ran = triof("--set", f"journal.{name}=0", "dataset", "from-journal", "--out", tmp_path / "out")
    assert ran.exit_code == 1
    assert f"keeps no photos (journal.{name} = 0)" in ran.output
    assert not (tmp_path / "out").exists()


def test_a_machine_that_may_keep_no_photos_gives_none(past: Past, tmp_path: Path) -> None:
    past.deposit("bottle", "cup")
    ran = triof("--set", "privacy.keep_photos=none", "dataset", "from-journal", "--out", tmp_path / "out")
    assert ran.exit_code == 1
    assert "keeps no photos (privacy.keep_photos = none)" in ran.output


def test_the_photo_store_is_no_place_for_copies(past: Past) -> None:
    past.deposit("bottle", "cup")
    ran = triof("dataset", "from-journal", "--out", past.home / "photos" / "set")
    assert ran.exit_code == 1
    assert "which the machine clears" in ran.output


def test_drills_and_unfinished_deposits_are_left_out(past: Past, tmp_path: Path) -> None:
    drilled = past.deposit("cup", action="ask", reason="unsure_type", returned="cancelled")
    past.journal.record("drill.ended", deposits=[str(drilled)])
    past.deposit("cup", action="ask", reason="unsure_type", ended=False)
    ran = triof("dataset", "from-journal", "--out", tmp_path / "out")
    assert "0 photos copied" in ran.output
    assert "1 photo left out, as a drill made them" in ran.output
    assert rows(tmp_path / "out") == []


def test_another_machines_deposits_in_the_same_database_are_not_ours(past: Past, tmp_path: Path) -> None:
    other = Journal(Database(f"sqlite:///{past.home / 'journal.db'}", "machine-8"), now=lambda: past.at)
    past.deposit("bottle", "cup", journal=other)
    other.database.close()
    assert fetch(tmp_path / "out") == []


@pytest.mark.slow
def test_since_and_limit(past: Past, tmp_path: Path) -> None:
    for _ in range(60):
        past.deposit("bottle", "cup")
    assert len(fetch(tmp_path / "a", "--since", "2026-11-03")) in range(20, 40)  # from midnight of wherever this is
    ran = triof("dataset", "from-journal", "--out", tmp_path / "b", "--limit", 5)
    assert "run it again for the next ones" in ran.output
    first = [row["at"] for row in rows(tmp_path / "b")]
    assert first == [f"2026-11-01T{hour}:00:00+00:00" for hour in range(13, 18)]
    assert len(fetch(tmp_path / "b", "--limit", 5)) == 10


def test_tries_of_one_item_share_a_group(past: Past, tmp_path: Path) -> None:
    first = past.deposit("cup", action="ask", reason="unsure_type", returned="cancelled")
    past.at -= timedelta(minutes=59)  # a minute later
    past.deposit("cup", "cup", action="ask", reason="unsure_type")
    # An hour after one that was kept, and an hour after one that was handed back: another item each.
    later = past.deposit("cup", action="ask", reason="unsure_type", returned="cancelled")
    latest = past.deposit("cup", "cup", action="ask", reason="unsure_type")
    found = fetch(tmp_path / "out")
    assert [row["group"] for row in found] == [str(first), str(first), str(later), str(latest)]
    assert len({row["split"] for row in found[:2]}) == 1
    photo_dataset.read(tmp_path / "out")


def test_one_photo_is_copied_once(past: Past, tmp_path: Path) -> None:
    for _ in range(3):
        past.deposit("bottle", "cup", photo="ab" * 32)
    assert len(fetch(tmp_path / "out")) == 1


def test_a_share_without_random_is_asked_wrongly(past: Past, tmp_path: Path) -> None:
    ran = triof("dataset", "from-journal", "--out", tmp_path / "out", "--share", 0.5)
    assert ran.exit_code == 2
    assert "--share belongs to --which random" in ran.output


def test_what_was_copied_before_the_disk_was_full_is_listed(
    past: Past, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(3):
        past.deposit("bottle", "cup")
    failing_replace(monkeypatch, OSError(*FULL), "*.jpg", spared=2)
    ran = triof("dataset", "from-journal", "--out", tmp_path / "out")
    assert ran.exit_code == 1
    assert "No space left on device" in ran.output
    assert len(rows(tmp_path / "out")) == 2


def test_two_runs_do_not_overwrite_each_others_manifest(past: Past, tmp_path: Path) -> None:
    past.deposit("bottle", "cup")
    (tmp_path / "out").mkdir()
    with FileLock(tmp_path / "out" / LOCK):
        ran = triof("dataset", "from-journal", "--out", tmp_path / "out")
    assert ran.exit_code == 1
    assert "Another run writes to" in ran.output
    assert len(fetch(tmp_path / "out")) == 1


@pytest.mark.slow
def test_a_year_is_not_read_into_memory_at_once(past: Past, tmp_path: Path) -> None:
    for _ in range(120):
        past.deposit("cup", "cup")
    sizes: list[int] = []

    @listening.listens_for(Engine, "after_cursor_execute")
    def count(connection: Any, cursor: Any, statement: str, *_: Any) -> None:
        sizes.append(statement.count("?"))

    looked = 0
    for events, predictions in past.journal.judged():
        assert [event.kind for event in events][-1] == "deposit.shredded"
        assert len(predictions) == 2
        looked += 1
        if looked == 1:
            assert len(sizes) == 3  # the first deposits, their events, their predictions
    assert looked == 120
    assert max(sizes) <= 102


@pytest.mark.slow
def test_deposits_of_a_real_machine(build_machine: BuildMachine, tmp_path: Path) -> None:
    """The real flow: bottles seen, one confirmed as a cup although the machine is sure, one handed back."""
    machine = build_machine(waste_type=["bottle"], camera=FolderCamera(DEMO_PICTURES))
    visitor = machine.visitor()
    visitor.press("/start").press("/waste/pick-type").press("/confirmation", waste_type="cup")
    visitor.press("/confirmation", waste_type="cup", sure="1").wait_idle().open("/confirmation").press("/done")
    visitor.press("/start").press("/waste/pick-type").press("/return").press("/done")
    (tmp_path / "home" / "machine_id").write_text("machine-1\n")
    found = fetch(tmp_path / "out", "--which", "corrected", "--which", "random", "--share", 1)
    assert told(found) == [("cup", "", "corrected random"), ("", "", "random")]
    assert all(photo_dataset.read(tmp_path / "out").photos[index].path.stat().st_size > 1000 for index in (0, 1))
