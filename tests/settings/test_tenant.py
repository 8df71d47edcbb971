"""The company's section of the settings: colours that can be read, pictures that are there."""

import re
from pathlib import Path

import pytest

from tests.support.paths import ROOT
from triof.settings import contrast
from triof.settings.loader import SettingsError, load
from triof.settings.sections.tenant import INK, SOFT_INK, TenantColours


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """The folder of settings and pictures in the home folder."""
    folder = tmp_path / "home" / "config"
    folder.mkdir(parents=True)
    return folder


def refusal(**flags: str) -> str:
    with pytest.raises(SettingsError) as refused:
        load({f"tenant.{name}".replace("__", "."): value for name, value in flags.items()})
    return str(refused.value)


@pytest.mark.parametrize(
    ("first", "second", "ratio"),
    # The last two are the examples on either side of WCAG's limit for words.
    [("#000000", "#ffffff", 21), ("#ffffff", "#ffffff", 1), ("#767676", "#ffffff", 4.54), ("#777777", "#ffffff", 4.48)],
)
def test_contrast_is_that_of_wcag(first: str, second: str, ratio: float) -> None:
    assert contrast.ratio(first, second) == contrast.ratio(second, first) == pytest.approx(ratio, abs=0.005)


def test_a_colour_that_is_hard_to_see_is_refused_with_one_that_would_do() -> None:
    told = refusal(colours__main="#ffcc00")
    assert "tenant.colours.main (from flag): #ffcc00 is hard to see" in told
    assert "white words on it has a contrast of 1.51:1, where WCAG AA asks for 4.5:1" in told
    found = re.search(r"; (#\w{6}) would do", told)
    assert found
    assert load({"tenant.colours.main": found[1]}).settings.tenant.colours.main == found[1]


@pytest.mark.parametrize(
    ("colours", "sentence"),
    [
        ({"colours__paper": "#777777"}, "dark words on it has a contrast of 3.86:1"),
        ({"colours__paper": "#e0b080"}, "brown words on it has a contrast of 4.33:1"),
        ({"colours__paper": "#c0c0c0", "colours__main": "#707070"}, "it as a mark on the paper #c0c0c0"),
    ],
)
def test_each_use_of_a_colour_is_checked(colours: dict[str, str], sentence: str) -> None:
    told = refusal(**colours)
    assert sentence in told
    assert re.search(r"#\w{6} would do", told)


@pytest.mark.parametrize("value", ["green", "#fff", "#12345g", "rgb(0 0 0)", "#0b6a4c;x"])
def test_a_colour_is_six_digits(value: str) -> None:
    assert "tenant.colours.main" in refusal(colours__main=value)


def test_the_touchscreen_has_the_colours_that_are_checked() -> None:
    css = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "static").glob("*.css"))
    usual = TenantColours()
    for name, value in (("green", usual.main), ("paper", usual.paper), ("ink", INK), ("ink-soft", SOFT_INK)):
        assert re.search(rf"--{name}: (light-dark\()?{value}[;,]", css)


def test_a_picture_lies_beside_the_settings(config: Path) -> None:
    told = refusal(logo="logo.png")
    assert "tenant.logo (from flag)" in told
    assert f"{config / 'logo.png'} is not a file of at most 1 MB: put the picture there, or unset this" in told
    (config / "logo.png").write_bytes(b"a picture")
    assert load({"tenant.logo": "logo.png"}).settings.tenant.logo == "logo.png"
    (config / "logo.png").write_bytes(b"a picture" * 200_000)
    assert "at most 1 MB" in refusal(logo="logo.png")
    assert load({"tenant.logo": ""}).settings.tenant.logo is None


@pytest.mark.parametrize("name", ["../secret_key", "/etc/passwd", "logo", "machine.toml", ".env", "a/logo.png"])
def test_a_picture_is_named_without_a_folder(name: str) -> None:
    assert "tenant.logo" in refusal(logo=name)


def test_the_name_of_earlier_settings_is_still_read(config: Path) -> None:
    (config / "machine.toml").write_text('[reports]\ntenant = "ACME"\n')
    loaded = load()
    assert loaded.settings.tenant.name == "ACME"
    assert loaded.origins["tenant", "name"] == str(config / "machine.toml")
    assert load({"tenant.name": "New"}).settings.tenant.name == "New"
