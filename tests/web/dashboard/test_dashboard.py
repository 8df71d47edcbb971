"""The dashboard through its pages: who gets in, what they see, and what a technician may do there."""

import hashlib
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from click.testing import CliRunner
from werkzeug.test import TestResponse

from tests.support.dashboard import CLOUD, LOGIN, PAGES, PASSWORD, Person, create, deposit, judged_elsewhere
from tests.support.machines import BuildMachine, Machine
from triof.access.users import Users
from triof.cli import main
from triof.judging.mode import Switch
from triof.judging.quota import ledgers
from triof.monitoring.alerts import DetectedFault
from triof.settings.modes import Mode

pytestmark = pytest.mark.slow


def numbers(page: TestResponse) -> dict[str, str]:
    """The large numbers of a page, by what they are."""
    found = re.findall(r'data-number="(\w+)">([^<]*)', page.text)
    return {name: text.strip() for name, text in found}


def test_nobody_sees_anything_before_there_is_a_user(machine: Machine) -> None:
    person = Person(machine.client())
    assert "triof users create NAME --role technician" in person.page.text
    assert "<form" not in person.page.text.split("<main")[1]


def test_a_login_leads_to_the_page_asked_for_and_nowhere_else(machine: Machine) -> None:
    create(machine)
    person = Person(machine.client()).open("/answers?period=7&machine=a")
    assert person.page.status_code == 303
    asked = person.page.headers["Location"]
    person.page = person.client.get(asked)
    assert "period=7&amp;machine=a" in person.page.text
    person.send("/login", name=" Marie", password=PASSWORD, next="/dashboard/answers?period=7&machine=a")
    assert person.page.headers["Location"] == "/dashboard/answers?period=7&machine=a"
    for elsewhere in (
        "https://evil.test/",
        "//evil.test/dashboard",
        "/\\evil.test",
        "/dashboard\n/x",
        "/dashboard.evil",
    ):
        person.page = person.client.get(LOGIN, query_string={"next": elsewhere})
        assert person.page.headers["Location"] == "/dashboard", elsewhere
    cookie = person.client.get("/dashboard?lang=fr").headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    assert "Secure" not in cookie
    over_https = machine.client().get(LOGIN, base_url="https://localhost")
    assert "Secure" in over_https.headers["Set-Cookie"]


