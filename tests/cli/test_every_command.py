"""Every command in every kind of spoilt home: one sentence that blames the right thing, never a traceback."""

import os
import random
import shutil
import socket
import sqlite3
import stat
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import closing, redirect_stdout
from pathlib import Path
from typing import NamedTuple

import click
import pytest
from click.testing import CliRunner, Result

from tests.support.permissions import binding
from triof.cli import Timing, main
from triof.common.paths import DEMO_PICTURES

pytestmark = pytest.mark.slow


def commands(group: click.Group, above: str = "") -> Iterator[tuple[str, click.Command]]:
    """Every command that does something, by its name."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command
        if not isinstance(command, click.Group) or command.invoke_without_command:
            yield f"{above}{name}", command
        if isinstance(command, click.Group):
            yield from commands(command, f"{above}{name} ")


COMMANDS = dict(commands(main))
PASSWORD = "a long password of ten words\n"
EMPTY = "{here}/empty"
AT_ONCE = Timing(sleep=lambda _: None)
PAUSES = ("slot.simulated_seconds.slot", "slot.simulated_seconds.box", "slot.simulated_seconds.shred")
ARGUMENTS: Mapping[str, Sequence[str]] = {
    "classify": [str(DEMO_PICTURES / "cup-clean-1.jpg")],
    "dataset check": [EMPTY],
    "dataset label": [EMPTY],
    "dataset split": [EMPTY, "--out", "{here}/out"],
    "dataset augment": [EMPTY, "--out", "{here}/out"],
    "dataset collect": ["{here}/empty", "--label", "cup", "--source", "folder", "--out", "{here}/out"],
    "dataset from-journal": ["--out", "{here}/out"],
    "train": ["waste_type", "--data", EMPTY],
    "evaluate": ["--data", EMPTY],
    "bundles install": [EMPTY],
    "bundles check": ["none"],
    "bundles convert": ["none", "--out", "{here}/out"],
    "bundles activate": ["none", "--why", "x"],
    "bundles rollback": ["waste_type", "--why", "x"],
    "bundles remove": ["none"],
    "models shadow": ["none"],
    "models canary": ["none"],
    "models promote": ["none"],
    "models rollback": ["waste_type"],
    "models stop": ["waste_type"],
    "azure upload": [EMPTY],
    "azure publish": ["x"],
    "azure unpublish": ["x"],
    "azure export": ["x"],
    "azure backup": ["{here}/out"],
    "setup": ["--yes", "--no-login", "--no-test"],
    "install-service": ["--root", "{here}/tree"],
    "uninstall-service": ["--root", "{here}/tree"],
    "mode": ["local"],
    "drill": ["--yes"],
    "slot jam": ["box"],
    "slot item": ["present"],
    "slot box": ["2"],
    "slot emptied": ["2"],
    "package": ["none", "--out", "{here}/out"],
    "slot open": ["--help"],  # nothing is shredded after it
    "slot shred": ["--yes"],
    "slot lights": ["--seconds", "0"],
    "journal restore": ["{here}/copy.db", "--yes"],
    "journal salvage": ["{here}/copy.db"],
    "report": ["--out", "{here}/report.html"],
    "alerts accept": ["drift.brightness", "--why", "x"],
    "privacy export": ["--since", "2026-01-01", "--out", "{here}/request.zip"],
    "privacy erase": ["--since", "2026-01-01", "--yes"],
    "keys create": ["erp"],
    "keys revoke": ["old"],
    "keys rotate": ["till"],
    "users create": ["ada", "--password-stdin"],
    "users password": ["bob", "--password-stdin"],
    "users remove": ["eve"],
}
"""What each command is called with, so that it gets as far as the home folder; the others take nothing."""


class Place(NamedTuple):
    """A home folder beside an empty folder and a copy of its journal."""

    here: Path
    port: int

    @property
    def home(self) -> Path:
        return self.here / "home"

    def arguments(self, name: str) -> list[str]:
        given = [argument.format(here=self.here) for argument in ARGUMENTS.get(name, ())]
        own = {"home": self.home, "server.port": self.port, **dict.fromkeys(PAUSES, 0)}
        return [
            *(word for setting, value in own.items() for word in ("--set", f"{setting}={value}")),
            *name.split(),
            *given,
        ]

    def run(self, name: str) -> Result:
        shutil.rmtree(self.here / "out", ignore_errors=True)
        return CliRunner().invoke(main, self.arguments(name), input=PASSWORD, obj=AT_ONCE)


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory, new_journal: Path) -> Iterator[Place]:
    """A home in which nothing is wrong, but that its port is taken: no server can be left running."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        place = Place(tmp_path_factory.mktemp("good"), taken.getsockname()[1])
        (place.here / "empty").mkdir()
        place.home.mkdir()
        shutil.copy(new_journal, place.home / "journal.db")
        keys = [["keys", "create", name] for name in ("till", "old")]
        for arguments in (*keys, *(["users", "create", name, "--password-stdin"] for name in ("bob", "eve"))):
            made = CliRunner().invoke(
                main, ["--set", f"home={place.home}", *arguments], input="a long password of ten words\n"
            )
            assert made.exit_code == 0, made.output
        shutil.copy(place.home / "journal.db", place.here / "copy.db")
        yield place


