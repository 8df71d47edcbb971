"""Light and dark: what the setting says, on every page, and otherwise the system's wish."""

import pytest

from tests.support.dashboard import LOGIN
from tests.support.machines import BuildMachine


@pytest.mark.parametrize(("theme", "schemes"), [("auto", "light dark"), ("light", "light"), ("dark", "dark")])
def test_the_pages_are_of_the_setting(build_machine: BuildMachine, theme: str, schemes: str) -> None:
    client = build_machine(theme=theme).client()
    for path in ("/", "/privacy", "/nowhere", "/technician", "/api/docs", LOGIN):
        page = client.get(path, follow_redirects=True).text
        assert f'<meta name="color-scheme" content="{schemes}">' in page, path
