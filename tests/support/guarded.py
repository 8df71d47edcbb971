"""A guarded provider whose cloud answers by script."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from providers.base import (
    Photo,
    Prediction,
    Provider,
    ProviderError,
    Task,
)
from providers.fake import FakeProvider, Step
from tests.support.clock import Clock
from triof.common.worker_pool import Workers
from triof.judging.circuit_breaker import Breaker
from triof.judging.guarded_provider import Calls, GuardedProvider
from triof.settings.sections.breaker import BreakerSettings

BREAKER = BreakerSettings(
    window_calls=10, minimum_calls=3, failure_rate=0.5, slow_seconds=1.2, open_seconds=30, longest_open_seconds=300
)


EPOCH = datetime(2026, 1, 1, tzinfo=UTC)


TIMEOUT = 1.5


SOON = 5.0  # nothing here takes as long, unless it is broken


LINES = 2


class Cloud(FakeProvider):
    """A fake that needs the network. ``meanwhile`` happens while it is asked; ``timeouts`` has one a question."""

    name = "cloud"
    needs_network = True
    needed_side = 512

    def __init__(
        self,
        script: Sequence[Step] = ("bottle",),
        meanwhile: Callable[[], Any] = lambda: None,
        task: Task = "waste_type",
    ) -> None:
        super().__init__(task, script)
        self.meanwhile = meanwhile
        self.timeouts: list[float] = []
        self.closed = 0
        self.unready: ProviderError | None = None

    def predict(self, photo: Photo, *, timeout: float) -> Prediction:
        self.timeouts.append(timeout)
        self.meanwhile()
        return super().predict(photo, timeout=timeout)

    def ping(self) -> None:
        if self.unready:
            raise self.unready

    def close(self) -> None:
        self.closed += 1


class Counted:
    """A ledger in memory; ``refusal`` is raised instead of counting."""

    def __init__(self) -> None:
        self.taken: list[UUID] = []
        self.given_back: list[UUID] = []
        self.skipped = 0
        self.word: list[datetime] = []
        self.turned_away: list[UUID] = []
        self.retired_until: list[datetime] = []
        self.heard_of: list[tuple[UUID, bool]] = []
        self.full_for = 0.0
        self.refusal: ProviderError | None = None

    def take(self) -> UUID:
        if self.refusal:
            raise self.refusal
        self.taken.append(uuid4())
        return self.taken[-1]

    def heard(self, call: UUID, *, failed: bool) -> None:
        self.heard_of.append((call, failed))

    def give_back(self, call: UUID) -> None:
        self.given_back.append(call)

    def refused(self, call: UUID) -> None:
        self.turned_away.append(call)

    def wait(self) -> float:
        return self.full_for

    def retired(self, until: datetime) -> None:
        self.retired_until.append(until)

    def skip(self) -> None:
        if self.refusal:
            raise self.refusal
        self.skipped += 1

    def exhausted(self, resets_at: datetime) -> None:
        self.word.append(resets_at)


class Guarded:
    """A guard whose provider, ledger and time are in the test's hand."""

    def __init__(
        self,
        clouds: Sequence[Cloud | ProviderError],
        clock: Clock,
        calls: Callable[[Provider], Calls | None] | None = None,
        name: str = "cloud",
        breaker: BreakerSettings = BREAKER,
        ping_seconds: float = SOON,
    ) -> None:
        self.clock = clock
        self.builds = 0
        self.counted = Counted()
        self.breaker = Breaker(breaker, clock)
        self._clouds = clouds
        self.guard = GuardedProvider(
            name,
            "waste_type",
            self._build,
            breaker=self.breaker,
            workers=Workers(name, LINES),
            calls=calls or (lambda provider: self.counted),
            clock=clock,
            now=self.now,
            ping_seconds=ping_seconds,
        )

    def _build(self) -> Provider:
        self.builds += 1
        cloud = self._clouds[min(self.builds, len(self._clouds)) - 1]
        if isinstance(cloud, ProviderError):
            raise cloud
        return cloud

    def now(self) -> datetime:
        return EPOCH + timedelta(seconds=self.clock())