@pytest.fixture
def place(good: Place, tmp_path: Path) -> Iterator[Place]:
    """A copy of the good home, to be spoilt."""
    place = Place(tmp_path / "place", good.port)
    shutil.copytree(good.here, place.here)
    yield place
    for path in (place.home, *place.home.rglob("*")) if place.home.is_dir() else ():
        if path.is_dir() and not path.is_symlink():
            path.chmod(0o700)


@pytest.fixture(scope="module")
def well(good: Place, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, int]:
    """The exit code of every command in the good home."""
    codes = {}
    for name in COMMANDS:
        place = Place(tmp_path_factory.mktemp("well") / "place", good.port)
        shutil.copytree(good.here, place.here)
        ran = place.run(name)
        assert_a_sentence(ran, name)
        codes[name] = ran.exit_code
    return codes


def assert_a_sentence(ran: Result, name: str) -> None:
    assert ran.exception is None or isinstance(ran.exception, SystemExit), (name, ran.exception)
    assert ran.exit_code in (0, 1, 2), (name, ran.output)
    assert "Traceback" not in ran.output, (name, ran.output)
    assert not ran.exit_code or len(ran.output.strip()) > 20, (name, ran.output)


def test_every_command_is_called_rightly(well: Mapping[str, int]) -> None:
    assert set(ARGUMENTS) <= set(COMMANDS)
    assert [name for name, code in well.items() if code == 2] == [], "put what these need into ARGUMENTS"


# ---- spoilt homes ----


def _deny(*names: str, mode: int = 0) -> Callable[[Path], None]:
    """Nobody may read or write these."""

    def spoil(home: Path) -> None:
        for name in names:
            (home / name).touch()
            (home / name).chmod(mode)

    return spoil


def _folder(name: str) -> Callable[[Path], None]:
    """A folder stands where a file should."""

    def spoil(home: Path) -> None:
        if (home / name).exists():
            (home / name).unlink()
        (home / name / "deeper").mkdir(parents=True)

    return spoil


def _write(name: str, content: bytes) -> Callable[[Path], None]:
    def spoil(home: Path) -> None:
        (home / name).parent.mkdir(exist_ok=True)
        (home / name).write_bytes(content)

    return spoil


def _no_home(home: Path) -> None:
    shutil.rmtree(home)
    home.write_text("")


def _link_to_nowhere(home: Path) -> None:
    shutil.rmtree(home)
    home.symlink_to("nowhere/at/all")


def _newer(home: Path) -> None:
    with closing(sqlite3.connect(home / "journal.db")) as journal, journal:
        journal.execute("UPDATE alembic_version SET version_num = '0099'")


def _read_only(home: Path) -> None:
    for path in home.glob("journal.db*"):
        path.chmod(0o400)


