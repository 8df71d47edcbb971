"""What happens by itself as time passes: abandoned deposits end, old photos go."""

import logging
import time
from collections.abc import Callable
from threading import Event, Thread

from triof.deposit import Deposits
from triof.photo_store import PhotoStore

log = logging.getLogger(__name__)

_PRUNE_SECONDS = 3600.0


class Watch:
    """Calls ``expire`` every ``seconds`` until closed, and prunes photos every hour."""

    def __init__(
        self,
        deposits: Deposits,
        photo_store: PhotoStore,
        seconds: float = 0.5,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._deposits = deposits
        self._photo_store = photo_store
        self._seconds = seconds
        self._clock = clock
        self._closed = Event()
        self._thread = Thread(target=self._run, name="watch", daemon=True)

    def start(self) -> None:
        """Begin to watch."""
        self._thread.start()

    def close(self) -> None:
        """Stop watching."""
        self._closed.set()
        self._thread.join()

    def _run(self) -> None:
        complaint = ""
        prune_at = self._clock() + _PRUNE_SECONDS
        while not self._closed.wait(self._seconds):
            try:
                self._deposits.expire()
                if self._clock() >= prune_at:
                    prune_at = self._clock() + _PRUNE_SECONDS
                    self._photo_store.prune()
            except Exception as error:
                # Twice a second the same complaint would fill the disk that it may be about.
                if str(error) != complaint:
                    log.exception("watch.failed")
                complaint = str(error)
