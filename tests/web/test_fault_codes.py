"""The registry of fault codes, the docs and the errors name the same codes; an unknown one is shown too."""

import re

from tests.support.machines import Machine
from tests.support.paths import ROOT
from triof.machine.cameras.base import PoorPicture
from triof.storage.database_errors import DatabaseCode
from triof.web import fault_codes

TABLE_ROW = re.compile(
    r"^\| `(?P<code>[A-Z]\d)` \| (?P<title>.*?) \| (?P<cause>.*?) \| (?P<remedy>.*?)"
    r" \| (?P<deposits>.*?) \| (?P<ends>.*?) \|$",
    re.MULTILINE,
)
CODE_OF_AN_ERROR = re.compile(
    r'^\s+(?:self\.)?code\b[^=\n]*= "([A-Z]\d)"|\bcode="([A-Z]\d)"|^\s+"([A-Z]\d)"', re.MULTILINE
)


def codes_of_errors() -> set[str]:
    """Every code that an error of the machine, its storage or its deposits carries."""
    found = set(DatabaseCode.__args__)  # type: ignore[attr-defined]
    for folder in ("machine", "deposits", "storage"):
        for path in (ROOT / "triof" / folder).rglob("*.py"):
            for groups in CODE_OF_AN_ERROR.findall(path.read_text(encoding="utf-8")):
                found |= set(filter(None, groups))
    return found


def test_each_code_of_an_error_is_in_the_registry_and_the_other_way_round() -> None:
    assert codes_of_errors() == set(fault_codes.FAULT_CODES)


def test_deposits_go_on_where_the_registry_says_so() -> None:
    assert {code for code, row in fault_codes.FAULT_CODES.items() if not row.stops} == {
        kind.code for kind in PoorPicture.__subclasses__()
    }


def test_the_docs_have_the_registry(machine: Machine) -> None:
    page = (ROOT / "docs" / "reference" / "faults.md").read_text(encoding="utf-8")
    written = {row["code"]: row.groupdict() for row in TABLE_ROW.finditer(page)}
    with machine.client().application.test_request_context():
        registry = {
            code: {
                "code": code,
                "title": str(row.title),
                "cause": str(row.cause),
                "remedy": str(row.remedy),
                "deposits": "stop" if row.stops else "go on",
                "ends": "yes" if row.ends_by_itself else "no",
            }
            for code, row in fault_codes.FAULT_CODES.items()
        }
    assert written == registry


def test_the_page_for_operators_names_every_letter() -> None:
    page = (ROOT / "docs" / "guide" / "exploitation.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`([A-Z]\d)`", page))
    assert {code[0] for code in fault_codes.FAULT_CODES} - {code[0] for code in named} == {"M"}


def test_a_code_of_a_foreign_driver_has_sentences() -> None:
    assert fault_codes.of("X9") is fault_codes.FAULT_CODES["S2"]
