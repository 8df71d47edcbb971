"""The trainer of Azure's projects by itself: what the commands do not show. The local networks' is another one."""

import json
from base64 import b64encode
from collections.abc import Iterator
from datetime import UTC, datetime
from hashlib import md5
from threading import Thread

import pytest
import stamina

from providers.base import ProviderError, ProviderMisconfigured, ProviderUnavailable, RateLimited, ServiceRetired
from providers.custom_vision.errors import TrainingRefused, check_digest, download_refusal, training_refusal
from providers.custom_vision.options import CustomVisionOptions
from providers.custom_vision.records import Tag
from providers.custom_vision.trainer import Trainer
from providers.custom_vision.upload_matching import UploadPhoto
from testing.azure.training_server import TrainingServer
from tests.support.azure_desk import RATE, a_photo
from tests.support.clock import Clock

NOW = datetime(2026, 11, 23, tzinfo=UTC)


PAGE = 10


@pytest.fixture
def trainer(azure: TrainingServer) -> Iterator[Trainer]:
    """A trainer of a project with two tags, with short pages, for which time only passes when it waits."""
    clock = Clock()
    given = {"training_endpoint": azure.endpoint, "training_key": azure.training_key, "training_calls_per_second": RATE}
    first = Trainer(CustomVisionOptions.model_validate(given), clock, clock.pass_)
    project = first.create_project("triof")
    for name in ("bouteille", "gobelet"):
        first.create_tag(project.id, name, negative=False)
    first.close()
    given |= {"project_id": project.id, "prediction_resource_id": azure.prediction_resource_id}
    with stamina.set_testing(True, attempts=3):
        trainer = Trainer(CustomVisionOptions.model_validate(given), clock, clock.pass_, page=PAGE)
        yield trainer
        trainer.close()


def some(tag: Tag, count: int) -> list[UploadPhoto]:
    return [UploadPhoto(f"{number}.jpg", a_photo(), tag.id) for number in range(count)]


@pytest.mark.slow
def test_every_photo_is_listed_once_over_many_pages(trainer: Trainer, azure: TrainingServer) -> None:
    trainer.store("b", some(trainer.tags()[0], 2 * PAGE + 2))
    assert {image.id for image in trainer.images()} == {photo.id for photo in azure.photos.values()}
    assert len(list(trainer.images())) == trainer.count_images() == 2 * PAGE + 2


@pytest.mark.slow
def test_what_was_stored_is_told_in_the_order_of_the_photos(trainer: Trainer, azure: TrainingServer) -> None:
    azure.shuffles = True
    photos = some(trainer.tags()[0], 9)
    photos[4] = UploadPhoto("4.jpg", b"no photo", photos[4].tag_id)
    stored = trainer.store("b", photos)
    assert [one.name for one in stored] == [photo.name for photo in photos]
    assert [one.status for one in stored].index("ErrorImageFormat") == 4
    ids = {photo.contents: photo.id for photo in azure.photos.values()}
    assert [one.image.id for one in stored if one.image] == [ids[each.image] for each in photos if each.image in ids]


@pytest.mark.slow
def test_photos_of_a_batch_are_found_by_their_contents(trainer: Trainer, azure: TrainingServer) -> None:
    photos, others = some(trainer.tags()[0], 4), some(trainer.tags()[0], 2)
    trainer.store("one", photos)
    trainer.store("two", others)
    ids = {photo.contents: photo.id for photo in azure.photos.values()}
    found = trainer.of_batches({"one": 4, "two": 2, "three": 1}, None)
    assert {batch: len(images) for batch, images in found.items()} == {"one": 4, "two": 2, "three": 0}
    matched = trainer.match(found["one"], [photos[2], others[0]])
    assert {name: image.id for name, image in matched.items()} == {"2.jpg": ids[photos[2].image]}


@pytest.mark.slow
def test_a_batch_is_looked_for_among_the_newest_photos_only(trainer: Trainer, azure: TrainingServer) -> None:
    tag = trainer.tags()[0]
    assert trainer.newest() is None
    trainer.store("old", some(tag, 60))
    for age, photo in enumerate(reversed(azure.photos.values())):
        photo.created = f"2026-11-22T10:{59 - age // 2:02}:00.000Z"
    since = trainer.newest()
    assert since
    trainer.store("new", some(tag, 15))
    before = azure.operations["GetImages"]
    assert len(trainer.of_batches({"new": 15}, since)["new"]) == 15
    assert azure.operations["GetImages"] - before == 2, "no page more than the batch lies on"
    assert len(trainer.of_batches({"new": 64}, since)["new"]) == 15
    assert azure.operations["GetImages"] - before == 4, "nothing much older than the request is looked at"
    assert len(trainer.of_batches({"new": 64, "old": 60}, None)["old"]) == 60


