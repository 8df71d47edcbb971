"""Stands before a provider that needs the network: asks it from a worker, within limits, and learns from what comes.

The limits are the breaker (it fails), the ledger (the quota) and the rest (the vendor said when to come back).
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
    LABELS,
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

log = get_logger(__name__)

_MISCONFIGURED_SECONDS = 60.0
"""A key that is refused is not tried with every photo; after this the settings are read again."""
_LEDGER_SECONDS = 60.0
"""How long the ledger's word that the cloud must not be asked holds without looking again."""
_RETIRED = timedelta(days=7)
"""A service that is said to be retired is asked once more after so long, as even this may be a mistake."""
_PING_SECONDS = 3.0
_HEAD_START_SECONDS = 0.02
"""About what a question takes to leave; the network then takes longer than any local model."""


class Calls(Protocol):
    """Counts the calls; :class:`triof.judging.quota.QuotaLedger` is one."""

    def take(self) -> UUID:
        """Count a call about to be made. Raises ProviderError if it must not be made."""

    def heard(self, call: UUID, *, failed: bool) -> None:
        """Its answer has come, or it has failed; must neither write nor wait."""

    def give_back(self, call: UUID) -> None:
        """It never reached the vendor."""

    def refused(self, call: UUID) -> None:
        """The vendor turned it away."""

    def wait(self) -> float:
        """For how many seconds no call may be made for the sake of the calls a second."""

    def skip(self) -> None:
        """A question did not need to be asked."""

    def exhausted(self, resets_at: datetime) -> None:
        """The vendor says that nothing is left until then."""

    def retired(self, until: datetime) -> None:
        """The vendor says that the service is retired; it is not asked until then."""


class RateWait(NamedTuple):
    """For how long a provider is not to be asked, as it would be too fast."""

    seconds: float
    by_vendor: bool
    """Whether the vendor has said so, and not our own count."""


class _Cooldown(NamedTuple):
    until: float
    cause: ProviderError


@contextmanager
def _whatever_breaks() -> Iterator[None]:
    """Let nothing but a ProviderError out.

    A provider may be anybody's code, and a person stands in front of the machine: whatever breaks, the next is asked.
    """
    try:
        yield
    except ProviderError:
        raise
    except Exception as error:
        log.exception("provider.broke")
        raise ProviderUnavailable(f"it broke ({type(error).__name__}: {error})") from error


def ask(provider: Provider, photo: Photo, task: Task, timeout: float) -> Prediction:
    """The provider's prediction, if it makes sense. Raises ProviderError and nothing else."""
    with _whatever_breaks():
        prediction = provider.predict(photo, timeout=timeout)
        if set(prediction.scores) == set(LABELS[task]) and prediction.label in prediction.scores:
            return prediction
    raise ProviderUnavailable(f"its answer makes no sense: {prediction.label!r} with scores {prediction.scores}")


