"""Five layers, one object; every mistake at once; no secret ever shown."""

from pathlib import Path

import pytest
from click.testing import CliRunner
from pydantic import ValidationError

from providers import PROVIDERS
from tests.support.paths import ROOT
from triof.cli import main
from triof.settings.loader import SettingsError, load, rows
from triof.settings.tree import Settings


@pytest.fixture
def config(tmp_path: Path) -> Path:
    folder = tmp_path / "config"
    folder.mkdir()
    return folder


@pytest.mark.parametrize("switched_off", ["enabled", "cut"])
def test_nothing_is_cut_to_an_item_that_is_not_looked_for(switched_off: str) -> None:
    with pytest.raises(ValidationError, match="slot_view"):
        Settings.model_validate({"privacy": {"cut_to_item": True}, "slot_view": {switched_off: False}})


def test_each_layer_overrules_the_one_before(config: Path, tmp_path: Path) -> None:
    env_file, home = tmp_path / ".env", tmp_path / "home"
    (home / "config").mkdir(parents=True)
    environ = {"TRIOF_HOME": str(home)}

    def port(flags: dict[str, str] | None = None) -> tuple[int, str]:
        loaded = load(flags, environ, env_file, config)
        return loaded.settings.server.port, loaded.origins.get(("server", "port"), "default")

    assert port() == (8080, "default")
    (config / "a.toml").write_text("[server]\nport = 1")
    assert port() == (1, str(config / "a.toml"))
    (home / "config" / "b.toml").write_text("[server]\nport = 2")
    assert port() == (2, str(home / "config" / "b.toml"))
    (home / ".env").write_text("TRIOF_SERVER__PORT=6")
    assert port() == (6, str(home / ".env"))
    env_file.write_text("TRIOF_SERVER__PORT=3")
    assert port() == (3, str(env_file))
    environ["TRIOF_SERVER__PORT"] = "4"
    assert port() == (4, "environment")
    assert port({"server.port": "5"}) == (5, "flag")


