"""A thread pool for calls that may never return."""

from collections.abc import Callable
from concurrent.futures import Future
from contextvars import copy_context
from functools import partial
from queue import SimpleQueue
from threading import Lock, Thread
from typing import Any

Task = tuple[Future[Any], Callable[[], Any]]


class AllBusy(Exception):
    """Every worker is busy with an earlier call."""


class Workers:
    """At most ``count`` daemon threads; the last used one is reused first, as its connection is open.

    There is no queue: if all workers are busy, the next call fails immediately. (The standard library's pool
    queues calls, and waits for its threads when the program ends.)
    """

    def __init__(self, name: str, count: int) -> None:
        self._name = name
        self._count = count
        self._lock = Lock()
        self._idle: list[SimpleQueue[Task | None]] = []
        self._started = 0
        self._closed = False

    def submit(self, call: Callable[[], Any]) -> Future[Any]:
        """Run ``call`` in a worker. Raises AllBusy."""
        inbox = self._take()
        future: Future[Any] = Future()
        # With the context, so that the worker's log lines name the request.
        inbox.put((future, partial(copy_context().run, call)))
        return future

    def close(self) -> None:
        """Stop the idle workers; busy ones stop after their call, or with the program."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for inbox in idle:
            inbox.put(None)

    def _take(self) -> SimpleQueue[Task | None]:
        with self._lock:
            if self._idle:
                return self._idle.pop()
            if self._started >= self._count or self._closed:
                raise AllBusy(f"all {self._count} lines to {self._name} wait for earlier answers")
            inbox: SimpleQueue[Task | None] = SimpleQueue()
            name = f"{self._name}-{self._started + 1}"
            try:
                Thread(target=self._work, args=[inbox], name=name, daemon=True).start()
            except RuntimeError as error:  # the system cannot start another thread
                raise AllBusy(str(error)) from error
            self._started += 1
        return inbox

    def _work(self, inbox: SimpleQueue[Task | None]) -> None:
        while task := inbox.get():
            future, call = task
            try:
                outcome, error = call(), None
            except BaseException as raised:
                outcome, error = None, raised
            # Marked idle before the result is set, so that the caller can submit again at once.
            with self._lock:
                if not self._closed:
                    self._idle.append(inbox)
            if error:
                future.set_exception(error)
            else:
                future.set_result(outcome)
            # Otherwise an idle worker would keep its last photo alive.
            del task, future, call, outcome, error
            if self._closed:
                return
