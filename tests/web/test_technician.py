"""The technician's page: who gets in, what moves, what is shown, and what the support bundle leaves out."""

import json
import re
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from PIL import Image
from werkzeug.test import TestResponse

from tests.support.dashboard import PASSWORD, Person, create
from tests.support.machines import BuildMachine, Machine
from tests.support.slot_scenes import MIDDLE, SIZE, SlotCamera, slot
from tests.support.url_map import doors
from tests.support.watched_slots import home_with, watched
from triof.access import technician_pin
from triof.access.technician_pin import TechnicianPin
from triof.machine.cameras.browser import BrowserCamera
from triof.settings.tree import Settings

PIN = "246810"
ELSEWHERE = {"REMOTE_ADDR": "192.0.2.7"}

pytestmark = pytest.mark.slow


def home(machine: Machine) -> Path:
    """The home folder of the machine."""
    return machine.services.operations.settings.home


class Technician:
    """A person with a screwdriver: reads the technician's pages and presses their buttons."""

    def __init__(self, machine: Machine) -> None:
        TechnicianPin(home(machine)).set(PIN)
        self.client: FlaskClient = machine.client()
        self.page: TestResponse = self.client.get("/technician/login")

    def open(self, path: str = "") -> "Technician":
        self.page = self.client.get(f"/technician{path}", follow_redirects=True)
        return self

    def press(self, path: str, **form: str) -> "Technician":
        token = re.search(r'name="csrf_token" value="([^"]+)"', self.page.text)
        assert token, self.page.text
        data = {"csrf_token": token[1], **form}
        self.page = self.client.post(f"/technician{path}", data=data, follow_redirects=True)
        return self

    def log_in(self, pin: str = PIN) -> "Technician":
        return self.open("/login").press("/login", pin=pin)

    @property
    def is_in(self) -> bool:
        return self.client.get("/technician").status_code == 200


@pytest.fixture
def technician(machine: Machine) -> Technician:
    return Technician(machine).log_in()


def acted(machine: Machine) -> list[tuple[str | None, str]]:
    """Action and actor of what the journal has of technicians."""
    return [(event.reason, event.detail["who"]) for event in machine.events("technician.acted")]


# ---- who gets in ----


def test_the_pin_opens_the_page_and_is_stored_as_a_digest(machine: Machine) -> None:
    found = Technician(machine)
    assert not found.is_in
    assert found.log_in("246811").page.status_code == 401
    assert not found.is_in
    assert found.log_in().is_in
    assert PIN not in (home(machine) / technician_pin.FILE).read_text()


def test_the_keypad_works_without_scripts(machine: Machine) -> None:
    found = Technician(machine)
    typed = ""
    for digit in "2469":
        found.press("/login", pin=typed, digit=digit)
        typed += digit
        assert f'value="{typed}"' in found.page.text
    found.press("/login", pin=typed, correct="1")
    assert 'value="246"' in found.page.text
    assert found.press("/login", pin=PIN).is_in


def test_guesses_are_limited_and_the_right_pin_waits_too(machine: Machine) -> None:
    found = Technician(machine)
    answers = [found.log_in("111222").page.status_code for _ in range(9)]
    assert answers == [401] * 8 + [429]
    assert found.log_in().page.status_code == 429
    machine.clock.pass_(60)
    assert found.log_in().is_in


def test_every_address_is_for_technicians_on_the_machine(machine: Machine) -> None:
    TechnicianPin(home(machine)).set(PIN)
    client = machine.client()
    token = re.search(r'name="csrf_token" value="([^"]+)"', client.get("/technician/login").text)
    assert token
    found = [door for door in doors(machine) if door.path.startswith("/technician")]
    assert len(found) >= 14
    for door in found:
        form = {"csrf_token": token[1]} if door.method == "POST" else {}
        assert door.knock(client, data=form, environ_overrides=ELSEWHERE).status_code == 403, door
        if not door.endpoint.startswith("technician_login."):
            answer = door.knock(client, data=form)
            assert (answer.status_code, answer.headers["Location"]) == (303, "/technician/login"), door


def test_a_setting_opens_it_to_other_computers(build_machine: BuildMachine) -> None:
    machine = build_machine(technician={"from_anywhere": True})
    assert machine.client().get("/technician/login", environ_overrides=ELSEWHERE).status_code == 200
    assert machine.client().get("/", environ_overrides=ELSEWHERE).status_code == 403


