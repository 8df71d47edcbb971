"""The server that stands for Azure's training API: strict, broken on demand, and as the real SDK sees it."""

import base64
import hashlib
import json
import random
import re
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from io import BytesIO
from typing import Any

import numpy as np
import pytest
import requests
from ai_edge_litert.interpreter import Interpreter
from azure.cognitiveservices.vision.customvision.prediction import CustomVisionPredictionClient
from azure.cognitiveservices.vision.customvision.training import CustomVisionTrainingClient
from azure.cognitiveservices.vision.customvision.training.models import (
    CustomVisionErrorException,
    ImageFileCreateBatch,
    ImageFileCreateEntry,
    ImageTagCreateEntry,
)
from msrest.authentication import ApiKeyCredentials
from msrest.exceptions import ClientRequestError
from numpy.typing import NDArray
from PIL import Image

from testing.azure.azure_export import SIDE, azure_export_zip, expected_scores
from testing.azure.replies import Fault
from testing.azure.training_api import BODIES, ENUMS, MOST_TAKEN, OPERATIONS
from testing.azure.training_records import COMPACT, COMPACT_S1, GENERAL, image_filter
from testing.azure.training_server import TrainingServer
from testing.http_replies import Reply
from testing.image_files import encoded
from testing.loopback_service import Request
from tests.support.clock import Clock
from tests.support.paths import ROOT
from tests.support.swagger import SWAGGER, Swagger
from triof.common.paths import DEMO_PICTURES
from triof.judging import photo

NOBODY = "11111111-2222-3333-4444-555555555555"
TAGS = ("bouteille", "gobelet", "couvert")

PHOTOS = [path.read_bytes() for path in sorted(DEMO_PICTURES.glob("*.jpg"))]


def asked(archive: bytes, image: bytes) -> NDArray[np.float32]:
    """What the model in an export says of an image, read as its metadata say."""
    with zipfile.ZipFile(BytesIO(archive)) as files:
        read = json.loads(files.read("metadata_properties.json"))
        model = Interpreter(model_content=files.read("model.tflite"))
    model.allocate_tensors()
    pixels = photo.load(image).resized(SIDE, SIDE)
    turned = pixels[:, :, ::-1] if read["Image.BitmapPixelFormat"] == "Bgr8" else pixels
    model.set_tensor(model.get_input_details()[0]["index"], turned[None].astype(np.float32))
    model.invoke()
    said: NDArray[np.float32] = model.get_tensor(model.get_output_details()[0]["index"])[0]
    return said


@pytest.fixture(scope="session")
def swagger() -> Swagger | None:
    return Swagger() if SWAGGER.exists() else None


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def azure(clock: Clock, swagger: Swagger | None) -> Iterator[TrainingServer]:
    """Whatever a test asks, the answers fit the swagger."""
    wrongs: list[str] = []

    def judge(request: Request, reply: Reply) -> None:
        # A path that the fake does not know may be none of the swagger's either.
        if swagger and b'"NotFound"' not in reply.body:
            wrongs.extend(swagger.wrongs(request.method, request.path, reply.status, reply.body))

    with TrainingServer(clock=clock, rate_per_second=None) as azure:
        azure.on_reply = judge
        yield azure
    assert wrongs == []


def patient(client: Any) -> Any:
    """Without the SDK's own retries, which take seconds."""
    policy = client.config.retry_policy.policy
    policy.total = policy.connect = policy.read = policy.redirect = policy.status = policy.other = 0
    policy.raise_on_status = False
    policy.status_forcelist = frozenset()
    client.config.connection.timeout = (1, 1)
    return client


@pytest.fixture
def sdk(azure: TrainingServer) -> Any:
    credentials = ApiKeyCredentials(in_headers={"Training-key": azure.training_key})
    return patient(CustomVisionTrainingClient(azure.endpoint, credentials))


@pytest.fixture
def predictor(azure: TrainingServer) -> Any:
    credentials = ApiKeyCredentials(in_headers={"Prediction-key": azure.prediction_key})
    return patient(CustomVisionPredictionClient(azure.endpoint, credentials))


@pytest.fixture
def project(sdk: Any) -> Any:
    return sdk.create_project("triof", domain_id=COMPACT.id, classification_type="Multiclass")


Ids = dict[str, str]


@pytest.fixture
def tags(sdk: Any, project: Any) -> Ids:
    """The ids of the tags by their names."""
    made = [sdk.create_tag(project.id, name) for name in TAGS]
    made.append(sdk.create_tag(project.id, "Negative", type="Negative"))
    return {tag.name: tag.id for tag in made}


def picture(seed: int) -> bytes:
    """A small photo unlike those of other seeds."""
    return encoded(Image.frombytes("RGB", (16, 12), random.Random(seed).randbytes(576)), "PNG")


def upload(sdk: Any, project: Any, *images: bytes, tag: str | None = None, **batch: Any) -> Any:
    tag_ids = None if tag is None else [tag]
    entries = [ImageFileCreateEntry(name=f"{i}.png", contents=bytearray(image)) for i, image in enumerate(images)]
    return sdk.create_images_from_files(project.id, ImageFileCreateBatch(images=entries, tag_ids=tag_ids, **batch))


def statuses(summary: Any) -> list[str]:
    return [image.status for image in summary.images]


@pytest.fixture
def filled(sdk: Any, project: Any, tags: Ids) -> Any:
    """A project with five photos of each tag."""
    for number, id_ in enumerate(tags.values()):
        upload(sdk, project, *(picture(100 * number + i) for i in range(5)), tag=id_, metadata={"kind": str(number)})
    return project


