"""``triof azure`` as a technician meets it: what each command does, says and refuses.

Uploads have a file of their own, ``test_uploading.py``.
"""

import json
import os
import re
import signal
import subprocess
import sys
import tomllib
import zipfile
from functools import partial
from pathlib import Path

import pytest
from click.testing import Result
from PIL import Image

from providers.custom_vision import options as vendor
from providers.custom_vision.options import CustomVisionOptions
from testing.azure.replies import Fault
from testing.azure.training_api import Call
from testing.azure.training_records import COMPACT, COMPACT_S1, GENERAL
from testing.azure.training_server import TrainingServer
from testing.http_replies import Reply, page
from testing.image_files import encoded
from tests.support.azure_desk import ATTEMPTS, TAGS, Desk, a_photo, crowd, row
from tests.support.clock import Clock
from tests.support.full_disk import fill, small_disk
from triof.datasets import photo_dataset
from triof.settings.loader import load

pytestmark = pytest.mark.slow

PUBLISH = r"POST .*/publish"
TRAIN = r"POST .*/train"


def written(desk: Desk) -> dict[str, str]:
    """What azure.toml holds."""
    settings: dict[str, str] = tomllib.loads((desk.home / "config" / "azure-written.toml").read_text())["custom_vision"]
    return settings


def stranger(azure: TrainingServer, desk: Desk, *, kind: str = "Multiclass", domain: str = COMPACT.id) -> str:
    """A project called triof that somebody has made in the portal; its id."""
    desk.ready()
    (project,) = azure.projects.values()
    (desk.home / "config" / "azure-written.toml").unlink()
    project.classification = kind
    project.domain = next(found for found in (COMPACT, COMPACT_S1, GENERAL) if found.id == domain)
    return project.id


# Settings


def test_without_settings_one_sentence_names_them(desk: Desk) -> None:
    desk.set(training_endpoint=None, training_key=None, prediction_endpoint=None, prediction_key=None)
    for command in ("setup", "status", "iterations", "train"):
        told = desk.fails(command)
        assert "TRIOF_CUSTOM_VISION__TRAINING_ENDPOINT" in told
        assert "TRIOF_CUSTOM_VISION__TRAINING_KEY" in told
        assert told.count("\n") == 1


@pytest.mark.parametrize("name", ["training_endpoint", "training_key"])
def test_half_of_the_settings_is_the_same(desk: Desk, azure: TrainingServer, name: str) -> None:
    desk.set(**{name: None})
    assert f"TRIOF_CUSTOM_VISION__{name.upper()}" in desk.fails("status")
    assert azure.received == 0


def test_a_key_file_does_too_and_one_that_is_missing_is_a_sentence(desk: Desk, azure: TrainingServer) -> None:
    desk.set(training_key=None, training_key_file=desk.folder / "none")
    assert "training_key_file" in desk.fails("status")
    key = desk.folder.parent / f"{desk.folder.name}.key"
    key.write_text(azure.training_key + "\n")
    desk.set(training_key_file=key)
    assert "No project is chosen: `triof azure setup`" in desk.well("status")


def test_without_a_project_the_way_to_one_is_named(desk: Desk) -> None:
    photos = str(desk.photos({"bottle": 5}))
    for command in (("train",), ("iterations",), ("evaluate",), ("export", "x"), ("upload", photos), ("backup", "b")):
        assert "triof azure setup" in desk.fails(*command)


def test_a_project_that_was_removed_in_the_portal_is_named(desk: Desk, azure: TrainingServer) -> None:
    desk.ready()
    azure.projects.clear()
    for command in ("setup", "train", "status"):
        assert "custom_vision.project_id" in desk.fails(command)


def test_settings_show_no_key(azure: TrainingServer) -> None:
    options = CustomVisionOptions.model_validate(
        {"training_endpoint": azure.endpoint, "training_key": azure.training_key}
    )
    assert azure.training_key not in f"{options!r}{options}{options.model_dump()}{options.model_dump_json()}"


# What is at the other end


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        ("html_200", "login page"),
        ("redirect", "login page"),
        ("bad_json", "makes no sense"),
        ("json_list", "makes no sense"),
        ("empty_200", "makes no sense"),
        ("empty_object", "makes no sense"),
        ("html_502", "status 502"),
        ("empty_503", "status 503"),
        ("server_error", "status 500"),
        ("truncated", "broke off"),
        ("reset", "broke off"),
        ("rate_limited", "too fast"),
        ("quota_403", "quota"),
        ("forbidden", "network rules"),
        ("empty_401", "custom_vision.training_key"),
        ("bad_image", "does not do that"),
    ],
)
def test_whatever_answers_instead_of_the_cloud_is_one_sentence(
    desk: Desk, azure: TrainingServer, fault: Fault, told: str
) -> None:
    desk.ready()
    azure.fault = fault
    for command in ("setup", "iterations"):
        ran = desk.run(command)
        if (fault, command) == ("json_list", "iterations"):
            assert ran.exit_code == 0, "an empty list is the answer where there is none"
            continue
        assert ran.exit_code == 1
        assert told in ran.stderr
        assert ran.stderr.count("\n") == 1
        assert "<" not in ran.stderr


def _instead(operation: str, reply: Reply, call: Call) -> Reply | None:
    return reply if call.operation == operation else None


