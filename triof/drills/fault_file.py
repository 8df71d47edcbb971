"""Injects the faults of a drill into the running kiosk, as if the cloud or the camera failed.

``triof drill`` writes a file. While it exists and its time is not up, the provider calls the drill's local server
instead of the cloud, with its own breaker and without counting calls. When the file is removed or expires, the
machine works as before.
"""

import json
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from threading import Lock
from typing import Literal, NamedTuple, get_args
from urllib.parse import urlsplit

from providers.base import Provider, Task
from providers.options import CloudOptions, is_loopback
from triof.common.atomic_files import read_json, replace_file
from triof.common.worker_pool import Workers
from triof.judging.circuit_breaker import Breaker
from triof.judging.guarded_provider import GuardedProvider
from triof.machine.cameras.base import Camera, CameraError
from triof.settings.tree import Settings

Fault = Literal["cloud_dead", "cloud_slow", "quota_gone", "retired", "camera_gone"]
FAULTS: tuple[Fault, ...] = get_args(Fault)
LONGEST_SECONDS = 60.0
"""Seconds after which the kiosk ends a drill by itself, in case the drill's process died."""


class InjectedFault(NamedTuple):
    """The fault of a drill, and the loopback address of its server."""

    fault: Fault
    endpoint: str


class FaultFile:
    """The file in the home folder through which the drill controls the kiosk."""

    def __init__(self, home: Path, now: Callable[[], float] = time.time) -> None:
        self._path = home / "rehearsal.json"
        self._now = now

    def set(self, injected: InjectedFault, seconds: float) -> None:
        """Inject a fault for at most ``seconds``, even if the drill's process dies. Raises OSError."""
        until = self._now() + min(seconds, LONGEST_SECONDS)
        replace_file(self._path, json.dumps({**injected._asdict(), "until": until}).encode())

    def clear(self) -> None:
        """End the fault. Raises OSError."""
        self._path.unlink(missing_ok=True)

    def current(self) -> InjectedFault | None:
        """Return the current fault, if any; an address outside this machine is ignored."""
        kept = read_json(self._path)
        fault, endpoint, until = kept.get("fault"), str(kept.get("endpoint")), kept.get("until")
        # A clock that was set back must not extend the drill.
        if fault not in FAULTS or not isinstance(until, float) or not 0 < until - self._now() <= LONGEST_SECONDS:
            return None
        with suppress(ValueError):  # the file is damaged
            if is_loopback(urlsplit(endpoint).hostname):
                return InjectedFault(fault, endpoint)
        return None


class FaultInjector:
    """Replaces the guard of a cloud provider by one that calls the drill's server."""

    def __init__(self, home: Path, settings: Settings, build: Callable[[str, Task, Settings], Provider]) -> None:
        self._fault_file = FaultFile(home)
        self._settings = settings
        self._build = build
        self._lock = Lock()
        self._injected: InjectedFault | None = None
        self._guards: dict[tuple[str, Task], GuardedProvider] = {}

    def instead_of(self, guard: GuardedProvider) -> GuardedProvider:
        """Return the replacement of ``guard`` during a drill, else ``guard`` itself."""
        injected = self._fault_file.current()
        with self._lock:
            if self._injected != injected:
                self._end()
                self._injected = injected
            options = getattr(self._settings, guard.name, None)
            if not injected or injected.fault == "camera_gone" or not isinstance(options, CloudOptions):
                return guard
            key = guard.name, guard.task
            if key not in self._guards:
                self._guards[key] = self._guard(guard, options.rehearsed(injected.endpoint))
            return self._guards[key]

    def _end(self) -> None:
        for guard in self._guards.values():
            guard.close()
        self._guards = {}

    def _guard(self, guard: GuardedProvider, options: CloudOptions) -> GuardedProvider:
        settings = self._settings.model_copy(update={guard.name: options})
        return GuardedProvider(
            guard.name,
            guard.task,
            lambda: self._build(guard.name, guard.task, settings),
            breaker=Breaker(settings.breaker),
            workers=Workers("rehearsal", 1),
        )


class FaultyCamera:
    """The machine's camera, which a drill can disable."""

    def __init__(self, camera: Camera, home: Path) -> None:
        self.kind = camera.kind
        self._camera = camera
        self._fault_file = FaultFile(home)

    def take(self, upload: bytes | None) -> bytes:
        """Return the encoded image of the camera. Raises CameraError."""
        self._check()
        return self._camera.take(upload)

    def preview(self) -> bytes:
        """Return the newest picture of the camera. Raises CameraError."""
        self._check()
        return self._camera.preview()

    def ping(self) -> None:
        """Raise CameraError if ``take`` could not work now."""
        self._camera.ping()

    def close(self) -> None:
        """Close the camera."""
        self._camera.close()

    def _check(self) -> None:
        injected = self._fault_file.current()
        if injected and injected.fault == "camera_gone":
            raise CameraError("A drill has unplugged the camera: wait until it is over.")
