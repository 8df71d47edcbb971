"""Every step of ``triof azure`` meets every fault that passes: each command ends well, and does everything once."""

import json
import re
from collections.abc import Sequence
from pathlib import Path

import pytest

from providers.custom_vision.options import TRAINING_TIERS
from testing.azure.replies import Fault
from testing.azure.training_server import TrainingServer
from tests.support.azure_desk import ATTEMPTS, Desk, crowd, sent_once
from triof.datasets import photo_dataset

pytestmark = pytest.mark.slow

PASSING: list[tuple[Sequence[Fault], bool]] = [
    (("reset", "truncated", "cut"), False),
    (("dropped", "empty_503", "rate_limited"), False),
    (("html_502", "html_200"), True),
    (("empty_200",), True),
]
"""And whether the work was done although the answer is the fault's."""


class Faulty:
    """Lets every step meet the faults, one after the other, the first times that it is taken."""

    def __init__(self, azure: TrainingServer, faults: Sequence[Fault], handled: bool) -> None:
        self.met: set[str] = set()
        self._azure, self._faults, self._handled = azure, faults, handled
        azure.on_request = self._meet

    def _meet(self, method: str, path: str) -> None:
        step = f"{method} {path}"
        if step not in self.met:
            self.met.add(step)
            for fault in self._faults:
                self._azure.faults_next(1, fault, f"^{re.escape(step)}$", handled=self._handled)


@pytest.mark.parametrize(("faults", "handled"), PASSING)
def test_faults_at_every_step_are_survived_and_nothing_is_done_twice(
    desk: Desk, azure: TrainingServer, faults: Sequence[Fault], handled: bool
) -> None:
    azure.filters = "refused"
    photos = str(desk.photos({"bottle": 5, "cup": 5}))
    faulty = Faulty(azure, faults, handled)
    desk.well("setup")
    desk.well("upload", photos, "--split", "all")
    assert "is trained" in desk.well("train", "--wait")
    assert "answers as triof now" in desk.well("publish", "latest")
    desk.well("export", "latest", "--out", "model.zip")
    desk.well("backup", "home_again")
    desk.well("unpublish", "latest", "--yes")
    (project,) = azure.projects.values()
    (iteration,) = project.iterations.values()
    assert len(project.tags) == 4
    assert len(project.photos) == 10
    assert sent_once(azure)
    assert (iteration.publish_name, len(iteration.exports)) == (None, 1)
    assert len(photo_dataset.read(desk.folder / "home_again").photos) == 10
    assert "10 photos and 1 export of" in desk.well("backup", "home_again", "--verify")
    crowd(azure, iterations=TRAINING_TIERS["F0"].iterations - 1)
    desk.well("upload", str(desk.photos({"bottle": 1}, "more")), "--split", "all")
    assert "Deleted Iteration 1" in desk.well("train", "--wait", "--yes")
    assert [each.name for each in project.iterations.values() if not each.name.startswith("Crowd")] == ["Iteration 2"]
    assert len(faulty.met) >= len(azure.operations)


def ready_to_train(desk: Desk) -> None:
    desk.ready()
    desk.upload(desk.photos({"bottle": 5, "cup": 5}))


@pytest.mark.parametrize(
    "fault", ["reset", "empty_503", "html_200", "rate_limited", "empty_401", "forbidden", "quota_403"]
)
def test_whatever_ends_the_looks_the_training_is_said_to_go_on(desk: Desk, azure: TrainingServer, fault: Fault) -> None:
    ready_to_train(desk)
    azure.training_polls = 100
    azure.on_request = lambda _, path: setattr(azure, "fault", fault) if "/iterations/" in path else None
    told = desk.fails("train", "--wait")
    assert "The training goes on in the cloud: `triof azure train --wait` looks again" in told
    azure.on_request = azure.fault = None
    (project,) = azure.projects.values()
    next(iter(project.iterations.values())).polls = 3
    assert "is trained" in desk.well("train", "--wait")
    assert azure.operations["TrainProject"] == 1


def test_where_nobody_knows_whether_a_training_has_begun_it_is_said(desk: Desk, azure: TrainingServer) -> None:
    ready_to_train(desk)
    azure.on_request = lambda _, path: setattr(azure, "fault", "reset") if path.endswith("/train") else None
    told = desk.fails("train")
    assert "The training may have begun all the same: `triof azure train --wait` looks." in told
    azure.on_request = azure.fault = None
    assert "Iteration 1" in desk.well("train", "--wait")
    (project,) = azure.projects.values()
    assert len(project.iterations) == 1