def test_null_answers_are_one_sentence(desk: Desk, azure: TrainingServer) -> None:
    desk.ready()
    asked = {
        "GetProject": "setup",
        "GetTags": "train",
        "GetIterations": "iterations",
        "GetImageCount": "status",
    }
    for operation, command in asked.items():
        for null in (b"null", b"[null]", b"[{}]", b"{}"):
            reply = Reply(200, null)
            azure.on_call = partial(_instead, operation, reply)
            assert "makes no sense" in desk.fails(command), (operation, null)


def test_passing_faults_are_tried_again_and_said_once(desk: Desk, azure: TrainingServer) -> None:
    desk.ready()
    azure.faults_next(ATTEMPTS - 1, "empty_503")
    assert desk.well("iterations").count("Trying again …") == 1


@pytest.mark.parametrize("fault", ["empty_401", "forbidden", "bad_image", "quota_403"])
def test_what_does_not_pass_is_asked_once(desk: Desk, azure: TrainingServer, fault: Fault) -> None:
    desk.ready()
    before, azure.fault = azure.received, fault
    desk.fails("iterations")
    assert azure.received == before + 1


def test_a_wrong_key_is_named_and_asked_with_once(desk: Desk, azure: TrainingServer) -> None:
    desk.set(training_key="0123456789abcdef0123456789abcdef")
    told = desk.fails("setup")
    assert "renew custom_vision.training_key" in told
    assert "0123456789abcdef" not in told
    assert azure.received == 1


def test_a_wrong_endpoint_is_named(desk: Desk, azure: TrainingServer) -> None:
    desk.ready()
    azure.stop()
    assert "cannot be reached" in desk.fails("status")
    azure.start()
    desk.set(training_endpoint="https://example.org/customvision")
    ran = desk.run("status")
    assert ran.exit_code == 2
    assert "training_endpoint" in ran.stderr


def test_a_web_server_at_the_endpoint_is_named(desk: Desk, azure: TrainingServer) -> None:
    azure.answers_instead = lambda _: page(404, "Not Found")
    assert "check custom_vision.training_endpoint" in desk.fails("status")


# Setup and status


def test_setup_makes_the_project_and_its_tags_and_may_be_called_again(desk: Desk, azure: TrainingServer) -> None:
    made = desk.well("setup")
    (project,) = azure.projects.values()
    assert (project.name, project.classification, project.domain) == ("triof", "Multiclass", COMPACT)
    assert {tag.name: tag.type for tag in project.tags.values()} == {
        "bouteille": "Regular",
        "gobelet": "Regular",
        "couvert": "Regular",
        "Negative": "Negative",
    }
    assert written(desk) == {"project_id": project.id}
    assert "azure-written.toml" in made
    again = desk.well("setup")
    assert again.count("is there") == 4
    assert "azure-written.toml" not in again
    assert azure.operations["CreateProject"] == 1
    assert azure.operations["CreateTag"] == 4


def test_setup_takes_the_domain_of_the_settings_and_the_name_of_the_option(desk: Desk, azure: TrainingServer) -> None:
    desk.set(domain="general_compact_s1")
    desk.well("setup", "--name", "canteen [/b] 3")
    (project,) = azure.projects.values()
    assert (project.name, project.domain) == ("canteen [/b] 3", COMPACT_S1)
    assert "canteen [/b] 3" in desk.well("status")


def test_setup_finds_the_project_of_that_name_and_adds_what_lacks(desk: Desk, azure: TrainingServer) -> None:
    id_ = stranger(azure, desk)
    project = azure.projects[id_]
    project.tags = {key: tag for key, tag in project.tags.items() if tag.name != "couvert"}
    told = desk.well("setup")
    assert "tag couvert: made" in told
    assert told.count("is there") == 3
    assert written(desk) == {"project_id": id_}


def test_setup_makes_the_tags_of_the_settings(desk: Desk, azure: TrainingServer) -> None:
    (desk.home / "config").mkdir()
    (desk.home / "config" / "site.toml").write_text('[custom_vision.tags]\nflacon = "bottle"\n')
    desk.ready()
    (project,) = azure.projects.values()
    assert "flacon" in {tag.name for tag in project.tags.values()}


@pytest.mark.parametrize(
    ("kind", "domain", "told"), [("Multilabel", COMPACT.id, "Multiclass"), ("Multiclass", GENERAL.id, "compact")]
)
def test_a_project_of_no_use_is_refused_with_the_remedy(
    desk: Desk, azure: TrainingServer, kind: str, domain: str, told: str
) -> None:
    id_ = stranger(azure, desk, kind=kind, domain=domain)
    refusal = desk.fails("setup")
    assert told in refusal
    assert "--name" in refusal
    assert not (desk.home / "config" / "azure-written.toml").exists()
    desk.set(project_id=id_)
    assert told in desk.fails("setup")
    assert told in desk.fails("upload", str(desk.photos({"bottle": 5, "cup": 5})))
    assert "of no use here" in desk.well("status")
    assert azure.batches == []


def test_the_tier_s_projects_are_counted_before_one_is_made(desk: Desk, azure: TrainingServer) -> None:
    for name in ("one", "two"):
        desk.well("setup", "--name", name)
        (desk.home / "config" / "azure-written.toml").unlink()
    told = desk.fails("setup")
    assert "F0 takes 2 projects" in told
    assert "one" in told
    assert "two" in told
    assert azure.operations["CreateProject"] == 2
    desk.well("setup", "--name", "two")