@pytest.fixture
def trained(azure: TrainingServer, sdk: Any, filled: Any) -> Any:
    azure.training_polls = 0
    return sdk.get_iteration(filled.id, sdk.train_project(filled.id).id)


def code_of(ask: Callable[..., Any], *args: Any, **options: Any) -> str:
    """The code with which the service refuses."""
    with pytest.raises(CustomVisionErrorException) as caught:
        ask(*args, **options)
    answer: Any = caught.value
    return f"{answer.response.status_code} {answer.error.code}"


def by_hand(azure: TrainingServer, method: str, path: str, **options: Any) -> requests.Response:
    headers = {"Training-key": azure.training_key} | options.pop("headers", {})
    url = f"{azure.endpoint}/customvision/v3.4-preview/training{path}"
    return requests.request(method, url, headers=headers, timeout=5, **options)


# The whole way


@pytest.mark.slow
def test_from_nothing_to_a_prediction_and_a_model(
    azure: TrainingServer, sdk: Any, predictor: Any, project: Any, tags: Ids
) -> None:
    names = [*tags]
    for number, id_ in enumerate(tags.values()):
        assert upload(sdk, project, *PHOTOS[5 * number : 5 * number + 5], tag=id_).is_batch_successful
    iteration = sdk.train_project(project.id)
    seen = [iteration.status]
    while iteration.status == "Training":
        iteration = sdk.get_iteration(project.id, iteration.id)
        seen.append(iteration.status)
    assert seen == ["Training"] * 3 + ["Completed"]
    assert iteration.exportable_to is None
    performance = sdk.get_iteration_performance(project.id, iteration.id, threshold=0.5)
    assert {tag.name for tag in performance.per_tag_performance} == set(names)
    assert sdk.publish_iteration(project.id, iteration.id, "triof", azure.prediction_resource_id)
    assert sdk.get_iteration(project.id, iteration.id).publish_name == "triof"

    assert sdk.export_iteration(project.id, iteration.id, "TensorFlow", flavor="TensorFlowLite").status == "Exporting"
    assert [sdk.get_exports(project.id, iteration.id)[0].status for _ in range(2)] == ["Exporting", "Done"]
    archive = requests.get(sdk.get_exports(project.id, iteration.id)[0].download_uri, timeout=5).content
    assert json.loads(zipfile.ZipFile(BytesIO(archive)).read("cvexport.manifest"))["IterationId"] == iteration.id
    for image in PHOTOS[::6]:
        answer = predictor.classify_image(project.id, "triof", image)
        said = {tag.tag_name: tag.probability for tag in answer.predictions}
        assert said == pytest.approx(expected_scores(image, names))
        assert [said[name] for name in sorted(names)] == pytest.approx(list(asked(archive, image)), abs=1e-3)
        assert [*said.values()] == sorted(said.values(), reverse=True)
        assert {tag.tag_id for tag in answer.predictions} == set(tags.values())
    assert azure.calls == 4
    assert azure.violations == []


def test_what_nobody_asks_for_is_what_nobody_wants(azure: TrainingServer, sdk: Any, predictor: Any) -> None:
    project = sdk.create_project("triof")
    assert (project.settings.classification_type, project.settings.domain_id) == ("Multilabel", GENERAL.id)
    for number, name in enumerate(TAGS):
        tag = sdk.create_tag(project.id, name)
        upload(sdk, project, *(picture(100 * number + i) for i in range(5)), tag=tag.id)
    azure.training_polls = 0
    iteration = sdk.get_iteration(project.id, sdk.train_project(project.id).id)
    assert iteration.status == "Completed"
    assert not iteration.exportable
    refusal = code_of(sdk.export_iteration, project.id, iteration.id, "TensorFlow", flavor="TensorFlowLite")
    assert refusal == "400 BadRequestExportValidationFailed"
    sdk.publish_iteration(project.id, iteration.id, "triof", azure.prediction_resource_id)
    answer = predictor.classify_image(project.id, "triof", PHOTOS[0])
    assert sum(tag.probability for tag in answer.predictions) > 1.1


# Projects and tags


def test_projects(azure: TrainingServer, sdk: Any, project: Any) -> None:
    assert [each.id for each in sdk.get_projects()] == [project.id]
    domains = {domain.id: domain for domain in sdk.get_domains()}
    assert {id_ for id_ in domains if domains[id_].exportable} == {COMPACT.id, COMPACT_S1.id}
    assert sdk.get_domain(COMPACT.id).name == "General (compact)"
    assert code_of(sdk.get_domain, NOBODY) == "404 NotFoundDomain"
    assert code_of(sdk.get_project, NOBODY) == "404 NotFoundProject"
    assert code_of(sdk.create_project, "x", domain_id=NOBODY) == "400 BadRequestProjectUnknownDomain"
    exports = code_of(sdk.create_project, "x", target_export_platforms=["TensorFlow"])
    assert exports == "400 BadRequestProjectUnsupportedExportPlatform"
    assert sdk.create_project("triof").id != project.id
    azure.unique_project_names = True
    assert code_of(sdk.create_project, "triof") == "400 BadRequestProjectNameNotUnique"
    project.description, project.settings.domain_id = "mended", COMPACT_S1.id
    assert sdk.update_project(project.id, project).settings.domain_id == COMPACT_S1.id
    sdk.delete_project(project.id)
    assert code_of(sdk.get_project, project.id) == "404 NotFoundProject"
    assert azure.violations == []


