"""The whole deposit through HTTP, with a scripted judge: what the person sees, what moves, what is written."""

import json
import re
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from providers.base import ProviderUnavailable
from testing.image_files import HOSTILE
from tests.support.machines import BuildMachine, Machine, Visitor
from triof.deposits.housekeeping import Housekeeper
from triof.judging.sorter import Judgement
from triof.machine.cameras.browser import BrowserCamera
from triof.machine.slot import Jammed

pytestmark = pytest.mark.slow

UNSURE = {"bottle": 0.4, "cup": 0.35, "cutlery": 0.15, "other": 0.1}
HALF_CLEAN = {"clean": 0.55, "dirty": 0.45}
CHOOSE_HIDDEN = re.compile(r"data-please-choose hidden")


def judged(machine: Machine) -> Visitor:
    """A visitor who has put an item in."""
    return machine.visitor().press("/start").press("/waste/pick-type")


def test_a_deposit_from_the_first_touch_to_the_thanks(machine: Machine) -> None:
    visitor = machine.visitor()
    assert (visitor.at, visitor.shown) == ("/", "attract")

    visitor.press("/start")
    assert (visitor.at, visitor.shown) == ("/start", "insert")
    assert machine.hardware.slot_is_open()

    visitor.press("/waste/pick-type")
    assert (visitor.at, visitor.shown) == ("/waste/pick-type", "pick_type")
    assert not machine.hardware.slot_is_open()
    assert visitor.ticked == "bottle"
    assert "99%" in visitor.page.text

    visitor.press("/confirmation", waste_type="bottle")
    visitor.wait_idle().open("/confirmation")
    assert visitor.shown == "thanks"
    assert machine.happened() == [
        ("opened", None, None),
        ("judged", "bottle", "sure"),
        ("confirmed", "bottle", "agreed"),
        ("shredded", "bottle", None),
    ]


def test_the_box_of_the_type_is_moved_under_the_slot(build_machine: BuildMachine) -> None:
    machine = build_machine(waste_type=["cutlery"])
    judged(machine).press("/confirmation", waste_type="cutlery")
    machine.services.deposits.wait_idle()
    state = machine.services.operations.settings.home / "simulated_machine.json"
    assert json.loads(state.read_bytes())["box"] == 3


@pytest.mark.parametrize(
    ("waste_type", "cleanliness", "reason", "words"),
    [("other", "clean", "other", "I can't use this"), ("cup", "dirty", "dirty", "It isn't clean yet")],
)
def test_what_must_not_go_in_is_handed_back_with_the_reason(
    build_machine: BuildMachine, waste_type: str, cleanliness: str, reason: str, words: str
) -> None:
    machine = build_machine([waste_type], [cleanliness])
    visitor = judged(machine)
    assert (visitor.at, visitor.shown) == ("/confirmation", "returned")
    assert words in visitor.page.text
    assert machine.hardware.slot_is_open()
    assert machine.happened()[-1][::2] == ("returned", reason)

    visitor.press("/done")
    assert visitor.shown == "attract"
    assert not machine.hardware.slot_is_open()


def test_when_not_sure_nothing_is_ticked_and_the_person_is_believed(build_machine: BuildMachine) -> None:
    machine = build_machine([UNSURE])
    visitor = judged(machine)
    assert visitor.ticked is None
    visitor.press("/confirmation", waste_type="cup")
    machine.services.deposits.wait_idle()
    assert machine.happened()[-2:] == [("confirmed", "cup", "corrected"), ("shredded", "cup", None)]


def test_when_nobody_answers_the_person_chooses(build_machine: BuildMachine) -> None:
    machine = build_machine([ProviderUnavailable("the model is asleep")])
    visitor = judged(machine)
    assert (visitor.shown, visitor.ticked) == ("pick_type", None)
    (event,) = machine.events("deposit.judged")
    assert event.reason == "type_not_answered"
    assert event.detail["unanswered"]["waste_type"][0]["message"] == "the model is asleep"


def test_another_type_than_the_sure_one_is_asked_once_more(machine: Machine) -> None:
    visitor = judged(machine).press("/confirmation", waste_type="cup", sure="1")
    assert "Is it really a cup?" in visitor.page.text
    assert "confirmed" not in [kind for kind, *_ in machine.happened()]

    visitor.press("/confirmation", waste_type="cup", sure="1")
    machine.services.deposits.wait_idle()
    assert machine.happened()[-2:] == [("confirmed", "cup", "corrected"), ("shredded", "cup", None)]


