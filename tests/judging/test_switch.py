"""The switch between cloud and local: whoever turns it last, for good, and the journal knows why."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import create_engine, text

from triof import services
from triof.cli import main
from triof.judging.mode import Switch, Turned
from triof.settings.loader import load
from triof.settings.modes import Mode
from triof.settings.tree import Settings

MODES: tuple[Mode, ...] = ("auto", "cloud", "local")


def triof(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments)


@pytest.fixture(autouse=True)
def _marie(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGNAME", "marie")
    monkeypatch.setenv("TRIOF_CUSTOM_VISION__PREDICTION_ENDPOINT", "https://vision.test")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Of the machine that the commands are typed on."""
    return tmp_path / "home"


def turns(home: Path) -> list[dict[str, Any]]:
    """What the journal knows of the switch, oldest first."""
    if not (home / "journal.db").exists():
        return []
    query = text("SELECT reason, detail FROM events WHERE kind = 'mode.changed' ORDER BY at")
    with create_engine(f"sqlite:///{home / 'journal.db'}").connect() as journal:
        return [{"mode": mode, **json.loads(detail)} for mode, detail in journal.execute(query)]


@pytest.mark.parametrize("configured", MODES)
def test_the_settings_hold_until_it_is_turned(home: Path, configured: Mode) -> None:
    switch = Switch(home, configured)
    assert switch.mode() == configured
    assert switch.turned() is None
    assert not home.exists(), "looking changes nothing"


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("configured", MODES)
def test_a_turn_holds_at_once_and_after_a_restart(home: Path, configured: Mode, mode: Mode) -> None:
    running = Switch(home, configured)
    Switch(home, configured).turn(mode, "marie", "the line is cut")
    for switch in (running, Switch(home, configured)):
        assert switch.mode() == mode
        turned = switch.turned()
        assert turned
        assert turned[:3] == (mode, "marie", "the line is cut")


def test_the_last_turn_holds(home: Path) -> None:
    switch = Switch(home, "auto")
    modes: tuple[Mode, ...] = ("local", "cloud", "auto", "local")
    for mode in modes:
        switch.turn(mode, "marie", "")
        assert switch.mode() == mode


def test_a_later_change_of_the_settings_wins(home: Path) -> None:
    Switch(home, "auto").turn("local", "marie", "the line is cut")
    changed = Switch(home, "cloud")
    assert changed.mode() == "cloud"
    assert changed.turned() is None
    changed.reconcile()
    changed.turn("local", "marie", "still cut")
    assert Switch(home, "cloud").mode() == "local"
    assert Switch(home, "auto").mode() == "auto"


@pytest.mark.parametrize(
    "spoilt",
    [
        b"",
        b"\0" * 60,
        b'{"mode": "loc',
        b"[]",
        b'"local"',
        b'{"mode": "local"}',
        b'{"mode": "off", "configured": "auto"}',
        b'{"mode": ["local"], "configured": "auto"}',
        b'{"mode": null, "configured": "auto"}',
    ],
)
def test_with_a_spoilt_file_the_settings_hold_and_it_can_be_turned_again(home: Path, spoilt: bytes) -> None:
    home.mkdir()
    (home / "mode.json").write_bytes(spoilt)
    switch = Switch(home, "auto")
    assert switch.mode() == "auto"
    assert switch.turned() is None
    switch.turn("local", "marie", "")
    assert switch.mode() == "local"


def test_of_a_turn_nobody_explained_the_mode_holds(home: Path) -> None:
    home.mkdir()
    (home / "mode.json").write_text('{"mode": "local", "configured": "auto"}')
    assert Switch(home, "auto").turned() == Turned("local", "", "", "")


def test_the_route_of_a_running_machine_follows_it(home: Path) -> None:
    # Nobody listens there, and nobody is asked.
    cloud = {"prediction_endpoint": "http://127.0.0.1:9", "prediction_key": "k", "published_name": "triof"}
    settings = Settings(
        home=home,
        routes={"waste_type": ("custom_vision", "fake"), "cleanliness": ("fake",)},
        custom_vision={**cloud, "project_id": "8b1bb0d8-3b42-4b5c-9c3b-6f3ff4d4e5a1"},
    )
    router = services.build_router(settings)
    asked = [[member.name for member in router.members("waste_type")]]
    later: tuple[Mode, ...] = ("local", "cloud")
    for mode in later:
        Switch(home, "auto").turn(mode, "marie", "")
        asked.append([member.name for member in router.members("waste_type")])
    assert asked == [["custom_vision", "fake"], ["fake"], ["custom_vision", "fake"]]
    router.close()