def test_projects_of_one_name_are_told_apart_by_the_settings(desk: Desk, azure: TrainingServer) -> None:
    first = stranger(azure, desk)
    desk.well("setup", "--name", "other")
    (desk.home / "config" / "azure-written.toml").unlink()
    second = next(id_ for id_ in azure.projects if id_ != first)
    azure.projects[second].name = "triof"
    told = desk.fails("setup")
    assert first in told
    assert second in told
    desk.set(project_id=second)
    assert second in desk.well("setup")


def test_setup_does_not_write_what_the_environment_says(desk: Desk, azure: TrainingServer) -> None:
    desk.set(project_id=stranger(azure, desk))
    assert "Kept" not in desk.well("setup")
    assert not (desk.home / "config" / "azure-written.toml").exists()


def test_status_shows_what_is_there_and_what_is_left(desk: Desk, azure: TrainingServer) -> None:
    assert row(desk.well("status"), "projects") == ["0", "2", "2"]
    desk.trained({"bottle": 7, "cup": 5, "other": 3 + 2})
    desk.well("publish", "latest")
    (project,) = azure.projects.values()
    next(iter(project.tags.values())).name = "[/b]"
    shown = desk.well("status")
    assert f"* project triof ({project.id})" in shown
    assert row(shown, "[/b]")[0].startswith("unknown:")
    assert row(shown, "couvert") == ["cutlery", "0 (needs 5)"]
    assert row(shown, "Negative (Negative)") == ["other", "5"]
    assert row(shown, "photos") == ["17", "5,000", "4,983"]
    assert row(shown, "iterations") == ["1", "20", "19"]
    assert "Completed, published as triof" in shown
    assert "1 h of training a month" in shown
    assert "Trained this month: at least 4 of 60 min" in shown
    assert "at most 56 are left" in shown
    assert "10,000 of 10,000 predictions are left" in shown
    for iteration in project.iterations.values():
        iteration.trained_at = "2020-01-31T12:00:00.000Z"
    assert "at least 0 of 60 min" in desk.well("status")
    desk.set(training_tier="S0", euros_per_1000_photos_a_month=1000)
    assert "17.00 € a month" in desk.well("status")


# Training


def test_training_begins_and_is_looked_at_later(desk: Desk, azure: TrainingServer) -> None:
    desk.ready()
    desk.upload(desk.photos({"bottle": 5, "cup": 5}))
    azure.training_polls = 4
    assert "--wait" in desk.well("train")
    assert "Training" in desk.well("iterations")
    told = desk.well("train", "--wait")
    assert "is trained, in 4 min" in told
    assert azure.operations["TrainProject"] == 1, "the second has seen that one is under way"
    assert row(desk.well("iterations"), "Iteration 1")[1] == "Completed"
    assert "1 of the 20" in desk.well("iterations")


def test_nothing_changed_is_no_failure(desk: Desk, azure: TrainingServer) -> None:
    desk.trained()
    for options in ((), ("--wait",)):
        told = desk.well("train", *options)
        assert "Nothing has changed since the last training" in told
        assert re.search(r"The latest is Iteration 1 \(\w{8}\): Completed, 20\d\d-", told)


def test_a_training_that_fails_is_told_with_its_reason(desk: Desk, azure: TrainingServer) -> None:
    desk.ready()
    desk.upload(desk.photos({"bottle": 5, "cup": 5}))
    azure.training_ends_as = "Failed"
    assert "The model did not converge" in desk.fails("train", "--wait")
    assert "Failed: The model did not converge" in desk.well("iterations")
    azure.training_ends_as = "Completed"
    told = desk.well("train", "--wait")
    assert told.index("Failed (The model did not converge)") < told.index("Iteration 2 is trained")
    project = next(iter(azure.projects.values()))
    del project.iterations[list(project.iterations)[1]]
    for command in (("publish",), ("export",), ("evaluate",)):
        assert "could not be trained (The model did not converge)" in desk.fails(*command, "Iteration 1")


def test_waiting_asks_as_often_as_the_settings_say(desk: Desk, azure: TrainingServer, clock: Clock) -> None:
    desk.ready()
    desk.upload(desk.photos({"bottle": 5, "cup": 5}))
    azure.training_polls = 3
    before, _ = clock.seconds, desk.set(poll_seconds=60)
    desk.well("train", "--wait")
    assert 4 * 60 <= clock.seconds - before < 4 * 60 + 5


def test_a_network_that_goes_while_one_waits_is_told_with_what_goes_on(desk: Desk, azure: TrainingServer) -> None:
    desk.ready()
    desk.upload(desk.photos({"bottle": 5, "cup": 5}))
    azure.faults_next(ATTEMPTS, "empty_503", only="GET .*/iterations/")
    assert "The training goes on in the cloud" in desk.fails("train", "--wait")
    assert "is trained" in desk.well("train", "--wait")