def test_going_back_to_what_the_machine_sees_needs_no_second_question(machine: Machine) -> None:
    judged(machine).press("/confirmation", waste_type="cup").press("/confirmation", waste_type="bottle")
    machine.services.deposits.wait_idle()
    assert machine.happened()[-1] == ("shredded", "bottle", None)


@pytest.mark.parametrize("form", [{}, {"waste_type": "elephant"}])
def test_without_a_choice_the_page_asks_for_one_and_nothing_moves(machine: Machine, form: dict[str, Any]) -> None:
    visitor = judged(machine)
    assert CHOOSE_HIDDEN.search(visitor.page.text)
    assert visitor.press("/confirmation", **form).shown == "pick_type"
    assert not CHOOSE_HIDDEN.search(visitor.page.text)
    assert "Please choose what it is" in visitor.page.text
    assert [kind for kind, *_ in machine.happened()] == ["opened", "judged"]


@pytest.mark.parametrize("seen", ["bottle", UNSURE])
def test_none_of_these_hands_the_item_back_as_a_correction(build_machine: BuildMachine, seen: Any) -> None:
    machine = build_machine([seen])
    visitor = judged(machine).press("/confirmation", waste_type="other")
    assert (visitor.shown, machine.hardware.slot_is_open()) == ("returned", True)
    assert 'data-state="none_of_these"' in visitor.page.text
    assert machine.happened()[2:] == [("confirmed", "other", "corrected"), ("returned", "other", "other")]
    statistics = machine.services.operations.statistics
    totals = statistics.totals(statistics.days(statistics.today, statistics.today, None))
    assert (totals.confirmed, totals.corrected) == (1, 1)


def test_of_a_type_that_is_sure_only_cleanliness_is_asked(build_machine: BuildMachine) -> None:
    machine = build_machine(cleanliness=[HALF_CLEAN])
    visitor = judged(machine)
    assert 'data-state="cleanliness"' in visitor.page.text
    assert "Is it empty and clean?" in visitor.page.text
    assert "I see a bottle." in visitor.page.text
    visitor.press("/confirmation", waste_type="bottle").wait_idle()
    assert machine.happened()[2:] == [("confirmed", "bottle", "agreed"), ("shredded", "bottle", None)]
    (confirmed,) = machine.events("deposit.confirmed")
    assert confirmed.detail == {"cleanliness": "clean"}


def test_what_a_person_calls_dirty_is_handed_back_and_written_down(build_machine: BuildMachine) -> None:
    machine = build_machine(cleanliness=[HALF_CLEAN])
    visitor = judged(machine).press("/confirmation", cleanliness="dirty")
    assert (visitor.shown, machine.hardware.slot_is_open()) == ("returned", True)
    assert 'data-state="called_dirty"' in visitor.page.text
    assert machine.happened()[2:] == [("confirmed", "bottle", "agreed"), ("returned", "bottle", "dirty")]
    (confirmed,) = machine.events("deposit.confirmed")
    assert confirmed.detail == {"cleanliness": "dirty"}


def test_the_type_that_is_sure_can_still_be_corrected(build_machine: BuildMachine) -> None:
    machine = build_machine(cleanliness=[HALF_CLEAN])
    visitor = judged(machine).press("/confirmation", again="1")
    assert (visitor.shown, visitor.ticked) == ("pick_type", None)
    assert "empty and clean: what is it?" in visitor.page.text
    visitor.press("/confirmation", waste_type="cup").press("/confirmation", waste_type="cup", sure="1").wait_idle()
    assert machine.happened()[2:] == [("confirmed", "cup", "corrected"), ("shredded", "cup", None)]
    (confirmed,) = machine.events("deposit.confirmed")
    assert confirmed.detail == {"cleanliness": "clean"}


def test_the_item_can_be_had_back(machine: Machine) -> None:
    visitor = judged(machine).press("/return")
    assert visitor.shown == "returned"
    assert machine.hardware.slot_is_open()
    assert machine.happened()[-1][::2] == ("returned", "cancelled")