def test_many_photos_are_retagged_in_calls_of_the_vendor_s_size(trainer: Trainer, azure: TrainingServer) -> None:
    bottle, cup = trainer.tags()
    stored = [one for batch in "ab" for one in trainer.store(batch, some(bottle, 40))]
    trainer.retag([one.image.id for one in stored if one.image], [bottle.id], cup.id)
    assert azure.operations["CreateImageTags"] == 2
    assert [tag.photos for tag in trainer.tags()] == [0, 80]


def test_a_training_is_looked_at_until_it_ends(trainer: Trainer, azure: TrainingServer) -> None:
    for tag in trainer.tags():
        trainer.store(tag.name, some(tag, 5))
    looks: list[str] = []
    done = trainer.wait_for(trainer.train(), lambda iteration: looks.append(iteration.status))
    assert done.status == "Completed"
    assert looks == ["Training"] * azure.training_polls + ["Training", "Completed"]


def test_who_is_called_away_waits_for_nothing(azure: TrainingServer) -> None:
    given = {"training_endpoint": azure.endpoint, "training_key": azure.training_key}
    told: list[ProviderError] = []
    trainer = Trainer(CustomVisionOptions.model_validate(given), on_wait=told.append)
    trainer.rate_limiter.pause(200)
    ended: list[ProviderError] = []

    def ask() -> None:
        try:
            trainer.projects()
        except ProviderError as error:
            ended.append(error)

    thread = Thread(target=ask, daemon=True)
    thread.start()
    trainer.give_up()
    thread.join(timeout=5)
    assert not thread.is_alive()
    assert isinstance(ended[0], ProviderUnavailable)
    assert not ended[0].sent
    assert azure.received == 0
    trainer.close()


def test_settings_that_lack_something_are_told_by_name() -> None:
    with pytest.raises(ProviderMisconfigured, match="TRAINING_ENDPOINT"):
        Trainer(CustomVisionOptions())


@pytest.mark.parametrize("status", [400, 402, 404, 405, 409, 413, 415, 422, 431])
def test_a_refusal_is_not_asked_again(status: int) -> None:
    error = training_refusal(status, {}, '{"code": "BadRequestSomething", "message": "No."}', NOW)
    assert isinstance(error, TrainingRefused)
    assert error.code == "BadRequestSomething"
    assert "No." in str(error)


@pytest.mark.parametrize("status", [408, 500, 502, 503, 504, 200, 302, 307])
def test_what_may_pass_is(status: int) -> None:
    assert isinstance(training_refusal(status, {}, "", NOW), ProviderUnavailable)
    assert isinstance(training_refusal(429, {"Retry-After": "7"}, "", NOW), RateLimited)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 410, 416])
def test_an_address_that_has_expired_is_told_and_no_key_is_blamed(status: int) -> None:
    error = download_refusal(status, {}, "<Error/>", NOW)
    assert isinstance(error, TrainingRefused)
    assert "expired" in str(error)
    assert "key" not in str(error)


@pytest.mark.parametrize("code", ["404", "ResourceNotFound", ""])
def test_where_there_is_no_training_api_the_endpoint_is_named(code: str) -> None:
    body = json.dumps({"error": {"code": code, "message": "Resource not found"}}) if code else "<html>Not Found</html>"
    error = training_refusal(404, {}, body, NOW)
    assert isinstance(error, ProviderMisconfigured)
    assert "custom_vision.training_endpoint" in str(error)


def test_a_service_that_is_retired_is_told_as_such() -> None:
    error = training_refusal(410, {}, '{"code": "Gone", "message": "It is gone."}', NOW)
    assert isinstance(error, ServiceRetired)
    assert "docs/guide/azure.md" in str(error)


@pytest.mark.parametrize("stated", ["", "no digest", b64encode(md5(b"other").digest()).decode()])
def test_what_comes_otherwise_than_its_checksum_says_is_not_taken(stated: str) -> None:
    check_digest(b"photo", {"Content-MD5": b64encode(md5(b"photo").digest()).decode()})
    if stated:
        with pytest.raises(TrainingRefused, match="checksum"):
            check_digest(b"photo", {"Content-MD5": stated})
    else:
        check_digest(b"photo", {})
