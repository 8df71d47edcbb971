"""The API through HTTP: photos in, predictions or problems out, now or later."""

import json
import os
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from pathlib import Path
from threading import Barrier, Event, Thread
from typing import Any

import pytest
from PIL import Image
from werkzeug.test import TestResponse

from providers.base import ProviderUnavailable
from providers.fake import FakeProvider
from testing.azure.custom_vision_server import CustomVisionServer
from testing.image_files import encoded
from tests.support.api_desk import Desk, form
from tests.support.faulty_disk import FULL, failing_replace
from tests.support.machines import BuildCloudMachine, BuildMachine
from triof.common.paths import DEMO_PICTURES
from triof.judging.sorter import Judgement
from triof.predictions import results
from triof.predictions.queue import Jobs

Build = Callable[..., Desk]
ASYNC = {"Prefer": "respond-async"}
cores = os.cpu_count() or 1
DOWN = ProviderUnavailable("the cloud is down")


@pytest.fixture
def build_desk(build_machine: BuildMachine, tmp_path: Path) -> Build:
    """Builds desks; ``api`` holds the settings of the section."""

    def build(api: dict[str, Any] | None = None, **changes: Any) -> Desk:
        section = {"api": {"per_minute": 100_000, **(api or {})}}
        return Desk(build_machine(**section, **changes), tmp_path / "home")

    return build


@pytest.fixture
def desk(build_desk: Build) -> Desk:
    return build_desk()


def problem(answer: TestResponse) -> tuple[int, str]:
    """Status and code of a problem document that is whole."""
    assert answer.content_type == "application/problem+json", answer.text
    told = answer.json
    assert told
    assert {"type", "title", "status", "detail", "instance", "code"} <= set(told)
    assert told["status"] == answer.status_code
    assert told["type"] == f"/api/docs#{told['code']}"
    return answer.status_code, told["code"]


def judged(desk: Desk) -> int:
    """How many photos the judge of the type has seen."""
    (judge,) = desk.machine.services.sorter.router.members("waste_type")
    assert isinstance(judge, FakeProvider)
    return len(judge.history)


@pytest.mark.slow
def test_both_versions_tell_the_same_and_v2_more(desk: Desk, jpeg: bytes) -> None:
    first, second = (desk.ask(f"/api/{version}/predict", jpeg).json for version in ("v1", "v2"))
    assert first
    assert second
    assert set(first) == {"id", "waste_type", "cleanliness"}
    assert first["waste_type"] == {
        "label": "bottle",
        "probability": 0.99,
        "scores": {"bottle": 0.99, "cup": 0.003333, "cutlery": 0.003333, "other": 0.003333},
    }
    assert first["cleanliness"]["label"] == "clean"
    assert first["id"] != second["id"]
    for task in ("waste_type", "cleanliness"):
        assert second[task] == {**first[task], "provider": "fake", "model_version": "script"}
        assert [attempt["outcome"] for attempt in second["attempts"][task]] == ["answered"]
    assert second["verdict"] == {"action": "accept", "label": "bottle", "reason": "sure"}
    assert second["duration"] > 0
    # Nobody dropped anything.
    assert desk.machine.happened() == []


@pytest.mark.slow
@pytest.mark.parametrize("format_", ["JPEG", "PNG", "WEBP", "BMP", "GIF"])
def test_photos_are_taken_raw_and_from_forms_whatever_they_are_called(desk: Desk, format_: str) -> None:
    image = encoded(Image.new("RGB", (64, 64), "grey"), format_)
    for type_ in (f"image/{format_.lower()}", "application/octet-stream", "image/jpeg"):
        assert desk.ask("/api/v1/predict", image, {"Content-Type": type_}).status_code == 200
    assert desk.ask("/api/v1/predict", form(image)).status_code == 200


