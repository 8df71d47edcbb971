"""What running machines for years needs around the sorter: all that the API, the dashboard and the operator ask for."""

from __future__ import annotations

from dataclasses import dataclass

from triof.journal import Journal
from triof.rounds import Round, Rounds
from triof.settings import Settings
from triof.sorter import Sorter


@dataclass(frozen=True)
class Operations:
    """The parts, built from the settings and the journal alone, so that a server without a machine has them too."""

    settings: Settings
    journal: Journal
    rounds: Rounds

    def start(self) -> None:
        """Begin with what happens by itself."""
        self.rounds.start()

    def close(self) -> None:
        """Finish what is under way."""
        self.rounds.close()


def build(settings: Settings, sorter: Sorter, journal: Journal) -> Operations:
    """All parts, not started."""
    rounds: list[Round] = []
    return Operations(settings, journal, Rounds(settings.home, rounds))
