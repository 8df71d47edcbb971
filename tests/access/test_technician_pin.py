"""``triof technician pin``: what is refused, what is stored, and what removes it."""

import stat
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from triof.access.technician_pin import FILE, TechnicianPin
from triof.cli import main


def triof(home: Path, *arguments: str, typed: str = "") -> Result:
    """Call the command line with a home folder."""
    return CliRunner(env={"TRIOF_HOME": str(home)}).invoke(main, ["technician", "pin", *arguments], input=typed)


def test_the_pin_is_typed_twice_or_piped_and_removed(tmp_path: Path) -> None:
    pin = TechnicianPin(tmp_path)
    assert triof(tmp_path, typed="246810\n246810\n").exit_code == 0
    assert stat.S_IMODE((tmp_path / FILE).stat().st_mode) == 0o600
    assert (pin.is_right("246810"), pin.is_right("246811"), pin.is_right("")) == (True, False, False)
    before = pin.mark
    assert triof(tmp_path, "--pin-stdin", typed="135790\n").exit_code == 0
    assert (pin.is_right("246810"), pin.is_right("135790"), pin.mark != before) == (False, True, True)
    assert triof(tmp_path, "--remove").exit_code == 0
    assert (pin.is_set, pin.is_right("135790"), pin.is_right("")) == (False, False, False)


@pytest.mark.parametrize(
    "typed", ["12345", "1234567890123", "abcdef", "111111", "121212", "", "\u0662\u0664\u0666\u0668\u0661\u0660"]
)
def test_a_pin_that_is_short_or_easily_guessed_is_refused(tmp_path: Path, typed: str) -> None:
    refused = triof(tmp_path, "--pin-stdin", typed=f"{typed}\n")
    assert refused.exit_code == 1
    assert "digits" in refused.output
    assert not TechnicianPin(tmp_path).is_set
