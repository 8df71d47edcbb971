"""Wraps a provider that needs the network: calls it in a worker, within limits, and updates them by the outcome.

The limits are the breaker (failures), the ledger (the quota) and the cooldown (the vendor's retry time).
"""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from threading import Lock
from typing import Any, NamedTuple, Protocol
from uuid import UUID

from providers.base import (
    Photo,
    Prediction,
    Provider,
    ProviderError,
    ProviderMisconfigured,
    ProviderUnavailable,
    QuotaExceeded,
    RateLimited,
    ServiceRetired,
    Task,
)
from providers.event_log import get_logger
from triof.common.worker_pool import AllBusy, Workers
from triof.judging.circuit_breaker import Breaker, Permit, State
from triof.judging.prediction_checks import mistake_in

log = get_logger(__name__)

_MISCONFIGURED_SECONDS = 60.0
"""Seconds without a call after a refused key; then the settings are read again."""
_LEDGER_SECONDS = 60.0
"""Seconds for which a refusal of the ledger is cached."""
_RETIRED = timedelta(days=7)
"""Seconds after which a retired service is probed once more, as the answer may be a mistake."""
_HEAD_START_SECONDS = 0.02
"""About the seconds until a request is sent; the network then takes longer than any local model."""


class Calls(Protocol):
    """Counts the calls, as :class:`triof.judging.quota.QuotaLedger` does."""

    def take(self) -> UUID:
        """Count a call before it is made. Raises ProviderError if it must not be made."""

    def heard(self, call: UUID, *, failed: bool) -> None:
        """Record that the call was answered or failed; must neither write nor block."""

    def give_back(self, call: UUID) -> None:
        """Record that the call did not reach the vendor."""

    def refused(self, call: UUID) -> None:
        """Record that the vendor refused the call without processing it."""

    def wait(self) -> float:
        """Return for how many seconds the rate limit allows no call."""

    def skip(self) -> None:
        """Record that a call was not needed."""

    def exhausted(self, resets_at: datetime) -> None:
        """Record that the vendor reports the quota as used up until ``resets_at``."""

    def retired(self, until: datetime) -> None:
        """Record that the vendor reports the service as retired; it is not called before ``until``."""


class RateWait(NamedTuple):
    """Seconds for which a provider must not be called because of its rate limit."""

    seconds: float
    by_vendor: bool
    """Whether the vendor demanded the wait, instead of our own count."""


class _Cooldown(NamedTuple):
    until: float
    cause: ProviderError


@contextmanager
def _whatever_breaks() -> Iterator[None]:
    """Turn every exception into a ProviderError.

    A provider may be third-party code, and its bugs must not keep the router from falling back.
    """
    try:
        yield
    except ProviderError:
        raise
    except Exception as error:
        log.exception("provider.broke")
        raise ProviderUnavailable(f"it broke ({type(error).__name__}: {error})") from error


def ask(provider: Provider, photo: Photo, task: Task, timeout: float) -> Prediction:
    """Return the provider's prediction if it is valid. Raises only ProviderError."""
    with _whatever_breaks():
        prediction = provider.predict(photo, timeout=timeout)
        if not (mistake := mistake_in(prediction, task)):
            return prediction
    raise ProviderUnavailable(f"its answer makes no sense: {mistake}")


