"""The first page answers an operator's three questions: does it work, which box is full, what is different."""

import re
from datetime import timedelta

import pytest

from tests.support.dashboard import Person, create, deposit, judged_elsewhere
from tests.support.machines import BuildMachine, Machine

pytestmark = pytest.mark.slow

ONE_BOTTLE = {"slot": {"capacity_grams": {"bottle": 18}}}
"""A bottle has 15 g."""


def test_the_three_questions_come_first_and_in_this_order(machine: Machine) -> None:
    create(machine)
    page = Person(machine.client()).log_in("marie").open("").page.text
    assert re.findall(r"<h2[^>]*>([^<]+)", page)[:3] == [
        "Does it work?",
        "Which box is full?",
        "What is different from last week?",
    ]
    assert page.index("All is well.") < page.index('data-number="box_bottle"') < page.index('data-number="judged"')


def test_a_full_box_is_told_and_an_operator_empties_it(build_machine: BuildMachine) -> None:
    machine = build_machine(**ONE_BOTTLE)
    create(machine, "paul", "operator")
    monitoring = machine.services.operations.monitoring
    person = Person(machine.client()).log_in("paul").open("")
    assert "never marked as emptied" in person.page.text
    assert "nearly full" not in person.page.text
    deposit(machine)
    monitoring.look()
    assert [alert.name for alert in monitoring.alerts.open()] == ["box_bottle"]
    page = person.open("").page.text
    assert re.search(r'data-number="box_bottle">83\xa0%</b> <span class="level level--look">.*nearly full', page)
    assert "All is well." in page, "the box is told where its button is"
    assert "The box of bottles is nearly full." in person.open("/machine").page.text
    deposit(machine)
    assert re.search(r'data-box="1"(?:.|\n)*?level--bad', person.open("").page.text)
    assert person.send("/boxes/emptied", machine="machine-1", box="1").page.status_code == 303
    (emptied,) = machine.events("box.emptied")
    assert (emptied.waste_type, emptied.reason, emptied.machine_id) == ("bottle", "1", "machine-1")
    assert emptied.detail == {"who": "paul", "items": 2, "grams": 30.0}
    page = person.open("").page.text
    assert '<b data-number="box_bottle">0\xa0%</b>' in page
    assert re.search(r"emptied .+ by paul", page)
    monitoring.look()
    assert not monitoring.alerts.open()


def test_a_box_that_is_not_there_is_not_emptied(machine: Machine) -> None:
    create(machine)
    person = Person(machine.client()).log_in("marie")
    for form in ({"machine": "machine-1", "box": "4"}, {"machine": "nowhere", "box": "1"}, {"box": "x"}):
        assert person.open("").send("/boxes/emptied", **form).page.status_code == 400
    assert not machine.events("box.emptied")


def test_boxes_of_another_machine_are_emptied_under_its_name(machine: Machine) -> None:
    create(machine)
    deposit(machine)
    judged_elsewhere(machine, "hall", machine.events("deposit.judged")[0].at)
    person = Person(machine.client()).log_in("marie").open("")
    assert person.page.text.count("data-box=") == 6
    assert "hall, box 1" in person.page.text
    person.send("/boxes/emptied", machine="hall", box="2")
    (emptied,) = machine.events("box.emptied")
    assert (emptied.machine_id, emptied.waste_type) == ("hall", "cup")
    for number in range(8):
        judged_elsewhere(machine, f"hall {number}", emptied.at)
    assert "Choose some of the machines" in person.open("").page.text
    assert "data-box" not in person.page.text


def test_each_number_is_compared_with_last_week(machine: Machine) -> None:
    create(machine)
    statistics = machine.services.operations.statistics
    week_ago = statistics.calendar.begin(statistics.today - timedelta(7))
    person = Person(machine.client()).log_in("marie")
    weekday = f"{statistics.today:%A}"
    assert f"no deposit last {weekday} by this time" in person.open("").page.text
    judged_elsewhere(machine, "hall", week_ago)
    assert f"1 fewer than last {weekday} by this time" in person.open("").page.text
    assert '<span aria-hidden="true">▼</span>' in person.page.text, "not by the colour alone"
    assert "change--" not in person.page.text, "one fewer may be chance"
    deposit(machine)
    assert f"as many as last {weekday} by this time" in person.open("").page.text
    assert "too few deposits to compare" in person.page.text
    deposit(machine)
    assert f"1 more than last {weekday} by this time" in person.open("").page.text
    assert f"1 de plus que {french(weekday)} dernier à la même heure" in person.open("?lang=fr").page.text
    assert "1 more than in the 7 days before" in person.open("?lang=en&period=7").page.text
    yesterday = (statistics.today - timedelta(1)).isoformat()
    assert "no deposit on the" in person.open(f"?since={yesterday}&until={yesterday}").page.text
    for _ in range(20):
        judged_elsewhere(machine, "hall", week_ago)
    assert re.search(r'change--worse">\s*<span aria-hidden="true">▼</span> 19 fewer', person.open("").page.text)
    for _ in range(19):
        judged_elsewhere(machine, "hall", statistics.calendar.begin(statistics.today))
    assert f"as last {weekday} by this time" in person.open("").page.text, "no dirt then and now"


def french(weekday: str) -> str:
    english = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
    return ("lundi", "mardi", "mercredi", "jeudi", "vendredi", "samedi", "dimanche")[english.index(weekday)]