def test_the_home_folder_cannot_say_where_it_is(config: Path, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(f"TRIOF_HOME={tmp_path}")
    environ = {"TRIOF_HOME": str(tmp_path)}
    assert load({}, environ, tmp_path / ".env", config).settings.home == tmp_path
    with pytest.raises(SettingsError, match="TRIOF_HOME cannot be set in the home folder"):
        load({}, environ, tmp_path / "elsewhere" / ".env", config)


def test_every_mistake_is_told_at_once_with_value_place_and_what_is_allowed(config: Path, tmp_path: Path) -> None:
    (config / "broken.toml").write_text("mode = ")
    environ = {
        "TRIOF_MODE": "clowd",
        "TRIOF_PHOTO__MAX_BYTES": "many",
        "TRIOF_SLOT__BOXES__CUP": "0",
        "TRIOF_DEPOSIT__IDEL_SECONDS": "30",
        "TRIOF_ROUTES__WASTE_TYPE": "",
    }
    with pytest.raises(SettingsError) as refused:
        load({"server.port": "99999"}, environ, tmp_path / ".env", config)
    told = str(refused.value)
    for part in (
        "broken.toml: not readable as TOML",
        "mode = 'clowd' (from environment TRIOF_MODE): Input should be 'auto', 'cloud' or 'local'",
        "photo.max_bytes = 'many' (from environment TRIOF_PHOTO__MAX_BYTES): Input should be a valid integer",
        "slot.boxes.cup = '0'",
        "routes.waste_type",
        "deposit.idel_seconds (from environment TRIOF_DEPOSIT__IDEL_SECONDS): no such setting;"
        " did you mean deposit.idle_seconds?",
        "server.port = '99999' (from flag): Input should be less than or equal to 65535",
    ):
        assert part in told
    assert len(refused.value.mistakes) == 7


def test_a_secret_is_shown_neither_in_a_mistake_nor_in_the_table(config: Path, tmp_path: Path) -> None:
    environ = {"TRIOF_JOURNAL__URL": "postgresql://triof:hunter2@db/triof", "TRIOF_MODE": "no"}
    with pytest.raises(SettingsError) as refused:
        load({}, environ, tmp_path / ".env", config)
    assert "hunter2" not in str(refused.value)
    del environ["TRIOF_MODE"]
    loaded = load({}, environ, tmp_path / ".env", config)
    assert "hunter2" not in repr(loaded) + str(list(rows(loaded)))
    with pytest.raises(SettingsError) as refused:
        load({}, {"TRIOF_JOURNAL__URLL": "hunter2", "TRIOF_JOURNAL": "hunter2"}, tmp_path / ".env", config)
    assert "hunter2" not in str(refused.value)


def test_names_are_split_at_commas(config: Path, tmp_path: Path) -> None:
    loaded = load({"routes.waste_type": "fake, local_cnn"}, {}, tmp_path / ".env", config)
    assert loaded.settings.routes["waste_type"] == ("fake", "local_cnn")


def test_the_warning_comes_before_the_end(config: Path, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="warning_seconds must be less than idle_seconds"):
        load({"deposit.warning_seconds": "60"}, {}, tmp_path / ".env", config)


def test_settings_are_frozen() -> None:
    with pytest.raises(ValidationError):
        Settings().mode = "local"  # type: ignore[misc]


def test_the_shipped_files_are_right_and_the_command_prints_them() -> None:
    printed = CliRunner().invoke(main, ["--set", "server.port=90", "settings"])
    assert printed.exit_code == 0, printed.output
    lines = {line.split()[0]: line.split() for line in printed.output.splitlines()}
    assert lines["server.port"][1:] == ["90", "flag"]
    assert lines["mode"][1:] == ["auto", str(ROOT / "config" / "triof.toml")]
    assert lines["home"][-1] == "environment"


def test_on_a_terminal_no_line_of_the_settings_is_wider_than_it() -> None:
    terminal = CliRunner(env={"COLUMNS": "100", "FORCE_COLOR": "1"})
    shown = terminal.invoke(main, ["--set", "tenant.name=[bold]ACME", "settings"]).stdout
    assert max(map(len, shown.splitlines())) <= 100
    assert "[bold]ACME  (flag)" in shown
    assert " ".join(Settings().reports.co2.source.split()) in " ".join(shown.split()), "wrapped, not cut"


def test_a_mistake_ends_every_command_with_its_line_and_exit_code_2() -> None:
    refused = CliRunner().invoke(main, ["--set", "mode=sideways", "settings"])
    assert refused.exit_code == 2
    assert "mode = 'sideways' (from flag)" in refused.output
    assert "Traceback" not in refused.output


def test_every_setting_is_explained_in_the_docs() -> None:
    explained = (ROOT / "docs" / "reference" / "settings.md").read_text(encoding="utf-8")
    missing = [name for name, _, _ in rows(load()) if f"`{name}`" not in explained]
    assert not missing


def refusal(config: Path, flags: dict[str, str] | None = None, environ: dict[str, str] | None = None) -> str:
    with pytest.raises(SettingsError) as refused:
        load(flags, environ or {}, config.parent / ".env", config)
    return str(refused.value)


@pytest.mark.parametrize("name", ["journal", "journal.url.password", "journal.urll", "journal_url"])
def test_no_misspelling_shows_a_secret(config: Path, name: str) -> None:
    variable, secret = f"TRIOF_{name.replace('.', '__').upper()}", "postgresql://u:geheim@h/db"
    told = refusal(config, environ={variable: secret})
    assert "geheim" not in told
    assert f"(from environment {variable})" in told
    told = refusal(config, flags={name: secret})
    assert "geheim" not in told
    assert "(from flag)" in told
    (config.parent / ".env").write_text(f"{variable}={secret}")
    told = refusal(config)
    assert "geheim" not in told
    assert f".env {variable})" in told


def test_a_value_for_a_section_is_a_mistake_with_its_own_place(config: Path, tmp_path: Path) -> None:
    told = refusal(config, environ={"TRIOF_SERVER": "foo", "TRIOF_SERVER__PORT": "9"})
    assert "server = 'foo' (from environment TRIOF_SERVER): this is a section" in told
    (config / "shipped.toml").write_text("[routes]\nwaste_type = ['local_cnn']\n[slot.boxes]\ncup = 2")
    mine = tmp_path / "home" / "config" / "a.toml"
    mine.parent.mkdir(parents=True)
    mine.write_text("routes = 'x'\nslot.boxes = 3")
    told = refusal(config, environ={"TRIOF_HOME": str(tmp_path / "home")})
    assert f"routes = 'x' (from {mine})" in told
    assert f"slot.boxes = 3 (from {mine})" in told
    assert "shipped.toml" not in told


def test_a_setting_below_another_is_a_mistake(config: Path) -> None:
    told = refusal(config, environ={"TRIOF_HOME__X": "1"})
    assert "home.x = '1' (from environment TRIOF_HOME__X): no such setting; did you mean home?" in told


def test_an_empty_home_or_host_is_a_mistake(config: Path) -> None:
    for name in ("home", "camera.folder", "journal.backup_folder", "local_cnn.bundles"):
        told = refusal(config, environ={f"TRIOF_{name.replace('.', '__').upper()}": ""})
        assert f"{name} = '' (from environment " in told
        assert "Name a file or folder" in told
    assert "server.host = ''" in refusal(config, flags={"server.host": ""})


@pytest.mark.parametrize("number", ["nan", "inf", "-inf", "1e400", "1e300"])
def test_numbers_that_no_clock_can_count_are_mistakes(config: Path, number: str) -> None:
    for name in ("deadline_seconds", "deposit.idle_seconds", "journal.keep_photo_days", "api.result_days"):
        assert f"{name} = " in refusal(config, flags={name: number})


def test_a_contact_is_one_short_line(config: Path) -> None:
    for contact in ("a" * 101, "DPO\nScript", "\x1b[2J"):
        assert "privacy.contact = " in refusal(config, flags={"privacy.contact": contact})
    settings = load({"privacy.contact": "  Ada, ada@example.org "}, {}, config / ".env", config).settings
    assert settings.privacy.contact == "Ada, ada@example.org"


@pytest.mark.slow
@pytest.mark.parametrize(
    "text",
    [
        f"x = {'[' * 5000}{']' * 5000}",
        f"x = {'{a=' * 5000}1{'}' * 5000}",
        f"{'.'.join('a' * 3000)} = 1",
        f"[{'.'.join('a' * 3000)}]\nx = 1",
        f"x = {'9' * 5000}",
        "x = 1\0",
    ],
)
def test_toml_that_leads_too_deep_is_a_mistake_with_its_place(config: Path, tmp_path: Path, text: str) -> None:
    mine = tmp_path / "home" / "config" / "mine.toml"
    mine.parent.mkdir(parents=True)
    mine.write_text(text)
    assert f"{mine}: not readable as TOML" in refusal(config, environ={"TRIOF_HOME": str(tmp_path / "home")})


def test_an_env_file_that_is_not_text_is_a_mistake(config: Path) -> None:
    (config.parent / ".env").write_bytes(b"TRIOF_MODE=\xe9t\xe9")
    assert ".env: not readable as text in UTF-8" in refusal(config, {"mode": "no"})


SAYS_NOTHING = {
    "no equals sign": ("TRIOF_MODE local", "this line sets nothing: write TRIOF_MODE=value"),
    "a colon": ("TRIOF_MODE: local", "this line sets nothing: write TRIOF_MODE=value"),
    "a colon with a value": ("TRIOF_SERVER__PORT:90", "this line sets nothing: write TRIOF_SERVER__PORT=value"),
    "no value": ("TRIOF_MODE", "this line sets nothing: write TRIOF_MODE=value"),
    "an exported name": ("export TRIOF_MODE", "this line sets nothing: write TRIOF_MODE=value"),
    "an open quote": ('TRIOF_MODE="local', "this line sets nothing: write TRIOF_MODE=value, and close the quote"),
    "another open quote": ("TRIOF_MODE='local", "this line sets nothing: write TRIOF_MODE=value, and close the quote"),
    "more after the quote": ('TRIOF_MODE="local" or auto', "this line sets nothing: write TRIOF_MODE=value"),
    "a quote over two lines": ('TRIOF_MODE="local\nTRIOF_SERVER__PORT=90"', "the quote that opens on this line"),
    "a foreign quote around ours": ('OTHER="x\nTRIOF_MODE=local\n"', "the quote that opens on this line"),
    "small letters": ("triof_mode=local", "no name of a setting: names are in capitals, such as TRIOF_MODE"),
    "a hyphen": ("TRIOF-MODE=local", "no name of a setting: names are in capitals, such as TRIOF_MODE"),
    "a command of Windows": ("set TRIOF_MODE=local", "this line sets nothing: write TRIOF_MODE=value"),
    "a variable of PowerShell": ('$env:TRIOF_MODE = "local"', "no name of a setting: names are in capitals"),
    "a sentence": ("the machine answers alone", "this line sets nothing: write NAME=value"),
    "a foreign colon": ("NAME: value", "this line sets nothing: write NAME=value"),
}


@pytest.mark.slow
@pytest.mark.parametrize(("line", "told"), SAYS_NOTHING.values(), ids=SAYS_NOTHING)
@pytest.mark.parametrize("above", ["", "# a comment\n\nTRIOF_LANGUAGE=en\r\n"], ids=["first", "later"])
def test_a_line_of_an_env_file_that_sets_nothing_is_a_mistake(config: Path, line: str, told: str, above: str) -> None:
    (config.parent / ".env").write_text(f"{above}{line}\nTRIOF_SERVER__PORT=none\n", newline="")
    mistakes = refusal(config).splitlines()[1:]
    assert mistakes[0].startswith(f"  {config.parent / '.env'}, line {4 if above else 1}: ")
    assert told in mistakes[0]
    assert any("server.port = 'none'" in mistake for mistake in mistakes)


@pytest.mark.parametrize(
    "line",
    [
        *("", "# TRIOF_MODE cloud", "  # TRIOF_MODE: cloud", "OTHER=1", "OTHER", "export OTHER=1", "other=1", "[part]"),
        *("export TRIOF_LANGUAGE=en", "TRIOF_LANGUAGE = en", "TRIOF_LANGUAGE='en' # English", 'TRIOF_LANGUAGE="en"'),
        'PEM="-----BEGIN\n# triof\n-----END"',
    ],
)
def test_what_an_env_file_may_hold_besides(config: Path, line: str) -> None:
    (config.parent / ".env").write_text(f"{line}\nTRIOF_MODE=local\n")
    assert load({}, {}, config.parent / ".env", config).settings.mode == "local"


@pytest.mark.parametrize(
    "written", ["{} hunter2", "{}: hunter2", '{}="hunter2', "{}hunter2", "{}-hunter2", "hunter2 {}"]
)
def test_a_line_that_sets_nothing_shows_no_secret(config: Path, written: str) -> None:
    (config.parent / ".env").write_text(written.format("TRIOF_CUSTOM_VISION__PREDICTION_KEY") + "\n")
    told = refusal(config)
    assert "hunter2" not in told
    assert "TRIOF_CUSTOM_VISION__PREDICTION_KEY" in told


def test_small_letters_in_the_environment_are_a_mistake_too(config: Path) -> None:
    told = refusal(config, environ={"triof_mode": "hunter2", "Triof_Language": "en", "other_mode": "local"})
    assert told.count("names of settings are in capitals") == 2
    assert "environment triof_mode" in told
    assert "hunter2" not in told


def test_two_types_in_one_box_are_a_mistake(config: Path) -> None:
    told = refusal(config, flags={"slot.boxes.cup": "1", "mode": "no"})
    assert "slot.boxes (from flag): bottle and cup share box 1" in told
    assert "mode = 'no'" in told


@pytest.mark.parametrize("name", ["nobody", ":X", "os:", "a b:C"])
def test_a_route_to_nobody_is_told_with_all_other_mistakes(config: Path, name: str) -> None:
    told = refusal(config, flags={"routes.waste_type": name, "mode": "no"})
    assert f"No provider is called '{name}': use {', '.join(sorted(PROVIDERS))} or module:Class" in told
    assert "mode = 'no'" in told
