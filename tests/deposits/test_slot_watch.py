"""The machine knows its empty slot: whole deposits over HTTP, and what it does between them."""

import stat
from collections.abc import Callable, Iterator
from html import unescape
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from tests.support.machines import Visitor
from tests.support.slot_scenes import MIDDLE, SIZE, SlotCamera, photo_of, slot
from tests.support.watched_slots import WatchedMachine, home_with, watched
from triof import services
from triof.app import create_app
from triof.common.image_files import pictures_in
from triof.common.paths import DEMO_PICTURES
from triof.deposits.slot_watch import REQUEST_FILE
from triof.judging import photo
from triof.machine.cameras.browser import BrowserCamera
from triof.machine.cameras.folder import FolderCamera
from triof.machine.reference_store import FILE, ReferenceStore
from triof.observability.health_checks.runner import HealthReport
from triof.settings.tree import Settings
from triof.storage import data_folder

pytestmark = pytest.mark.slow

Build = Callable[..., WatchedMachine]
LEFTOVER = "If something is left inside, take it out first."
DRIFTED = (0.8, 0.84, 0.9)


@pytest.fixture
def build(tmp_path: Path, new_journal: Path) -> Iterator[Build]:
    built: list[WatchedMachine] = []

    def make(
        *,
        slot_view: dict[str, object] | None = None,
        privacy: dict[str, object] | None = None,
        again: bool = False,
        **how: object,
    ) -> WatchedMachine:
        home = tmp_path / "home" if again else home_with(new_journal, tmp_path / "home")
        changes = {"slot_view": slot_view or {}, "privacy": privacy or {}, "camera": {"folder": tmp_path / "elsewhere"}}
        settings = Settings.model_validate({"home": home, "language": "en", **changes})
        built.append(watched(settings, **how))  # type: ignore[arg-type]
        return built[-1]

    yield make
    for each in built:
        each.machine.services.deposits.close()
        each.machine.services.journal.database.close()


def put_in(watched: WatchedMachine, picture: object, **upload: object) -> Visitor:
    """Open the slot, put what the picture shows into it, and have it judged."""
    visitor = watched.machine.visitor().press("/start")
    watched.show(picture)  # type: ignore[arg-type]
    return visitor.press("/waste/pick-type", **upload)


def shredded(watched: WatchedMachine, visitor: Visitor) -> None:
    visitor.press("/confirmation", waste_type="bottle").wait_idle().open("/confirmation")
    assert visitor.shown == "thanks"
    watched.show(slot(seed=5))
    visitor.press("/done")


def report(watched: WatchedMachine) -> HealthReport:
    return watched.machine.services.operations.health.look_again()


# ---- deposits ----


@pytest.mark.parametrize("light", [(1, 1, 1), DRIFTED, (1.2, 1.2, 1.2)])
def test_the_models_see_the_item_and_the_journal_keeps_the_whole(build: Build, light: tuple[float, ...]) -> None:
    seen = build()
    visitor = put_in(seen, slot(MIDDLE, light=light))  # type: ignore[arg-type]
    assert (visitor.shown, visitor.ticked) == ("pick_type", "bottle")
    width, height = seen.models[0].history[0].picture.size
    assert 80 <= width <= 180
    assert 120 <= height <= 200
    (judged,) = seen.machine.events("deposit.judged")
    left, top, right, bottom = judged.detail["slot"]["cut"]
    assert left < 280 / 640 < 360 / 640 < right
    assert top < 120 / 360 < 240 / 360 < bottom
    assert judged.detail["slot"]["seen"] == "item"
    with Image.open(seen.machine.services.photo_store.path(judged.detail["photo"])) as stored:
        assert stored.size == SIZE
    shredded(seen, visitor)
    assert [kind for kind, *_ in seen.machine.happened()] == ["opened", "judged", "confirmed", "shredded"]