def test_a_tier_has_its_limits(sdk: Any, azure: TrainingServer, project: Any) -> None:
    with TrainingServer(tier="F0") as free:
        assert (free.limits.projects, free.limits.photos, free.limits.tags) == (2, 5_000, 50)
    azure.limits = replace(azure.limits, projects=1, tags=2, photos=3)
    assert code_of(sdk.create_project, "x") == "400 BadRequestExceedProjectLimit"
    tag = sdk.create_tag(project.id, "a")
    sdk.create_tag(project.id, "b")
    assert code_of(sdk.create_tag, project.id, "c") == "400 BadRequestExceedTagPerProjectLimit"
    summary = upload(sdk, project, *(picture(i) for i in range(4)), tag=tag.id)
    assert statuses(summary) == ["OK", "OK", "OK", "ErrorLimitExceed"]


def test_tags(sdk: Any, project: Any, tags: Ids) -> None:
    assert code_of(sdk.create_tag, project.id, "Gobelet") == "400 BadRequestTagNameNotUnique"
    assert code_of(sdk.create_tag, project.id, "x", type="Negative") == "400 BadRequestMultipleNegativeTag"
    assert code_of(sdk.get_tag, project.id, NOBODY) == "404 NotFoundTag"
    upload(sdk, project, picture(1), tag=tags["gobelet"])
    found = {tag.name: tag for tag in sdk.get_tags(project.id)}
    assert (found["gobelet"].image_count, found["couvert"].image_count) == (1, 0)
    assert found["gobelet"].description is None
    assert found["Negative"].type == "Negative"
    renamed = found["gobelet"]
    renamed.name, renamed.description = "verre", "a cup"
    assert sdk.update_tag(project.id, renamed.id, renamed).name == "verre"
    sdk.delete_tag(project.id, renamed.id)
    assert sdk.get_image_count(project.id, tagging_status="Untagged") == 1


# Uploads


def test_photos_are_stored_once(azure: TrainingServer, sdk: Any, project: Any, tags: Ids) -> None:
    one, two = picture(1), picture(2)
    first = upload(sdk, project, one, one, tag=tags["gobelet"], metadata={"source": "demo"})
    assert (first.is_batch_successful, statuses(first)) == (False, ["OK", "OKDuplicate"])
    assert first.images[0].source_url == "0.png"
    assert [tag.tag_name for tag in first.images[0].image.tags] == [None]
    assert first.images[0].image.id == first.images[1].image.id
    second = upload(sdk, project, one, two, tag=tags["couvert"])
    assert statuses(second) == ["OKDuplicate", "OK"]
    assert len(azure.photos) == 2
    kept = azure.photos[hashlib.sha256(one).hexdigest()]
    assert (kept.contents, kept.times_sent, kept.tags, kept.name) == (one, 3, ["gobelet"], "0.png")
    assert kept.metadata == {"source": "demo"}
    assert azure.batches == [2, 2]
    response = by_hand(azure, "POST", f"/projects/{project.id}/images/files", json=batch_of(picture(3)))
    assert response.status_code == 200
    assert azure.violations == []


def batch_of(*images: bytes, **more: Any) -> dict[str, Any]:
    entries = [{"name": f"{i}", "contents": base64.b64encode(image).decode()} for i, image in enumerate(images)]
    return {"images": entries, **more}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("image", "status"),
    [
        (picture(1), "OK"),
        (encoded(Image.new("RGB", (16, 16))), "OK"),
        (encoded(Image.new("RGB", (16, 16)), "GIF"), "OK"),
        (encoded(Image.new("RGB", (16, 16)), "BMP"), "OK"),
        (encoded(Image.new("RGB", (16, 16)), "TIFF"), "ErrorImageFormat"),
        (encoded(Image.new("RGB", (16, 16)), "WEBP"), "ErrorImageFormat"),
        (b"no photo", "ErrorImageFormat"),
        (b"", "ErrorImageFormat"),
        (PHOTOS[0][:5000], "ErrorImageFormat"),
        (picture(1) + bytes(6 * 1024 * 1024 - len(picture(1))), "OK"),
        (picture(1) + bytes(6 * 1024 * 1024), "ErrorImageSize"),
        (encoded(Image.new("L", (10_240, 410)), "PNG"), "OK"),
        (encoded(Image.new("L", (10_241, 1000)), "PNG"), "ErrorImageDimensions"),
        (encoded(Image.new("L", (261, 10)), "PNG"), "ErrorImageDimensions"),
        (encoded(Image.new("1", (20_000, 20_000)), "PNG"), "ErrorImageDimensions"),
    ],
)
def test_each_photo_is_judged(azure: TrainingServer, sdk: Any, project: Any, image: bytes, status: str) -> None:
    summary = upload(sdk, project, image, picture(2))
    assert statuses(summary) == [status, "OK"]
    assert summary.is_batch_successful == (status == "OK")
    assert bool(azure.violations) == (status == "ErrorImageSize")


def test_tags_that_do_not_go(sdk: Any, project: Any, tags: Ids) -> None:
    entry = ImageFileCreateEntry(name="x", contents=bytearray(picture(1)))
    for wrong, status in (
        ([NOBODY], "ErrorInvalidTag"),
        ([tags["gobelet"], tags["Negative"]], "ErrorNegativeAndRegularTagOnSameImage"),
        ([tags["gobelet"], tags["couvert"]], "ErrorTagLimitExceed"),
    ):
        entry.tag_ids = wrong
        assert statuses(sdk.create_images_from_files(project.id, ImageFileCreateBatch(images=[entry]))) == [status]
    both = sdk.create_project("both", classification_type="Multilabel")
    entry.tag_ids = [sdk.create_tag(both.id, name).id for name in ("a", "b")]
    assert statuses(sdk.create_images_from_files(both.id, ImageFileCreateBatch(images=[entry]))) == ["OK"]