def test_tags_with_too_few_photos_are_left_untaught(desk: Desk, azure: TrainingServer) -> None:
    desk.ready()
    desk.upload(desk.photos({"bottle": 5, "cup": 60}))
    told = desk.well("train", "--wait")
    assert "fewer than 5 photos: Negative (0), couvert (0)." in told
    assert "advises 50 photos a tag or more: bouteille (5)." in told
    (project,) = azure.projects.values()
    (iteration,) = project.iterations.values()
    assert {tag.name for tag in iteration.tags} == {"bouteille", "gobelet"}


def test_all_tags_are_taught_where_all_have_photos(desk: Desk, azure: TrainingServer) -> None:
    desk.ready()
    desk.upload(desk.photos(dict.fromkeys(TAGS, 5)))
    assert "untaught" not in desk.well("train", "--wait")


def test_one_taught_tag_is_too_little_and_is_not_asked_for(desk: Desk, azure: TrainingServer) -> None:
    desk.ready()
    desk.upload(desk.photos({"bottle": 6}))
    told = desk.fails("train")
    assert "2 tags with 5 photos" in told
    assert "triof azure upload" in told
    assert azure.operations["TrainProject"] == 0


def test_an_advanced_training_names_its_price_first(desk: Desk, azure: TrainingServer) -> None:
    desk.ready()
    desk.upload(desk.photos({"bottle": 5, "cup": 5}))
    desk.set(training_tier="S0", euros_per_training_hour=10)
    refused = desk.run("train", "--advanced", "3", answer="n\n")
    assert refused.exit_code == 1
    assert "30.00 €" in refused.output
    assert azure.operations["TrainProject"] == 0
    desk.set(training_tier="F0")
    assert "which F0 has 1 of a month" in desk.run("train", "--advanced", "1", answer="n\n").output
    desk.well("train", "--advanced", "3", "--wait", answer="y\n")
    assert "(advanced)" in desk.well("iterations")
    (project,) = azure.projects.values()
    assert [(each.training_type, each.budget) for each in project.iterations.values()] == [("Advanced", 3)]
    assert desk.run("train", "--advanced", "0").exit_code == 2


@pytest.fixture
def room_for_two(desk: Desk, azure: TrainingServer) -> TrainingServer:
    """A project with one iteration and room for another one; those that fill the rest are published."""
    desk.trained()
    crowd(azure, iterations=vendor.TRAINING_TIERS["F0"].iterations - 2)
    return azure


def more(desk: Desk) -> None:
    """One photo more than at the last training."""
    desk.upload(desk.photos({"bottle": 1}))


def names(azure: TrainingServer) -> list[str]:
    (project,) = azure.projects.values()
    return [each.name for each in project.iterations.values() if not each.name.startswith("Crowd")]


def test_where_iterations_stand_in_the_way_the_oldest_unpublished_is_offered(
    desk: Desk, room_for_two: TrainingServer
) -> None:
    desk.well("publish", "Iteration 1")
    more(desk)
    desk.well("train", "--wait")
    more(desk)
    refused = desk.run("train", answer="n\n")
    assert refused.exit_code == 1
    assert "Iteration 2" in refused.output
    assert names(room_for_two) == ["Iteration 1", "Iteration 2"]
    assert "Deleted Iteration 2" in desk.well("train", "--wait", answer="y\n")
    assert names(room_for_two) == ["Iteration 1", "Iteration 3"]
    more(desk)
    desk.well("train", "--wait", "--yes")
    assert names(room_for_two) == ["Iteration 1", "Iteration 4"]


def test_one_that_failed_goes_before_one_that_can_answer(desk: Desk, room_for_two: TrainingServer) -> None:
    room_for_two.training_ends_as = "Failed"
    more(desk)
    desk.fails("train", "--wait")
    room_for_two.training_ends_as = "Completed"
    desk.well("train", "--wait", "--yes")
    assert names(room_for_two) == ["Iteration 1", "Iteration 3"]


def test_the_price_is_asked_before_anything_is_deleted(desk: Desk, room_for_two: TrainingServer) -> None:
    more(desk)
    desk.well("train", "--wait")
    assert desk.run("train", "--advanced", "1", answer="n\ny\n").exit_code == 1
    assert len(names(room_for_two)) == 2


def test_published_ones_are_never_deleted(desk: Desk, room_for_two: TrainingServer) -> None:
    desk.well("publish", "latest", "--as", "one")
    more(desk)
    desk.well("train", "--wait")
    desk.well("publish", "latest", "--as", "two")
    more(desk)
    assert "triof azure unpublish" in desk.fails("train", "--yes")
    assert names(room_for_two) == ["Iteration 1", "Iteration 2"]


def test_a_training_under_way_is_found_also_where_the_limit_is_reached(
    desk: Desk, room_for_two: TrainingServer
) -> None:
    more(desk)
    room_for_two.training_polls = 5
    desk.well("train")
    assert "Iteration 2 is trained" in desk.well("train", "--wait", "--yes").replace("(", "").replace(")", "")
    assert names(room_for_two) == ["Iteration 1", "Iteration 2"]