class GuardedProvider:
    """One provider of one route. ``clock`` in monotonic seconds, ``now`` gives aware datetimes.

    ``build`` makes the provider when it is first needed, in local mode never. ``note`` schedules database writes that
    an employee must not wait for. ``ping_seconds`` limits a ping, a DNS lookup included.
    """

    needs_network = True

    def __init__(
        self,
        name: str,
        task: Task,
        build: Callable[[], Provider],
        *,
        breaker: Breaker,
        workers: Workers,
        calls: Callable[[Provider], Calls | None] = lambda provider: None,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        note: Callable[[Callable[[], None]], object] = lambda write: write(),
        ping_seconds: float = 3.0,
    ) -> None:
        self.name = name
        self.task = task
        self._build = build
        self._breaker = breaker
        self._workers = workers
        self._calls = calls
        self._clock = clock
        self._wall_clock = now
        self._lock = Lock()
        self._built: tuple[Provider, Calls | None] | None = None
        self._note = note
        self._ping_seconds = ping_seconds
        self._cooldown: _Cooldown | None = None
        self._ledger_knows = True

    @property
    def needed_side(self) -> int:
        """The provider's needed side, or 0 while it would not be called, so that photos are not decoded larger."""
        built = self._built
        return built[0].needed_side if built and self._breaker.admits() and not self._cooldown_cause() else 0

    @property
    def state(self) -> State:
        """The state of the breaker."""
        return self._breaker.state

    def prepare(self) -> None:
        """Build the provider now, so that its first call is not delayed. Raises ProviderError."""
        self._provider()

    def ask(self, photo: Photo, timeout: float) -> "Pending":
        """Start a call, to be answered within ``timeout`` seconds. Raises ProviderError if it is refused at once."""
        self._check_cooldown()
        permit = self._breaker.permit()
        try:
            return self._begin(photo, timeout, permit)
        except ProviderUnavailable:
            self._breaker.release(permit)
            raise

    def probe(self, photo: Photo, timeout: float) -> Prediction:
        """Call the provider regardless of breaker and cooldown, without updating them. Uses up quota.

        Raises ProviderError.
        """
        return self._begin(photo, timeout, None).answer()

    def _begin(self, photo: Photo, timeout: float, permit: Permit | None) -> "Pending":
        pending = Pending(self, permit, self._clock(), timeout)
        pending.future = self._submit(lambda: pending.run(lambda ends: self._call(photo, ends)))
        return pending

    def _submit(self, call: Callable[[], Any]) -> Future[Any]:
        try:
            return self._workers.submit(call)
        except AllBusy as error:
            raise ProviderUnavailable(f"not asked: {error}", sent=False) from error

    def skip(self) -> None:
        """Record that a call was not needed, if it would have been allowed."""
        if self._breaker.admits() and not self._cooldown_cause():
            # Deferred, as the write may have to wait for another writer.
            self._note(self._note_skip)

    def _note_skip(self) -> None:
        try:
            _, calls = self._provider()
            if calls:
                calls.skip()
        except ProviderError as error:
            log.warning("call.spared_unnoted", provider=self.name, cause=error)

    def rate_wait(self) -> RateWait:
        """Return for how long the rate limit would refuse a call."""
        rest, built = self._cooldown, self._built
        if rest and isinstance(rest.cause, RateLimited) and (left := rest.until - self._clock()) > 0:
            return RateWait(left, rest.cause.refused)
        with suppress(ProviderError), _whatever_breaks():
            return RateWait(built[1].wait() if built and built[1] else 0.0, by_vendor=False)
        return RateWait(0.0, by_vendor=False)

    def ping(self) -> None:
        """Raise ProviderError if the provider could not be called now."""
        self._check_cooldown()
        provider, _ = self._provider()
        # In a worker, as a DNS lookup may take longer than any timeout.
        pinged = self._submit(provider.ping)
        with _whatever_breaks():
            if wait([pinged], self._ping_seconds).not_done:
                raise ProviderUnavailable(f"The cloud did not answer within {self._ping_seconds:g} s.")
            pinged.result()

    def close(self) -> None:
        """Close the provider and its workers."""
        self._workers.close()
        self._forget()

    def now(self) -> float:
        """Return the time of the guard's clock."""
        return self._clock()

    def learn(self, permit: Permit | None, error: ProviderError | None, seconds: float) -> None:
        """Update breaker and cooldown with the outcome of a call after ``seconds``; not for a probe (no ``permit``)."""
        if not permit:
            return
        match error:
            case None:
                self._breaker.answered(permit, seconds)
            case ProviderUnavailable():
                self._breaker.failed(permit, str(error))
            case _:
                self._breaker.release(permit)
        match error:
            case QuotaExceeded():
                self._cool_down(self._quota_seconds(error), error)
            case RateLimited():
                self._cool_down(error.retry_after, error)
            case ServiceRetired():
                self._cool_down(self._at_most_until_looked_at(_RETIRED.total_seconds()), error)
            case ProviderMisconfigured():
                # It is rebuilt later with the current content of its key file.
                self._forget()
                self._cool_down(_MISCONFIGURED_SECONDS, error)

    def _call(self, photo: Photo, ends: float) -> Prediction:
        provider, calls = self._provider()
        with _whatever_breaks():
            call = calls.take() if calls else None
        failed = True
        try:
            prediction = ask(provider, photo, self.task, ends - self._clock())
            failed = False
        except ProviderError as error:
            if calls and call:
                self._note_failure(calls, call, error)
            raise
        finally:
            if calls and call:
                calls.heard(call, failed=failed)
        return prediction

    def _note_failure(self, calls: Calls, call: UUID, error: ProviderError) -> None:
        if not error.sent:
            self._tell(partial(calls.give_back, call))
        elif error.refused:
            self._tell(partial(calls.refused, call))
        if isinstance(error, QuotaExceeded):
            self._tell(partial(calls.exhausted, error.resets_at))
        elif isinstance(error, ServiceRetired):
            self._tell(partial(calls.retired, self._wall_clock() + _RETIRED))

    def _tell(self, ledger: Callable[[], None]) -> None:
        """Record the outcome of a call in the ledger; a failed write does not change the outcome."""
        try:
            ledger()
            self._ledger_knows = True
        except ProviderError as error:
            self._ledger_knows = False
            log.warning("call.unnoted", provider=self.name, cause=error)

    def _provider(self) -> tuple[Provider, Calls | None]:
        with self._lock, _whatever_breaks():
            if not self._built:
                provider = self._build()
                self._built = provider, self._calls(provider)
            return self._built

    def _forget(self) -> None:
        with self._lock:
            built, self._built = self._built, None
        if built:
            with suppress(ProviderError), _whatever_breaks():
                built[0].close()

    def _quota_seconds(self, error: QuotaExceeded) -> float:
        return self._at_most_until_looked_at((error.resets_at - self._wall_clock()).total_seconds())

    def _at_most_until_looked_at(self, seconds: float) -> float:
        """Limit the cooldown, as the ledger is shared and `triof quota --resume` may end it earlier."""
        built = self._built
        return min(seconds, _LEDGER_SECONDS) if built and built[1] and self._ledger_knows else seconds

    def _cool_down(self, seconds: float, cause: ProviderError) -> None:
        until = self._clock() + seconds
        # Concurrent calls may report their waits in any order: the longest counts.
        if not self._cooldown or self._cooldown.until < until:
            self._cooldown = _Cooldown(until, cause)
        log.warning("provider.rests", provider=self.name, seconds=seconds, cause=cause)

    def _check_cooldown(self) -> None:
        if cause := self._cooldown_cause():
            # Without the previous traceback, which would grow with each raise.
            raise cause.with_traceback(None)

    def _cooldown_cause(self) -> ProviderError | None:
        rest = self._cooldown
        return rest.cause if rest and self._clock() < rest.until else None