class Spoilt(NamedTuple):
    """A way to spoil a home, what a command that fails of it must name, and the commands that come across it."""

    spoil: Callable[[Path], None]
    blamed: str
    commands: Collection[str] = COMMANDS


NOISE = random.Random(5).randbytes(9000)
SERVERS = ("kiosk", "serve")
SWITCH = ("mode", "classify", "kiosk")
LOCKED = ("kiosk", "journal restore")
MACHINE = ("kiosk", "doctor", "slot", "slot jam", "slot clear")
MODELS = ("serve", "bundles list", "bundles activate", "bundles remove", "models status", "models stop")
SPOILT = {
    "unsearchable": Spoilt(lambda home: home.chmod(0), "{home}"),
    "unwritable": Spoilt(lambda home: home.chmod(0o500), "{home}"),
    "a file": Spoilt(_no_home, "{home}"),
    "a dead link": Spoilt(_link_to_nowhere, "{home}", ("doctor", "keys list")),
    "config unreadable": Spoilt(lambda home: (home / "config").mkdir(0), "{home}/config"),
    "config spoilt": Spoilt(_write("config/a.toml", NOISE), "{home}/config/a.toml", ("doctor", "settings")),
    "config a folder": Spoilt(_folder("config/a.toml"), "{home}/config/a.toml", ("doctor", "settings")),
    "config deep": Spoilt(_write("config/a.toml", b"x = " + b"[" * 9000), "{home}/config/a.toml"),
    "journal unreadable": Spoilt(_deny("journal.db"), "{home}/journal.db"),
    "journal read-only": Spoilt(_read_only, "{home}/journal.db"),
    "journal a folder": Spoilt(_folder("journal.db"), "{home}/journal.db"),
    "journal a text": Spoilt(_write("journal.db", b"this is no database" * 300), "{home}/journal.db"),
    "journal newer": Spoilt(_newer, "newer Triof"),
    "secret_key unreadable": Spoilt(_deny("secret_key"), "{home}/secret_key", SERVERS),
    "secret_key a folder": Spoilt(_folder("secret_key"), "{home}/secret_key", SERVERS),
    "machine_id unreadable": Spoilt(_deny("machine_id"), "{home}/machine_id", (*SERVERS, "keys list")),
    "machine_id a folder": Spoilt(_folder("machine_id"), "{home}/machine_id", (*SERVERS, "keys list")),
    "machine_id noise": Spoilt(_write("machine_id", NOISE), "{home}/machine_id"),
    "machine_id long": Spoilt(_write("machine_id", b"x" * 65), "{home}/machine_id", ("keys list",)),
    "machine_id lines": Spoilt(_write("machine_id", b"a\nb"), "{home}/machine_id", ("keys list",)),
    "mode a folder": Spoilt(_folder("mode.json"), "{home}/mode.json"),
    "mode unreadable": Spoilt(_deny("mode.json"), "{home}/mode.json", SWITCH),
    "mode deep": Spoilt(_write("mode.json", b"[" * 90_000), "{home}/mode.json", SWITCH),
    "lock a folder": Spoilt(_folder("machine.lock"), "{home}/machine.lock", LOCKED),
    "slot a folder": Spoilt(_folder("simulated_machine.json"), "{home}/simulated_machine.json", MACHINE),
    "jam a folder": Spoilt(_folder("simulated_machine.jam"), "{home}/simulated_machine.jam", MACHINE),
    "outbox a folder": Spoilt(_folder("outbox.jsonl"), "{home}/outbox.jsonl", ("kiosk",)),
    "bundles unreadable": Spoilt(lambda home: (home / "bundles").mkdir(0), "{home}/bundles", MODELS),
    "bundles spoilt": Spoilt(_write("bundles/active.json", NOISE), "{home}/bundles", MODELS),
    "bundles a folder": Spoilt(_folder("bundles/active.json"), "{home}/bundles", MODELS),
    "candidates deep": Spoilt(_write("candidates.json", b'{"a":' + b"[" * 90_000), "{home}/candidates.json", MODELS),
    "photos unreadable": Spoilt(lambda home: (home / "photos").mkdir(0), "{home}/photos", ("dataset from-journal",)),
    "backups a file": Spoilt(_write("backups", b""), "{home}/backups", ("journal backup", "journal check", "kiosk")),
}


