"""Retries calls of the training API after temporary errors; refusals are not retried."""

from collections.abc import Callable
from threading import Event
from typing import TypeVar

from providers.base import ProviderError, ProviderUnavailable, RateLimited
from providers.custom_vision.errors import TrainingRefused
from providers.custom_vision.rate_limiter import RateLimiter

T = TypeVar("T")

_SECONDS = 300.0
"""Seconds for which a call is retried before its last error is raised."""
_LONGEST_PAUSE_SECONDS = 15.0


class RetryPolicy:
    """Retries calls within ``rate_limiter``. Thread-safe. Every method raises ProviderError."""

    def __init__(
        self,
        make_rate_limiter: Callable[[Callable[[float], None]], RateLimiter],
        on_wait: Callable[[ProviderError], None],
        sleep: Callable[[float], None] | None = None,
    ) -> None:
        """``make_rate_limiter`` gets the sleep function; ``on_wait`` gets the error before each retry."""
        self.sleep = sleep or self._pause
        self.rate_limiter = make_rate_limiter(self.sleep)
        self._on_wait = on_wait
        self._given_up = Event()

    def call(self, ask: Callable[[], T]) -> T:
        """Make an idempotent call, with retries."""
        from providers.retries import retry_context

        for attempt in retry_context(on=self._waits, attempts=None, timeout=_SECONDS, wait_max=_LONGEST_PAUSE_SECONDS):
            with attempt:
                # Without the decorator, whose reference cycles would keep photos until the next garbage collection.
                return ask()
        raise AssertionError("the last attempt returns or raises")

    def once(self, ask: Callable[[], T], done: Callable[[], T | None]) -> T:
        """Make a call that must not be repeated once it took effect.

        After a lost answer, ``done`` is called before the next attempt: it returns the effect of the call, or None.
        """
        doubt = False

        def attempt() -> T:
            nonlocal doubt
            if doubt and (found := done()) is not None:
                return found
            try:
                return ask()
            except ProviderError as error:
                doubt = doubt or (isinstance(error, ProviderUnavailable) and error.sent)
                # The first call may have taken effect after ``done`` looked.
                if doubt and isinstance(error, TrainingRefused) and (found := done()) is not None:
                    return found
                raise

        return self.call(attempt)

    def give_up(self) -> None:
        """Stop retrying and end every pause: calls under way finish, the others raise."""
        self._given_up.set()

    def _pause(self, seconds: float) -> None:
        if self._given_up.wait(seconds):
            raise ProviderUnavailable("The call was given up before it was made.", sent=False)

    def _waits(self, error: Exception) -> bool | float:
        if isinstance(error, RateLimited):
            self.rate_limiter.pause(error.retry_after)
        elif not isinstance(error, ProviderUnavailable):
            return False
        if self._given_up.is_set():
            return False
        self._on_wait(error)
        # The rate limiter pauses then, for all threads.
        return 0.0 if isinstance(error, RateLimited) else True