REGION = {"tagId": NOBODY, "left": 0.1, "top": 0.1, "width": 0.5, "height": 0.5}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("batch", "code"),
    [
        (batch_of(*[b"x"] * 65), "BadRequestExceededBatchSize"),
        (batch_of(), "BadRequestImageBatch"),
        (batch_of(b"x", tagIds=[NOBODY[:-2] + f"{i:02}" for i in range(21)]), "BadRequestImageTags"),
        (batch_of(b"x", metadata={str(i): "" for i in range(11)}), "BadRequestImageMetadataKey"),
        (batch_of(b"x", metadata={"k" * 129: ""}), "BadRequestImageMetadataKey"),
        (batch_of(b"x", metadata={"k": "v" * 257}), "BadRequestImageMetadataValue"),
        (batch_of(b"x", metadata={"k": 1}), "BadRequest"),
        (batch_of(b"x", tagIds=["gobelet"]), "BadRequest"),
        (batch_of(b"x", tag_ids=[]), "BadRequest"),
        ({"images": [{"contents": "no base64"}]}, "BadRequest"),
        ({"images": [{"contents": "", "regions": [{"left": 0}]}]}, "BadRequest"),
        (batch_of(b"x") | {"images": [{"contents": "", "regions": [REGION]}]}, "BadRequestImageRegions"),
        ({"images": {}}, "BadRequest"),
        ([], "BadRequest"),
    ],
)  # fmt: skip
def test_a_wrong_batch_is_refused_whole(azure: TrainingServer, project: Any, batch: Any, code: str) -> None:
    response = by_hand(azure, "POST", f"/projects/{project.id}/images/files", json=batch)
    assert (response.status_code, response.json()["code"]) == (400, code)
    assert len(azure.violations) == 1
    assert azure.batches == []
    assert not azure.photos


def test_the_limits_themselves_are_taken(azure: TrainingServer, sdk: Any, project: Any) -> None:
    metadata = {f"{i}" + "k" * 127: "v" * 256 for i in range(10)}
    assert upload(sdk, project, *(picture(i) for i in range(64)), metadata=metadata).is_batch_successful
    assert len(sdk.get_images(project.id, take=256)) == 64
    assert azure.violations == []


def test_answers_can_come_in_another_order(azure: TrainingServer, sdk: Any, project: Any) -> None:
    azure.shuffles = True
    names = [image.source_url for image in upload(sdk, project, *(picture(i) for i in range(40))).images]
    assert sorted(names) == sorted(f"{i}.png" for i in range(40)) != names


# Photos that are there


def test_photos_are_listed(sdk: Any, filled: Any, tags: Ids) -> None:
    photos = sdk.get_images(filled.id, take=256)
    assert len(photos) == 20
    assert [photo.created for photo in photos] == sorted((photo.created for photo in photos), reverse=True)
    oldest = sdk.get_images(filled.id, order_by="Oldest", take=7, skip=3)
    assert [photo.id for photo in oldest] == [photo.id for photo in photos[::-1][3:10]]
    assert sdk.get_images(filled.id, take=0) == []
    assert len(sdk.get_images(filled.id)) == 20
    assert photos[0].metadata == {"kind": "3"}
    assert [tag.tag_name for tag in photos[0].tags] == ["Negative"]
    assert (photos[0].width, photos[0].height) == (16, 12)
    some = sdk.get_images_by_ids(filled.id, [photos[0].id, photos[5].id, NOBODY])
    assert {photo.id for photo in some} == {photos[0].id, photos[5].id}
    upload(sdk, filled, picture(999))
    assert len(sdk.get_tagged_images(filled.id, tag_ids=[tags["gobelet"], tags["couvert"]])) == 10
    assert [len(sdk.get_untagged_images(filled.id)), sdk.get_untagged_image_count(filled.id)] == [1, 1]
    assert sdk.get_tagged_image_count(filled.id, tag_ids=[tags["gobelet"]]) == 5
    assert sdk.get_image_count(filled.id) == 21
    assert sdk.get_image_count(filled.id, filter="metadata=kind eq '1' or kind eq '2'") == 10
    assert len(sdk.get_images(filled.id, filter="kind ne '1'", tagging_status="Tagged")) == 15


@pytest.mark.parametrize(
    ("text", "fits"),
    [
        ("", True),
        ("a eq '1'", True),
        ("metadata=a eq '1' and b ne '1'", True),
        ("a eq '2' and b eq '2' or a eq '1'", True),
        ("a eq '1' or a eq '2' and b eq '9'", True),
        ("a ne '1'", False),
        ("c ne '1'", True),
        ("c eq ''", False),
        ("d eq 'l''eau'", True),
    ],
)
def test_filters(text: str, fits: bool) -> None:
    assert image_filter(text)({"a": "1", "b": "2", "d": "l'eau"}) == fits


@pytest.mark.parametrize(
    "text", ["a", "a eq 1", "a = '1'", "a eq '1' and", "a eq '1' b eq '2'", "(a eq '1')", "a gt '1'"]
)
def test_filters_that_make_no_sense(azure: TrainingServer, sdk: Any, project: Any, text: str) -> None:
    assert code_of(sdk.get_image_count, project.id, filter=text) == "400 BadRequest"
    assert azure.violations


@pytest.mark.parametrize(("form", "understood"), [("both", (1, 1)), ("prefixed", (1, 0)), ("bare", (0, 1))])
def test_filters_have_one_form_or_the_other(
    azure: TrainingServer, sdk: Any, project: Any, form: Any, understood: tuple[int, int]
) -> None:
    azure.filters = form
    upload(sdk, project, picture(1), metadata={"batch": "7"})
    for text, right in zip(("metadata=batch eq '7'", "batch eq '7'"), understood, strict=True):
        if right:
            assert sdk.get_image_count(project.id, filter=text) == 1
        else:
            assert code_of(sdk.get_image_count, project.id, filter=text) == "400 BadRequest"
    assert azure.violations == []


