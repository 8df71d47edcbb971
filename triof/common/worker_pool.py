"""Long-lived threads for calls that may never come back."""

from collections.abc import Callable
from concurrent.futures import Future
from contextvars import copy_context
from functools import partial
from queue import SimpleQueue
from threading import Lock, Thread
from typing import Any

Task = tuple[Future[Any], Callable[[], Any]]


class AllBusy(Exception):
    """Every worker waits for an earlier call."""


class Workers:
    """At most ``count`` daemon threads, the one used last first, so that its connection is still warm.

    Nothing queues: when calls do not come back, the next caller is told at once. (The pool of the standard library
    queues, and waits for its threads when the program ends.)
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
        # With the context, so that what the worker logs tells which request it works for.
        inbox.put((future, partial(copy_context().run, call)))
        return future

    def close(self) -> None:
        """End the idle workers; busy ones end when their call comes back, or with the program."""
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
            except RuntimeError as error:  # the system has no thread left
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
            # Idle before the caller knows: it may ask again at once, and must not be told that all are busy.
            with self._lock:
                if not self._closed:
                    self._idle.append(inbox)
            if error:
                future.set_exception(error)
            else:
                future.set_result(outcome)
            # Otherwise an idle worker keeps its last photo.
            del task, future, call, outcome, error
            if self._closed:
                return
