"""The machine's page: its latest faults with code and remedy, its checks, and the camera's picture for technicians."""

import re
from datetime import UTC, datetime, timedelta
from html import unescape

import pytest

from tests.support.dashboard import CLOUD, PAGES, Person, create, deposit, judged_elsewhere
from tests.support.machines import BuildMachine, Machine
from triof.journal.journal import Journal
from triof.machine.cameras.browser import BrowserCamera
from triof.monitoring.alerts import DetectedFault
from triof.storage.database import Database

pytestmark = pytest.mark.slow


def words(page: str) -> str:
    """The text of a page, without tags."""
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", page)).split())


def test_the_latest_faults_have_a_code_and_a_remedy(machine: Machine) -> None:
    create(machine)
    person = Person(machine.client()).log_in("marie")
    assert "No fault so far." in person.open("/machine").page.text
    machine.services.journal.record("machine.out_of_order", reason="C1", cause="unplugged")
    machine.services.journal.record("machine.in_order", reason="C1", seconds=840.0)
    machine.services.journal.record("deposit.failed", reason="box")
    page = words(person.open("/machine").page.text)
    assert "C1 The camera gives no picture:" in page
    assert "Check the camera's cable and power; triof doctor names" in page
    assert "It lasted 14 minutes." in page
    assert page.index("S1 A deposit was not finished.") < page.index("C1 The camera")
    assert "Durée\N{NO-BREAK SPACE}: 14 minutes." in person.open("/machine?lang=fr").page.text


def test_no_page_shows_backticks_or_an_untranslated_sentence(build_machine: BuildMachine) -> None:
    machine = build_machine(custom_vision=CLOUD, camera=BrowserCamera())
    create(machine)
    machine.hardware.jam("box")
    journal, now = machine.services.journal, datetime.now(UTC)
    for code in ("C1", "J3", "S1"):
        journal.record("machine.out_of_order", reason=code, cause="x")
    faults = {"drift.brightness": DetectedFault("Photos are darker.", 0.3), "disk": DetectedFault("Full.")}
    machine.services.operations.monitoring.alerts.reconcile("machine-1", faults, now, lambda _: True)
    person = Person(machine.client()).log_in("marie")
    for language in ("en", "fr"):
        for path in (*PAGES, "/nowhere"):
            page = person.open(path, query_string={"lang": language}).page.text
            assert "`" not in page, (path, language)
            shown = re.sub(r"<(details|code)\b.*?</\1>", " ", page, flags=re.DOTALL)
            if language == "fr":
                assert not re.findall(r"<[^>]+\slang=\"en\"(?! hreflang)[^>]*>[^<]*\w", shown), path


def test_a_technician_sees_what_the_camera_sees_but_nobody_at_the_slot(machine: Machine) -> None:
    create(machine)
    create(machine, "paul", "operator")
    operator = Person(machine.client()).log_in("paul")
    assert "camera.jpg" not in operator.open("/machine").page.text
    assert operator.open("/camera.jpg").page.status_code == 403
    person = Person(machine.client()).log_in("marie")
    assert 'src="/dashboard/camera.jpg"' in person.open("/machine").page.text
    picture = person.open("/camera.jpg").page
    assert (picture.mimetype, picture.data[:2], picture.headers["Cache-Control"]) == (
        "image/jpeg",
        b"\xff\xd8",
        "no-store",
    )
    visitor = machine.visitor().press("/start")
    page = person.open("/machine").page.text
    assert "to respect their privacy" in page
    assert "camera.jpg" not in page
    assert person.open("/camera.jpg").page.status_code == 409
    visitor.press("/return").press("/done")
    assert person.open("/camera.jpg").page.status_code == 200


def test_a_camera_without_a_picture_is_told_with_its_remedy(build_machine: BuildMachine) -> None:
    machine = build_machine(camera=BrowserCamera())
    create(machine)
    person = Person(machine.client()).log_in("marie")
    page = person.open("/machine").page.text
    assert "camera.jpg" not in page
    assert person.open("/camera.jpg").page.status_code == 503


def test_machines_are_called_by_their_names_everywhere(build_machine: BuildMachine) -> None:
    machine = build_machine(machine={"name": "Canteen", "place": "Lyon"})
    create(machine)
    deposit(machine)
    assert machine.events("machine.started")[0].detail["name"] == "Canteen"
    now = datetime.now(UTC)
    judged_elsewhere(machine, "3f0c9a1e", now - timedelta(minutes=1))
    other = Database(f"sqlite:///{machine.services.operations.settings.home / 'journal.db'}", "3f0c9a1e")
    Journal(other).record("machine.started", interrupted=0, name="Hall")
    other.close()
    alerts = machine.services.operations.monitoring.alerts
    alerts.reconcile("3f0c9a1e", {"disk": DetectedFault("Full.")}, now, lambda _: True)
    person = Person(machine.client()).log_in("marie")
    for path in PAGES:
        page = words(person.open(path).page.text)
        assert "machine-1" not in page, path
        assert "3f0c9a1e" not in page, path
    page = words(person.open("").page.text)
    assert "Hall: The disk is nearly full." in page
    assert "All machines Canteen Hall" in re.sub(r"\s+", " ", page.replace("Hall Canteen", "Canteen Hall"))


def test_french_counts_and_dates_as_it_is_written(machine: Machine) -> None:
    create(machine)
    person = Person(machine.client()).log_in("marie")
    deposit(machine)
    page = words(person.open("?lang=fr").page.text)
    assert "1 dépôt " in page
    assert re.search(r"1 bouteille 0 gobelet 0 couvert ", page)
    for _ in range(3):
        deposit(machine, "cutlery")
    page = words(person.open("").page.text)
    assert "4 dépôts " in page
    assert "3 couverts " in page
    assert "1er nov. 2026" in words(person.open("?since=2026-11-01&until=2026-11-02").page.text)
    assert "1 Nov 2026" in words(person.open("?since=2026-11-01&until=2026-11-02&lang=en").page.text)