class GuardedProvider:
    """One provider of one route. ``clock`` in monotonic seconds, ``now`` gives aware datetimes.

    The provider is built by ``build`` when it is first needed, which in local mode is never. ``note`` does what must be
    written at some time, but not while a person waits.
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
        self._cooldown: _Cooldown | None = None
        self._ledger_knows = True

    @property
    def needed_side(self) -> int:
        """Of the provider, as long as it would be asked: nobody pays for pixels that nobody looks at."""
        built = self._built
        return built[0].needed_side if built and self._breaker.admits() and not self._cooldown_cause() else 0

    @property
    def state(self) -> State:
        """Of the breaker."""
        return self._breaker.state

    def prepare(self) -> None:
        """Build the provider now, so that its first question does not pay for it. Raises ProviderError."""
        self._provider()

    def ask(self, photo: Photo, timeout: float) -> "Pending":
        """Begin to ask; the answer is to be fetched within ``timeout`` seconds. Raises ProviderError at once if not."""
        self._check_cooldown()
        permit = self._breaker.permit()
        try:
            return self._begin(photo, timeout, permit)
        except ProviderUnavailable:
            self._breaker.release(permit)
            raise

    def probe(self, photo: Photo, timeout: float) -> Prediction:
        """Ask whatever happened before, and learn nothing from it: for whoever mends the settings. Counted as any call.

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
        """Note that the provider did not need to be asked, if it would have been."""
        if self._breaker.admits() and not self._cooldown_cause():
            # Not in front of a person, who would wait for whoever else is writing.
            self._note(self._note_skip)

    def _note_skip(self) -> None:
        try:
            _, calls = self._provider()
            if calls:
                calls.skip()
        except ProviderError as error:
            log.warning("call.spared_unnoted", provider=self.name, cause=error)

    def rate_wait(self) -> RateWait:
        """For how long a question would be refused for the sake of the calls a second."""
        rest, built = self._cooldown, self._built
        if rest and isinstance(rest.cause, RateLimited) and (left := rest.until - self._clock()) > 0:
            return RateWait(left, rest.cause.refused)
        with suppress(ProviderError), _whatever_breaks():
            return RateWait(built[1].wait() if built and built[1] else 0.0, by_vendor=False)
        return RateWait(0.0, by_vendor=False)

    def ping(self) -> None:
        """Raise ProviderError if the provider could not be asked now."""
        self._check_cooldown()
        provider, _ = self._provider()
        # In a worker, as looking up a name may take much longer than any timeout.
        pinged = self._submit(provider.ping)
        with _whatever_breaks():
            if wait([pinged], _PING_SECONDS).not_done:
                raise ProviderUnavailable(f"The cloud did not answer within {_PING_SECONDS:.0f} s.")
            pinged.result()

    def close(self) -> None:
        """Close the provider and its workers."""
        self._workers.close()
        self._forget()

    def now(self) -> float:
        """What the guard's clock says."""
        return self._clock()

    def learn(self, permit: Permit | None, error: ProviderError | None, seconds: float) -> None:
        """Let the breaker and the rest know what came of a question after ``seconds``; of a trial, nothing."""
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
                # Built anew afterwards, with whatever key its file holds then.
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
        """Tell the ledger what came of a call; that it cannot be written is not what came of it."""
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
        """The ledger knows until when, for every process, and whether `triof quota --resume` ended it meanwhile."""
        built = self._built
        return min(seconds, _LEDGER_SECONDS) if built and built[1] and self._ledger_knows else seconds

    def _cool_down(self, seconds: float, cause: ProviderError) -> None:
        until = self._clock() + seconds
        # Of two calls at once, the one that was told the shorter wait may be the later to say so.
        if not self._cooldown or self._cooldown.until < until:
            self._cooldown = _Cooldown(until, cause)
        log.warning("provider.rests", provider=self.name, seconds=seconds, cause=cause)

    def _check_cooldown(self) -> None:
        if cause := self._cooldown_cause():
            # Without the frames of the last time, which would pile up.
            raise cause.with_traceback(None)

    def _cooldown_cause(self) -> ProviderError | None:
        rest = self._cooldown
        return rest.cause if rest and self._clock() < rest.until else None


class Pending:
    """A question on its way, which ends ``timeout`` seconds after it ``started`` on the guard's clock."""

    future: Future[Prediction]

    def __init__(self, guard: GuardedProvider, permit: Permit | None, started: float, timeout: float) -> None:
        self.permit = permit
        self.started = started
        self._guard = guard
        self._timeout = timeout
        self._finished: float | None = None

    @property
    def seconds(self) -> float:
        """How long the question took, or has taken until now; whoever fetches its answer late does not count."""
        return (self._finished or self._guard.now()) - self.started

    def run(self, call: Callable[[float], Prediction]) -> Prediction:
        """In the worker: ask, and note when that was over."""
        try:
            return call(self.started + self._timeout)
        finally:
            self._finished = self._guard.now()

    def head_start(self) -> None:
        """Wait a moment, or until it has failed: counting and encoding should not compete with what is done beside."""
        wait([self.future], min(_HEAD_START_SECONDS, self._left()))

    def answer(self) -> Prediction:
        """Wait for the answer until its time is up. Raises ProviderError."""
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
            # Its worker goes on waiting, in vain; there are only so many.
            raise ProviderUnavailable(f"The cloud gave no whole answer within {self._timeout:.1f} s.") from None

    def _left(self) -> float:
        return max(0.0, self.started + self._timeout - self._guard.now())