# The command


def test_the_command_shows_what_holds_and_changes_nothing(home: Path) -> None:
    ran = triof("mode")
    assert ran.exit_code == 0, ran.output
    assert ran.stdout.startswith("auto: the routes as written")
    assert "as the settings say" in ran.stdout
    assert not home.exists()
    assert triof("--set", "mode=local", "mode").stdout.startswith("local: this machine alone")


def test_the_command_turns_it_and_says_who_and_why(home: Path) -> None:
    ran = triof("mode", "local", "--why", "the line is cut")
    assert ran.exit_code == 0, ran.output
    for told in (ran.stdout, triof("mode").stdout):
        assert told.startswith("local: this machine alone")
        assert "turned by marie on 20" in told
        assert ": the line is cut" in told
    assert Switch(home, "auto").mode() == "local"
    assert load().settings.mode == "auto", "the settings are somebody else's"


@pytest.mark.slow
def test_the_journal_knows_every_turn_with_who_why_and_what_was_before(home: Path) -> None:
    triof("mode", "local", "--why", "the line is cut")
    triof("mode")
    triof("mode", "auto")
    assert turns(home) == [
        {"mode": "local", "before": "auto", "who": "marie", "why": "the line is cut"},
        {"mode": "auto", "before": "local", "who": "marie", "why": ""},
    ]


def test_where_there_is_no_cloud_that_is_said(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TRIOF_CUSTOM_VISION__PREDICTION_ENDPOINT")
    told = triof("mode", "cloud").stdout
    assert told.startswith("local:")
    assert "stands at cloud, but there is no custom_vision: to have it, set TRIOF_CUSTOM_VISION__" in told
    assert "custom_vision" not in triof("mode", "local").stdout


def test_where_no_route_names_the_cloud_it_is_local_and_that_is_said() -> None:
    told = triof("--set", "routes.waste_type=local_cnn", "mode").stdout
    assert told.startswith("local:")
    assert "stands at auto, but no route names a provider in the cloud" in told


def test_a_journal_that_somebody_holds_is_one_sentence(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    triof("mode", "auto")
    monkeypatch.setenv("TRIOF_JOURNAL__URL", f"sqlite:///{home / 'journal.db'}?timeout=0.05")
    with closing(sqlite3.connect(home / "journal.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        ran = triof("mode", "local")
    assert ran.exit_code == 1
    assert "database is locked" in ran.stderr
    assert ran.stderr.count("\n") == 1


def test_what_is_no_mode_is_asked_wrongly_and_changes_nothing(home: Path) -> None:
    assert triof("mode", "off").exit_code == 2
    assert not turns(home)


def test_a_turn_that_cannot_be_kept_is_told_with_the_remedy(home: Path) -> None:
    (home / "mode.json" / "in the way").mkdir(parents=True)
    ran = triof("mode", "local")
    assert ran.exit_code == 1
    assert f"{home / 'mode.json'} cannot be used (Is a directory): let this user read and write it" in ran.stderr
    assert triof("mode").stdout.startswith("auto")


def test_without_a_journal_it_is_not_turned(home: Path) -> None:
    home.mkdir()
    (home / "journal.db").write_bytes(b"this is no database" * 100)
    ran = triof("mode", "local")
    assert ran.exit_code == 1
    assert "file is not a database" in ran.stderr
    assert Switch(home, "auto").mode() == "auto"


def test_a_turn_that_the_settings_overruled_does_not_come_back(home: Path) -> None:
    Switch(home, "auto").turn("local", "marie", "")
    Switch(home, "cloud").reconcile()
    assert Switch(home, "auto").mode() == "auto"
    Switch(home, "auto").reconcile()
    Switch(home, "auto").turn("local", "marie", "")
    Switch(home, "auto").reconcile()
    assert Switch(home, "auto").mode() == "local"


def test_a_shell_with_other_settings_turns_the_kiosk_all_the_same(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kiosk = Switch(home, "cloud")
    kiosk.reconcile()
    assert triof("mode", "local").exit_code == 0
    assert kiosk.mode() == "local"
    assert triof("mode").stdout.startswith("local:")
    kiosk.reconcile()
    assert kiosk.mode() == "local", "also after its next start"
