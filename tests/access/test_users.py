"""Who may log in: made, listed, changed and removed from the command line, and what stands of them on the disk."""

from collections.abc import Callable

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import select

from triof.cli import main
from triof.storage.database import Database
from triof.storage.tables import UserRow

pytestmark = pytest.mark.slow

PASSWORD = "correct horse battery"


@pytest.fixture
def triof(journal_url: str) -> Callable[..., Result]:
    def run(*arguments: str, typed: str = f"{PASSWORD}\n{PASSWORD}\n") -> Result:
        return CliRunner().invoke(main, ["users", *arguments], input=typed)

    return run


def test_a_user_is_made_listed_changed_and_removed(triof: Callable[..., Result]) -> None:
    assert "There are no users" in triof("list").output
    made = triof("create", "Marie", "--role", "technician")
    assert made.exit_code == 0
    assert "marie may log in as technician" in made.output
    assert triof("create", "paul", "--password-stdin", typed=f"{PASSWORD}\r\n").exit_code == 0
    listed = triof("list").output.splitlines()
    assert [line.split()[:2] for line in listed] == [["marie", "technician"], ["paul", "operator"]]
    assert triof("password", "paul").exit_code == 0
    assert triof("remove", "PAUL").exit_code == 0
    assert "paul" not in triof("list").output


REFUSED: list[tuple[tuple[str, ...], str, str]] = [
    (("create", "Marie "), f"{PASSWORD}\n{PASSWORD}\n", "There is a user marie already"),
    (("create", "<b>"), f"{PASSWORD}\n{PASSWORD}\n", "cannot be a name"),
    (("create", "paul"), "short\nshort\n", "has 5 characters: take 12 to 256"),
    (("create", "paul", "--password-stdin"), "", "has 0 characters"),
    (("create", "paul", "--role", "admin"), "", "is not one of"),
    (("password", "nobody"), f"{PASSWORD}\n{PASSWORD}\n", "There is no user nobody"),
    (("remove", "nobody"), "", "There is no user nobody"),
]


def test_what_cannot_be_is_refused_with_the_remedy(triof: Callable[..., Result]) -> None:
    triof("create", "marie")
    for arguments, typed, told in REFUSED:
        refused = triof(*arguments, typed=typed)
        assert refused.exit_code, arguments
        assert told in refused.output
    assert len(triof("list").output.splitlines()) == 1


def test_a_password_is_no_argument_is_not_shown_and_not_kept(triof: Callable[..., Result], journal_url: str) -> None:
    assert triof("create", "marie", PASSWORD).exit_code == 2
    assert triof("create", "marie", "--password", PASSWORD).exit_code == 2
    assert PASSWORD not in triof("create", "marie").output
    with Database(journal_url, "machine-1").read() as connection:
        (digest,) = connection.scalars(select(UserRow.password_hash))
    assert digest.startswith("scrypt:")
    assert PASSWORD not in digest