def test_a_training_that_ended_before_its_answer_came_is_the_one_that_was_asked_for(
    desk: Desk, azure: TrainingServer
) -> None:
    ready_to_train(desk)
    azure.training_polls = 0
    azure.faults_next(1, "reset", only="POST .*/train")
    azure.faults_next(1, "dropped", only="GET .*/iterations$")
    told = desk.well("train", "--wait")
    assert "Iteration 1 is trained" in told.replace("(", "").replace(")", "")
    assert "Nothing has changed" not in told


def test_an_answer_that_is_lost_for_good_tells_how_to_go_on(desk: Desk, azure: TrainingServer) -> None:
    ready_to_train(desk)
    desk.well("train", "--wait")
    azure.faults_next(ATTEMPTS * ATTEMPTS, "reset", only="(POST|GET) .*/export")
    assert "broke off" in desk.fails("export", "latest")
    azure.clear_faults()
    desk.well("export", "latest", "--out", "model.zip")
    (project,) = azure.projects.values()
    (iteration,) = project.iterations.values()
    assert len(iteration.exports) == 1


# Backup: what comes is checked


RUBBISH: list[Fault] = ["html_200", "redirect", "cut", "empty_200", "expired_link", "bad_json", "json_list"]


@pytest.mark.parametrize(("faults", "digests"), [(RUBBISH, False), (["cut"], True)])
def test_rubbish_instead_of_a_photo_or_an_export_is_fetched_again(
    desk: Desk, azure: TrainingServer, faults: Sequence[Fault], digests: bool
) -> None:
    ready_to_train(desk)
    desk.well("train", "--wait")
    azure.states_digests = digests
    for fault in faults:
        azure.faults_next(3, fault, only="GET /blobs/images")
        azure.faults_next(1, fault, only="GET /blobs/exports")
        desk.well("backup", fault)
        assert whole(desk, azure, fault)
        assert not any(b"key" in path.read_bytes()[:9] for path in (desk.folder / fault).rglob("*.*"))


@pytest.mark.parametrize("fault", ["html_200", "cut", "expired_link"])
def test_rubbish_that_comes_each_time_is_counted_named_and_not_kept(
    desk: Desk, azure: TrainingServer, fault: Fault
) -> None:
    ready_to_train(desk)
    desk.well("train", "--wait")
    victim = sorted(photo.id for photo in azure.photos.values())[3]
    azure.faults_next(100, fault, only=f"GET /blobs/(images/{victim}|exports)")
    ran = desk.run("backup", "b")
    assert ran.exit_code == 1
    assert f"Not fetched: photo {victim}: " in ran.stdout
    assert "Not exported: Iteration 1 for TensorFlowLite: " in ran.stdout
    assert "2 are missing: the same command tries again." in ran.stdout
    assert "Was not whole" not in ran.stdout
    assert "key" not in ran.output
    assert len(photo_dataset.read(desk.folder / "b").photos) == 9
    assert len([path for path in (desk.folder / "b").rglob("*") if path.is_file()]) == 9 + len(["manifest", "project"])
    told = desk.fails("backup", "b", "--verify")
    assert "2 things are wrong" in told
    azure.clear_faults()
    desk.well("backup", "b")
    assert whole(desk, azure)


def test_one_photo_that_the_storage_cannot_give_out_keeps_no_other_from_coming(
    desk: Desk, azure: TrainingServer
) -> None:
    ready_to_train(desk)
    victim = sorted(photo.id for photo in azure.photos.values())[0]
    azure.faults_next(100, "server_error", only=f"GET /blobs/images/{victim}")
    ran = desk.run("backup", "b", "--no-exports")
    assert ran.exit_code == 1
    assert f"Not fetched: photo {victim}: The cloud answered with status 500" in ran.stdout
    assert len(photo_dataset.read(desk.folder / "b").photos) == 9