def test_photos_are_changed(azure: TrainingServer, sdk: Any, filled: Any, tags: Ids) -> None:
    photo = sdk.get_tagged_images(filled.id, tag_ids=[tags["gobelet"]])[0]
    entry = ImageTagCreateEntry(image_id=photo.id, tag_id=tags["couvert"])
    assert len(sdk.create_image_tags(filled.id, tags=[entry]).exceeded) == 1
    sdk.delete_image_tags(filled.id, [photo.id], [tags["gobelet"]])
    assert len(sdk.create_image_tags(filled.id, tags=[entry]).created) == 1
    assert len(sdk.create_image_tags(filled.id, tags=[entry]).duplicated) == 1
    assert sdk.get_tag(filled.id, tags["couvert"]).image_count == 6
    summary = sdk.update_image_metadata(filled.id, [photo.id, NOBODY], {"group": "7"})
    assert [each.status for each in summary.images] == ["OK", "ErrorImageNotFound"]
    assert sdk.get_images_by_ids(filled.id, [photo.id])[0].metadata == {"kind": "1", "group": "7"}
    sdk.delete_images(filled.id, image_ids=[photo.id])
    assert sdk.get_image_count(filled.id) == len(azure.photos) == 19
    sdk.delete_images(filled.id, all_images=True)
    assert sdk.get_image_count(filled.id) == 0


def test_photos_come_home_without_a_key(azure: TrainingServer, sdk: Any, project: Any) -> None:
    upload(sdk, project, PHOTOS[0])
    photo = sdk.get_images(project.id)[0]
    original = requests.get(photo.original_image_uri, timeout=5)
    assert (original.content, original.headers["Content-Type"]) == (PHOTOS[0], "image/jpeg")
    assert max(Image.open(BytesIO(requests.get(photo.thumbnail_uri, timeout=5).content)).size) == 256
    assert Image.open(BytesIO(requests.get(photo.resized_image_uri, timeout=5).content)).size == (960, 720)
    assert requests.get(photo.original_image_uri.partition("sig=")[0] + "sig=x", timeout=5).status_code == 404
    assert len(azure.downloads) == 4
    assert azure.violations == []
    told = requests.get(photo.original_image_uri, headers={"Training-key": azure.training_key}, timeout=5)
    assert told.status_code == 403
    assert len(azure.violations) == 1


# Training


def test_training_needs_enough(sdk: Any, project: Any) -> None:
    failed = "400 BadRequestMultiClassClassificationTrainingValidationFailed"
    assert code_of(sdk.train_project, project.id) == failed
    for number, name in enumerate("ab"):
        tag = sdk.create_tag(project.id, name)
        upload(sdk, project, *(picture(10 * number + i) for i in range(5 - number)), tag=tag.id)
        assert code_of(sdk.train_project, project.id) == failed
    upload(sdk, project, picture(99), tag=tag.id)
    assert sdk.train_project(project.id).status == "Training"


def test_training_is_refused(azure: TrainingServer, sdk: Any, filled: Any) -> None:
    iteration = sdk.train_project(filled.id)
    assert code_of(sdk.train_project, filled.id, force_train=True) == "400 BadRequestTrainingAlreadyInProgress"
    assert code_of(sdk.get_iteration_performance, filled.id, iteration.id) == "400 BadRequestIterationIsNotTrained"
    assert code_of(sdk.delete_iteration, filled.id, iteration.id) == "400 BadRequestTrainingAlreadyInProgress"
    export = code_of(sdk.export_iteration, filled.id, iteration.id, "TensorFlow")
    assert export == "400 BadRequestExportWhileTraining"
    publish = code_of(sdk.publish_iteration, filled.id, iteration.id, "triof", azure.prediction_resource_id)
    assert publish == "400 BadRequestIterationIsNotTrained"
    for _ in range(3):
        sdk.get_iterations(filled.id)
    assert code_of(sdk.train_project, filled.id) == "400 BadRequestTrainingNotNeeded"
    azure.training_polls = 0
    second = sdk.train_project(filled.id, force_train=True)
    sdk.get_iteration(filled.id, second.id)
    upload(sdk, filled, picture(999))
    assert sdk.train_project(filled.id).name == "Iteration 3"
    assert len(sdk.get_iterations(filled.id)) == 3
    azure.limits = replace(azure.limits, iterations=3)
    limit = code_of(sdk.train_project, filled.id, force_train=True)
    assert limit == "400 BadRequestExceedIterationPerProjectLimit"


def test_training_can_be_advanced_and_choose_tags(azure: TrainingServer, sdk: Any, filled: Any, tags: Ids) -> None:
    budget = code_of(sdk.train_project, filled.id, training_type="Advanced")
    assert budget == "400 BadRequestReservedBudgetInHoursNotEnoughForAdvancedTraining"
    chosen = [tags["gobelet"], tags["couvert"]]
    assert code_of(sdk.train_project, filled.id, selected_tags=[*chosen, NOBODY]) == "400 BadRequestInvalidIds"
    azure.training_polls = 0
    iteration = sdk.train_project(filled.id, training_type="Advanced", reserved_budget_in_hours=1, selected_tags=chosen)
    assert (iteration.training_type, iteration.reserved_budget_in_hours) == ("Advanced", 1)
    sdk.get_iteration(filled.id, iteration.id)
    assert len(sdk.get_images(filled.id, iteration_id=iteration.id)) == 10
    performance = sdk.get_iteration_performance(filled.id, iteration.id)
    assert {tag.name for tag in performance.per_tag_performance} == {"gobelet", "couvert"}