@pytest.mark.parametrize("how", SPOILT)
def test_every_command_says_in_a_sentence_what_is_wrong(how: str, place: Place, well: Mapping[str, int]) -> None:
    spoilt = SPOILT[how]
    spoilt.spoil(place.home)
    blamed = spoilt.blamed.format(home=place.home)
    with binding():
        for name in spoilt.commands:
            ran = place.run(name)
            assert_a_sentence(ran, name)
            if ran.exit_code and (not well[name] or "Error: The journal" in ran.output):
                assert blamed in ran.output, (name, ran.output)
            assert "move it away" not in ran.output or "journal" not in blamed


# ---- outputs ----


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
def test_every_command_says_that_its_output_cannot_be_written(place: Place, capfd: pytest.CaptureFixture[str]) -> None:
    for name in (*COMMANDS, "--help", "keys --help", "keys create --help"):
        with Path("/dev/full").open("w") as full, redirect_stdout(full), pytest.raises(SystemExit) as ended:
            main.main(place.arguments(name), prog_name="triof", obj=AT_ONCE)
        told = capfd.readouterr().err
        assert ended.value.code in (0, 1), name
        assert "Traceback" not in told, name
        # Some say nothing on standard output where they fail, or end well.
        assert ended.value.code == 0 or "Error: " in told or "FAIL" in told, name


# ---- numbers and paths ----

NUMBERS = ["nan", "inf", "-inf", "1e400", "-1", "0", "1e30", "9" * 400, "", "٣", "0x10", "1_0"]
PATHS = [
    "",
    ".",
    "nowhere/at/all",
    "null",
    "null/x",
    "full",
    "x" * 300,
    "a\nb",
    os.fsdecode(b"\xff.jpg"),
]
MOMENTS = ["0001-01-01", "9999-12-31", "0001-01", "9999-12", "2026-02-30", "", "-1"]


def _device(path: Path, minor: int) -> Path:
    """A character device where one can be made, else a folder."""
    try:
        os.mknod(path, stat.S_IFCHR | 0o666, os.makedev(1, minor))
    except (OSError, AttributeError):
        path.mkdir()
    return path


def _hostile(parameter: click.Parameter) -> Sequence[str]:
    match parameter.type:
        case click.Path():
            return PATHS
        case click.DateTime():
            return MOMENTS
        case click.FloatRange() | click.IntRange():
            return NUMBERS
    return NUMBERS if parameter.type in (click.INT, click.FLOAT) else ()


HOSTILE = [
    (name, parameter.opts[0], value)
    for name, command in COMMANDS.items()
    for parameter in command.params
    # A server must not find a free port.
    if isinstance(parameter, click.Option) and name not in ("kiosk", "serve")
    for value in _hostile(parameter)
]


def test_no_number_date_or_path_ends_in_a_traceback(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(place.here)
    # Of the test's own: root replaces the system's, and with them everybody's.
    devices = [_device(place.here / "null", 3), _device(place.here / "full", 7)]
    for name, option, value in HOSTILE:
        ran = CliRunner().invoke(main, [*place.arguments(name), option, value], input=PASSWORD, obj=AT_ONCE)
        assert_a_sentence(ran, f"{name} {option} {value[:20]!r}")
    for name, command in COMMANDS.items():
        first = next((each for each in command.params if isinstance(each, click.Argument)), None)
        for value in _hostile(first) if first else ():
            given = [value if EMPTY.format(here=place.here) == each else each for each in place.arguments(name)]
            ran = CliRunner().invoke(main, given if value in given else [*given, value], input=PASSWORD, obj=AT_ONCE)
            assert_a_sentence(ran, f"{name} {value[:20]!r}")
    assert not any(device.is_file() for device in devices), "a device was replaced"