@pytest.mark.parametrize(("role", "gets_in"), [("technician", True), ("operator", False)])
def test_a_technicians_login_of_the_dashboard_opens_it_too(machine: Machine, role: str, gets_in: bool) -> None:
    create(machine, "paul", role)  # type: ignore[arg-type]
    person = Person(machine.client()).log_in("paul", PASSWORD, next="/technician")
    assert person.page.headers["Location"] == "/technician"
    assert (person.client.get("/technician").status_code == 200) is gets_in


def test_the_pin_opens_it_while_the_journal_is_gone(machine: Machine) -> None:
    found = Technician(machine)
    machine.services.journal.database.close()
    (home(machine) / "journal.db").unlink()
    (home(machine) / "journal.db").mkdir()
    for path in ("", "/camera", "/parts", "/records"):
        assert found.log_in().open(path).page.status_code == 200, path
    assert found.open("/parts").press("/parts", action="open_slot").page.status_code == 200
    assert machine.hardware.slot_is_open()
    (home(machine) / "journal.db").rmdir()


def test_a_new_pin_and_a_while_without_an_action_end_the_login(machine: Machine) -> None:
    found = Technician(machine).log_in()
    TechnicianPin(home(machine)).set("135790")
    assert not found.is_in
    assert found.log_in("135790").is_in
    TechnicianPin(home(machine)).remove()
    assert not found.is_in


# ---- what moves ----


def test_each_part_moves_alone_and_is_journaled_with_its_actor(machine: Machine, technician: Technician) -> None:
    technician.open("/parts")
    for action in ("open_slot", "close_slot", "box_3", "shred", "lamp_on", "lamp_off", "clear"):
        assert ": done." in technician.press("/parts", action=action).page.text, action
    state = json.loads((home(machine) / "simulated_machine.json").read_text())
    assert state["box"] == 3
    wanted = ["begin", "open_slot", "close_slot", "box_3", "shred", "lamp_on", "lamp_off", "clear"]
    assert acted(machine) == [(action, "technician") for action in wanted]


def test_what_is_dangerous_is_refused_and_says_why(machine: Machine, technician: Technician) -> None:
    technician.open("/parts").press("/parts", action="open_slot")
    text = technician.press("/parts", action="shred").page.text
    assert "the machine refused" in text
    assert "close it before shredding" in text
    assert "S2" not in text, "an interlock is no fault"
    assert technician.press("/parts", action="box_9").page.status_code == 400


def test_a_jam_is_shown_with_its_code_and_cleared(machine: Machine, technician: Technician) -> None:
    machine.hardware.jam("box")
    text = technician.open("/parts").page.text
    assert 'data-code="S1"' in text
    assert "S1" in technician.press("/parts", action="box_2").page.text
    assert 'data-code="S1"' not in technician.press("/parts", action="clear").page.text
    assert machine.hardware.jammed() is None


def test_the_touchscreen_is_under_maintenance_until_the_technician_leaves(machine: Machine) -> None:
    visitor = machine.visitor()
    found = Technician(machine).log_in()
    assert "Under maintenance" in visitor.open("/").page.text
    assert machine.hardware.slot_is_open() is False
    found.open("/parts").press("/leave")
    assert visitor.open("/").shown == "attract"
    assert not found.is_in
    assert [action for action, _ in acted(machine)] == ["begin", "end"]


def test_an_employee_finishes_first(machine: Machine) -> None:
    visitor = machine.visitor().press("/start")
    found = Technician(machine).log_in()
    assert found.is_in
    assert "An employee is using the machine" in found.open("/parts").press("/parts", action="close_slot").page.text
    assert machine.hardware.slot_is_open()
    assert visitor.press("/waste/pick-type").shown == "pick_type"


# ---- the camera ----


def test_the_live_picture_consumes_nothing_and_has_readings(machine: Machine, technician: Technician) -> None:
    answer = technician.client.get("/technician/picture")
    assert answer.data.startswith(b"\xff\xd8")
    readings = {name: float(answer.headers[f"X-Triof-{name}"]) for name in ("Brightness", "Focus", "Dark", "Bright")}
    assert readings == {"Brightness": pytest.approx(0.5, abs=0.01), "Focus": 0, "Dark": 0, "Bright": 0}
    assert "0.50" in technician.open("/camera").page.text