def test_ctrl_c_leaves_the_training_in_peace(desk: Desk, azure: TrainingServer) -> None:
    desk.ready()
    desk.upload(desk.photos({"bottle": 5, "cup": 5}))
    azure.training_polls = 1_000_000
    desk.set(poll_seconds=0.05)
    command = [sys.executable, "-m", "triof.cli", "azure", "train", "--wait"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=desk.folder)
    looks = []

    def interrupt(method: str, path: str) -> None:
        looks.append(path)
        if "/iterations/" in path and len(looks) > 5 and method == "GET":
            os.kill(process.pid, signal.SIGINT)

    azure.on_request = interrupt
    _, complaints = process.communicate(timeout=30)
    azure.on_request = None
    assert process.returncode == 1
    assert complaints == "Error: The training goes on in the cloud: `triof azure train --wait` looks again.\n"
    (project,) = azure.projects.values()
    (iteration,) = project.iterations.values()
    iteration.polls = 5
    assert "Iteration 1 is trained" in desk.well("train", "--wait")


def test_a_training_that_ends_while_another_is_asked_for_is_no_failure(desk: Desk, azure: TrainingServer) -> None:
    desk.ready()
    desk.upload(desk.photos({"bottle": 5, "cup": 5}))
    azure.training_polls = 3
    desk.well("train")
    told = desk.well("train")
    assert "Nothing has changed" in told
    assert "Completed" in told
    assert azure.operations["TrainProject"] == 3, "once more, when the one under way had ended"


# Publishing


def test_publishing_lets_machines_ask_and_is_kept(desk: Desk, azure: TrainingServer) -> None:
    desk.trained()
    assert "answers as triof now" in desk.well("publish", "latest")
    (project,) = azure.projects.values()
    assert written(desk) == {"project_id": project.id, "published_name": "triof"}
    assert load({}).settings.custom_vision.published_name == "triof"
    again = desk.well("publish", "latest")
    assert "published as triof already" in again
    assert "Kept" not in again
    assert azure.operations["PublishIteration"] == 1


def test_a_name_passes_over_in_one_step_and_back(desk: Desk, azure: TrainingServer) -> None:
    desk.trained()
    desk.well("publish", "latest", "--as", "canteen")
    more(desk)
    desk.well("train", "--wait")
    told = desk.well("publish", "latest")
    assert "Iteration 2 answers as canteen now" in told
    assert "To go back: `triof azure publish" in told
    assert "--as canteen" in told
    assert azure.operations["UnpublishIteration"] == 0
    back = told.split("`triof azure publish ")[1].split("`")[0].split()
    assert "Iteration 1 answers as canteen now" in desk.well("publish", *back)
    (project,) = azure.projects.values()
    assert [each.publish_name for each in project.iterations.values()] == ["canteen", None]


def test_the_environment_that_names_another_is_said(desk: Desk, azure: TrainingServer) -> None:
    desk.trained()
    desk.set(published_name="old")
    told = desk.well("publish", "latest", "--as", "new")
    assert "TRIOF_CUSTOM_VISION__PUBLISHED_NAME=new" in told
    assert "environment" in told
    assert "published_name" not in written(desk)
    desk.well("unpublish", "latest", "--yes")
    assert "answers as old now" in desk.well("publish", "latest")


def test_a_canary_changes_nothing_for_this_machine(desk: Desk, azure: TrainingServer) -> None:
    desk.trained()
    desk.well("publish", "latest")
    more(desk)
    desk.well("train", "--wait")
    told = desk.well("publish", "latest", "--as", "canary")
    assert "This machine goes on asking triof" in told
    assert "TRIOF_CUSTOM_VISION__PUBLISHED_NAME=canary" in told
    assert written(desk)["published_name"] == "triof"


def test_one_iteration_has_one_name(desk: Desk, azure: TrainingServer) -> None:
    desk.trained()
    desk.well("publish", "latest")
    told = desk.fails("publish", "latest", "--as", "other")
    assert "published as triof" in told
    assert "triof azure unpublish" in told


def test_publishing_needs_to_know_where_to(desk: Desk, azure: TrainingServer) -> None:
    desk.trained()
    desk.set(prediction_resource_id=None)
    assert "TRIOF_CUSTOM_VISION__PREDICTION_RESOURCE_ID" in desk.fails("publish", "latest")
    desk.set(prediction_resource_id=azure.prediction_resource_id.replace("triof-prediction", "another"))
    told = desk.fails("publish", "latest")
    assert "page Properties of the prediction resource" in told
    assert "TRIOF_CUSTOM_VISION__PREDICTION_RESOURCE_ID" in told
    assert "published_name" not in written(desk)


def test_what_is_not_trained_yet_is_neither_published_nor_exported_nor_measured(
    desk: Desk, azure: TrainingServer
) -> None:
    desk.ready()
    desk.upload(desk.photos({"bottle": 5, "cup": 5}))
    azure.training_polls = 100
    desk.well("train")
    for command in ("publish", "export", "evaluate"):
        told = desk.fails(command, "Iteration 1")
        assert "is not trained yet (Training)" in told
        assert "triof azure train --wait" in told
    assert "No iteration is called 'latest'" in desk.fails("publish", "latest")


def test_unpublishing_asks_where_this_machine_would_miss_it(desk: Desk, azure: TrainingServer) -> None:
    desk.trained()
    assert "is not published" in desk.well("unpublish", "latest")
    desk.well("publish", "latest")
    assert desk.run("unpublish", "latest", answer="n\n").exit_code == 1
    assert azure.operations["UnpublishIteration"] == 0
    assert "does not answer as triof any more" in desk.well("unpublish", "triof", answer="y\n")


