"""The model's web service over HTTP: it answers as the machine's API does, to those who have a key."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from tests.support.api_desk import form
from tests.support.clock import Clock
from tests.support.colour_models import machine_seeing, save, save_both, settings_of, shown
from triof.app import create_app as create_machine_app
from triof.model_service import key_file, served
from triof.model_service.app import create_app
from triof.model_service.key_file import KeyFile, KeysMissing
from triof.model_service.served import ServedFolderUnusable, ServedSettings
from triof.settings.tree import Settings

KEY = "a-key-of-a-caller-0123"
HEADERS = {"Authorization": f"Bearer {KEY}"}


def serve(folder: Path, bundle: str, per_minute: int = 100) -> Iterator[FlaskClient]:
    settings = Settings(api={"per_minute": per_minute})
    kept = ServedSettings(
        version=bundle,
        tasks=("waste_type", "cleanliness") if bundle == "both-1" else ("waste_type",),
        policy=settings.policy,
        photo=settings.photo,
        api=settings.api,
        deadline_seconds=2.5,
    )
    (folder / "service.json").write_text(kept.model_dump_json())
    sorter = served.build_sorter(folder, served.read(folder))
    yield create_app(sorter, kept, KeyFile([KEY, KEY[::-1]], per_minute, Clock())).test_client()
    sorter.close()


@pytest.fixture
def client(tmp_path: Path) -> Iterator[FlaskClient]:
    save_both(tmp_path / "bundle")
    yield from serve(tmp_path, "both-1")


def test_it_answers_as_the_api_of_a_machine_does(client: FlaskClient, tmp_path: Path, new_journal: Path) -> None:
    photos = [shown("cup", "clean"), shown("", "dirty"), shown("other"), b"<html>"]
    (tmp_path / "machine").mkdir()
    settings = settings_of(tmp_path / "machine", new_journal)
    with machine_seeing(settings, tmp_path) as machine:
        secret = machine.services.operations.keys.create("erp", ["predict"])
        api = create_machine_app(settings, machine.services).test_client()
        for photo in photos:
            ours = client.post("/api/v2/predict", data=photo, headers=HEADERS, content_type="image/png")
            theirs = api.post(
                "/api/v2/predict", data=photo, headers={"Authorization": f"Bearer {secret}"}, content_type="image/png"
            )
            assert ours.status_code == theirs.status_code
            told, known = ours.get_json(), theirs.get_json()
            for changing in ("id", "duration", "attempts", "instance"):
                told.pop(changing, None)
                known.pop(changing, None)
            assert told == known


def test_a_batch_has_an_answer_for_each_photo_in_order(client: FlaskClient) -> None:
    answer = client.post("/api/v2/predict-batch", data=form(shown("cup"), b"", shown("bottle")), headers=HEADERS)
    assert answer.json
    cup, empty, bottle = answer.json["items"]
    assert cup["prediction"]["waste_type"]["label"] == "cup"
    assert empty["problem"]["code"] == "empty"
    assert bottle["prediction"]["waste_type"]["label"] == "bottle"
    assert client.post("/api/v1/predict", data=shown("cup"), headers=HEADERS).json["waste_type"]["label"] == "cup"  # type: ignore[index]


def test_a_bundle_of_one_task_leaves_the_other_open(tmp_path: Path) -> None:
    save(tmp_path / "bundle", "waste_type")
    for client in serve(tmp_path, "colours-waste_type"):
        answer = client.post("/api/v2/predict", data=shown("cup"), headers=HEADERS).json
        assert answer
        assert (answer["waste_type"]["label"], answer["cleanliness"]) == ("cup", None)
        assert client.get("/readyz").status_code == 200


def test_no_photo_is_judged_without_a_key(client: FlaskClient) -> None:
    photo = shown("cup")
    for headers, status, code in [
        ({}, 401, "key_missing"),
        ({"Authorization": "Bearer another-key-0123456"}, 401, "key_unknown"),
        ({"Authorization": "Basic !"}, 401, "key_missing"),
    ]:
        answer = client.post("/api/v2/predict", data=photo, headers=headers)
        assert (answer.status_code, answer.content_type) == (status, "application/problem+json")
        assert answer.json
        assert answer.json["code"] == code
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert (
        client.post("/api/v2/predict", data=photo, headers={"Authorization": f"bearer {KEY[::-1]}"}).status_code == 200
    )


def test_each_key_has_its_limit(tmp_path: Path) -> None:
    save_both(tmp_path / "bundle")
    for client in serve(tmp_path, "both-1", per_minute=16):
        assert client.post("/api/v2/predict-batch", data=form(*[shown("cup")] * 16), headers=HEADERS).status_code == 200
        refused = client.post("/api/v2/predict", data=shown("cup"), headers=HEADERS)
        assert (refused.status_code, refused.headers["Retry-After"]) == (429, "60")
        other = {"Authorization": f"Bearer {KEY[::-1]}"}
        assert (
            client.post("/api/v2/predict", data=shown("cup"), headers=other).headers["RateLimit"] == '"key";r=15;t=60'
        )


def test_health_and_errors_need_no_key(client: FlaskClient) -> None:
    assert client.get("/livez").text == "ok\n"
    ready = client.get("/readyz")
    assert ready.json == {"ready": True, "model": "both-1", "tasks": ["waste_type", "cleanliness"], "reasons": []}
    assert client.get("/dashboard").json["code"] == "not_found"  # type: ignore[index]
    assert client.get("/api/v2/predict").json["code"] == "method_not_allowed"  # type: ignore[index]
    assert client.get("/api/v2/machine", headers=HEADERS).status_code == 404


def test_the_document_lists_what_is_served_and_no_more(client: FlaskClient) -> None:
    document = client.get("/api/openapi.json").json
    assert document
    served_rules = {str(rule) for rule in client.application.url_map.iter_rules() if str(rule).startswith("/api/")}
    assert set(document["paths"]) == served_rules
    assert "Prefer" not in str(document)
    assert "Idempotency-Key" not in str(document)
    assert "JobV2" not in document["components"]["schemas"]


def test_what_is_missing_or_damaged_is_named(tmp_path: Path) -> None:
    with pytest.raises(ServedFolderUnusable, match=r"service\.json"):
        served.read(tmp_path)
    save_both(tmp_path / "bundle")
    (tmp_path / "bundle" / "model.tflite").write_bytes(b"no model")
    with pytest.raises(ServedFolderUnusable, match="damaged"):
        next(serve(tmp_path, "both-1"))


@pytest.mark.parametrize(
    ("content", "told"), [(None, "cannot be read"), ("\n \n", "no key"), ("short\n", "fewer than 16")]
)
def test_a_key_file_that_lets_nobody_or_anybody_in_is_refused(tmp_path: Path, content: str | None, told: str) -> None:
    path = tmp_path / "keys.txt"
    if content is not None:
        path.write_text(content)
    with pytest.raises(KeysMissing, match=told) as raised:
        key_file.read(path)
    assert "secrets.token_urlsafe" in str(raised.value)


def test_a_key_file_has_a_key_in_each_line(tmp_path: Path) -> None:
    (tmp_path / "keys.txt").write_text(f"\n{KEY}\r\n  {KEY[::-1]}\n")
    assert key_file.read(tmp_path / "keys.txt") == [KEY, KEY[::-1]]
