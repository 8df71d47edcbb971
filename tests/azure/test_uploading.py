"""``triof azure upload``: every photo arrives, once, whatever happens on the way, and the technician is told."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import pytest
from filelock import FileLock, Timeout
from PIL import Image

from testing.azure.replies import Fault
from testing.azure.training_api import Call
from testing.azure.training_server import TrainingServer
from testing.http_replies import Reply
from testing.image_files import encoded
from testing.loopback_service import Request
from tests.support.azure_desk import ATTEMPTS, RATE, Desk, a_photo, crowd, row, sent_once
from tests.support.clock import Clock
from tools import upload_drill
from triof.azure.learned_rate import LearnedRateFile
from triof.azure.upload import MAX_BYTES, fit
from triof.cli import Timing
from triof.settings.loader import load

pytestmark = pytest.mark.slow

STORE = "POST .*/images/files"
PHOTOS = 70
"""Two requests."""


@pytest.fixture
def photos(desk: Desk) -> Path:
    """Photos for a project that is ready."""
    desk.ready()
    return desk.photos({"bottle": 40, "cup": PHOTOS - 40})


def tags_by_label(azure: TrainingServer) -> dict[str, int]:
    """How many photos each tag has in the cloud."""
    counts: dict[str, int] = {}
    for photo in azure.photos.values():
        (tag,) = photo.tags
        counts[tag] = counts.get(tag, 0) + 1
    return counts


def all_arrived_once(azure: TrainingServer, count: int = PHOTOS) -> bool:
    return len(azure.photos) == count and sent_once(azure)


# The table


def test_every_photo_arrives_with_its_tag_in_large_requests(desk: Desk, azure: TrainingServer, photos: Path) -> None:
    told = desk.upload(photos)
    assert row(told, "bouteille") == ["40", "0", "0", "0", "0"]
    assert row(told, "gobelet") == ["30", "0", "0", "0", "0"]
    assert row(told, "all") == ["70", "0", "0", "0", "0"]
    assert tags_by_label(azure) == {"bouteille": 40, "gobelet": 30}
    assert sorted(azure.batches) == [6, 64]
    assert row(desk.upload(photos), "all") == ["0", "70", "0", "0", "0"]
    assert all_arrived_once(azure)
    assert len(azure.batches) == 2


def test_photos_of_a_manifest_and_of_folders_are_one(desk: Desk, azure: TrainingServer, photos: Path) -> None:
    lines = ["path,waste_type,cleanliness,group,split"]
    lines += [f"{path.relative_to(photos.parent)},{path.parent.name},,," for path in sorted(photos.rglob("*.jpg"))]
    (photos.parent / "manifest.csv").write_text("\n".join(lines) + "\n")
    desk.upload(photos)
    assert row(desk.upload(photos.parent / "manifest.csv"), "all") == ["0", "70", "0", "0", "0"]


def test_requests_are_small_in_bytes_too(desk: Desk, azure: TrainingServer, photos: Path) -> None:
    desk.set(training_batch_bytes=4 * max(path.stat().st_size for path in photos.rglob("*.jpg")))
    desk.upload(photos)
    assert 4 <= max(azure.batches) <= 6
    assert all_arrived_once(azure)


def test_the_held_back_split_stays_here_and_is_said(desk: Desk, azure: TrainingServer, photos: Path) -> None:
    told = desk.well("upload", str(photos))
    kept = PHOTOS - len(azure.photos)
    assert 0 < kept < PHOTOS / 2
    assert f"{kept} photos of other splits stay here (--split all sends them too)." in told
    assert "stay here" not in desk.upload(photos)
    assert all_arrived_once(azure)
    desk.well("upload", str(photos), "--split", "test", "--limit", "7")


def test_what_the_vendor_refuses_is_told_with_the_reason_and_not_sent_again(
    desk: Desk, azure: TrainingServer, photos: Path
) -> None:
    victim = sorted((photos / "cup").iterdir())[3]
    azure.refuses_photo = lambda image: "ErrorImageFormat" if image == victim.read_bytes() else None
    for _ in range(2):
        told = desk.upload(photos)
        assert row(told, "gobelet")[3] == "1"
        assert f"Refused {victim}: The cloud cannot read it: save it as a JPEG." in told
    assert azure.operations["CreateImagesFromFiles"] == 2


@pytest.mark.parametrize("status", ["ErrorStorage", "ErrorUnknown", "ErrorLimitExceed", "ErrorInvalidTag", "ErrorNew"])
def test_what_may_pass_is_tried_again_by_the_next_run(
    desk: Desk, azure: TrainingServer, photos: Path, status: str
) -> None:
    azure.refuses_photo = lambda _: status
    told = desk.upload(photos)
    assert row(told, "all") == ["0", "0", "0", "70", "0"]
    assert "Refused 50 more: " in told
    azure.refuses_photo = None
    assert row(desk.upload(photos), "all") == ["70", "0", "0", "0", "0"]


def test_files_that_are_no_photos_are_refused_here(desk: Desk, azure: TrainingServer, photos: Path) -> None:
    (photos / "cup" / "note.jpg").write_text("not a photo")
    (photos / "cup" / "empty.png").write_bytes(b"")
    (photos / "cup" / "half.jpg").write_bytes(a_photo(400)[:900])
    (photos / "cup" / "tiny.png").write_bytes(a_photo(8, "PNG"))
    (photos / "cup" / "thin.png").write_bytes(encoded(Image.new("RGB", (1100, 40)), "PNG"))
    for _ in range(2):
        told = desk.upload(photos)
        assert row(told, "gobelet")[3] == "5"
        for name, why in (("note", "not a photo"), ("empty", "empty"), ("half", "damaged"), ("thin", "25:1")):
            assert any(f"{name}." in line and why in line for line in told.splitlines()), name
    assert all_arrived_once(azure)


def test_a_file_that_is_gone_is_refused_and_the_others_are_sent(
    desk: Desk, azure: TrainingServer, photos: Path
) -> None:
    lines = ["path,waste_type,cleanliness,group,split", "gone.jpg,cup,,,train"]
    lines += [f"{path},cup,,,train" for path in sorted((photos / "cup").iterdir())]
    (photos / "manifest.csv").write_text("\n".join(lines) + "\n")
    told = desk.upload(photos)
    assert row(told, "gobelet") == ["30", "0", "0", "1", "0"]
    assert "No such file" in told


def test_the_same_photo_twice_is_sent_once(desk: Desk, azure: TrainingServer, photos: Path) -> None:
    (photos / "cup" / "copy.jpg").write_bytes(min((photos / "cup").iterdir()).read_bytes())
    assert row(desk.upload(photos), "gobelet") == ["30", "0", "0", "0", "1"]
    assert all_arrived_once(azure)


def test_the_same_photo_under_two_labels_is_refused(desk: Desk, azure: TrainingServer, photos: Path) -> None:
    original = min((photos / "bottle").iterdir())
    lines = ["path,waste_type,cleanliness,group,split", f"{original},bottle,,1,train", f"{original},cup,,1,train"]
    lines += [f"{path},{path.parent.name},,,train" for path in photos.rglob("*.jpg") if path != original]
    (photos / "manifest.csv").write_text("\n".join(lines) + "\n")
    for sent, there in (("40", "0"), ("0", "40")):
        told = desk.upload(photos)
        assert row(told, "bouteille") == [sent, there, "0", "0", "0"]
        assert row(told, "gobelet")[3] == "1"
        assert "is also labelled bouteille" in told
    assert all_arrived_once(azure)


# Before the first byte


def test_a_dry_run_sends_nothing(desk: Desk, azure: TrainingServer, photos: Path) -> None:
    (photos / "cup" / "note.jpg").write_text("not a photo")
    told = desk.upload(photos, "--dry-run")
    assert "would be sent" in told
    assert row(told, "all") == ["70", "0", "0", "1", "0"]
    assert azure.operations["CreateImagesFromFiles"] == 0
    desk.upload(photos)
    (photos / "bottle" / "new.jpg").write_bytes(a_photo())
    relabelled = min((photos / "cup").glob("[0-9]*"))
    relabelled.rename(photos / "bottle" / relabelled.name)
    before = azure.operations.copy()
    assert row(desk.upload(photos, "--dry-run"), "bouteille") == ["1", "41", "1", "0", "0"]
    assert {
        name for name, count in (azure.operations - before).items() if count and not name.startswith("Get")
    } == set()
    assert row(desk.upload(photos), "bouteille") == ["1", "41", "1", "0", "0"]


def test_the_tier_s_photos_are_counted_before_the_first_byte(desk: Desk, azure: TrainingServer, photos: Path) -> None:
    crowd(azure, photos=4_931)
    told = desk.fails("upload", str(photos), "--split", "all")
    assert "F0 takes 5,000 photos a project: 4,931 are there, and 70 are to come" in told
    assert "--limit" in told
    assert azure.batches == []
    desk.upload(photos, "--limit", "69")
    assert len(azure.photos) == 5_000
    # Those that are there need no room.
    assert row(desk.upload(photos, "--limit", "69"), "all") == ["0", "69", "0", "0", "0"]
    assert "5,000 are there, and 1 are to come" in desk.fails("upload", str(photos), "--split", "all")


def test_the_tier_s_tags_are_counted_before_the_first_byte(desk: Desk, azure: TrainingServer, photos: Path) -> None:
    crowd(azure, tags=47)
    assert "The project has 51 tags, and F0 takes 50" in desk.fails("upload", str(photos))
    assert azure.batches == []


def test_a_tag_with_too_few_photos_is_told_before_the_first_byte(desk: Desk, azure: TrainingServer) -> None:
    desk.ready()
    photos = desk.photos({"bottle": 5, "cup": 4})
    told = desk.fails("upload", str(photos), "--split", "all")
    assert "from 5 photos a tag on" in told
    assert "gobelet (4)" in told
    assert "bouteille" not in told
    assert azure.batches == []
    desk.photos({"cup": 1})
    desk.upload(photos)
    desk.upload(desk.photos({"cup": 1}, "more"))


def test_a_label_without_a_tag_is_told_before_the_first_byte(desk: Desk, azure: TrainingServer, photos: Path) -> None:
    (project,) = azure.projects.values()
    project.tags = {key: tag for key, tag in project.tags.items() if tag.name != "gobelet"}
    told = desk.fails("upload", str(photos))
    assert "no tag for cup" in told
    assert "triof azure setup" in told
    assert azure.batches == []


def test_a_data_set_that_is_none_is_a_sentence(desk: Desk, azure: TrainingServer, photos: Path) -> None:
    assert "does not exist" in desk.fails("upload", "nowhere")
    (desk.folder / "dirt" / "dirty").mkdir(parents=True)
    (desk.folder / "dirt" / "dirty" / "1.jpg").write_bytes(a_photo())
    assert "no photo with a waste_type" in desk.fails("upload", "dirt")
    assert azure.batches == []


# Photos made fit


def noise(width: int, height: int) -> Image.Image:
    """Unlike every other one."""
    return Image.effect_noise((width, height), 100)


def plain() -> Image.Image:
    return Image.new("RGB", (64, 48), (200, 30, 30))


def upright(**changes: object) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6
    return encoded(plain(), "JPEG", exif=exif, **changes)


def animated() -> bytes:
    return encoded(plain(), "GIF", save_all=True, append_images=[Image.new("RGB", (64, 48), "blue")])


def test_photos_for_which_there_is_no_memory_at_once_are_not_refused(
    desk: Desk, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRIOF_PHOTO__DECODE_MEGABYTES", "40")
    monkeypatch.setenv("TRIOF_PHOTO__WAIT_SECONDS", "0")
    for number in range(8):
        (photos / "cup" / f"large-{number}.jpg").write_bytes(encoded(noise(1600, 1400), "JPEG", quality=60))
    assert row(desk.upload(photos), "all")[3] == "0"


@pytest.mark.parametrize(("max_side", "refused"), [("16384", "1"), ("16500", "0")])
def test_the_limits_of_the_settings_hold(
    desk: Desk, photos: Path, monkeypatch: pytest.MonkeyPatch, max_side: str, refused: str
) -> None:
    monkeypatch.setenv("TRIOF_PHOTO__MAX_SIDE", max_side)
    Image.new("RGB", (16_500, 1200), "grey").save(photos / "cup" / "wide.jpg")
    assert row(desk.upload(photos, "--dry-run"), "gobelet")[3] == refused
    told = row(desk.upload(photos), "gobelet")
    assert told[3] == refused


@pytest.mark.parametrize(
    ("image", "size"),
    [
        (lambda: encoded(plain(), "WEBP", lossless=True), (64, 48)),
        (lambda: encoded(plain().convert("RGBA"), "PNG"), (64, 48)),
        (lambda: encoded(plain().convert("CMYK"), "JPEG"), (64, 48)),
        (lambda: encoded(plain().convert("P"), "PNG"), (64, 48)),
        (upright, (48, 64)),
        (animated, (64, 48)),
        (lambda: encoded(noise(3000, 2500), "BMP"), None),
        (lambda: encoded(noise(2200, 1300), "PNG", compress_level=0), (1354, 800)),
        (lambda: encoded(noise(11_000, 500), "JPEG"), (10_240, 465)),
    ],
    ids=["webp", "transparent", "cmyk", "palette", "exif", "animated", "6MB", "large", "long"],
)
def test_whatever_the_vendor_does_not_take_is_made_fit(
    image: Callable[[], bytes], size: tuple[int, int] | None
) -> None:
    made = fit(image(), 800)
    assert len(made) <= MAX_BYTES
    with Image.open(BytesIO(made)) as picture:
        assert picture.format == "JPEG"
        assert picture.mode == "RGB"
        assert not picture.getexif()
        assert max(picture.size) <= 10_240
        assert not size or picture.size == size
        if size and max(size) < 100:
            assert picture.getpixel((5, 5)) == pytest.approx((200, 30, 30), abs=30)


def test_transparency_becomes_white_and_not_black() -> None:
    item = Image.new("RGBA", (64, 64), (0, 0, 0, 0))
    item.paste("black", (0, 0, 20, 20))
    made = fit(encoded(item, "PNG"), 800)
    with Image.open(BytesIO(made)) as picture:
        assert picture.getpixel((30, 30)) == (255, 255, 255)


@pytest.mark.parametrize("format_", ["JPEG", "PNG", "BMP"])
def test_what_the_vendor_takes_is_sent_as_it_is(format_: str) -> None:
    image = encoded(plain(), format_)
    assert fit(image, 800) == image


def test_photos_of_all_kinds_arrive(desk: Desk, azure: TrainingServer) -> None:
    desk.ready()
    photos = desk.photos({"bottle": 1})
    kinds = {
        "a.webp": encoded(noise(64, 64), "WEBP"),
        "b.png": encoded(noise(64, 64).convert("RGBA"), "PNG"),
        "c.jpg": encoded(noise(64, 64).convert("CMYK"), "JPEG"),
        "d.jpg": upright(),
        "e.gif": animated(),
        "f.bmp": encoded(noise(90, 64), "BMP"),
    }
    for name, image in kinds.items():
        (photos / "bottle" / name).write_bytes(image)
    assert row(desk.upload(photos), "all") == ["7", "0", "0", "0", "0"]
    assert {photo.contents[:2] for photo in azure.photos.values()} == {b"\xff\xd8", b"BM"}


# What goes wrong on the way


@pytest.mark.parametrize("filters", ["both", "prefixed", "bare", "refused"])
@pytest.mark.parametrize("fault", ["reset", "truncated", "dropped"])
def test_a_photo_whose_answer_got_lost_is_not_sent_again(
    desk: Desk, azure: TrainingServer, photos: Path, fault: Fault, filters: str
) -> None:
    azure.filters = filters  # type: ignore[assignment]
    azure.faults_next(1, fault, only=STORE)
    told = desk.upload(photos)
    assert row(told, "all") == ["70", "0", "0", "0", "0"]
    assert all_arrived_once(azure)
    assert len(azure.batches) == 2
    assert azure.refused == 0


def test_a_gateway_s_502_for_what_was_stored_is_no_second_photo(
    desk: Desk, azure: TrainingServer, photos: Path
) -> None:
    azure.faults_next(1, "html_502", only=STORE, handled=True)
    azure.faults_next(1, "empty_503", only=STORE)
    assert row(desk.upload(photos), "all") == ["70", "0", "0", "0", "0"]
    assert all_arrived_once(azure)


def test_a_silent_cloud_is_left_after_the_timeout_and_asked_what_it_has(
    desk: Desk, azure: TrainingServer, photos: Path
) -> None:
    desk.set(training_timeout_seconds=0.4)
    azure.faults_next(1, "silent", only=STORE)
    assert row(desk.upload(photos), "all") == ["70", "0", "0", "0", "0"]
    assert all_arrived_once(azure)


def test_where_only_a_part_arrived_only_the_rest_is_sent(desk: Desk, azure: TrainingServer, photos: Path) -> None:

    def half(call: Call) -> None:
        if call.operation == "CreateImagesFromFiles":
            azure.on_call = None
            call.body["images"] = call.body["images"][: len(call.body["images"]) // 2]

    azure.on_call = half
    azure.faults_next(1, "reset", only=STORE)
    assert row(desk.upload(photos), "all") == ["70", "0", "0", "0", "0"]
    assert all_arrived_once(azure)
    assert sum(azure.batches) == PHOTOS


def test_where_nobody_can_ask_what_arrived_nothing_is_sent_again(
    desk: Desk, azure: TrainingServer, photos: Path
) -> None:
    def lose_sight(_: int) -> None:
        azure.faults_next(ATTEMPTS, "bad_image", only=r"GET .*/images$")

    azure.after_store = lose_sight
    azure.faults_next(1, "reset", only=STORE)
    assert "the same command goes on" in desk.fails("upload", str(photos), "--split", "all")
    assert sent_once(azure)
    azure.after_store = None
    azure.clear_faults()
    assert sum(map(int, row(desk.upload(photos), "all"))) == PHOTOS
    assert all_arrived_once(azure)


@pytest.mark.parametrize("named", [True, False])
def test_results_are_told_apart_by_their_names_or_their_order(
    desk: Desk, azure: TrainingServer, photos: Path, named: bool
) -> None:
    victims = [path.read_bytes() for path in sorted((photos / "cup").iterdir())[::7]]
    azure.shuffles = named

    def unnamed(request: Request, reply: Reply) -> Reply | None:
        if not request.path.endswith("/files"):
            return None
        answer = json.loads(reply.body)
        for result in answer["images"]:
            result["sourceUrl"] = result["sourceUrl"] if named else None
        return replace(reply, body=json.dumps(answer).encode())

    azure.refuses_photo = lambda image: "ErrorImageSize" if image in victims else None
    azure.on_reply = unnamed
    told = desk.upload(photos)
    refused = {line.split()[1].rstrip(":") for line in told.splitlines() if line.startswith("Refused")}
    assert {Path(path).read_bytes() for path in refused} == set(victims)


def test_an_answer_that_does_not_name_each_photo_is_not_believed(
    desk: Desk, azure: TrainingServer, photos: Path
) -> None:
    def lacks_one(request: Request, reply: Reply) -> Reply | None:
        if not request.path.endswith("/files"):
            return None
        azure.on_reply = None
        return replace(reply, body=json.dumps({"images": json.loads(reply.body)["images"][1:]}).encode())

    azure.on_reply = lacks_one
    assert row(desk.upload(photos), "all") == ["70", "0", "0", "0", "0"]
    assert all_arrived_once(azure)


@pytest.mark.parametrize("fault", ["rate_limited", "empty_429", "empty_503", "html_502", "server_error", "html_200"])
def test_what_passes_is_waited_for(desk: Desk, azure: TrainingServer, photos: Path, fault: Fault) -> None:
    azure.faults_next(ATTEMPTS - 1, fault, only=STORE)
    told = desk.upload(photos)
    assert "Trying again …" in told
    assert row(told, "all") == ["70", "0", "0", "0", "0"]
    assert all_arrived_once(azure)


@contextmanager
def retry_after(azure: TrainingServer, seconds: int) -> Iterator[None]:
    """A vendor that wants us to wait so long."""
    before = azure.canned["empty_429"]
    azure.canned["empty_429"] = replace(before, headers={"Retry-After": str(seconds)})
    yield
    azure.canned["empty_429"] = before


def test_retry_after_is_waited_for_by_everybody(desk: Desk, azure: TrainingServer, photos: Path, clock: Clock) -> None:
    before = clock.seconds
    with retry_after(azure, 77):
        azure.faults_next(1, "empty_429", only=STORE)
        desk.upload(photos)
    assert 77 <= clock.seconds - before < 77 + 5


def test_a_refused_key_ends_at_once(desk: Desk, azure: TrainingServer, photos: Path) -> None:
    azure.on_request = lambda method, path: setattr(azure, "fault", "empty_401" if method == "POST" else None)
    told = desk.fails("upload", str(photos), "--split", "all")
    assert "renew custom_vision.training_key" in told
    assert "0 of 70 photos have arrived; the same command goes on with the rest." in told
    assert azure.batches == []
    azure.on_request = azure.fault = None
    assert row(desk.upload(photos), "all") == ["70", "0", "0", "0", "0"]


def test_a_dead_network_ends_with_what_arrived_and_the_same_command_goes_on(
    desk: Desk, azure: TrainingServer, photos: Path
) -> None:
    desk.set(training_batch_bytes=5_000)
    azure.after_store = lambda count: azure.stop() if count == 3 else None
    ran = desk.run("upload", str(photos), "--split", "all")
    assert ran.exit_code == 1
    assert "the same command goes on" in ran.stderr
    assert "all" in ran.stdout
    there = len(azure.photos)
    assert 0 < there < PHOTOS
    azure.after_store = None
    azure.start()
    told = desk.upload(photos)
    sent, already, _, refused, _ = map(int, row(told, "all"))
    assert sent + already == PHOTOS
    assert refused == 0
    assert all_arrived_once(azure)


def cut_off(azure: TrainingServer) -> None:
    """Let the answers to all that is stored from now on get lost, and everything after them."""
    azure.faults_next(2, "reset", only=STORE)
    azure.after_store = lambda _: setattr(azure, "fault", "reset")


def connect(azure: TrainingServer) -> None:
    """Let all be well again."""
    azure.after_store = azure.fault = None
    azure.clear_faults()


@pytest.mark.parametrize("filters", ["both", "refused"])
def test_a_request_in_doubt_is_finished_by_the_next_run(
    desk: Desk, azure: TrainingServer, photos: Path, filters: str
) -> None:
    azure.filters = filters  # type: ignore[assignment]
    cut_off(azure)
    desk.fails("upload", str(photos), "--split", "all")
    assert len(azure.photos) > 0
    connect(azure)
    removed = min((photos / "bottle").iterdir())
    removed.rename(photos.parent / "moved.jpg")
    told = desk.upload(photos)
    assert sum(map(int, row(told, "all"))) == PHOTOS - 1
    assert row(told, "all")[3] == "0"
    assert sent_once(azure)
    assert azure.refused == 0


def test_a_request_of_which_a_part_arrived_is_finished_by_the_next_run(
    desk: Desk, azure: TrainingServer, photos: Path
) -> None:

    def half(call: Call) -> None:
        if call.operation == "CreateImagesFromFiles":
            call.body["images"] = call.body["images"][::2]

    azure.on_call = half
    cut_off(azure)
    desk.fails("upload", str(photos), "--split", "all")
    azure.on_call = None
    connect(azure)
    assert 0 < len(azure.photos) < PHOTOS
    assert row(desk.upload(photos), "all") == ["70", "0", "0", "0", "0"]
    assert all_arrived_once(azure)


def test_what_an_earlier_version_left_in_doubt_is_finished(desk: Desk, azure: TrainingServer, photos: Path) -> None:
    cut_off(azure)
    desk.fails("upload", str(photos), "--split", "all")
    connect(azure)
    with closing(sqlite3.connect(desk.home / "journal.db")) as journal, journal:
        journal.execute("UPDATE uploads SET since = NULL")
    assert row(desk.upload(photos), "all") == ["70", "0", "0", "0", "0"]
    assert all_arrived_once(azure)


def test_two_uploads_at_once_are_one_too_many(desk: Desk, azure: TrainingServer, photos: Path) -> None:
    lock = FileLock(desk.home / f"upload-{next(iter(azure.projects))}.lock", thread_local=False)
    held: list[bool] = []

    def try_it(_: int) -> None:
        try:
            with lock.acquire(blocking=False):
                held.append(False)
        except Timeout:
            held.append(True)

    azure.after_store = try_it
    desk.upload(photos)
    assert held == [True, True]
    with lock:
        assert "Another upload to this project is under way" in desk.fails("upload", str(photos))
    desk.upload(photos)


# Labels that people have corrected


def relabelled(photos: Path, count: int) -> None:
    """People see that some cups are bottles."""
    for path in sorted((photos / "cup").iterdir())[:count]:
        path.rename(photos / "bottle" / path.name)


def test_a_corrected_label_is_carried_to_the_cloud(desk: Desk, azure: TrainingServer, photos: Path) -> None:
    desk.upload(photos)
    relabelled(photos, 12)
    told = desk.upload(photos)
    assert row(told, "bouteille") == ["0", "52", "12", "0", "0"]
    assert tags_by_label(azure) == {"bouteille": 52, "gobelet": 18}
    assert azure.operations["CreateImageTags"] <= 2, "many in one call"
    assert row(desk.upload(photos), "all") == ["0", "70", "0", "0", "0"]
    assert all_arrived_once(azure)


def test_a_file_of_corrections_is_carried_too(desk: Desk, azure: TrainingServer, photos: Path) -> None:
    desk.upload(photos)
    cup = min((photos / "cup").iterdir())
    file = desk.folder / "corrections.csv"
    file.write_text(f"path,task,was,now,why,at\n{cup.relative_to(photos)},waste_type,cup,bottle,seen,\n")
    desk.upload(photos, "--corrections", str(file))
    assert tags_by_label(azure) == {"bouteille": 41, "gobelet": 29}


def test_a_label_is_carried_also_where_the_answer_that_named_the_photo_got_lost(
    desk: Desk, azure: TrainingServer, photos: Path
) -> None:
    azure.faults_next(1, "reset", only=STORE)
    desk.upload(photos)
    relabelled(photos, 12)
    desk.upload(photos)
    assert tags_by_label(azure) == {"bouteille": 52, "gobelet": 18}
    assert all_arrived_once(azure)


def test_a_label_is_carried_to_what_another_machine_has_brought_there(
    desk: Desk, azure: TrainingServer, photos: Path, new_journal: Path
) -> None:
    desk.upload(photos)
    relabelled(photos, 12)
    (desk.home / "journal.db").unlink()
    (desk.home / "journal.db").write_bytes(new_journal.read_bytes())
    assert row(desk.upload(photos), "all") == ["0", "70", "12", "0", "0"]
    assert tags_by_label(azure) == {"bouteille": 52, "gobelet": 18}


def test_one_that_was_removed_in_the_portal_keeps_no_other_label_from_being_carried(
    desk: Desk, azure: TrainingServer, photos: Path
) -> None:
    desk.upload(photos)
    relabelled(photos, 3)
    gone = sorted((photos / "bottle").iterdir(), key=lambda path: int(path.stem))[-2]
    (project,) = azure.projects.values()
    digest = next(key for key, photo in project.photos.items() if photo.contents == gone.read_bytes())
    del project.photos[digest]
    told = desk.upload(photos)
    assert row(told, "bouteille") == ["0", "42", "2", "1", "0"]
    assert f"Refused {gone}: Its label was corrected, but the cloud does not take the new one" in told
    assert tags_by_label(azure) == {"bouteille": 42, "gobelet": 27}


# Pace


def test_a_whole_upload_keeps_the_rate(desk: Desk, azure: TrainingServer) -> None:
    desk.ready()
    azure.forget_arrivals()
    desk.timing = Timing()
    azure.rate_per_second = 10
    desk.set(training_calls_per_second=10, training_batch_bytes=1)
    desk.upload(desk.photos({"bottle": 15}))
    assert azure.operations["CreateImagesFromFiles"] == 15
    assert all_arrived_once(azure, 15)


def test_a_rate_below_the_table_s_is_found_out(desk: Desk, azure: TrainingServer) -> None:
    desk.ready()
    azure.faults_next(1, "empty_429", only=STORE)
    desk.upload(desk.photos({"bottle": 30}))
    learned = LearnedRateFile(desk.home, load().settings.custom_vision).read()
    assert learned
    assert learned.per_second == RATE * 3 // 4


def test_a_rate_that_was_found_out_holds_in_the_next_run(desk: Desk, azure: TrainingServer, clock: Clock) -> None:
    """As users of F0 report: two calls a second, where the table says ten."""
    azure.clock = clock
    desk.set(training_calls_per_second=None, training_batch_bytes=1)
    desk.ready()
    azure.rate_per_second = 2
    desk.upload(desk.photos({"bottle": 16}))
    assert 0 < azure.refused < 10
    azure.refused = 0
    clock.pass_(2)
    desk.upload(desk.photos({"bottle": 16}, "more"))
    assert azure.refused == 0
    assert all_arrived_once(azure, 32)
    azure.arrivals.clear()


# Signals


@pytest.fixture
def begun(desk: Desk, azure: TrainingServer, photos: Path) -> Callable[[], subprocess.Popen[str]]:
    """Begins an upload in a process of its own."""
    desk.set(training_calls_per_second=20, training_batch_bytes=6_000)

    def begin() -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "triof.cli", "azure", "upload", str(photos), "--split", "all"]
        pipe = subprocess.PIPE
        return subprocess.Popen(command, text=True, cwd=desk.folder, stdout=pipe, stderr=pipe)

    return begin


def test_an_upload_that_is_interrupted_goes_on_and_sends_nothing_twice(
    desk: Desk, azure: TrainingServer, begun: Callable[[], subprocess.Popen[str]], photos: Path
) -> None:
    process = begun()
    azure.after_store = lambda count: os.kill(process.pid, signal.SIGINT) if count == 2 else None
    out, complaints = process.communicate(timeout=30)
    azure.after_store = None
    there = len(azure.photos)
    assert 0 < there < PHOTOS
    assert process.returncode == 1
    assert complaints.startswith("Error: Interrupted\n")
    assert "of 70 photos have arrived; the same command goes on with the rest." in complaints
    assert complaints.count("\n") == 2
    assert "Stopping: what is under way ends first" in out
    sent, already, _, refused, _ = map(int, row(desk.upload(photos), "all"))
    assert (sent + already, refused) == (PHOTOS, 0)
    assert all_arrived_once(azure)


def test_an_upload_that_is_killed_and_cut_off_sends_nothing_twice_and_nothing_is_refused() -> None:
    """`make upload-drill` in small."""
    came = upload_drill.drill("refused", photos=100, kills=1, side=100, cut_seconds=0.3)
    assert came.well, came
    assert came.most_in_a_second <= 10


def test_ctrl_c_does_not_wait_for_what_everybody_waits_for(
    desk: Desk, azure: TrainingServer, begun: Callable[[], subprocess.Popen[str]]
) -> None:
    process = begun()
    with retry_after(azure, 200):
        azure.faults_next(8, "empty_429", only=STORE)
        assert process.stdout
        while "Trying again" not in process.stdout.readline():
            pass
        process.send_signal(signal.SIGINT)
        _, complaints = process.communicate(timeout=10)
    assert process.returncode == 1
    assert "Interrupted" in complaints


def test_photos_that_were_removed_in_the_portal_are_sent_again_when_asked(desk: Desk, azure: TrainingServer) -> None:
    desk.ready()
    photos = desk.photos({"bottle": 5, "cup": 5})
    desk.upload(photos)
    (project,) = azure.projects.values()
    removed = next(iter(project.photos))
    del project.photos[removed]
    assert row(desk.upload(photos), "all")[:2] == ["0", "10"]
    assert row(desk.upload(photos, "--again"), "all")[:2] == ["1", "9"]
    assert removed in azure.photos


def test_a_copy_of_a_photo_that_is_held_back_for_the_test_is_not_learned(desk: Desk, azure: TrainingServer) -> None:
    desk.ready()
    photos = desk.photos({"bottle": 7, "cup": 5})
    held, copy, *rest = sorted(photos.rglob("*.jpg"))
    copy.write_bytes(held.read_bytes())
    lines = ["path,waste_type,cleanliness,group,split", f"{held},bottle,,,test"]
    lines += [f"{path},{path.parent.name},,,train" for path in (copy, *rest)]
    (photos / "manifest.csv").write_text("\n".join(lines) + "\n")
    told = desk.well("upload", str(photos))
    assert row(told, "all") == ["10", "0", "0", "1", "0"]
    assert f"Refused {copy}: The same photo is held back for the test." in told


def test_a_photo_that_nobody_has_tagged_gets_its_tag(desk: Desk, azure: TrainingServer) -> None:
    desk.ready()
    photos = desk.photos({"bottle": 5, "cup": 5})
    desk.upload(photos)
    (project,) = azure.projects.values()
    untagged = next(iter(project.photos.values()))
    tagged = set(untagged.tag_ids)
    untagged.tag_ids.clear()
    desk.upload(photos, "--again")
    assert untagged.tag_ids == tagged


def test_what_an_earlier_run_sent_is_known_though_its_files_have_moved(desk: Desk, azure: TrainingServer) -> None:
    desk.ready()
    photos = desk.photos({"bottle": 5, "cup": 5})
    cut_off(azure)
    desk.fails("upload", str(photos), "--split", "all")
    connect(azure)
    moved = photos.rename(photos.with_name("moved"))
    assert row(desk.upload(moved), "all")[3:] == ["0", "0"]
    assert sent_once(azure)
    assert len(azure.photos) == 10


def test_corrections_beside_the_photos_are_not_forgotten(desk: Desk, azure: TrainingServer) -> None:
    desk.ready()
    photos = desk.photos({"bottle": 6, "cup": 6})
    corrected = photos / "bottle" / sorted(path.name for path in (photos / "bottle").iterdir())[0]
    file = photos / "corrections.csv"
    file.write_text(f"path,task,was,now,why,at\nbottle/{corrected.name},waste_type,bottle,cup,,\n")
    assert f"There are corrections in {file}" in desk.fails("upload", str(photos), "--split", "all")
    assert not azure.photos
    assert row(desk.upload(photos, "--corrections", str(file)), "gobelet")[0] == "7"