def test_training_can_fail(azure: TrainingServer, sdk: Any, filled: Any) -> None:
    azure.training_polls, azure.training_ends_as = 0, "Failed"
    iteration = sdk.get_iteration(filled.id, sdk.train_project(filled.id).id)
    assert (iteration.status, iteration.trained_at) == ("Failed", None)
    assert iteration.training_error_details
    azure.training_ends_as = "Completed"
    assert sdk.train_project(filled.id).status == "Training"


# Publishing and exporting


@pytest.mark.slow
def test_publishing(azure: TrainingServer, sdk: Any, predictor: Any, filled: Any, trained: Any) -> None:
    target = azure.prediction_resource_id
    publish = sdk.publish_iteration
    short = target.rpartition("/")[2]
    assert code_of(publish, filled.id, trained.id, "triof", short) == "400 BadRequestInvalidPublishTarget"
    assert publish(filled.id, trained.id, "triof", target) is True
    assert code_of(publish, filled.id, trained.id, "triof", target) == "400 BadRequestIterationIsPublished"
    azure.refuses_republishing = False
    assert publish(filled.id, trained.id, "triof", target) is True
    assert code_of(publish, filled.id, trained.id, "other", target) == "400 BadRequestIterationIsPublished"
    assert code_of(sdk.delete_iteration, filled.id, trained.id) == "400 BadRequestIterationIsPublished"
    assert code_of(sdk.delete_project, filled.id) == "400 BadRequestIterationIsPublished"
    second = sdk.get_iteration(filled.id, sdk.train_project(filled.id, force_train=True).id)
    assert code_of(publish, filled.id, second.id, "triof", target) == "400 BadRequestInvalidPublishName"
    assert predictor.classify_image(filled.id, "triof", PHOTOS[0]).iteration == trained.id
    assert publish(filled.id, second.id, "triof", target, overwrite=True)
    assert predictor.classify_image(filled.id, "triof", PHOTOS[0]).iteration == second.id
    assert sdk.get_iteration(filled.id, trained.id).publish_name is None
    sdk.delete_iteration(filled.id, trained.id)
    sdk.unpublish_iteration(filled.id, second.id)
    assert code_of(sdk.unpublish_iteration, filled.id, second.id) == "400 BadRequestIterationNotPublished"
    with pytest.raises(Exception, match="Invalid iteration"):
        predictor.classify_image(filled.id, "triof", PHOTOS[0])


def test_iterations_are_renamed(sdk: Any, filled: Any, trained: Any) -> None:
    assert sdk.update_iteration(filled.id, trained.id, "with cups").name == "with cups"
    second = sdk.train_project(filled.id, force_train=True)
    assert code_of(sdk.update_iteration, filled.id, second.id, "with cups") == "400 BadRequestIterationNameNotUnique"
    assert code_of(sdk.get_iteration, filled.id, NOBODY) == "404 NotFoundIteration"


def test_exporting(azure: TrainingServer, sdk: Any, filled: Any, trained: Any) -> None:
    def export(platform: str, flavor: str | None = None) -> str:
        return str(sdk.export_iteration(filled.id, trained.id, platform, flavor=flavor).status)

    azure.export_polls = 0
    assert export("TensorFlow", "TensorFlowLite") == "Exporting"
    assert code_of(export, "TensorFlow", "TensorFlowLite") == "400 BadRequestExportAlreadyInProgress"
    assert code_of(export, "TensorFlow", "ONNX10") == "400 BadRequestExportValidationFailed"
    assert export("ONNX") == export("DockerFile", "Linux") == "Exporting"
    found = {(each.platform, each.flavor): each for each in sdk.get_exports(filled.id, trained.id)}
    assert set(found) == {("TensorFlow", "TensorFlowLite"), ("ONNX", None), ("DockerFile", "Linux")}
    azure.export_zip = azure_export_zip(["a", "b"])
    link = found["TensorFlow", "TensorFlowLite"].download_uri
    assert requests.get(link, timeout=5).content == azure.export_zip
    assert code_of(export, "TensorFlow", "TensorFlowLite") == "400 BadRequestExportAlreadyInProgress"
    azure.faults_next(1, "truncated", only="^GET /blobs/exports")
    with pytest.raises(requests.RequestException):
        requests.get(link, timeout=5)
    told = requests.get(link, headers={"Prediction-key": azure.prediction_key}, timeout=5)
    assert told.status_code == 403
    assert len(azure.violations) == 1
    assert len(azure.downloads) == 3


# The wire


def test_the_key(azure: TrainingServer) -> None:
    for headers in ({"Training-key": "x"}, {"Training-key": azure.prediction_key}):
        assert by_hand(azure, "GET", "/projects", headers=headers).status_code == 401
    assert by_hand(azure, "GET", "/projects").json() == []
    assert azure.violations == []