@pytest.mark.parametrize("light", [(1, 1, 1), DRIFTED])
def test_nothing_there_is_said_without_asking_a_model(build: Build, light: tuple[float, ...]) -> None:
    seen = build()
    visitor = put_in(seen, slot(light=light))  # type: ignore[arg-type]
    assert visitor.shown == "returned"
    assert "I see nothing" in visitor.page.text
    assert seen.asked == 0
    assert [event.reason for event in seen.machine.events("deposit.returned")] == ["nothing_seen"]
    seen.show(slot(MIDDLE))
    assert visitor.press("/start").press("/waste/pick-type").shown == "pick_type"


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("en", ("I can't see all of it", "Push it in further and try again, or take it back.", "Try again")),
        ("fr", ("Je ne vois pas tout", "Poussez-le plus loin et réessayez, ou reprenez-le.", "Réessayer")),
    ],
)
def test_an_item_that_reaches_out_is_not_guessed_at(build: Build, language: str, words: tuple[str, ...]) -> None:
    seen = build()
    visitor = put_in(seen, slot((540, 100, 680, 160)))
    told = unescape(visitor.open(f"/confirmation?lang={language}").page.text)
    assert visitor.shown == "returned"
    for each in words:
        assert each in told
    assert seen.asked == 0
    assert seen.machine.hardware.slot_is_open()
    assert [event.reason for event in seen.machine.events("deposit.returned")] == ["reaches_out"]
    seen.show(slot((480, 100, 600, 160)))
    assert visitor.press("/start").press("/waste/pick-type").shown == "pick_type"


def test_with_cut_to_item_only_the_part_with_the_item_is_stored(build: Build) -> None:
    seen = build(privacy={"cut_to_item": True})
    assert put_in(seen, slot(MIDDLE)).shown == "pick_type"
    (judged,) = seen.machine.events("deposit.judged")
    with Image.open(seen.machine.services.photo_store.path(judged.detail["photo"])) as stored:
        assert stored.size == seen.models[0].history[0].picture.size


@pytest.mark.parametrize("picture", [slot(MIDDLE, moved=(60, 20)), slot((540, 100, 680, 160)), slot()])
def test_with_cut_to_item_nothing_is_stored_where_no_item_is_found(build: Build, picture: Image.Image) -> None:
    seen = build(privacy={"cut_to_item": True})
    put_in(seen, picture)
    (judged,) = seen.machine.events("deposit.judged")
    assert not judged.detail["slot"]["cut"]
    assert not seen.machine.services.photo_store.path(judged.detail["photo"]).exists()


def test_without_a_reference_or_switched_off_the_whole_picture_is_judged(build: Build) -> None:
    for how in ({"learnt": False}, {"slot_view": {"enabled": False}}, {"slot_view": {"cut": False}}):
        seen = build(**how)
        visitor = put_in(seen, slot(MIDDLE))
        assert visitor.shown == "pick_type"
        assert {photo.picture.size for photo in seen.models[0].history} == {SIZE}
        seen.machine.services.deposits.close()


def test_a_small_shake_is_compensated_and_a_moved_camera_gets_no_cut(build: Build) -> None:
    seen = build()
    visitor = put_in(seen, slot(MIDDLE, moved=(6, -4)))
    shredded(seen, visitor)
    put_in(seen, slot(MIDDLE, moved=(60, 20)))
    first, second = seen.machine.events("deposit.judged")
    assert first.detail["slot"]["cut"]
    assert second.detail["slot"] == {**second.detail["slot"], "seen": "other_view", "cut": None}
    assert seen.models[0].history[-1].picture.size == SIZE