def test_iterations_are_meant_by_id_name_published_name_or_latest(desk: Desk, azure: TrainingServer) -> None:
    desk.trained()
    desk.well("publish", "latest")
    more(desk)
    desk.well("train", "--wait")
    (project,) = azure.projects.values()
    first, second = project.iterations.values()
    for wanted in (first.id, first.id.upper(), first.id[:6], "Iteration 1", "triof"):
        assert "Iteration 1 (" in desk.well("evaluate", wanted), wanted
    assert "Iteration 2 (" in desk.well("evaluate")
    for unknown in ("Iteration 9", first.id[:2], ""):
        told = desk.fails("evaluate", unknown)
        assert f"Iteration 1 ({first.id[:8]})" in told
        assert f"Iteration 2 ({second.id[:8]})" in told
    second.name = first.name
    assert "2 iterations are called 'Iteration 1'" in desk.fails("evaluate", "Iteration 1")
    project.iterations.clear()
    assert "there is none yet" in desk.fails("evaluate", "Iteration 1")


# Evaluation


@pytest.fixture
def published(desk: Desk) -> Path:
    """Photos of which the last iteration was trained; it is published."""
    desk.trained({"bottle": 6, "cup": 6})
    desk.well("publish", "latest")
    return desk.folder / "photos"


def left(desk: Desk) -> int:
    """Calls that were used, by the ledger."""
    from click.testing import CliRunner

    from triof.cli import main

    (usage,) = CliRunner().invoke(main, ["quota", "--json"]).stdout.splitlines()
    return int(json.loads(usage)["used"])


def split(photos: Path, name: str) -> int:
    return sum(item.split == name for item in photo_dataset.read(photos).photos)


def test_evaluation_shows_the_vendor_s_word_and_ours_beside_the_local_model(
    desk: Desk, azure: TrainingServer, published: Path
) -> None:
    tests = split(published, "train")
    shown = desk.well("evaluate", "--data", str(published), "--split", "train", "--yes", "--report", "r/page.html")
    assert len(row(shown, "bouteille")) == 3
    assert "custom_vision" in shown
    assert "local_cnn" in shown
    assert len(row(shown, "accuracy")) == 2
    assert f"{tests} photos, of which {tests} are to be asked" in shown
    page = (desk.folder / "r" / "page.html").read_text()
    assert "custom_vision" in page
    assert "local_cnn" in page
    assert azure.calls == left(desk) == tests
    again = desk.well("evaluate", "--data", str(published), "--split", "train", "--no-report")
    assert "0 are to be asked" in again
    assert row(again, "accuracy") == row(shown, "accuracy")
    assert azure.calls == tests, "each photo is asked about once"


def test_an_evaluation_names_the_command_that_holds_an_installed_export_against_its_answers(
    desk: Desk, published: Path
) -> None:
    desk.well("export", "latest", "--out", "model.zip", "--install")
    told = desk.well("evaluate", "--data", str(published), "--split", "train", "--yes", "--no-report")
    (bundle,) = (desk.home / "bundles" / "waste_type").iterdir()
    assert f"`triof bundles check {bundle.name}`" in told


def test_a_name_that_still_answers_with_the_iteration_before_spoils_no_record(
    desk: Desk, azure: TrainingServer, published: Path
) -> None:
    (project,) = azure.projects.values()
    (before,) = project.iterations.values()
    more(desk)
    desk.well("train", "--wait")
    desk.well("publish", "latest")
    evaluate = ("evaluate", "triof", "--data", str(published), "--split", "train", "--yes", "--no-report")
    azure.still_answers = before
    told = desk.fails(*evaluate)
    azure.still_answers = None
    assert f"still answers with triof@{before.id}" in told
    assert "the same command goes on" in told
    assert not list((desk.home / "azure").rglob("*.jsonl"))
    assert f"of which {split(published, 'train')} are to be asked" in desk.well(*evaluate)


def test_an_evaluation_goes_on_where_it_stopped(desk: Desk, azure: TrainingServer, published: Path) -> None:
    tests = split(published, "train")
    asked = []

    def cut(_: str, path: str) -> None:
        asked.append("/classify/" in path)
        azure.fault = "server_error" if sum(asked) > 3 else None

    azure.on_request = cut
    told = desk.fails("evaluate", "--data", str(published), "--split", "train", "--yes", "--no-report")
    assert "status 500" in told
    assert "3 answers are kept" in told
    azure.on_request = azure.fault = None
    shown = desk.well("evaluate", "--data", str(published), "--split", "train", "--yes", "--no-report")
    assert f"of which {tests - 3} are to be asked" in shown
    assert azure.calls == tests


def test_a_quota_that_is_used_up_ends_an_evaluation_at_once(desk: Desk, azure: TrainingServer, published: Path) -> None:
    azure.quota = 3
    told = desk.fails("evaluate", "--data", str(published), "--split", "train", "--yes", "--no-report")
    assert "quota is used up" in told
    assert "3 answers are kept" in told


