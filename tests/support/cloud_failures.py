"""A machine whose cloud comes and goes while deposits are made, and what the journal must hold then."""

from collections.abc import Callable
from typing import NamedTuple

from testing.azure.custom_vision_server import CustomVisionServer
from tests.support.machines import Machine, Visitor
from triof.storage.tables import PredictionRow


class Turn(NamedTuple):
    """What happens to the cloud before a deposit, and what is to be seen and written then."""

    happens: Callable[[CustomVisionServer], object]
    said: str | None
    """In mode ``cloud``, where a fall-back is a fault."""
    provider: str
    outcomes: tuple[str, ...]


def _exhaust(cloud: CustomVisionServer) -> None:
    cloud.latency = 0
    cloud.quota = cloud.calls


SESSION = (
    Turn(lambda cloud: None, None, "custom_vision", ("answered", "answered")),
    Turn(
        lambda cloud: cloud.stop(),
        "Judged on this machine: the cloud doesn't answer",
        "local_cnn",
        ("ProviderUnavailable", "answered"),
    ),
    Turn(lambda cloud: cloud.start(), None, "custom_vision", ("answered", "answered")),
    Turn(
        lambda cloud: setattr(cloud, "latency", 60),
        "Judged on this machine: the cloud doesn't answer",
        "local_cnn",
        ("ProviderUnavailable", "answered"),
    ),
    Turn(
        _exhaust,
        "Judged on this machine: the cloud's quota is used up",
        "local_cnn",
        ("QuotaExceeded", "answered"),
    ),
)
"""Healthy, stopped, started, slowed, exhausted."""


def believed(machine: Machine) -> list[PredictionRow]:
    """The predictions of the type that verdicts rest on, oldest first."""
    deposits = [event.deposit_id for event in machine.events("deposit.judged")]
    rows = [row for deposit in deposits if deposit for row in machine.services.journal.predictions(deposit)]
    return [row for row in rows if row.task == "waste_type" and row.believed]


def check_journal(machine: Machine) -> None:
    """The journal tells the session as it was."""
    rows = believed(machine)
    told = [(row.provider, tuple(attempt["outcome"] for attempt in row.attempts)) for row in rows]
    assert told == [(turn.provider, turn.outcomes) for turn in SESSION]
    assert all(row.attempts[0]["message"] for row in rows if row.provider == "local_cnn")
    assert [kind for kind, _, _ in machine.happened()].count("shredded") == len(SESSION)


def deposit(visitor: Visitor) -> None:
    """Drop an item in and let it be judged."""
    visitor.press("/start").press("/waste/pick-type")