def test_the_folder_and_the_touchscreen_are_cameras_too(build: Build, tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    (folder / "1.jpg").write_bytes(photo_of(slot(MIDDLE)))
    (folder / "2.jpg").write_bytes(photo_of(slot()))
    seen = build(camera=FolderCamera(folder))
    visitor = put_in(seen, None)
    shredded(seen, visitor)
    assert put_in(seen, None).shown == "returned"
    assert [event.detail["slot"]["seen"] for event in seen.machine.events("deposit.judged")] == ["item", "empty"]


def test_a_picture_of_another_size_is_judged_as_a_whole(build: Build) -> None:
    seen = build()
    put_in(seen, slot(MIDDLE).resize((320, 180)))
    (judged,) = seen.machine.events("deposit.judged")
    assert "slot" not in judged.detail


# ---- item taken back ----


def returned_and_left_alone(seen: WatchedMachine) -> None:
    visitor = put_in(seen, slot(MIDDLE)).press("/return")
    seen.wait(25)
    if seen.machine.hardware.slot_is_open():
        # The picture shows it, so that only a person's word closes the slot.
        visitor.open("/").press("/done")


def test_take_it_out_first_is_said_only_where_something_is_there(build: Build) -> None:
    seen = build()
    returned_and_left_alone(seen)
    visitor = seen.machine.visitor().press("/start")
    assert LEFTOVER in visitor.page.text
    visitor.press("/return").press("/done").press("/done")
    returned_and_left_alone(seen)
    seen.show(slot(seed=4, light=DRIFTED))
    assert LEFTOVER not in seen.machine.visitor().press("/start").page.text


def test_an_item_left_inside_is_seen_after_an_orderly_restart(build: Build) -> None:
    seen = build()
    put_in(seen, slot(MIDDLE))
    seen.machine.services.deposits.close()
    again = build(again=True)
    again.show(slot(MIDDLE))
    assert LEFTOVER in again.machine.visitor().press("/start").page.text


def test_where_no_picture_tells_it_is_said_that_something_may_be_left(build: Build) -> None:
    for learnt, picture in ((False, slot()), (True, None), (True, slot(moved=(60, 0)))):
        seen = build(learnt=learnt)
        returned_and_left_alone(seen)
        seen.show(picture)
        assert LEFTOVER in seen.machine.visitor().press("/start").page.text
        seen.machine.services.deposits.close()
        (seen.store.path).unlink(missing_ok=True)


# ---- the reference ----


def test_the_machine_takes_the_reference_after_an_item_was_shredded(build: Build) -> None:
    seen = build(learnt=False)
    seen.wait(20)
    assert not seen.store.current()
    shredded(seen, put_in(seen, slot(MIDDLE)))
    seen.wait(3)
    assert not seen.store.current()
    seen.wait(5)
    (reference,) = seen.store.current()
    assert (reference.width, reference.height) == SIZE
    assert stat.S_IMODE((seen.store.path).stat().st_mode) == 0o600
    seen.show(slot(MIDDLE))
    assert put_in(seen, slot(MIDDLE)).shown == "pick_type"


@pytest.mark.parametrize("how", [{"looks_empty": False}, {"slot_view": {"learn": False}}, {"camera": BrowserCamera()}])
def test_no_reference_is_taken_where_the_slot_may_hold_something(build: Build, how: dict[str, object]) -> None:
    seen = build(learnt=False, **how)
    visitor = seen.machine.visitor().press("/start")
    if "camera" in how:
        visitor.press("/waste/pick-type", image=(BytesIO(photo_of(slot(MIDDLE))), "photo.jpg"))
    else:
        seen.show(slot(MIDDLE))
        visitor.press("/waste/pick-type")
    shredded(seen, visitor)
    seen.wait(30)
    assert not seen.store.current()


def test_where_nothing_is_learned_the_lamp_is_lit_ever_more_rarely(build: Build) -> None:
    seen = build(learnt=False, looks_empty=False)
    for _ in range(2):
        visitor = put_in(seen, slot(MIDDLE))
        seen.wait(1)
        shredded(seen, visitor)
        before = seen.camera.taken
        seen.wait(12)
        assert seen.camera.taken - before == 2
        seen.wait(600)
        assert 5 <= seen.camera.taken - before <= 9


def test_a_day_later_the_reference_is_taken_again_if_the_slot_is_still_empty(build: Build) -> None:
    seen = build()
    shredded(seen, put_in(seen, slot(MIDDLE)))
    seen.wait(8)
    first = seen.store.current()[0]
    seen.wait(8)
    assert seen.store.current()[0] is first
    seen.machine.clock.pass_(86_400)
    seen.show(slot(MIDDLE))
    seen.wait(2)
    assert seen.store.current()[0] is first
    seen.show(slot(light=DRIFTED))
    seen.wait(8)
    assert seen.store.current()[0] is not first


def test_a_damaged_reference_is_as_none(build: Build) -> None:
    seen = build()
    (seen.store.path).write_bytes(b"no picture")
    assert not seen.store.current()
    put_in(seen, slot(MIDDLE))
    assert seen.models[0].history[0].picture.size == SIZE
    assert seen.store.path.name == FILE


# ---- health ----


def alerts(seen: WatchedMachine) -> dict[str, str]:
    health = seen.machine.services.operations.health
    return {name: fault.text for name, fault in health.alerts(()).items()}


def after(seen: WatchedMachine, times: int, **look: object) -> None:
    for _ in range(times):
        visitor = put_in(seen, slot(MIDDLE, **look))  # type: ignore[arg-type]
        # Said twice where the picture shows the item.
        visitor.press("/return").press("/done").press("/done")


@pytest.mark.parametrize(
    ("look", "said"),
    [
        ({"moved": (60, 20)}, "the camera has moved"),
        ({"greasy": True}, "its lens is dirty"),
        ({"moved": (14, 0)}, "by 2 %"),
    ],
)
def test_a_moved_camera_or_a_dirty_lens_is_an_alert_that_ends_by_itself(
    build: Build, look: dict[str, object], said: str
) -> None:
    seen = build()
    assert report(seen).status("slot_view") == "ok"
    after(seen, 2, **look)
    assert "slot_view" not in alerts(seen)
    after(seen, 1, **look)
    assert said in alerts(seen)["slot_view"]
    assert "triof reference take" in alerts(seen)["slot_view"]
    assert report(seen).status("slot_view") == "warning"
    assert report(seen).is_ready
    after(seen, 1, light=DRIFTED)
    assert "slot_view" not in alerts(seen)
    assert report(seen).status("slot_view") == "ok"


def test_a_request_of_the_command_line_is_done_when_the_machine_is_idle(build: Build, tmp_path: Path) -> None:
    seen = build(learnt=False)
    request = tmp_path / "home" / REQUEST_FILE
    visitor = put_in(seen, slot(MIDDLE))
    request.touch()
    seen.wait(2)
    assert request.exists()
    assert not seen.store.current()
    visitor.press("/return").press("/done")
    seen.show(slot())
    seen.wait(2)
    assert not request.exists()
    assert seen.store.current()


class DisturbedCamera(SlotCamera):
    """While it takes a picture, ``meanwhile`` happens."""

    def __init__(self) -> None:
        super().__init__(slot())
        self.meanwhile: Callable[[], object] = lambda: None

    def take(self, upload: bytes | None) -> bytes:
        picture = super().take(upload)
        self.meanwhile()
        return picture


@pytest.mark.parametrize("requested", [True, False])
def test_no_reference_is_taken_of_a_slot_that_opens_meanwhile(build: Build, tmp_path: Path, requested: bool) -> None:
    camera = DisturbedCamera()
    seen = build(learnt=False, camera=camera)
    if requested:
        (tmp_path / "home" / REQUEST_FILE).touch()
    else:
        shredded(seen, put_in(seen, slot(MIDDLE)))
    visitor = seen.machine.visitor()
    camera.meanwhile = lambda: visitor.press("/start")
    seen.wait(8)
    assert seen.machine.hardware.slot_is_open()
    assert not seen.store.current()
    camera.meanwhile = lambda: None
    visitor.press("/return").press("/done")
    seen.wait(8)
    assert bool(seen.store.current()) is requested, "asked for, or learned after an item was shredded"


def test_the_demo_has_the_empty_tray_of_each_of_its_pictures(tmp_path: Path) -> None:
    view, _ = services.build_slot_view(Settings(home=tmp_path))
    findings = {path.stem: view.find(photo.load(path.read_bytes())) for path in pictures_in(DEMO_PICTURES)}
    assert len(findings) == 20
    states = {name: finding.comparison.state for name, finding in findings.items() if finding}
    assert states.pop("other-empty-1") == "empty"
    assert list(states.values()).count("item") >= 17
    assert set(states.values()) <= {"item", "reaches_out"}


def test_the_kiosk_of_the_settings_knows_its_slot(tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    (folder / "1.jpg").write_bytes(photo_of(slot()))
    settings = Settings.model_validate({"home": tmp_path / "home", "mode": "local", "camera": {"folder": folder}})
    data_folder.make(settings)
    ReferenceStore(settings.home, settings.camera).save(slot(seed=9), *SIZE)
    kiosk = services.build_kiosk(settings)
    try:
        visitor = Visitor(create_app(settings, kiosk).test_client(), kiosk.deposits).open("/")
        assert visitor.press("/start").press("/waste/pick-type").shown == "returned"
        assert kiosk.operations.health.look_again().status("slot_view") == "ok"
    finally:
        kiosk.close()
