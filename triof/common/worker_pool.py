"""A thread pool for calls that may never return."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextvars import copy_context
from functools import partial
from queue import SimpleQueue
from threading import Lock, Thread
from typing import Any, TypeVar

Item = TypeVar("Item")
Answer = TypeVar("Answer")
Task = tuple[Future[Any], Callable[[], Any]]


_AHEAD = 4
"""Answers a worker that wait behind a slow one, at most."""


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

    def map(self, call: Callable[[Item], Answer], items: Iterable[Item]) -> Iterator[Answer]:
        """Yield ``call(item)`` of each item, in their order; all idle workers take part.

        Items are read as workers become free, so that any number of them takes the same memory. The caller's own
        thread works where every worker is busy for other callers.
        """
        pending: deque[Future[Answer]] = deque()
        for item in items:
            pending.append(self._submit_or_run(partial(call, item), pending))
            while pending and (pending[0].done() or len(pending) > _AHEAD * self._count):
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()

    def _submit_or_run(self, call: Callable[[], Answer], pending: Iterable[Future[Answer]]) -> Future[Answer]:
        while True:
            try:
                return self.submit(call)
            except AllBusy:
                if not (running := [future for future in pending if not future.done()]):
                    return _finished(call)
                wait(running, return_when=FIRST_COMPLETED)

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


def _finished(call: Callable[[], Answer]) -> Future[Answer]:
    """Return a future with the outcome of ``call``, which runs in this thread."""
    future: Future[Answer] = Future()
    try:
        future.set_result(call())
    except Exception as error:
        future.set_exception(error)
    return future