def test_whatever_is_wrong_with_a_photo_is_told_by_its_code(build_desk: Build, jpeg: bytes) -> None:
    desk = build_desk(photo={"max_bytes": 50_000, "max_pixels": 400_000, "max_side": 1000})
    flat = {side: encoded(Image.new("RGB", side)) for side in ((700, 700), (1200, 40), (20, 40))}
    for data, headers, expected in (
        (b"", {}, (422, "empty")),
        (b"<html>", {}, (415, "not_a_photo")),
        (jpeg[: len(jpeg) // 2], {}, (422, "damaged")),
        (flat[700, 700], {}, (422, "too_many_pixels")),
        (flat[1200, 40], {}, (422, "too_long")),
        (flat[20, 40], {}, (422, "too_small")),
        (jpeg + bytes(60_000), {}, (413, "too_many_bytes")),
        (jpeg + bytes(200_000), {}, (413, "request_too_large")),
        (encoded(Image.new("RGB", (64, 64)), "TIFF"), {"Content-Type": "image/tiff"}, (415, "unread_format")),
        (b"a=b", {"Content-Type": "application/x-www-form-urlencoded"}, (415, "content_type")),
        (None, {}, (400, "no_image")),
        (b"not a form", {"Content-Type": "multipart/form-data"}, (400, "no_image")),
        ({"image": "no file"}, {"Content-Type": "multipart/form-data"}, (400, "no_image")),
        (form(jpeg, jpeg), {}, (422, "too_many_images")),
        (jpeg, {"Idempotency-Key": ""}, (400, "idempotency_key_unfit")),
        (jpeg, {"Idempotency-Key": "é" * 3}, (400, "idempotency_key_unfit")),
        (jpeg, {"Idempotency-Key": "x" * 256}, (400, "idempotency_key_unfit")),
    ):
        assert problem(desk.ask("/api/v1/predict", data, headers)) == expected


def test_every_error_below_api_is_a_problem_and_elsewhere_a_page(desk: Desk) -> None:
    assert problem(desk.client.get("/api/v3/predict")) == (404, "not_found")
    assert problem(desk.client.get("/api/v2/predictions/17")) == (404, "not_found")
    refused = desk.client.delete("/api/v1/predict")
    assert problem(refused) == (405, "method_not_allowed")
    assert "POST" in refused.headers["Allow"]

    def break_(_: Judgement) -> None:
        raise ZeroDivisionError("policy")

    desk.machine.services.sorter.observe(break_)
    broken = desk.ask("/api/v1/predict", encoded(Image.new("RGB", (64, 64))))
    assert problem(broken) == (500, "internal")
    assert "policy" not in broken.text
    assert desk.client.get("/nothing").content_type == "text/html; charset=utf-8"


@pytest.mark.slow
def test_no_address_of_the_api_answers_without_a_key(desk: Desk, jpeg: bytes) -> None:
    rules = [rule for rule in desk.app.url_map.iter_rules() if rule.rule.startswith("/api")]
    assert len(rules) >= 9
    for rule in rules:
        path = rule.rule.replace("<uuid:id>", "0bc560be-17f3-4f79-918b-2b7354d8d632")
        for method in (rule.methods or set()) - {"OPTIONS"}:
            answer = desk.client.open(path, method=method, data=jpeg if method == "POST" else None)
            assert answer.status_code == (200 if rule.endpoint in ("api.docs", "api.document") else 401), path
    assert judged(desk) == 0
    # The key stands for the token that the touchscreen's forms carry; those still need theirs.
    assert desk.client.post("/start").status_code == 400


def test_a_question_that_nobody_answers_is_null_and_a_photo_that_nobody_judges_503(
    build_desk: Build, jpeg: bytes
) -> None:
    desk = build_desk(waste_type=[DOWN], cleanliness=["clean", DOWN])
    half = desk.ask("/api/v2/predict", jpeg).json
    assert half
    assert (half["waste_type"], half["cleanliness"]["label"]) == (None, "clean")
    assert half["attempts"]["waste_type"][0]["outcome"] == "ProviderUnavailable"
    assert half["verdict"] == {"action": "ask", "label": None, "reason": "type_not_answered"}
    none = desk.ask("/api/v1/predict", jpeg)
    assert problem(none) == (503, "no_provider_answered")
    assert none.json
    assert none.json["attempts"]["cleanliness"][0]["message"] == "the cloud is down"


def test_in_a_batch_what_is_wrong_with_one_photo_fails_no_other(desk: Desk, jpeg: bytes) -> None:
    for version in ("v1", "v2"):
        told = desk.ask(f"/api/{version}/predict-batch", form(jpeg, b"<html>", b"", jpeg)).json
        assert told
        codes = [item["problem"] and item["problem"]["code"] for item in told["items"]]
        labels = [item["prediction"] and item["prediction"]["waste_type"]["label"] for item in told["items"]]
        assert codes == [None, "not_a_photo", "empty", None]
        assert labels == ["bottle", None, None, "bottle"]
        assert ("verdict" in told["items"][0]["prediction"]) == (version == "v2")
    assert len(desk.ask("/api/v2/predict-batch", form(*[jpeg] * 16)).json["items"]) == 16  # type: ignore[index]
    assert problem(desk.ask("/api/v2/predict-batch", form(*[jpeg] * 17))) == (422, "too_many_images")
    assert problem(desk.ask("/api/v2/predict-batch", jpeg)) == (415, "content_type")


def test_a_batch_has_limits_of_its_own(build_desk: Build, jpeg: bytes) -> None:
    desk = build_desk(api={"batch_bytes": 300_000, "batch_seconds": 2.0}, photo={"max_bytes": 50_000})
    padded = jpeg + bytes(50_000 - len(jpeg))
    assert problem(desk.ask("/api/v1/predict", form(*[padded] * 5))) == (413, "request_too_large")
    assert desk.ask("/api/v2/predict-batch", form(*[padded] * 5)).status_code == 200
    assert problem(desk.ask("/api/v2/predict-batch", form(*[padded] * 7))) == (413, "request_too_large")
    desk.machine.services.sorter.observe(lambda _: desk.clock.pass_(1))
    told = desk.ask("/api/v2/predict-batch", form(*[jpeg] * 16)).json
    assert told
    codes = [item["problem"] and item["problem"]["code"] for item in told["items"]]
    # As many as there are cores are begun together, before the clock moves.
    assert codes == [None] * codes.count(None) + ["not_begun"] * codes.count("not_begun")
    assert 2 <= codes.count(None) <= 1 + cores


@pytest.mark.skipif(cores < 2, reason="there is one core only")
def test_the_photos_of_a_batch_are_judged_at_the_same_time(desk: Desk, jpeg: bytes) -> None:
    together = Barrier(2)

    def meet(_: Judgement) -> None:
        # Without a second photo under way, the barrier breaks.
        together.wait(10)

    desk.machine.services.sorter.observe(meet)
    assert len(desk.ask("/api/v2/predict-batch", form(*[jpeg] * 16)).json["items"]) == 16  # type: ignore[index]
    assert not together.broken


def test_a_photo_may_be_judged_later(desk: Desk, jpeg: bytes, tmp_path: Path) -> None:
    accepted = desk.ask("/api/v2/predict", jpeg, {"Prefer": "wait=5, Respond-Async; x=1"})
    assert (accepted.status_code, accepted.headers["Preference-Applied"]) == (202, "respond-async")
    where = accepted.headers["Location"]
    assert accepted.json
    assert where == f"/api/v2/predictions/{accepted.json['id']}"
    queued = list((tmp_path / "home" / "queue").iterdir())
    assert [path.read_bytes() for path in queued] == [jpeg]
    running = desk.ask(where, method="GET")
    assert running.json
    assert (running.json["status"], running.headers["Retry-After"], judged(desk)) == ("running", "1", 0)
    assert desk.jobs.depth == 1
    assert desk.jobs.work()
    assert not desk.jobs.work()
    done = desk.ask(where, method="GET").json
    assert done
    assert (done["status"], done["problem"], done["prediction"]["id"]) == ("succeeded", None, done["id"])
    assert done["prediction"]["waste_type"]["label"] == "bottle"
    assert done["finished_at"] >= done["created_at"]
    assert list((tmp_path / "home" / "queue").iterdir()) == []
    # Somebody else's is as if there were none.
    assert problem(desk.ask(where, method="GET", who="somebody else")) == (404, "not_found")
    # v1 does not know it, and may leave a preference aside.
    assert desk.ask("/api/v1/predict", jpeg, ASYNC).status_code == 200


def test_a_photo_judged_later_may_fail(build_desk: Build, jpeg: bytes) -> None:
    desk = build_desk(waste_type=[DOWN], cleanliness=[DOWN])
    assert problem(desk.ask(data=b"", headers=ASYNC)) == (422, "empty")
    for image, code in ((b"<html>", "not_a_photo"), (jpeg, "no_provider_answered")):
        where = desk.ask(data=image, headers=ASYNC).headers["Location"]
        assert desk.jobs.work()
        told = [desk.ask(where, method="GET").json for _ in range(2)]
        assert told[0]
        assert (told[0]["status"], told[0]["prediction"], told[0]["problem"]["code"]) == ("failed", None, code)
        assert told[0] == told[1]


def test_what_is_queued_and_what_is_finished_survives_a_restart(desk: Desk, jpeg: bytes, tmp_path: Path) -> None:
    where = [desk.ask(data=jpeg, headers=ASYNC).headers["Location"] for _ in range(2)]
    desk.jobs.work()
    desk.jobs.close()
    # The next process, which finds the queue as it was left.
    after = Desk(desk.machine, tmp_path / "home")
    begun = Event()
    desk.machine.services.sorter.observe(lambda _: begun.set())
    after.jobs.start()
    assert begun.wait(10)
    after.jobs.close()  # after the photo that is being judged
    assert [desk.ask(each, method="GET").json["status"] for each in where] == ["succeeded"] * 2  # type: ignore[index]
    assert judged(desk) == 2


def test_a_photo_that_takes_the_service_down_twice_is_not_tried_again(desk: Desk, jpeg: bytes, tmp_path: Path) -> None:
    where = desk.ask(data=jpeg, headers=ASYNC).headers["Location"]

    def die(_: Judgement) -> None:
        raise SystemExit  # no Exception, so that nothing is tidied up

    desk.machine.services.sorter.observe(die)
    for _ in range(2):
        with pytest.raises(SystemExit):
            desk.jobs.work()
    assert desk.jobs.work()
    told = desk.ask(where, method="GET").json
    assert told
    assert (told["status"], told["problem"]["code"]) == ("failed", "interrupted")
    assert list((tmp_path / "home" / "queue").iterdir()) == []


def test_a_full_queue_turns_away_with_the_time_to_wait(build_desk: Build, jpeg: bytes, tmp_path: Path) -> None:
    desk = build_desk(api={"queue_length": 2})
    known = {**ASYNC, "Idempotency-Key": "1"}
    assert [desk.ask(data=jpeg, headers=known).status_code, desk.ask(data=jpeg, headers=ASYNC).status_code] == [202] * 2
    full = desk.ask(data=jpeg, headers=ASYNC)
    assert problem(full) == (503, "queue_full")
    assert int(full.headers["Retry-After"]) > 0
    assert desk.ask(data=jpeg, headers=known).status_code == 202
    assert len(list((tmp_path / "home" / "queue").iterdir())) == 2
    assert desk.jobs.work()
    assert desk.ask(data=jpeg, headers=ASYNC).status_code == 202


def test_a_disk_that_is_full_is_told_before_anything_is_promised(
    desk: Desk, jpeg: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing_replace(monkeypatch, OSError(*FULL), "*.photo")
    assert problem(desk.ask(data=jpeg, headers=ASYNC)) == (503, "queue_full")
    assert desk.jobs.depth == 0


@pytest.mark.slow
@pytest.mark.parametrize("path", ["/api/v1/predict", "/api/v2/predict", "/api/v2/predict-batch"])
def test_the_same_request_with_the_same_key_is_judged_once(desk: Desk, jpeg: bytes, path: str) -> None:
    key = {"Idempotency-Key": '"9d3e"'}
    first, again = (desk.ask(path, form(jpeg), key) for _ in range(2))
    assert (first.status_code, first.text) == (again.status_code, again.text)
    assert judged(desk) == 1
    other = encoded(Image.new("RGB", (64, 64)))
    assert problem(desk.ask(path, form(other), key)) == (422, "idempotency_key_reused")
    assert problem(desk.ask("/api/v1/predict-batch", form(jpeg), key)) == (422, "idempotency_key_reused")
    # Another client's keys are its own.
    assert desk.ask(path, form(jpeg), key, who="somebody else").status_code == 200
    assert judged(desk) == 2
    desk.clock.pass_(timedelta(days=8).total_seconds())
    desk.jobs.prune()
    assert desk.ask(path, form(jpeg), key).text != first.text


def test_an_answer_under_a_key_can_be_fetched_and_a_problem_is_kept(desk: Desk, jpeg: bytes) -> None:
    told = desk.ask(data=jpeg, headers={"Idempotency-Key": "1"}).json
    assert told
    assert desk.ask(f"/api/v2/predictions/{told['id']}", method="GET").json["prediction"] == told  # type: ignore[index]
    later = desk.ask(data=jpeg, headers={"Idempotency-Key": "1", **ASYNC})
    assert (later.status_code, later.headers["Location"]) == (202, f"/api/v2/predictions/{told['id']}")
    for _ in range(2):
        assert problem(desk.ask(data=b"<html>", headers={"Idempotency-Key": "2"})) == (415, "not_a_photo")


@pytest.mark.slow
def test_what_nobody_answered_may_be_asked_again(build_desk: Build, jpeg: bytes) -> None:
    desk = build_desk(waste_type=[DOWN, "cup"] * 2, cleanliness=[DOWN, "clean"] * 2)
    key = {"Idempotency-Key": "1"}
    assert problem(desk.ask(data=jpeg, headers=key)) == (503, "no_provider_answered")
    assert desk.ask(data=jpeg, headers=key).json["waste_type"]["label"] == "cup"  # type: ignore[index]
    key = {"Idempotency-Key": "2"}
    for failed in (True, False, False):
        (item,) = desk.ask("/api/v1/predict-batch", form(jpeg), key).json["items"]  # type: ignore[index]
        assert (item["problem"] is not None) == failed
    assert judged(desk) == 4


def test_a_request_that_is_being_answered_is_not_judged_beside(desk: Desk, jpeg: bytes) -> None:
    key = {"Idempotency-Key": "1"}
    desk.ask("/api/v2/machine", method="GET")
    asked, go_on = Event(), Event()

    def wait(_: Judgement) -> None:
        asked.set()
        go_on.wait(10)

    desk.machine.services.sorter.observe(wait)
    told: list[TestResponse] = []
    first = Thread(target=lambda: told.append(desk.ask(data=jpeg, headers=key)))
    first.start()
    assert asked.wait(10)
    for headers in (key, {**key, **ASYNC}):
        running = desk.ask(data=jpeg, headers=headers)
        assert problem(running) == (409, "still_running")
        assert int(running.headers["Retry-After"]) > 0
    go_on.set()
    first.join()
    assert desk.ask(data=jpeg, headers=key).text == told[0].text
    assert judged(desk) == 1
    # Queued is running too, for whoever wants the answer at once.
    key = {"Idempotency-Key": "2"}
    where = [desk.ask(data=jpeg, headers={**key, **ASYNC}).headers["Location"] for _ in range(2)]
    assert where[0] == where[1]
    assert problem(desk.ask(data=jpeg, headers=key)) == (409, "still_running")
    desk.jobs.work()
    assert desk.ask(data=jpeg, headers=key).status_code == 200


@pytest.mark.slow
def test_of_many_at_the_same_moment_one_is_judged(desk: Desk, jpeg: bytes) -> None:
    desk.ask("/api/v2/machine", method="GET")
    together, came = Barrier(8), []

    def send() -> None:
        together.wait(10)
        came.append(desk.ask(data=jpeg, headers={"Idempotency-Key": "1"}))

    senders = [Thread(target=send) for _ in range(8)]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join()
    assert {answer.status_code for answer in came} <= {200, 409}
    assert len({answer.text for answer in came if answer.status_code == 200}) == 1
    assert judged(desk) == 1


def test_a_request_that_is_never_answered_may_be_sent_again(desk: Desk, jpeg: bytes) -> None:
    key = {"Idempotency-Key": "1"}
    desk.ask("/api/v2/machine", method="GET")
    asked, end = Event(), Event()

    def hang(_: Judgement) -> None:
        if not asked.is_set():
            asked.set()
            end.wait(10)

    desk.machine.services.sorter.observe(hang)
    first = Thread(target=lambda: desk.ask(data=jpeg, headers=key))
    first.start()
    assert asked.wait(10)
    assert problem(desk.ask(data=jpeg, headers=key)) == (409, "still_running")
    desk.clock.pass_(301)
    assert desk.ask(data=jpeg, headers=key).status_code == 200
    end.set()
    first.join()


def test_one_process_works_the_queue_off_and_photos_of_nobody_go(desk: Desk, jpeg: bytes, tmp_path: Path) -> None:
    desk.ask(data=jpeg, headers=ASYNC)
    around = desk.machine.services.operations
    ask = partial(results.ask, desk.machine.services.sorter)
    other = Jobs(tmp_path / "home", around.settings.api, around.journal.database, ask)
    assert desk.jobs.work()
    desk.ask(data=jpeg, headers=ASYNC)
    assert not other.work()
    desk.jobs.close()
    lost = tmp_path / "home" / "queue" / "0bc560be-17f3-4f79-918b-2b7354d8d632.photo"
    lost.write_bytes(jpeg)
    other.prune()
    assert lost.exists()
    desk.clock.pass_(timedelta(days=400).total_seconds())
    desk.jobs.prune()
    assert not lost.exists()
    assert other.work()


@pytest.mark.slow
def test_v1_tells_its_age_when_the_settings_say_so(build_desk: Build, desk: Desk, jpeg: bytes) -> None:
    young = desk.ask("/api/v1/predict", jpeg, who="young")
    assert not {"Deprecation", "Sunset"} & set(young.headers.keys())
    old = build_desk(api={"v1_deprecated_on": "2026-12-01", "v1_sunset_on": "2027-06-30"})
    for answer in (old.ask("/api/v1/predict", jpeg), old.client.post("/api/v1/predict")):
        assert answer.headers["Deprecation"] == "@1796083200"
        assert answer.headers["Sunset"] == "Wed, 30 Jun 2027 00:00:00 GMT"
    assert "Deprecation" not in old.ask("/api/v2/predict", jpeg).headers
    document = old.client.get("/api/openapi.json").json
    assert document
    assert document["paths"]["/api/v1/predict"]["post"]["deprecated"]
    assert "deprecated" not in document["paths"]["/api/v2/predict"]["post"]


@pytest.mark.slow
def test_pages_of_other_origins_may_ask_only_where_the_settings_name_them(
    build_desk: Build, desk: Desk, jpeg: bytes
) -> None:
    origin = {"Origin": "https://erp.example"}
    preflight = {**origin, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}
    closed = desk.client.options("/api/v2/predict", headers=preflight)
    assert not [name for name, _ in closed.headers if name.startswith("Access-Control")]
    opened = build_desk(api={"cors_origins": "https://erp.example/, https://crm.example"})
    answer = opened.client.options("/api/v2/predict", headers=preflight)
    assert answer.headers["Access-Control-Allow-Origin"] == "https://erp.example"
    assert "Authorization" in answer.headers["Access-Control-Allow-Headers"]
    assert opened.ask(data=jpeg, headers=origin).headers["Access-Control-Allow-Origin"] == "https://erp.example"
    # A page has to be able to read why it was refused, too.
    assert opened.client.post("/api/v2/predict", headers=origin).headers["Access-Control-Allow-Origin"]
    foreign = opened.ask(data=jpeg, headers={"Origin": "https://evil.example"})
    assert ("Access-Control-Allow-Origin" in foreign.headers, "Origin" in foreign.headers["Vary"]) == (False, True)
    assert "Access-Control-Allow-Origin" not in opened.client.get("/", headers=origin).headers


def test_a_reader_sees_how_the_machine_stands(build_desk: Build, jpeg: bytes) -> None:
    desk = build_desk()
    desk.ask(data=jpeg, headers=ASYNC)
    told = desk.ask("/api/v2/machine", method="GET").json
    assert told
    assert (told["machine_id"], told["mode"], told["queue"], told["quotas"]) == ("machine-1", "local", 1, [])
    (provider,) = told["routes"]["waste_type"]
    assert (provider["name"], provider["needs_network"], provider["problem"]) == ("fake", False, None)
    assert json.dumps(told).count("triof_") == 0


@pytest.mark.slow
def test_a_reader_sees_what_was_dropped_into_the_machine(build_desk: Build, jpeg: bytes) -> None:
    desk = build_desk()
    person = desk.machine.visitor().press("/start").press("/waste/pick-type")
    person.press("/confirmation", waste_type="bottle").wait_idle()
    desk.ask("/api/v1/predict", jpeg)

    def summary(query: str) -> TestResponse:
        return desk.ask(f"/api/v2/deposits/summary?{query}", method="GET")

    told = summary("since=2020-01-01&until=2099-12-31").json
    assert told
    assert (told["judged"], told["verdicts"], told["shredded"]) == (1, {"accept": 1}, {"bottle": 1})
    assert (told["machines"], told["dirty_share"]) == (["machine-1"], 0)
    assert summary("").status_code == 200
    assert summary("since=2020-01-01&until=2099-12-31&machine=machine-2").json["judged"] == 0  # type: ignore[index]
    for query in ("since=2026-11-02&until=2026-11-01", "since=2026-11-31", "until=1.11.2026", "since="):
        assert problem(summary(query)) == (422, "dates_unfit")


@pytest.mark.slow
def test_photos_of_the_api_count_against_the_quota_of_the_cloud(
    cloud_machine: BuildCloudMachine, cloud: CustomVisionServer, tmp_path: Path
) -> None:
    desk = Desk(cloud_machine(cloud_seconds=20, deadline_seconds=30), tmp_path / "home")
    photo = (DEMO_PICTURES / "bottle-clean-1.jpg").read_bytes()
    told = desk.ask(data=photo).json
    assert told
    assert (told["waste_type"]["provider"], told["cleanliness"]["provider"]) == ("custom_vision", "local_cnn")
    stands = desk.ask("/api/v2/machine", method="GET").json
    assert stands
    (quota,) = stands["quotas"]
    assert (quota["provider"], quota["used"], quota["limit"], quota["exhausted"]) == ("custom_vision", 1, 10_000, False)
    first, second = stands["routes"]["waste_type"]
    assert (first["name"], first["breaker"], first["problem"]) == ("custom_vision", "closed", None)
    assert (second["name"], second["breaker"]) == ("local_cnn", None)
    assert (first["model_version"], second["model_version"][:11]) == (None, "waste_type-")
    assert cloud.key not in str(stands)