def test_a_wrong_name_costs_and_says_as_much_as_a_wrong_password(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    Users(machine.services.journal.database).create("marie", "technician", PASSWORD)
    costs: list[dict[str, int]] = []
    scrypt = hashlib.scrypt

    def priced(password: bytes, *, salt: bytes, n: int, r: int, p: int, maxmem: int) -> bytes:
        costs.append({"n": n, "r": r, "p": p})
        return scrypt(password, salt=salt, n=n, r=r, p=p, maxmem=maxmem)

    monkeypatch.setattr(hashlib, "scrypt", priced)
    person = Person(machine.client())
    pages = [person.log_in(name, "wrong password").page for name in ("marie", "nobody")]
    assert [page.status_code for page in pages] == [401, 401]
    said = [re.sub(r'csrf_token" value="[^"]+"', "", page.text) for page in pages]
    assert said[0] == said[1]
    assert costs == [{"n": 32768, "r": 8, "p": 1}] * 2
    assert not person.is_in


def test_a_login_ends_with_the_hours_the_password_the_user_and_the_logout(machine: Machine) -> None:
    found = create(machine)
    person, copy = Person(machine.client()), Person(machine.client())

    def enter() -> None:
        person.log_in("marie")
        assert person.is_in
        with person.client.session_transaction() as mine, copy.client.session_transaction() as theirs:
            theirs["login"] = dict(mine["login"])
        assert copy.is_in

    ends: list[Callable[[], object]] = [
        lambda: person.open("").send("/logout"),
        lambda: found.set_password("marie", PASSWORD),
        lambda: found.remove("marie"),
    ]
    for end in ends:
        enter()
        end()
        assert not person.is_in
        assert not copy.is_in, "a copy of the cookie"
    create(machine)
    enter()
    with person.client.session_transaction() as session:
        session["login"]["since"] -= 12 * 3600
        session.modified = True
    assert not person.is_in


def test_a_deposit_under_way_outlives_login_and_logout_on_the_same_screen(machine: Machine) -> None:
    create(machine)
    visitor = machine.visitor().press("/start")
    person = Person(visitor.client)
    token = re.search(r'name="csrf_token" value="([^"]+)"', person.page.text)
    person.log_in("marie")
    assert person.is_in
    visitor.open("/").press("/waste/pick-type")
    assert visitor.shown == "pick_type"
    person.open("").send("/logout")
    assert not person.is_in
    visitor.open("/").press("/confirmation", waste_type="bottle").wait_idle().open("/confirmation")
    assert visitor.shown == "thanks"
    assert token
    stale = visitor.client.post(LOGIN, data={"csrf_token": token[1], "name": "marie", "password": PASSWORD})
    assert stale.status_code == 400, "a form from before the login"


def test_today_tells_what_happened(build_machine: BuildMachine) -> None:
    machine = build_machine(waste_type=["bottle", "cup", "bottle", "bottle"], cleanliness=["clean"] * 3 + ["dirty"])
    create(machine, "paul", "operator")
    person = Person(machine.client()).log_in("paul").open("")
    assert numbers(person.page)["judged"] == "0"
    assert "No deposit in this period" in person.page.text
    for chosen in ("bottle", "cup", "cup", "bottle"):
        deposit(machine, chosen)
    page = person.open("").page
    told = numbers(page)
    assert (told["judged"], told["bottle"], told["cup"], told["cutlery"]) == ("4", "1", "2", "0")
    assert (told["dirty"], told["corrected"]) == ("25\xa0%", "33.3\xa0%")
    assert "Refused" in page.text
    assert "All is well." in page.text
    assert "Turn the mode" not in person.open("/machine").page.text, "an operator looks"


def test_every_page_is_there_with_and_without_deposits(machine: Machine) -> None:
    create(machine)
    person = Person(machine.client()).log_in("marie")
    for language in ("fr", "en", "fr"):
        for path in PAGES:
            for period in ("today", "365"):
                page = person.open(path, query_string={"lang": language, "period": period}).page
                assert page.status_code == 200
                assert f'<html lang="{language}">' in page.text
                assert not re.search(r'\sstyle=|<script(?! src="/static)', page.text)
                colons = set(re.findall(r"<title>[^<]*?(\s?:) [^<]*</title>", page.text))
                assert colons <= {"\xa0:" if language == "fr" else ":"}, "in the words of the charts"
                drawn = page.text.count('class="chart"')
                assert drawn == page.text.count('<details class="numbers">'), "each chart has its table"
        deposit(machine)


def test_a_machine_is_called_by_its_name_and_place(build_machine: BuildMachine) -> None:
    machine = build_machine(machine={"name": "Canteen <2>", "place": "Lyon"})
    create(machine)
    page = Person(machine.client()).log_in("marie").open("/machine").page.text
    assert "Canteen &lt;2&gt;, Lyon" in page
    assert "machine-1" not in page


def test_machines_and_days_stay_chosen_from_page_to_page(machine: Machine) -> None:
    create(machine)
    deposit(machine)
    now = datetime.now(UTC)
    judged_elsewhere(machine, "hall", now)
    judged_elsewhere(machine, "hall", now - timedelta(5))
    person = Person(machine.client()).log_in("marie")
    assert numbers(person.open("").page)["judged"] == "2"
    assert numbers(person.open("?period=7").page)["judged"] == "3"
    assert numbers(person.open("?machine=machine-1").page)["judged"] == "1"
    assert numbers(person.open("?machine=hall&period=30").page)["judged"] == "2"
    assert numbers(person.open("?machine=hall&machine=machine-1&period=30").page)["judged"] == "3"
    assert numbers(person.open("?machine=nowhere").page)["judged"] == "0"
    for link in re.findall(r'href="(/dashboard[^"]*)"', person.open("/answers?machine=hall&period=7").page.text):
        assert "machine=hall" in link or "lang=" in link or link.endswith("?period=7"), link
    five_days_ago = (machine.services.operations.statistics.today - timedelta(5)).isoformat()
    page = person.open(f"?since={five_days_ago}&until={five_days_ago}").page
    assert numbers(page)["judged"] == "1"
    wrong_days = (
        "period=soon",
        "since=x&until=y",
        "since=2026-02-02&until=2026-01-01",
        "since=0001-01-01&until=0001-01-02",
    )
    for nonsense in (*wrong_days, f"machine={'m' * 5000}"):
        assert person.open(f"?{nonsense}").page.status_code == 200


def test_what_is_not_there_leads_back_to_where_one_was(machine: Machine) -> None:
    client = machine.client()
    for address, start in (("/dashboard/nowhere", "/dashboard"), ("/nowhere", "/")):
        answer = client.get(address)
        assert answer.status_code == 404
        assert re.findall(r'class="button[^>]*href="([^"]+)"', answer.text) == [start]


def test_downloads(machine: Machine) -> None:
    create(machine)
    deposit(machine)
    person = Person(machine.client()).log_in("marie")
    export = person.open("/export.csv?period=7").page
    assert export.mimetype == "text/csv"
    assert re.search(
        r'attachment; filename="triof-\d{4}-\d\d-\d\d-\d{4}-\d\d-\d\d.csv"', export.headers["Content-Disposition"]
    )
    statistics = machine.services.operations.statistics
    week = statistics.days(statistics.today - timedelta(6), statistics.today, None)
    assert export.text == "".join(statistics.csv(week))
    assert "machine-1" in export.text
    for month in (f"{statistics.today:%Y-%m}", "", "nonsense", "9999-12", "0001-01"):
        report = person.open(f"/report?month={month}&lang=fr").page
        assert report.status_code == 200
        assert '<html lang="fr"' in report.text
        assert "script-src" not in report.headers["Content-Security-Policy"]


def test_a_technician_turns_the_mode_and_the_journal_knows_who_and_why(machine: Machine) -> None:
    create(machine)
    create(machine, "paul", "operator")
    operator = Person(machine.client()).log_in("paul").open("/machine")
    assert operator.send("/mode", mode="local", why="curious").page.status_code == 403
    person = Person(machine.client()).log_in("marie").open("/machine")
    for form in ({"mode": "local", "why": " "}, {"mode": "sideways", "why": "x"}):
        assert person.open("/machine").send("/mode", **form).page.status_code == 400
    assert not machine.events("mode.changed")
    person.open("/machine").send("/mode", mode="local", why="the line is cut")
    assert person.page.status_code == 303
    (turned,) = machine.events("mode.changed")
    assert (turned.reason, turned.detail["who"], turned.detail["why"]) == ("local", "marie", "the line is cut")
    assert Switch(machine.services.operations.settings.home, "auto").mode() == "local"
    assert "Turned by marie" in person.open("/machine").page.text


@pytest.mark.parametrize("chosen", ["auto", "cloud"])
def test_without_a_cloud_dashboard_doctor_and_command_show_the_same_mode(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, chosen: Mode
) -> None:
    home = machine.services.operations.settings.home
    Switch(home, "auto").turn(chosen, "marie", "")
    monkeypatch.setenv("TRIOF_HOME", str(home))
    create(machine)
    page = Person(machine.client()).log_in("marie").open("/machine").page.text
    assert "Mode: local" in page
    assert f"the switch stands at {chosen}, but no cloud is set up" in page
    mode, doctor = (CliRunner().invoke(main, [command]).stdout for command in ("mode", "doctor"))
    assert mode.startswith("local: ")
    assert f"stands at {chosen}, but there is no custom_vision" in mode
    assert re.findall(r"mode (\w+)", doctor) == ["local", "local"]


def test_a_technician_has_the_cloud_asked_again(build_machine: BuildMachine) -> None:
    machine = build_machine(custom_vision=CLOUD)
    create(machine)
    (ledger,) = ledgers(machine.services.operations.settings, machine.services.journal.database).values()
    person = Person(machine.client()).log_in("marie")
    assert "Lasts" in person.open("/answers").page.text
    ledger.exhausted(datetime.now(UTC) + timedelta(3))
    assert "The quota of custom_vision is used up" in person.open("").page.text
    person.open("/answers").send("/quota/resume", provider="custom_vision")
    assert not ledger.usage().exhausted
    assert machine.events("quota.resumed")[0].detail["who"] == "marie"
    assert person.open("/machine").send("/quota/resume", provider="nobody").page.status_code == 400


def test_calls_that_were_refused_and_a_service_that_is_retired_are_told(build_machine: BuildMachine) -> None:
    machine = build_machine(custom_vision=CLOUD)
    create(machine)
    (ledger,) = ledgers(machine.services.operations.settings, machine.services.journal.database).values()
    person = Person(machine.client()).log_in("marie")
    assert "calls refused" not in person.open("/answers").page.text
    ledger.refused(ledger.take())
    assert '<b data-number="refused">1</b>' in person.open("/answers").page.text
    assert '<b data-number="used">0</b>' in person.page.text
    ledger.retired(datetime.now(UTC) + timedelta(7))
    assert "is retired:" in person.open("").page.text
    assert "Retired" in person.open("/answers").page.text
    person.send("/quota/resume", provider="custom_vision")
    assert "Retired" not in person.open("/answers").page.text


def test_a_technician_answers_an_alert_and_hears_why_a_model_cannot_change(machine: Machine) -> None:
    create(machine)
    alerts = machine.services.operations.monitoring.alerts
    alerts.reconcile(
        "machine-1", {"drift.brightness": DetectedFault("Photos are darker.", 0.3)}, datetime.now(UTC), lambda _: True
    )
    person = Person(machine.client()).log_in("marie")
    assert "Photos are darker." in person.open("").page.text
    for wrong in ({"name": "disk", "why": "x"}, {"name": "drift.brightness", "why": " "}):
        page = person.open("/models").send("/alerts/accept", machine="machine-1", **wrong).page
        assert page.status_code == 400
    meant = {"machine": "machine-1", "name": "drift.brightness", "why": "a new lamp"}
    assert person.open("/models").send("/alerts/accept", **meant).page.status_code == 303
    (accepted,) = machine.events("alert.acknowledged")
    assert (accepted.detail["who"], accepted.detail["why"]) == ("marie", "a new lamp")
    for act in ("promote", "stop", "rollback"):
        form = {"task": "waste_type", "provider": "local_cnn", "why": "x"}
        page = person.open("/models").send(f"/models/{act}", **form).page
        assert page.status_code == 409, act
        assert "triof models" in page.text or "triof bundles list" in page.text


def test_what_is_not_well_is_said_first(machine: Machine) -> None:
    create(machine)
    machine.hardware.jam("box")
    page = Person(machine.client()).log_in("marie").open("").page
    assert "All is well." not in page.text
    assert "The machine is out of order." in page.text
    assert page.text.index("out of order") < page.text.index('data-number="judged"')
