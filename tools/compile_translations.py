"""Build hook: compiles every ``messages.po`` beside itself, for wheels and editable installs alike."""

import os
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class CompileTranslations(BuildHookInterface):  # type: ignore[misc]  # hatchling is not installed where types are checked
    """Runs before hatchling collects the files."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Write a ``.mo`` for each catalogue."""
        from babel.messages.mofile import write_mo
        from babel.messages.pofile import read_po

        for catalogue in Path(self.root).glob("triof/translations/*/LC_MESSAGES/*.po"):
            # Replaced at once, as a running server may read it now.
            fresh = catalogue.with_suffix(f".{os.getpid()}.mo")
            with catalogue.open("rb") as po, fresh.open("wb") as mo:
                write_mo(mo, read_po(po, locale=catalogue.parts[-3]))
            fresh.replace(catalogue.with_suffix(".mo"))