def test_a_photo_that_the_cloud_does_not_take_spoils_no_evaluation(
    desk: Desk, azure: TrainingServer, published: Path
) -> None:
    lines = ["path,waste_type,cleanliness,group,split"]
    lines += [f"{path},{path.parent.name},,{path.name},test" for path in sorted(published.rglob("*.jpg"))]
    (desk.folder / "thin.png").write_bytes(encoded(Image.new("RGB", (1100, 40)), "PNG"))
    (desk.folder / "copy.jpg").write_bytes(next(published.rglob("*.jpg")).read_bytes())
    lines += ["thin.png,bottle,,thin,test", "copy.jpg,cup,,copy,test"]
    (desk.folder / "manifest.csv").write_text("\n".join(lines) + "\n")
    shown = desk.well("evaluate", "--data", "manifest.csv", "--yes", "--no-report")
    assert "Left out" in shown
    assert "25:1" in shown
    assert azure.calls == 12, "the copy is known by its contents"


def test_a_passing_fault_spoils_no_evaluation(desk: Desk, azure: TrainingServer, published: Path) -> None:
    azure.faults_next(2, "empty_503", only="/classify/")
    desk.well("evaluate", "--data", str(published), "--split", "train", "--yes", "--no-report")


def test_an_evaluation_keeps_the_rate_though_some_photos_take_longer_to_leave(
    desk: Desk, azure: TrainingServer, published: Path
) -> None:
    """A large photo is counted when it is shrunk and arrives later: those of the next second must not come too soon."""
    rate = azure.prediction_rate_per_second = 10
    desk.set(calls_per_second=rate)
    folder = desk.folder / "paced" / "bottle"
    folder.mkdir(parents=True)
    for number in range(rate + 2):
        (folder / f"{number:02}.png").write_bytes(a_photo(40 if number else 3000, "PNG"))
    lines = ["path,waste_type,cleanliness,group,split"]
    lines += [f"{path},bottle,,{path.name},test" for path in sorted(folder.iterdir())]
    (desk.folder / "paced.csv").write_text("\n".join(lines) + "\n")
    azure.refused = 0
    desk.well("evaluate", "--data", "paced.csv", "--yes", "--no-report")
    assert (azure.calls, azure.refused) == (rate + 2, 0)


def test_nobody_is_asked_without_a_yes(desk: Desk, azure: TrainingServer, published: Path) -> None:
    desk.well("evaluate", "--data", str(published), "--split", "train", answer="n\n")
    assert azure.calls == 0
    desk.well("evaluate", "--data", str(published), "--split", "train", "--limit", "2", "--no-report", answer="y\n")
    assert azure.calls == 2


def test_what_nobody_can_ask_is_not_asked(desk: Desk, azure: TrainingServer, published: Path) -> None:
    desk.well("unpublish", "latest", "--yes")
    assert "triof azure publish" in desk.well("evaluate", "--data", str(published), "--split", "train")
    desk.well("publish", "latest")
    desk.set(prediction_key=None)
    told = desk.fails("evaluate", "--data", str(published), "--split", "train", "--yes")
    assert "TRIOF_CUSTOM_VISION__PREDICTION_KEY" in told


def test_another_iteration_than_the_machine_s_is_asked_by_its_own_name(
    desk: Desk, azure: TrainingServer, published: Path
) -> None:
    more(desk)
    desk.well("train", "--wait")
    desk.set(published_name="triof")
    desk.well("publish", "latest", "--as", "canary")
    (project,) = azure.projects.values()
    asked: list[str] = []
    azure.on_request = lambda _, path: asked.append(path)
    desk.well("evaluate", "canary", "--data", str(published), "--split", "train", "--yes", "--no-report")
    assert {path.split("/")[-3] for path in asked if "/classify/" in path} == {"canary"}
    assert [path.stem for path in (desk.home / "azure" / "answers").iterdir()] == [list(project.iterations)[1]]


# Export


def test_an_export_comes_home_as_a_zip_and_can_answer(desk: Desk, azure: TrainingServer) -> None:
    desk.trained(dict.fromkeys(TAGS, 5))
    next(iter(azure.projects.values())).name = "bottles/cups [b]"
    azure.export_polls = 2
    told = desk.well("export", "latest")
    (zip_,) = desk.folder.glob("*.zip")
    assert zip_.name.startswith("bottles-cups-b-")
    assert f"triof bundles install {zip_.name} --activate" in told
    assert "model.tflite" in zipfile.ZipFile(zip_).namelist()
    assert all("Training-key" not in headers for headers in azure.downloads)
    desk.well("export", "latest", "--out", "deep/model.zip", "--install", "--activate")
    assert zipfile.is_zipfile(desk.folder / "deep" / "model.zip")
    assert azure.operations["ExportIteration"] == 1, "it is not begun twice"
    assert list((desk.home / "bundles").rglob("*.tflite"))


def test_an_export_that_breaks_off_while_it_is_written_leaves_the_file_as_it_was(
    desk: Desk, azure: TrainingServer
) -> None:
    desk.trained()
    with small_disk(desk.folder / "small") as disk:
        desk.well("export", "latest", "--out", "small/model.zip")
        before = (disk / "model.zip").read_bytes()
        fill(disk)
        assert "No space left" in desk.fails("export", "latest", "--out", "small/model.zip")
        assert (disk / "model.zip").read_bytes() == before
        assert not list(disk.glob("*.part"))