def test_a_camera_without_a_picture_says_so(build_machine: BuildMachine) -> None:
    found = Technician(build_machine(camera=BrowserCamera())).log_in()
    answer = found.client.get("/technician/picture")
    assert (answer.status_code, answer.headers["X-Triof-Code"]) == (503, "C1")
    assert "only the touchscreen can show" in found.open("/camera").page.text
    assert "the machine refused" in found.press("/test").page.text


def test_a_test_deposit_is_judged_but_does_not_count(machine: Machine, technician: Technician) -> None:
    assert technician.client.get("/technician/tested").status_code == 404
    text = technician.open("/camera").press("/test").page.text
    assert "The machine would accept it." in text
    assert "It would say: “A bottle. Is that right?”" in text
    assert 'data-task="waste_type"' in text
    assert technician.client.get("/technician/tested").mimetype == "image/jpeg"
    assert acted(machine)[-1] == ("test_deposit", "technician")
    assert not [event for event in machine.events() if event.kind.startswith("deposit.")]
    assert not (home(machine) / "photos").exists()


def test_usual_refusals_and_numbers_are_in_the_language_of_the_page(machine: Machine, technician: Technician) -> None:
    technician.open("/parts?lang=fr").press("/parts", action="open_slot").press("/parts", action="shred")
    assert "La fente est ouverte\u00a0: fermez-la avant de broyer." in technician.page.text
    technician.open("/camera")
    assert "En maintenance (technicien)" in technician.page.text
    assert re.search(r'data-reading="focus">\d+,\d\d<', technician.page.text)
    machine.hardware.jam("box")
    machine.client().get("/")
    machine.hardware.jam(None)
    machine.client().get("/")
    assert re.search(r"après \d", technician.open("/records").page.text)


def test_a_test_deposit_is_lit_and_judged_as_a_deposit_is(tmp_path: Path, new_journal: Path) -> None:
    class LitCamera(SlotCamera):
        def take(self, upload: bytes | None) -> bytes:
            lit.append(seen.machine.hardware.lamp)
            return super().take(upload)

    lit: list[bool] = []
    settings = Settings(home=home_with(new_journal, tmp_path / "home"), language="en", camera={"folder": tmp_path})
    seen = watched(settings, camera=LitCamera(slot(MIDDLE)))
    found = Technician(seen.machine).log_in().open("/camera").press("/test")
    assert "The machine would accept it." in found.page.text
    assert (lit, seen.machine.hardware.lamp) == ([True], False)
    assert seen.models[0].history[-1].picture.width < SIZE[0] / 2, "the models see what they see of a deposit"
    found.open("/parts").press("/parts", action="open_slot").open("/camera").press("/test")
    assert seen.models[0].history[-1].picture.size == SIZE
    seen.machine.services.deposits.close()


def test_the_reference_picture_is_taken_shown_and_compared(tmp_path: Path, new_journal: Path) -> None:
    settings = Settings(home=home_with(new_journal, tmp_path / "home"), language="en", camera={"folder": tmp_path})
    seen = watched(settings, learnt=False)
    found = Technician(seen.machine).log_in()
    assert "There is no reference picture yet." in found.open("/camera").page.text
    assert found.client.get("/technician/reference.jpg").status_code == 404
    found.open("/parts").press("/parts", action="open_slot")
    assert "empty and close it" in found.open("/camera").press("/reference").page.text
    assert "videz-la et fermez-la" in found.open("/camera?lang=fr").press("/reference").page.text
    found.open("/camera?lang=en")
    found.open("/parts").press("/parts", action="close_slot")
    assert "The slot is empty." in found.open("/camera").press("/reference").page.text
    assert found.client.get("/technician/reference.jpg").mimetype == "image/jpeg"
    assert found.client.get("/technician/cut").status_code == 204
    seen.show(slot(MIDDLE))
    assert found.client.get("/technician/picture").headers["X-Triof-Slot"] == "item"
    with Image.open(BytesIO(found.client.get("/technician/cut").data)) as cut:
        assert cut.width < SIZE[0] / 2
    assert acted(seen.machine)[-1] == ("reference", "technician")
    seen.machine.services.deposits.close()


# ---- what is shown and taken away ----