class Pending:
    """A call under way, with a deadline ``timeout`` seconds after ``started`` on the guard's clock."""

    future: Future[Prediction]

    def __init__(self, guard: GuardedProvider, permit: Permit | None, started: float, timeout: float) -> None:
        self.permit = permit
        self.started = started
        self._guard = guard
        self._timeout = timeout
        self._finished: float | None = None

    @property
    def seconds(self) -> float:
        """Duration of the call until its end or now; a late fetch of its answer does not count."""
        return (self._finished or self._guard.now()) - self.started

    def run(self, call: Callable[[float], Prediction]) -> Prediction:
        """Make the call, in the worker, and record when it ended."""
        try:
            return call(self.started + self._timeout)
        finally:
            self._finished = self._guard.now()

    def head_start(self) -> None:
        """Wait until the request was probably sent or failed, so that local work does not compete with encoding it."""
        wait([self.future], min(_HEAD_START_SECONDS, self._left()))

    def answer(self) -> Prediction:
        """Wait for the answer until the deadline. Raises ProviderError."""
        try:
            with _whatever_breaks():
                prediction = self._fetch()
        except ProviderError as error:
            self._guard.learn(self.permit, error, self.seconds)
            raise
        self._guard.learn(self.permit, None, self.seconds)
        return prediction

    def _fetch(self) -> Prediction:
        try:
            return self.future.result(self._left())
        except TimeoutError:
            # The worker keeps waiting for the lost answer, and the number of workers is limited.
            raise ProviderUnavailable(f"The cloud gave no whole answer within {self._timeout:.1f} s.") from None

    def _left(self) -> float:
        return max(0.0, self.started + self._timeout - self._guard.now())