def test_what_an_earlier_run_kept_wrongly_is_fetched_again_and_named(desk: Desk, azure: TrainingServer) -> None:
    ready_to_train(desk)
    desk.well("train", "--wait")
    desk.well("backup", "b")
    folder = desk.folder / "b"
    spoilt = [min((folder / "photos").iterdir()), min((folder / "exports").iterdir())]
    for content in (b"", b"<!DOCTYPE html><html>Wi-Fi</html>", b"half", b"PK\x05\x06" + bytes(18)):
        for path in spoilt:
            path.write_bytes(path.read_bytes()[: path.stat().st_size // 2] if content == b"half" else content)
        told = desk.run("backup", "b", "--verify")
        assert told.exit_code == 1
        assert all(path.name in told.stdout for path in spoilt)
        again = desk.well("backup", "b")
        assert all(f"Was not whole, and was fetched again: {path.name}" in again for path in spoilt)
    assert whole(desk, azure)
    assert "again" not in desk.well("backup", "b")


def whole(desk: Desk, azure: TrainingServer, folder: str = "b") -> bool:
    """Whether the backup holds every photo and its export, by their contents and by its own word, without a network."""
    downloads = len(azure.downloads)
    received = azure.received
    azure.stop()
    told = desk.well("backup", folder, "--verify")
    azure.start()
    kept = {item.path.read_bytes() for item in photo_dataset.read(desk.folder / folder).photos}
    return (
        kept == {photo.contents for photo in azure.photos.values()}
        and f"{len(kept)} photos and 1 export of {folder} are whole." in told
        and (len(azure.downloads), azure.received) == (downloads, received)
    )


def test_rubbish_instead_of_an_export_is_fetched_once_more_and_never_kept(desk: Desk, azure: TrainingServer) -> None:
    ready_to_train(desk)
    desk.well("train", "--wait")
    faults: list[Fault] = ["html_200", "redirect", "cut", "empty_200", "expired_link"]
    for fault in faults:
        azure.faults_next(100, fault, only="GET /blobs/exports")
        told = desk.fails("export", "latest", "--out", "model.zip")
        assert "key" not in told
        assert not list(desk.folder.glob("model*"))
        azure.clear_faults()
        azure.faults_next(1, fault, only="GET /blobs/exports")
        desk.well("export", "latest", "--out", "model.zip")
        (desk.folder / "model.zip").unlink()
    desk.well("export", "latest", "--install")


# The proof


@pytest.fixture
def kept(desk: Desk) -> Path:
    """A backup whose iteration has answered about all photos."""
    desk.trained({"bottle": 6, "cup": 6})
    desk.well("publish", "latest")
    desk.well("evaluate", "--data", str(desk.folder / "photos"), "--split", "train", "--yes", "--no-report")
    desk.well("backup", "b")
    return desk.folder / "b"


def test_an_export_is_held_against_the_recorded_answers_though_the_photos_have_moved(desk: Desk, kept: Path) -> None:
    (desk.folder / "photos").rename(desk.folder / "moved")
    desk.set(training_endpoint=None, training_key=None, prediction_endpoint=None, prediction_key=None)
    told = desk.well("backup", "b", "--verify")
    assert re.search(r"its model loads; agrees with the cloud on (\d+) of \1 photos \(100.0 %\), its .* to 0.00", told)


def test_an_export_that_answers_otherwise_than_the_cloud_is_none(desk: Desk, azure: TrainingServer, kept: Path) -> None:
    (answers,) = (desk.home / "azure" / "answers").iterdir()
    lines = [json.loads(line) for line in answers.read_text().splitlines()]
    for line in lines:
        line["scores"] = {label: 1 - score for label, score in line["scores"].items()}
    answers.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    ran = desk.run("backup", "b", "--verify")
    assert ran.exit_code == 1
    assert "It is not the model that the cloud asked: it agrees with the cloud on" in ran.stdout


def test_what_is_lacking_or_changed_is_named(desk: Desk, kept: Path) -> None:
    first, second, *_ = sorted((kept / "photos").iterdir())
    first.unlink()
    second.write_bytes(max((kept / "photos").iterdir()).read_bytes())
    (export,) = (kept / "exports").iterdir()
    export.unlink()
    ran = desk.run("backup", "b", "--verify")
    assert f"{first.name}: it cannot be read" in ran.stdout
    assert f"{second.name}: its contents have changed since it was fetched." in ran.stdout
    assert f"{export.name}: it was never fetched." in ran.stdout
    assert ran.stderr == "Error: 3 things are wrong: `triof azure backup b` fetches what the cloud still has.\n"


def test_what_is_no_backup_or_not_finished_is_said(desk: Desk, azure: TrainingServer, kept: Path) -> None:
    assert "holds no backup" in desk.fails("backup", "nowhere", "--verify")
    assert "./backup" in desk.well("backup", "--help")
    assert "backup holds no backup" in desk.fails("backup", "--verify")
    record = json.loads((kept / "project.json").read_text())
    del record["photos"]
    (kept / "project.json").write_text(json.dumps(record))
    assert "the backup was not finished" in desk.run("backup", "b", "--verify").stdout
    desk.well("backup", "c", "--no-exports")
    assert "The models were left out (--no-exports)." in desk.well("backup", "c", "--verify")