def test_reload_back_and_a_second_touch_do_no_harm(machine: Machine) -> None:
    visitor = machine.visitor().press("/start")
    visitor.open("/").press("/waste/pick-type")
    assert visitor.shown == "pick_type"
    visitor.press("/waste/pick-type").press("/start")
    assert visitor.shown == "pick_type"
    visitor.press("/confirmation", waste_type="bottle")
    machine.services.deposits.wait_idle()
    for path in ("/", "/start", "/waste/pick-type", "/confirmation"):
        assert visitor.open(path).shown == "thanks"
    visitor.press("/start")
    kinds = [kind for kind, *_ in machine.happened()]
    assert kinds == ["opened", "judged", "confirmed", "shredded", "opened"]


def test_only_a_post_with_the_pages_token_moves_the_machine(machine: Machine) -> None:
    client = machine.client()
    for path in ("/start", "/waste/pick-type", "/confirmation", "/return", "/stay", "/done"):
        page = client.post(path)
        assert page.status_code == 400
        assert "csrf" not in page.text.lower()
    for path in ("/start", "/waste/pick-type", "/confirmation"):
        assert client.get(path).status_code == 303
    assert not machine.hardware.slot_is_open()
    assert machine.happened() == []


def test_one_deposit_at_a_time(machine: Machine) -> None:
    first, other = machine.visitor(), machine.visitor()
    first.press("/start")
    assert other.press("/start").shown == "attract"
    assert 'action="/start"' not in other.page.text
    assert first.press("/waste/pick-type").shown == "pick_type"
    assert len(machine.events("deposit.opened")) == 1


def test_of_many_first_touches_at_once_one_wins(machine: Machine) -> None:
    visitors = [machine.visitor() for _ in range(8)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda visitor: visitor.press("/start"), visitors))
    assert len(machine.events("deposit.opened")) == 1
    assert sorted({visitor.shown for visitor in visitors}) == ["attract", "insert"]


def test_of_many_second_touches_at_once_one_counts(machine: Machine) -> None:
    visitor = judged(machine)
    token = re.search(r'name="csrf_token" value="([^"]+)"', visitor.page.text)
    assert token
    cookie = visitor.client.get_cookie("triof")
    assert cookie

    def confirm(_: int) -> None:
        client = machine.client()
        client.set_cookie("triof", cookie.value)
        client.post("/confirmation", data={"csrf_token": token[1], "waste_type": "bottle"})

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(confirm, range(8)))
    visitor.wait_idle()
    assert [kind for kind, *_ in machine.happened()] == ["opened", "judged", "confirmed", "shredded"]


def test_somebody_elses_photo_is_not_shown(machine: Machine) -> None:
    visitor = judged(machine)
    address = visitor.page.text.split('img src="/waste/photo/')[1].split('"')[0]
    assert visitor.client.get(f"/waste/photo/{address}").mimetype == "image/jpeg"
    assert machine.client().get(f"/waste/photo/{address}").status_code == 404


def test_an_abandoned_deposit_warns_then_hands_the_item_back_and_ends(machine: Machine) -> None:
    visitor = judged(machine)
    assert "Still there?" not in visitor.page.text
    machine.clock.pass_(40)
    machine.services.deposits.expire()
    assert "Still there?" in visitor.open("/waste/pick-type").page.text

    machine.clock.pass_(21)
    machine.services.deposits.expire()
    assert visitor.open("/waste/pick-type").shown == "returned"
    assert machine.hardware.slot_is_open()

    machine.clock.pass_(21)
    machine.services.deposits.expire()
    assert visitor.open("/confirmation").shown == "attract"
    assert not machine.hardware.slot_is_open()
    assert machine.happened()[-1][::2] == ("returned", "timed_out")


def test_one_touch_extends_the_time(machine: Machine) -> None:
    visitor = judged(machine)
    machine.clock.pass_(50)
    assert "Still there?" not in visitor.open("/").press("/stay").page.text
    machine.clock.pass_(50)
    machine.services.deposits.expire()
    assert visitor.open("/").shown == "pick_type"


def test_a_reload_does_not_extend_the_time(machine: Machine) -> None:
    visitor = judged(machine)
    machine.clock.pass_(59)
    visitor.open("/waste/pick-type")
    machine.clock.pass_(2)
    machine.services.deposits.expire()
    assert visitor.open("/").shown == "returned"


def test_the_page_asks_again_before_the_warning_and_after_the_end(machine: Machine) -> None:
    visitor = judged(machine)
    assert 'data-refresh-seconds="35"' in visitor.page.text
    assert '<meta http-equiv="refresh" content="35;url=/waste/pick-type">' in visitor.page.text
    machine.clock.pass_(35)
    assert 'data-refresh-seconds="26"' in visitor.open("/").page.text