TAKE = f"take={MOST_TAKEN + 1}"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/projects/triof", 400),
        ("GET", f"/projects/{NOBODY}/iterations/Iteration%201", 400),
        ("GET", "/projects?name=x", 400),
        ("GET", "/nowhere", 404),
        ("PUT", "/projects", 404),
        ("POST", "/projects", 400),
        ("POST", "/projects?name=x&name=y", 400),
        ("POST", "/projects?name=x&domainId=compact", 400),
        ("POST", "/projects?name=x&classificationType=multiclass", 400),
        ("POST", "/projects?name=x&targetExportPlatforms=TFLite", 400),
        ("GET", f"/projects/{NOBODY}/images?{TAKE}", 400),
        ("GET", f"/projects/{NOBODY}/images?take=-1", 400),
        ("GET", f"/projects/{NOBODY}/images?take=all", 400),
        ("GET", f"/projects/{NOBODY}/images?filter=a%20eq%20'b'", 400),
        ("GET", f"/projects/{NOBODY}/images?tagIds=" + ",".join([NOBODY] * 21), 400),
        ("GET", f"/projects/{NOBODY}/images?tagIds=bouteille", 400),
        ("GET", f"/projects/{NOBODY}/images/id?imageIds=" + ",".join([NOBODY] * 257), 400),
        ("DELETE", f"/projects/{NOBODY}/images/tags?imageIds={NOBODY}", 400),
        ("POST", f"/projects/{NOBODY}/train?forceTrain=True", 400),
        ("POST", f"/projects/{NOBODY}/images/files", 400),
    ],
)
def test_what_is_against_the_swagger(azure: TrainingServer, method: str, path: str, status: int) -> None:
    response = by_hand(azure, method, path)
    assert response.status_code == status
    assert set(response.json()) == {"code", "message"}
    assert len(azure.violations) == 1


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b"{", {"Content-Type": "application/json"}, 400),
        (b'{"images": []}', {"Content-Type": "text/plain"}, 415),
        (b'{"images": []}', {}, 415),
        (b'{"pictures": []}', {"Content-Type": "application/json; charset=utf-8"}, 400),
    ],
)
def test_bodies_against_the_swagger(
    azure: TrainingServer, project: Any, body: bytes, headers: dict[str, str], status: int
) -> None:
    response = by_hand(azure, "POST", f"/projects/{project.id}/images/files", data=body, headers=headers)
    assert response.status_code == status
    assert len(azure.violations) == 1


def test_the_rate(azure: TrainingServer, clock: Clock) -> None:
    azure.rate_per_second = 2
    assert [by_hand(azure, "GET", "/projects").status_code for _ in range(3)] == [200, 200, 429]
    refusal = by_hand(azure, "GET", "/projects")
    assert refusal.headers["Retry-After"] == "1"
    assert "have exceeded rate limit of your current" in refusal.text
    assert azure.peak_per_second == 4
    clock.pass_(1)
    assert by_hand(azure, "GET", "/projects").status_code == 200
    clock.pass_(0.5)
    assert by_hand(azure, "GET", "/domains").status_code == 200
    assert azure.peak_per_second == 4
    assert len(azure.arrivals) == 6
    assert azure.violations == []


def test_predictions_are_metered(azure: TrainingServer, predictor: Any, filled: Any, trained: Any, sdk: Any) -> None:
    sdk.publish_iteration(filled.id, trained.id, "triof", azure.prediction_resource_id)
    azure.answer = lambda image: {"gobelet": 0.75, "couvert": 0.25}
    azure.quota = 1
    answer = predictor.classify_image_with_no_store(filled.id, "triof", PHOTOS[0])
    assert [(tag.tag_name, tag.probability) for tag in answer.predictions] == [("gobelet", 0.75), ("couvert", 0.25)]
    with pytest.raises(Exception, match="Forbidden"):
        predictor.classify_image(filled.id, "triof", PHOTOS[0])
    assert azure.calls == 1
    azure.quota, azure.prediction_rate_per_second = None, 0
    with pytest.raises(Exception, match="Too Many Requests"):
        predictor.classify_image(filled.id, "triof", PHOTOS[0])
    azure.prediction_rate_per_second, azure.fault = None, "unknown_tag"
    assert predictor.classify_image(filled.id, "triof", PHOTOS[0]).predictions[0].tag_name == "verre"
    assert sdk.get_projects()


@pytest.mark.slow
def test_threads_send_each_photo_once(azure: TrainingServer, sdk: Any, project: Any) -> None:
    with ThreadPoolExecutor(4) as pool:
        summaries = list(pool.map(lambda i: upload(sdk, project, *(picture(j) for j in range(i, i + 8))), range(24)))
    assert sum(statuses(summary).count("OK") for summary in summaries) == len(azure.photos) == 31
    assert sum(photo.times_sent for photo in azure.photos.values()) == 24 * 8
    assert len(azure.batches) == 24


# Faults and hooks


@pytest.mark.slow
@pytest.mark.parametrize("fault", ["reset", "half_open", "truncated", "silent"])
def test_an_answer_lost_on_its_way(azure: TrainingServer, sdk: Any, project: Any, fault: Fault) -> None:
    """The photos are there, and nobody knows."""
    sdk.config.connection.timeout = (0.2, 0.2)
    azure.faults_next(1, fault)
    with pytest.raises(ClientRequestError):
        upload(sdk, project, picture(1))
    assert len(azure.photos) == 1
    assert statuses(upload(sdk, project, picture(1))) == ["OKDuplicate"]


@pytest.mark.parametrize("handled", [False, True])
def test_an_answer_instead(azure: TrainingServer, sdk: Any, project: Any, handled: bool) -> None:
    azure.faults_next(2, "empty_503", handled=handled)
    for _ in range(2):
        with pytest.raises(TypeError):  # what the SDK makes of an error without a body
            upload(sdk, project, picture(1))
    assert len(azure.photos) == handled
    assert len(azure.batches) == 2 * handled
    assert statuses(upload(sdk, project, picture(1))) == ["OKDuplicate" if handled else "OK"]


