"""Limits on password guesses: after some free ones each wrong guess doubles the delay, up to a minute.

Accounts are never locked, so that an attacker cannot lock the owner out. There are three counters, each reset a
quarter of an hour after its last wrong guess:

| count | free guesses | for |
|---|---|---|
| account and source | 8 | every guess |
| source | 40 | every guess, whatever the account; many people may share an address |
| account | 20 | every guess but the first of each source, so that one right password is enough from a new address |

A source is an IPv4 address or an IPv6 /64 network. A browser in which the account was logged in before is a source of
its own and counts for the first line alone: strangers at its address do not delay it.
"""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from ipaddress import IPv6Address, ip_network
from itertools import takewhile
from threading import Lock
from typing import NamedTuple

from triof.web.proxies import address_of

_LONGEST_SECONDS = 60.0
_FORGOTTEN_SECONDS = 15 * 60.0
_KNOWN_BROWSER = "known browser"


class TooManyGuesses(Exception):
    """The guess is rejected for ``seconds``; it was not counted."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"{seconds:.1f} s")
        self.seconds = seconds


class _GuessKey(NamedTuple):
    """The key of a counter; None stands for all."""

    account: str | None
    source: str | None

    @property
    def free(self) -> int:
        if self.account is None:
            return 40
        return 20 if self.source is None else 8


@dataclass
class _Count:
    wrong: int = 0
    latest: float = 0.0
    free_at: float = 0.0
    """Time from which the next guess is allowed."""


class Guesses:
    """The guesses at one server. ``clock`` in monotonic seconds; thread-safe."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = Lock()
        self._counts: dict[_GuessKey, _Count] = {}
        """Ordered by the time of the last guess, most recent last."""

    def begin(self, account: str, address: str, *, is_known: bool = False) -> Callable[[], None]:
        """Count a guess as wrong before the password is checked, as guesses may run concurrently.

        ``is_known``: the browser was logged in to this account before. Returns the function to call if the password
        was right. Raises TooManyGuesses.
        """
        with self._lock:
            now = self._clock()
            self._forget(now)
            keys = self._keys(account, _KNOWN_BROWSER if is_known else _source(address))
            wait = max(self._counts[key].free_at - now if key in self._counts else 0.0 for key in keys)
            if wait > 0:
                raise TooManyGuesses(wait)
            for key in keys:
                count = self._counts[key] = self._counts.pop(key, _Count())
                count.wrong, count.latest = count.wrong + 1, now
                if count.wrong >= key.free:
                    count.free_at = now + min(_LONGEST_SECONDS, 2.0 ** min(30, count.wrong - key.free))
        return partial(self._was_right, keys)

    def _keys(self, account: str, source: str) -> list[_GuessKey]:
        both = _GuessKey(account, source)
        if source == _KNOWN_BROWSER:
            return [both]
        of_account = [_GuessKey(account, None)] if both in self._counts else []
        return [both, _GuessKey(None, source), *of_account]

    def _was_right(self, keys: Iterable[_GuessKey]) -> None:
        with self._lock:
            for key in keys:
                count = self._counts.get(key)
                if key.account is not None:
                    self._counts.pop(key, None)
                elif count:
                    # Guesses of this source at other accounts still count.
                    count.wrong, count.free_at = count.wrong - 1, 0.0

    def _forget(self, now: float) -> None:
        for key in list(takewhile(lambda key: now - self._counts[key].latest >= _FORGOTTEN_SECONDS, self._counts)):
            del self._counts[key]


def _source(address: str) -> str:
    parsed = address_of(address)
    return str(ip_network((parsed, 64), strict=False)) if isinstance(parsed, IPv6Address) else address