def test_a_camera_that_is_lost_at_work_says_so_and_the_slot_opens_again(machine: Machine, tmp_path: Any) -> None:
    visitor = machine.visitor().press("/start")
    (tmp_path / "pictures").rename(tmp_path / "gone")
    visitor.press("/waste/pick-type")
    assert visitor.shown == "insert"
    assert "The camera gave no picture" in visitor.page.text
    assert machine.hardware.slot_is_open()


def test_the_touchscreens_camera_sends_the_photo(build_machine: BuildMachine, jpeg: bytes) -> None:
    machine = build_machine(camera=BrowserCamera())
    visitor = machine.visitor().press("/start")
    assert 'type="file"' in visitor.page.text
    assert "There is no photo yet" in visitor.press("/waste/pick-type").page.text
    assert "That is not a photo" in visitor.press("/waste/pick-type", image=(BytesIO(b"<html>"), "a.jpg")).page.text
    assert visitor.press("/waste/pick-type", image=(BytesIO(jpeg), "a.jpg")).shown == "pick_type"


@pytest.mark.parametrize("name", [name for name in HOSTILE if name != "empty"])
def test_hostile_files_are_a_sentence_on_the_page(build_machine: BuildMachine, name: str) -> None:
    machine = build_machine(camera=BrowserCamera())
    visitor = machine.visitor().press("/start")
    visitor.press("/waste/pick-type", image=(BytesIO(HOSTILE[name]), f"{name}.jpg"))
    assert (visitor.page.status_code, visitor.shown) == (200, "insert")
    assert 'class="alert"' in visitor.page.text
    assert machine.hardware.slot_is_open()


def test_an_upload_beyond_every_limit_is_a_sentence(build_machine: BuildMachine) -> None:
    machine = build_machine(camera=BrowserCamera(), photo={"max_bytes": 1000})
    visitor = machine.visitor().press("/start")
    visitor.press("/waste/pick-type", image=(BytesIO(bytes(200_000)), "a.jpg"))
    assert (visitor.page.status_code, visitor.shown) == (200, "insert")
    assert "The photo is too large" in visitor.page.text


def test_a_jammed_box_gives_the_item_back_and_takes_the_machine_out_of_order(machine: Machine) -> None:
    def jam(_: int) -> None:
        machine.hardware.jam("box")
        raise Jammed("box")

    visitor = judged(machine)
    machine.hardware.instead["move_box"] = jam
    visitor.press("/confirmation", waste_type="bottle")
    visitor.wait_idle().open("/confirmation")
    assert (visitor.shown, machine.hardware.slot_is_open()) == ("returned", True)
    assert "Something is stuck" in visitor.page.text
    assert machine.happened()[-2:] == [("confirmed", "bottle", "agreed"), ("failed", "bottle", "box")]
    assert "Out of order" in visitor.press("/done").page.text

    machine.hardware.jam(None)
    assert "/start" in visitor.open("/").page.text


@pytest.mark.parametrize("part", ["slot", "shredder"])
def test_another_jam_says_so_and_takes_the_machine_out_of_order(machine: Machine, part: Any) -> None:
    visitor = machine.visitor().press("/start")
    machine.hardware.jam(part)
    visitor.press("/waste/pick-type")
    if part == "shredder":
        visitor.press("/confirmation", waste_type="bottle")
        visitor.wait_idle()
    assert "Something is stuck" in visitor.open("/").page.text
    assert "Out of order" in visitor.press("/done").page.text
    assert machine.happened()[-1][::2] == ("failed", part)
    assert machine.services.journal.unfinished() == []


def test_a_slot_that_was_jammed_open_closes_once_it_is_free(machine: Machine) -> None:
    visitor = machine.visitor().press("/start")
    machine.hardware.jam("slot")
    visitor.press("/waste/pick-type").press("/done")
    machine.services.deposits.expire()
    assert machine.hardware.slot_is_open()
    machine.hardware.jam(None)
    machine.services.deposits.expire()
    assert not machine.hardware.slot_is_open()


def test_a_jammed_machine_takes_nothing(machine: Machine) -> None:
    visitor = machine.visitor()
    machine.hardware.jam("shredder")
    assert "Out of order" in visitor.press("/start").page.text
    assert not machine.hardware.slot_is_open()
    assert machine.happened() == []