def test_faults_choose_their_requests(azure: TrainingServer, sdk: Any, project: Any) -> None:
    azure.faults_next(1, None, only="images/files$")
    azure.faults_next(1, "html_502", only="images/files$")
    upload(sdk, project, picture(1))
    assert sdk.get_image_count(project.id) == 1
    with pytest.raises(CustomVisionErrorException):
        upload(sdk, project, picture(2))
    assert upload(sdk, project, picture(2)).is_batch_successful
    azure.faults_next(1, "rate_limited")
    with pytest.raises(CustomVisionErrorException, match="Too Many Requests"):
        sdk.get_projects()
    azure.faults_next(1, "hang_before_read")
    with pytest.raises(requests.ReadTimeout):
        requests.get(azure.endpoint, timeout=0.1)
    assert requests.get(azure.endpoint, timeout=1).status_code == 401
    with pytest.raises(ValueError, match="slient"):
        azure.faults_next(1, "slient")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="chosen"):
        azure.faults_next(1, "hang_before_read", only="x")


def test_hooks_are_called_before_the_answer(azure: TrainingServer, sdk: Any, project: Any) -> None:
    seen: list[Any] = []
    azure.on_request = lambda method, path: seen.append((method, path.rpartition("/")[2], len(azure.photos)))
    azure.after_store = lambda uploads: seen.append((uploads, len(azure.photos)))
    upload(sdk, project, picture(1))
    upload(sdk, project, picture(2))
    sdk.get_projects()
    assert seen == [("POST", "files", 0), (1, 1), ("POST", "files", 1), (2, 2), ("GET", "projects", 2)]


def test_all_is_there_after_a_stop(azure: TrainingServer, sdk: Any, project: Any) -> None:
    upload(sdk, project, picture(1))
    azure.stop()
    with pytest.raises(ClientRequestError):
        sdk.get_projects()
    azure.start()
    assert sdk.get_image_count(project.id) == 1


# The swagger


@pytest.mark.skipif(not SWAGGER.exists(), reason=f"no {SWAGGER}")
def test_the_table_is_the_swaggers(swagger: Swagger) -> None:
    for operation in OPERATIONS:
        theirs = swagger.operations[operation.method, operation.template]
        assert theirs["operationId"] == operation.name
        parameters = {each["name"]: each for each in theirs["parameters"]} if "parameters" in theirs else {}
        query = {name: each for name, each in parameters.items() if each["in"] == "query"}
        assert set(query) == set(operation.query), operation.name
        for name, kind in operation.query.items():
            assert kind.endswith("!") == query[name].get("required", False), (operation.name, name)
            assert_same_kind(kind.rstrip("!"), query[name])
        body = next((each for each in parameters.values() if each["in"] == "body"), None)
        assert bool(operation.body) == bool(body)
        if body:
            assert operation.body.endswith("!") == body.get("required", False), operation.name
            name = body["schema"].get("$ref", "/Metadata").rpartition("/")[2]
            assert operation.body.rstrip("!") == name


def assert_same_kind(kind: str, theirs: dict[str, Any]) -> None:
    items = theirs.get("items", {})
    if kind.startswith("uuids"):
        assert items["format"] == "uuid"
        assert theirs.get("maxItems") == (int(kind[5:]) if kind[5:] else None)
    elif kind == "take":
        assert (theirs["minimum"], theirs["maximum"]) == (0, MOST_TAKEN)
    elif kind in ENUMS or kind == "ExportPlatforms":
        assert tuple((items or theirs)["enum"]) == ENUMS[kind.rstrip("s") if kind == "ExportPlatforms" else kind]
    else:
        names = {"str": "string", "uuid": "string", "int": "integer", "float": "number", "bool": "boolean"}
        assert theirs["type"] == names[kind]
        assert (theirs.get("format") == "uuid") == (kind == "uuid")


@pytest.mark.skipif(not SWAGGER.exists(), reason=f"no {SWAGGER}")
def test_the_bodies_are_the_swaggers(swagger: Swagger) -> None:
    for name, properties in BODIES.items():
        if "*" in properties:
            continue
        theirs = swagger.definitions[name]
        assert set(properties) == set(theirs["properties"]), name
        required = {each for each, kind in properties.items() if kind.endswith("!")}
        assert required == set(theirs.get("required", [])), name
        for each, kind in properties.items():
            if inner := re.search(r"\w+", kind):
                enum = theirs["properties"][each].get("enum") or theirs["properties"][each].get("items", {}).get("enum")
                assert tuple(enum or ()) == ENUMS.get(inner[0], ()), (name, each)


def test_a_wrong_answer_is_noticed(swagger: Swagger | None) -> None:
    if swagger is None:
        pytest.skip(f"no {SWAGGER}")
    path = "/customvision/v3.4-preview/training/projects/x/tags?a=b"
    tag = {"id": NOBODY, "name": "a", "description": None, "type": "Regular", "imageCount": 1}
    for changes, count in (
        ({}, 0),
        ({"type": "regular"}, 1),
        ({"name": None}, 1),
        ({"id": "x"}, 1),
        ({"imageCount": "1"}, 1),
        ({"imageCount": True}, 1),
        ({"colour": "red"}, 1),
    ):
        assert len(swagger.wrongs("GET", path, 200, json.dumps([tag | changes]).encode())) == count
    assert swagger.wrongs("GET", path, 200, b"{}")
    assert swagger.wrongs("GET", path, 204, b"")
    assert swagger.wrongs("POST", path, 200, json.dumps({"id": NOBODY}).encode())
    assert not swagger.wrongs("POST", path, 400, b'{"code": "BadRequestTagName", "message": ""}')
    assert swagger.wrongs("POST", path, 400, b'{"code": "BadTag", "message": ""}')


def test_it_needs_no_swagger_itself() -> None:
    """The repository is tested where Microsoft's file is not."""
    for name in ("training_api", "training_records", "training_server", "training_service"):
        assert "swagger import" not in (ROOT / "testing" / "azure" / f"{name}.py").read_text(encoding="utf-8")
