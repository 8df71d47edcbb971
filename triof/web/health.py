"""For those who look after the machine: whether it lives, whether it can work, and its metrics."""

import time
from collections.abc import Callable, Iterator
from threading import Lock
from typing import Any, NamedTuple

from flask import Blueprint, Response, jsonify, request
from prometheus_client import CONTENT_TYPE_LATEST

from providers.base import TASKS, ProviderError, Task
from triof import vitals
from triof.capture import CameraError
from triof.database_faults import DatabaseUnusable
from triof.guard import Guard
from triof.keys import KeyRefused
from triof.services import KioskServices, Services
from triof.slot import SlotError
from triof.web.access import is_from_here

_KEPT_SECONDS = 5.0
"""How long one look holds: whoever asks often costs nothing."""


class Reason(NamedTuple):
    """Why the machine cannot work: the part, and what is wrong with it."""

    part: str
    why: str


class Readiness:
    """Looks at each part, at most every few seconds. ``clock`` in monotonic seconds."""

    def __init__(self, services: Services, clock: Callable[[], float] = time.monotonic) -> None:
        self._services = services
        self._clock = clock
        self._lock = Lock()
        self._looked: tuple[float, list[Reason]] | None = None

    def reasons(self) -> list[Reason]:
        """Why the machine cannot work; none if it can."""
        with self._lock:
            if not self._looked or self._clock() - self._looked[0] >= _KEPT_SECONDS:
                self._looked = (self._clock(), list(self._look()))
            return self._looked[1]

    def _look(self) -> Iterator[Reason]:
        for task in TASKS:
            yield from self._unanswerable(task)
        yield from self._journal()
        yield from self._disk()
        if isinstance(self._services, KioskServices):
            yield from self._machine(self._services)

    def _unanswerable(self, task: Task) -> list[Reason]:
        """What is wrong with each provider of the route, if none of them could answer.

        Those on this machine first: as long as one of them answers, the cloud is not even looked for.
        """
        reasons = []
        for member in sorted(self._services.sorter.router.members(task), key=lambda member: isinstance(member, Guard)):
            try:
                member.ping()
            except ProviderError as error:
                reasons.append(Reason(task, f"{member.name}: {error}"))
            else:
                return []
        return reasons or [Reason(task, "No provider is left in the route.")]

    def _journal(self) -> Iterator[Reason]:
        fault = self._services.deposits.fault() if isinstance(self._services, KioskServices) else None
        if isinstance(fault, DatabaseUnusable):
            yield Reason("disk" if fault.code == "D1" else "journal", f"{fault.code}: {fault}")
            return
        try:
            self._services.journal.database.ping()
        except Exception as error:
            told = self._services.journal.database.unusable(error)
            yield Reason("journal", f"{told.code}: {told}")

    def _disk(self) -> Iterator[Reason]:
        home = self._services.operations.settings.home
        try:
            free = vitals.disk_free_bytes(home)
        except OSError as error:
            yield Reason("disk", f"The home folder cannot be looked at ({error.strerror}).")
            return
        if free < vitals.ENOUGH_BYTES:
            yield Reason("disk", f"Only {free / 1e6:.0f} MB are free, {vitals.ENOUGH_BYTES / 1e6:.0f} MB are needed.")

    def _machine(self, services: KioskServices) -> Iterator[Reason]:
        try:
            services.camera.ping()
        except CameraError as error:
            yield Reason("camera", str(error))
        fault = services.deposits.fault()
        if isinstance(fault, SlotError):
            yield Reason("slot", f"{fault.code}: {fault}")


def blueprint(services: Services, clock: Callable[[], float] = time.monotonic) -> Blueprint:
    """``/livez``, ``/readyz`` and ``/metrics``."""
    readiness = Readiness(services, clock)
    routes = Blueprint("health", __name__)

    @routes.get("/livez")
    def livez() -> Response:
        """200 as long as the process answers; asked by the touchscreen before it leaves a page."""
        return Response("ok\n", mimetype="text/plain")

    @routes.get("/readyz")
    def readyz() -> tuple[Response, int]:
        """200 if a photo could be judged now, else 503 with the reasons."""
        reasons = readiness.reasons()
        told: dict[str, Any] = {"ready": not reasons, "reasons": [reason._asdict() for reason in reasons]}
        return jsonify(told), 503 if reasons else 200

    @routes.get("/metrics")
    def metrics() -> Response:
        """For Prometheus: on this machine for all, from elsewhere with a key that may read."""
        if refused := _may_not_read(services):
            return refused
        return Response(services.operations.metrics.page(), content_type=CONTENT_TYPE_LATEST)

    return routes


def _may_not_read(services: Services) -> Response | None:
    if is_from_here():
        return None
    scheme, _, secret = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer":
        text = "Metrics are shown to other computers with a key alone: Authorization: Bearer triof_…\n"
        return Response(text, 401, {"WWW-Authenticate": "Bearer"}, mimetype="text/plain")
    try:
        key = services.operations.keys.check(secret.strip())
    except KeyRefused as error:
        return Response(f"{error}\n", 401, {"WWW-Authenticate": "Bearer"}, mimetype="text/plain")
    if not key.may("read"):
        return Response("This key may not read: it needs the scope read.\n", 403, mimetype="text/plain")
    return None
