"""Asks a provider in the cloud about many photos, within its rate limit; no employee waits for the answers."""

import time

from providers.base import Photo, Prediction, ProviderUnavailable, RateLimited
from triof.judging.guarded_provider import GuardedProvider

_SECONDS = 10.0
"""Timeout of a prediction in seconds."""
_ATTEMPTS, _PATIENCE_SECONDS = 10, 120.0


def ask_patiently(guard: GuardedProvider, photo: Photo) -> tuple[Prediction, float]:
    """Return the prediction, and the seconds of the answered call. Raises ProviderError after the last attempt."""
    from providers.retries import retry_context

    for attempt in retry_context(on=_wait, attempts=_ATTEMPTS, timeout=_PATIENCE_SECONDS):
        with attempt:
            time.sleep(guard.rate_wait().seconds)
            started = time.perf_counter()
            return guard.probe(photo, _SECONDS), time.perf_counter() - started
    raise AssertionError("the last attempt returns or raises")


def _wait(error: Exception) -> bool | float:
    """Return how long to wait before a retry; False for an exhausted quota or a wrong key."""
    return error.retry_after if isinstance(error, RateLimited) else isinstance(error, ProviderUnavailable)