def test_an_item_is_handed_back_when_the_shredder_jams_before_it_begins(machine: Machine) -> None:
    visitor = judged(machine)
    machine.hardware.jam("shredder")
    visitor.press("/confirmation", waste_type="bottle")
    assert "Something is stuck" in visitor.page.text
    assert machine.hardware.slot_is_open()
    assert "confirmed" not in [kind for kind, *_ in machine.happened()]


def test_two_jams_end_the_deposit_too(machine: Machine) -> None:
    visitor = judged(machine)

    def jam_everything(_: int) -> None:
        machine.hardware.jam("slot")
        raise Jammed("box")

    machine.hardware.instead["move_box"] = jam_everything
    visitor.press("/confirmation", waste_type="bottle").wait_idle()
    assert "Something is stuck" in visitor.open("/").page.text
    assert machine.happened()[-1] == ("failed", "bottle", "box")


def test_the_interlock_stops_the_shredder_and_gives_the_item_back(machine: Machine) -> None:
    visitor = judged(machine)
    machine.hardware.instead["move_box"] = lambda _: machine.hardware.open_slot()
    machine.hardware.instead["shred"] = lambda: pytest.fail("shredded with the slot open")
    visitor.press("/confirmation", waste_type="bottle").wait_idle()
    assert visitor.open("/").shown == "returned"
    assert machine.happened()[-1] == ("failed", "bottle", "Interlocked")
    assert machine.hardware.slot_is_open()


@pytest.mark.parametrize("step", ["open_slot", "close_slot", "move_box", "shred"])
def test_hardware_that_does_not_answer_ends_the_deposit(machine: Machine, step: str) -> None:
    def unplugged(*_: int) -> None:
        raise OSError(5, "Input/output error")

    visitor = machine.visitor()
    machine.hardware.instead[step] = unplugged
    for press in ("/start", "/waste/pick-type", "/confirmation"):
        visitor.press(press, waste_type="bottle").wait_idle().open("/")
        if visitor.shown == "returned":
            break
    assert "Something is stuck" in visitor.page.text
    machine.hardware.instead.clear()
    machine.clock.pass_(61)
    machine.services.deposits.expire()
    machine.services.deposits.expire()
    assert visitor.open("/").shown == "attract"
    assert not machine.hardware.slot_is_open()
    assert machine.happened()[-1][0] == "failed"


def test_an_item_that_may_still_lie_inside_is_named(build_machine: BuildMachine) -> None:
    machine = build_machine(["other", "bottle"])
    judged(machine)
    machine.clock.pass_(30)
    machine.services.deposits.expire()
    machine.services.deposits.expire()
    assert not machine.hardware.slot_is_open()
    following = machine.visitor().press("/start")
    assert "take it out first" in following.page.text
    following.press("/waste/pick-type").press("/confirmation", waste_type="bottle").wait_idle().open("/").press("/done")
    assert "take it out first" not in machine.visitor().press("/start").page.text


def test_trying_again_does_not_close_the_slot_around_a_hand(build_machine: BuildMachine) -> None:
    machine = build_machine(cleanliness=["dirty"])
    visitor = judged(machine)
    machine.hardware.instead["close_slot"] = lambda: pytest.fail("closed")
    assert visitor.press("/start").shown == "insert"
    machine.hardware.instead.clear()
    assert machine.hardware.slot_is_open()


def test_an_orderly_stop_closes_the_slot_and_says_what_was_interrupted(machine: Machine) -> None:
    machine.visitor().press("/start")
    machine.services.deposits.close()
    assert not machine.hardware.slot_is_open()
    assert machine.happened()[-1] == ("interrupted", None, "stopped")


def test_neither_of_two_types_can_be_chosen_again(machine: Machine) -> None:
    visitor = judged(machine).press("/confirmation", waste_type="cup")
    visitor.press("/confirmation", again="1")
    assert 'value="cutlery"' in visitor.page.text
    visitor.press("/confirmation", waste_type="cutlery")
    assert "Is it really cutlery?" in visitor.page.text


def test_the_first_page_keeps_looking(machine: Machine) -> None:
    assert 'data-refresh-seconds="5"' in machine.visitor().page.text
    foreign = machine.visitor().open("/?lang=fr")
    assert 'data-refresh-seconds="30" data-refresh-url="/?lang=en"' in foreign.page.text