def test_an_export_that_failed_is_begun_again(desk: Desk, azure: TrainingServer) -> None:
    desk.trained()
    azure.export_ends_as = "Failed"
    assert "could not export Iteration 1" in desk.fails("export", "latest")
    asked = azure.operations["ExportIteration"]
    desk.fails("export", "latest")
    assert azure.operations["ExportIteration"] == asked + 1
    assert list(desk.folder.glob("*.zip")) == []


def test_options_that_make_no_sense_and_files_that_cannot_be_written_are_sentences(
    desk: Desk, azure: TrainingServer
) -> None:
    desk.trained()
    assert desk.run("export", "latest", "--activate").exit_code == 2
    assert desk.run("evaluate", "--report", "page.html", "--no-report").exit_code == 2
    (desk.folder / "file").write_text("x")
    for command in (("export", "latest", "--out", "file/model.zip"), ("backup", "file/backup")):
        assert "file" in desk.fails(*command)


# Backup


def test_a_backup_is_a_data_set_with_everything_and_comes_once(desk: Desk, azure: TrainingServer) -> None:
    desk.trained({"bottle": 6, "cup": 5, "other": 5})
    told = desk.well("backup", "home_again")
    assert "16 photos and project.json are in home_again" in told
    assert all("Training-key" not in headers for headers in azure.downloads)
    folder = desk.folder / "home_again"
    found = photo_dataset.read(folder)
    assert sorted(item.labels["waste_type"] for item in found.photos) == ["bottle"] * 6 + ["cup"] * 5 + ["other"] * 5
    assert {item.split for item in found.photos} == {"train"}, "the cloud has learned them all"
    assert {item.path.read_bytes() for item in found.photos} == {photo.contents for photo in azure.photos.values()}
    record = json.loads((folder / "project.json").read_text())
    assert record["project"]["name"] == "triof"
    assert len(record["tags"]) == 4
    assert record["iterations"][0]["performance"]["tags"]
    (export,) = (folder / "exports").glob("*.zip")
    assert zipfile.is_zipfile(export)
    downloads = len(azure.downloads)
    assert downloads == 16 + 1
    desk.well("backup", "home_again")
    assert len(azure.downloads) == downloads, "what is there is not fetched again"


def test_a_backup_goes_on_where_it_stopped(desk: Desk, azure: TrainingServer) -> None:
    desk.trained({"bottle": 10, "cup": 10})
    left = [8]

    def cut(method: str, path: str) -> None:
        left[0] -= path.startswith("/blobs/")
        if left[0] == 0:
            azure.fault = "reset"

    azure.on_request = cut
    told = desk.fails("backup", "b")
    assert "the same command goes on" in told
    azure.on_request, azure.fault = None, None
    before = len(azure.downloads)
    there = len(list((desk.folder / "b" / "photos").glob("*.jpg")))
    assert 0 < there < 20
    desk.well("backup", "b", "--no-exports")
    assert len(azure.downloads) - before == 20 - there
    assert len(photo_dataset.read(desk.folder / "b").photos) == 20
    assert not list((desk.folder / "b").rglob("*.part"))


def test_a_photo_that_does_not_come_ends_no_backup(desk: Desk, azure: TrainingServer) -> None:
    desk.trained()
    desk.well("backup", "b", "--no-exports")
    empty, missing = sorted((desk.folder / "b" / "photos").iterdir())[:2]
    empty.write_bytes(b"")
    missing.unlink()

    def run(instead: Reply) -> Result:
        azure.answers_instead = lambda asked: instead if f"images/{missing.stem}" in asked.path else None
        ran = desk.run("backup", "b", "--no-exports")
        azure.answers_instead = None
        return ran

    ran = run(page(404, "Not Found"))
    assert ran.exit_code == 1
    assert f"Not fetched: photo {missing.stem}: The cloud does not give this out" in ran.stdout
    assert empty.stat().st_size, "a file that a power cut left empty is fetched again"
    assert len(photo_dataset.read(desk.folder / "b").photos) == 9
    assert "no whole photo: it is empty" in run(Reply(200, b"")).stdout
    desk.well("backup", "b", "--no-exports")
    assert len(photo_dataset.read(desk.folder / "b").photos) == 10
    assert len(list((desk.folder / "b" / "photos").iterdir())) == 10


def test_a_backup_without_a_model_that_cannot_be_exported_says_so(desk: Desk, azure: TrainingServer) -> None:
    desk.trained()
    azure.export_ends_as = "Failed"
    ran = desk.run("backup", "b")
    assert ran.exit_code == 1
    assert "Not exported: Iteration 1" in ran.stdout
    assert len(photo_dataset.read(desk.folder / "b").photos) == 10


def test_what_was_photographed_in_a_backup_is_already_in_the_cloud(desk: Desk, azure: TrainingServer) -> None:
    desk.trained()
    desk.well("backup", "b", "--no-exports")
    assert row(desk.upload(desk.folder / "b"), "all") == ["0", "10", "0", "0", "0"]


def test_a_backup_replaces_no_other_data_set(desk: Desk, azure: TrainingServer) -> None:
    desk.trained()
    own = desk.folder / "own"
    own.mkdir()
    (own / "manifest.csv").write_text("path,waste_type,cleanliness,group,split\na.jpg,cup,,1,train\n")
    assert "holds another data set" in desk.fails("backup", str(own), "--no-exports")
    assert (own / "manifest.csv").read_text().endswith("a.jpg,cup,,1,train\n")