def test_the_pages_show_mode_versions_checks_faults_and_log(machine: Machine, technician: Technician) -> None:
    (home(machine) / "logs").mkdir(exist_ok=True)
    line = {"timestamp": "2026-12-01T05:00:00.1Z", "level": "error", "event": "camera.failed", "code": "C1"}
    (home(machine) / "logs" / "kiosk.log").write_text(f"{json.dumps(line)}\nnot json\n")
    machine.services.journal.record("machine.out_of_order", reason="C3", cause="It is black.")
    text = technician.open().page.text
    for part in ("Mode: ", "0.1.0", 'data-check="slot"', "machine-1"):
        assert part in text
    text = technician.open("/records").page.text
    for part in ("C3", "It is black.", "camera.failed", "code=C1", "not json"):
        assert part in text
    technician.open().press("/mode", mode="local")
    assert machine.events("mode.changed")[0].detail["who"] == "technician"


SECRETS: dict[str, dict[str, Any]] = {
    "custom_vision": {
        "prediction_endpoint": "https://example.org",
        "prediction_key": "predictionsecret1234",
        "project_id": "832ae6ba-15f3-4361-9105-91537df95286",
        "published_name": "triof",
        "training_endpoint": "https://example.org",
    },
    "alerts": {
        "webhook": {"url": "https://example.org/hooks/webhooksecret", "secret": "signaturesecret"},
        "email": {
            "host": "mail.example.org",
            "user": "triof",
            "password": "mailsecret",
            "sender": "a@example.org",
            "to": "b@example.org",
        },
    },
}


def values(section: object) -> Iterator[str]:
    """Every value below ``section`` that must not be in the bundle."""
    if isinstance(section, dict):
        for name, value in section.items():
            if name in ("prediction_key", "url", "secret", "password"):
                yield str(value)
            else:
                yield from values(value)


@contextmanager
def unpacked(answer: TestResponse) -> Iterator[zipfile.ZipFile]:
    assert answer.mimetype == "application/zip"
    with zipfile.ZipFile(BytesIO(answer.data)) as bundle:
        yield bundle


def test_the_support_bundle_holds_no_secret_and_no_photo(build_machine: BuildMachine, tmp_path: Path) -> None:
    key_file = tmp_path / "training.key"
    key_file.write_text("trainingsecretoffile\n")
    custom_vision = {**SECRETS["custom_vision"], "training_key_file": str(key_file)}
    machine = build_machine(**{**SECRETS, "custom_vision": custom_vision})
    machine.visitor().press("/start").press("/waste/pick-type")
    assert list((home(machine) / "photos").rglob("*.jpg"))
    secrets = [*values(SECRETS), "trainingsecretoffile", PIN]
    (home(machine) / "logs").mkdir(exist_ok=True)
    careless = "\n".join(f"a careless library wrote {secret}" for secret in [*secrets[:-1], "ftp://me:pass@host/"])
    (home(machine) / "logs" / "kiosk.log").write_text(careless)
    machine.services.deposits.expire()
    with unpacked(Technician(machine).log_in().open("/records").press("/support").page) as bundle:
        texts = {name: bundle.read(name) for name in bundle.namelist()}
    assert {"settings.txt", "health.txt", "versions.txt", "faults.txt", "log.jsonl", "computer.txt"} <= set(texts)
    assert b"custom_vision.prediction_key\t**********" in texts["settings.txt"]
    assert texts["log.jsonl"].count(b"**********") == len(secrets)
    whole = b"".join(texts.values())
    for secret in [*secrets, "me:pass", (home(machine) / "secret_key").read_bytes().hex()]:
        assert secret.encode() not in whole, secret
    digest = json.loads((home(machine) / technician_pin.FILE).read_text())["digest"]
    assert digest.encode() not in whole
    for name, content in texts.items():
        assert not content.startswith((b"\xff\xd8", b"\x89PNG")), name
        assert b"\xff\xd8\xff" not in content, name


def test_a_technician_marks_a_box_as_emptied(machine: Machine, technician: Technician) -> None:
    assert 'data-number="box_cup"' in technician.open("/parts").page.text
    assert "Box 2 emptied: done." in technician.press("/emptied", box="2").page.text
    (emptied,) = machine.events("box.emptied")
    assert (emptied.waste_type, emptied.detail["who"]) == ("cup", "technician")
    assert "There is no box 9" in technician.press("/emptied", box="9").page.text