def test_time_passes_by_itself(machine: Machine) -> None:
    closed = Event()
    judged(machine).press("/return")
    machine.hardware.instead["close_slot"] = closed.set
    machine.clock.pass_(3600)
    watch = Housekeeper(machine.services.deposits, machine.services.photo_store, seconds=0.001)
    watch.start()
    assert closed.wait(10)
    watch.close()


@pytest.mark.parametrize("left_behind", [None, b""])
def test_the_cookie_key_outlives_a_restart_and_an_empty_file(
    build_machine: BuildMachine, tmp_path: Path, left_behind: bytes | None
) -> None:
    machine = build_machine()
    if left_behind is not None:
        (tmp_path / "home" / "secret_key").write_bytes(left_behind)
    visitor = build_machine().visitor().press("/start")
    cookie = visitor.client.get_cookie("triof")
    assert cookie
    again = build_machine().client()
    again.set_cookie("triof", cookie.value)
    with again.session_transaction() as session:
        assert "visitor" in session
    assert (tmp_path / "home" / "secret_key").stat().st_mode & 0o077 == 0
    assert machine


def test_a_judge_that_breaks_gives_a_page_and_an_open_slot(machine: Machine) -> None:
    visitor = machine.visitor().press("/start")
    broken: list[Judgement] = []

    def break_once(judgement: Judgement) -> None:
        broken.append(judgement)
        if len(broken) == 1:
            raise ZeroDivisionError

    machine.services.sorter.observe(break_once)
    visitor.press("/waste/pick-type")
    assert (visitor.page.status_code, visitor.shown) == (200, "insert")
    assert "Something went wrong inside me" in visitor.page.text
    assert "ZeroDivisionError" not in visitor.page.text
    assert machine.hardware.slot_is_open()
    assert visitor.open("/").press("/waste/pick-type").shown == "pick_type"


def test_every_page_is_in_the_language_chosen(machine: Machine) -> None:
    visitor = machine.visitor().open("/?lang=fr")
    assert '<html lang="fr">' in visitor.page.text
    visitor.press("/start").press("/waste/pick-type")
    assert "Une bouteille" in visitor.page.text
    assert "Give it back" not in visitor.page.text
    visitor.press("/return").press("/done")
    assert '<html lang="en">' in visitor.page.text


@pytest.mark.parametrize("end", ["thanks", "returned", "cancelled", "forgotten"])
def test_the_next_person_finds_the_usual_language_at_once(machine: Machine, end: str) -> None:
    visitor = machine.visitor().open("/?lang=fr").press("/start")
    if end == "cancelled":
        visitor.press("/return").press("/done")
    else:
        visitor.press("/waste/pick-type").press("/confirmation", waste_type="bottle" if end == "thanks" else "other")
        visitor.wait_idle().open("/confirmation")
        assert '<html lang="fr">' in visitor.page.text
        if end == "forgotten":
            machine.clock.pass_(3600)
            machine.services.deposits.expire()
            visitor.open("/")
        else:
            visitor.press("/done")
    assert visitor.shown == "attract"
    assert '<html lang="en">' in visitor.page.text
    assert '<html lang="en">' in visitor.press("/start").page.text


def test_a_person_with_several_items_keeps_the_language(machine: Machine) -> None:
    visitor = machine.visitor().open("/?lang=fr").press("/start").press("/waste/pick-type")
    visitor.press("/confirmation", waste_type="bottle").wait_idle().open("/confirmation").press("/start")
    assert (visitor.shown, '<html lang="fr">' in visitor.page.text) == ("insert", True)


def test_the_headers_let_nothing_foreign_in(machine: Machine) -> None:
    page = machine.client().get("/")
    policy = page.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'")
    assert "unsafe" not in policy
    assert page.headers["Cache-Control"] == "no-store"
    cookie = page.headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie


@pytest.mark.parametrize(("path", "status"), [("/nowhere", 404), ("/done", 405), ("/waste/photo/1", 404)])
def test_wrong_addresses_get_a_page(machine: Machine, path: str, status: int) -> None:
    page = machine.client().get(path)
    assert page.status_code == status
    assert 'data-page="error"' in page.text


def test_the_server_says_that_it_is_alive(machine: Machine) -> None:
    assert machine.client().get("/livez").text == "ok\n"


def test_photos_are_kept_by_content_hash_without_metadata(machine: Machine) -> None:
    judged(machine)
    (event,) = machine.events("deposit.judged")
    kept = machine.services.photo_store.path(event.detail["photo"])
    assert kept.read_bytes().startswith(b"\xff\xd8")
