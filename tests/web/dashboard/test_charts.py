"""The charts of the dashboard: their words, and their numbers as CSV."""

import csv
import io
import re
from datetime import timedelta

import pytest

from tests.support.dashboard import Person, create, deposit, judged_elsewhere
from tests.support.machines import BuildMachine, Machine

pytestmark = pytest.mark.slow


def test_each_chart_has_its_numbers_as_a_file(machine: Machine) -> None:
    create(machine)
    deposit(machine)
    statistics = machine.services.operations.statistics
    judged_elsewhere(machine, "hall", statistics.calendar.begin(statistics.today - timedelta(2)))
    person = Person(machine.client()).log_in("marie")
    for path, charts in (("", 1), ("/over-time", 4), ("/answers", 3)):
        page = person.open(f"{path}?period=7").page.text
        links = re.findall(r'href="(/dashboard/charts/\w+\.csv\?period=7)"', page)
        assert len(links) == charts == page.count('class="chart"'), path
        for link in links:
            answer = person.client.get(link)
            assert answer.mimetype == "text/csv"
            assert 'attachment; filename="triof-' in answer.headers["Content-Disposition"]
            head, *rows = csv.reader(io.StringIO(answer.text.removeprefix("\ufeff")))
            assert rows
            assert all(len(row) == len(head) for row in rows), link
    rows = list(csv.reader(io.StringIO(person.open("/charts/verdicts.csv?period=7").page.text.removeprefix("\ufeff"))))
    assert rows[0] == ["Day", "Accepted", "Asked", "Refused"]
    assert rows[-1] == [statistics.today.isoformat(), "1", "0", "0"]
    assert len(rows) == 8
    one_machine = person.open("/charts/verdicts.csv?period=7&machine=hall").page.text
    assert one_machine.splitlines()[-1].endswith(",0,0,0")
    shares = person.open("/charts/dirty.csv?period=today&lang=fr").page.text.splitlines()
    assert shares[0] == "\ufeffJour,Sale,Sale min,Sale max"
    assert re.fullmatch(r"[\d-]{10},0\.0,0\.0,0\.\d+", shares[1])
    assert person.open("/charts/nonsense.csv").page.status_code == 404


def test_uncertainty_is_told_in_words(build_machine: BuildMachine) -> None:
    machine = build_machine(cleanliness=["dirty"])
    create(machine)
    deposit(machine)
    person = Person(machine.client()).log_in("marie")
    page = person.open("/over-time?period=today").page.text
    assert "100\xa0% (between 21 and 100 of 100)" in page
    assert "The scale does not begin at zero." not in page
    assert "(entre 21 et 100 sur 100)" in person.open("/over-time?period=today&lang=fr").page.text


def test_durations_are_a_histogram_with_the_deadline(build_machine: BuildMachine) -> None:
    machine = build_machine(deadline_seconds=1.7)
    create(machine)
    statistics = machine.services.operations.statistics
    for _ in range(3):
        judged_elsewhere(machine, "hall", statistics.calendar.begin(statistics.today), duration_ms=250.0)
    judged_elsewhere(machine, "hall", statistics.calendar.begin(statistics.today), duration_ms=4500.0)
    person = Person(machine.client()).log_in("marie")
    page = person.open("/answers?period=today").page.text
    assert re.search(r'<line class="chart__rule" x1="([\d.]+)" x2="\1"', page), "upright"
    assert "Deadline: 1.7\xa0s" in page
    rows = person.open("/charts/durations.csv?period=today").page.text.splitlines()
    assert rows[0] == "\ufeffDuration,In time,Later than the deadline"
    assert dict(row.split(",", 1) for row in rows[1:]) == {
        "0.2-0.3": "3,0",
        "0.3-0.4": "0,0",
        "0.4-0.5": "0,0",
        "0.5-0.7": "0,0",
        "0.7-1": "0,0",
        "1-1.5": "0,0",
        "1.5-1.7": "0,0",
        "1.7-2": "0,0",
        "2-3": "0,0",
        "3-4": "0,0",
        "4-5": "0,1",
    }
