"""Watches the empty slot between deposits: takes its reference picture, and tells whether something lies in it."""

import time
from collections import deque
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import NamedTuple

from providers.base import Photo, ProviderError
from providers.event_log import get_logger
from triof.common.errors import TriofError
from triof.judging import photo as photos
from triof.judging.guarded_provider import GuardedProvider, ask
from triof.judging.router import Router
from triof.judging.slot_view import SlotFinding, SlotView
from triof.judging.sorter import Judgement
from triof.machine.cameras.base import Camera
from triof.machine.reference_store import KEPT_SIDE, ReferenceStore, SlotReference
from triof.settings.sections.photo import DEFAULT_LIMITS, PhotoLimits, SlotViewSettings

log = get_logger(__name__)

REQUEST_FILE = "empty_slot.request"
"""Written by the command line, so that a running kiosk takes the reference with its own camera."""
_STILL_PICTURES = ("folder", "browser")
"""Kinds of cameras that cannot take a picture of the slot at any time."""
_RUN, _LONG_RUN = 3, 10
"""Photos in a row that do not match the reference, or match it badly, before the camera counts as moved."""
_MATCHES_WELL = 0.85
_SETTLED_SECONDS, _LONGEST_PAUSE = 5.0, 600.0
"""Seconds before the first look into an empty slot, and between two looks, which double as long as none is learned."""
_REFRESHED_SECONDS = 86_400.0
_NOTHING = 0.5
"""Probability of an empty slot from which a model finds it empty."""


class ReferenceUnusable(TriofError):
    """The reference cannot be taken now; the message says what to do."""


class ViewChange(NamedTuple):
    """The picture no longer matches the reference."""

    shift: float
    """Shift of the camera, relative to the picture's sides; 0 if none was found."""
    matching: float
    """Share of the border that matches."""


class SlotWatch:
    """The reference of one camera and what it tells. Thread-safe but for :meth:`look`, which one thread calls.

    ``looks_empty`` asks a local model, ``lit`` lights the slot. ``clock`` in monotonic seconds.
    """

    def __init__(
        self,
        home: Path,
        *,
        camera: Camera,
        view: SlotView,
        store: ReferenceStore,
        settings: SlotViewSettings,
        looks_empty: Callable[[Photo], bool],
        limits: PhotoLimits = DEFAULT_LIMITS,
        clock: Callable[[], float] = time.monotonic,
        lit: Callable[[], AbstractContextManager[object]] = nullcontext,
    ) -> None:
        self._request = home / REQUEST_FILE
        self._camera = camera
        self._view = view
        self._store = store
        self._settings = settings
        self._looks_empty = looks_empty
        self._limits = limits
        self._clock = clock
        self._lit = lit
        self._findings: deque[SlotFinding] = deque(maxlen=_LONG_RUN)
        self._empty_since: float | None = None
        self._learn_at = self._retry_at = clock()
        self._pause = _SETTLED_SECONDS

    def item_is_there(self) -> bool | None:
        """Return whether something lies in the closed slot; None if no picture can tell."""
        if self._camera.kind in _STILL_PICTURES or not self._store.current():
            return None
        try:
            finding = self._view.find(self._photo())
        except TriofError as error:
            log.warning("slot.not_seen", cause=error)
            return None
        states = {"empty": False, "item": True, "reaches_out": True}
        return states.get(finding.comparison.state) if finding else None

    def take(self) -> SlotReference:
        """Take the reference now; the slot must be closed and empty. Raises ReferenceUnusable, CameraError, OSError."""
        check_kind(self._camera.kind)
        return self._save(self._photo())

    def observe(self, judgement: Judgement) -> None:
        """Remember how well the photo of a deposit matches the reference."""
        # People choose the browser's pictures, so that another view of one is no fault.
        if judgement.finding and self._camera.kind != "browser":
            self._findings.append(judgement.finding)

    def change(self) -> ViewChange | None:
        """Return how the latest photos differ from the reference; None if they match, or are too few."""
        latest = list(self._findings)
        moved = len(latest) >= _RUN and all(each.is_other_view for each in latest[-_RUN:])
        worse = len(latest) >= _LONG_RUN and all(each.comparison.matching < _MATCHES_WELL for each in latest)
        if not (moved or worse):
            return None
        comparison = latest[-1].comparison
        return ViewChange(max(map(abs, comparison.shift)), comparison.matching)

    @property
    def has_compared(self) -> bool:
        """Whether a photo was compared since the start, or since the reference was taken."""
        return bool(self._findings)

    def look(self, *, is_idle: Callable[[], bool], is_emptied: Callable[[], bool]) -> None:
        """Take the reference if it was requested, or if the slot is surely empty and there is none of today.

        ``is_idle`` tells whether no deposit is under way and the slot is closed, ``is_emptied`` whether the latest
        item was shredded as well. Both are asked again after the photo, as a deposit may begin meanwhile.
        """
        if is_idle() and self._request.exists():
            self._take_requested(is_idle)

        def is_empty() -> bool:
            return is_idle() and is_emptied()

        if not (self._settings.enabled and self._settings.learn and is_empty()):
            self._empty_since, self._retry_at, self._pause = None, self._clock(), _SETTLED_SECONDS
        elif self._camera.kind not in _STILL_PICTURES:
            self._empty_since = self._clock() if self._empty_since is None else self._empty_since
            if self._clock() >= max(self._empty_since + _SETTLED_SECONDS, self._learn_at, self._retry_at):
                self._learn(is_empty)

    def _take_requested(self, is_idle: Callable[[], bool]) -> None:
        try:
            check_kind(self._camera.kind)
            photo = self._photo()
        except Exception:
            self._request.unlink(missing_ok=True)
            raise
        if is_idle():
            self._request.unlink(missing_ok=True)
            self._save(photo)

    def _learn(self, is_empty: Callable[[], bool]) -> None:
        self._retry_at, self._pause = self._clock() + self._pause, min(2 * self._pause, _LONGEST_PAUSE)
        photo = self._photo()
        if not is_empty():
            return
        finding = self._view.find(photo)
        if finding:
            self._findings.append(finding)
        # A slot that differs from the reference is not learned, as that might be a part of an item.
        if finding.comparison.state == "empty" if finding else self._looks_empty(photo):
            self._save(photo)
            self._learn_at, self._pause = self._clock() + _REFRESHED_SECONDS, _SETTLED_SECONDS

    def _save(self, photo: Photo) -> SlotReference:
        reference = _saved(photo, self._store)
        self._findings.clear()
        return reference

    def _photo(self) -> Photo:
        with self._lit():
            return _photograph(self._camera, self._limits)


def check_kind(kind: str) -> None:
    """Raise ReferenceUnusable if cameras of this kind cannot take a picture of the slot at any time."""
    if kind in _STILL_PICTURES:
        raise ReferenceUnusable(
            f"A camera of kind {kind} does not show the slot at any time: name a picture of the empty slot,"
            " `triof reference take --picture FILE`."
        )


def take(camera: Camera, store: ReferenceStore, limits: PhotoLimits = DEFAULT_LIMITS) -> SlotReference:
    """Take the reference where no kiosk runs. Raises ReferenceUnusable, CameraError, PhotoError, OSError."""
    check_kind(camera.kind)
    return _saved(_photograph(camera, limits), store)


def _photograph(camera: Camera, limits: PhotoLimits) -> Photo:
    return photos.load(camera.take(None), limits, needed_side=KEPT_SIDE)


def _saved(photo: Photo, store: ReferenceStore) -> SlotReference:
    reference = store.save(photo.picture, photo.width, photo.height)
    log.info("reference.taken", width=photo.width, height=photo.height)
    return reference


def emptiness(router: Router, seconds: float) -> Callable[[Photo], bool]:
    """Return a function that asks the first local model whether a photo shows an empty slot."""

    def looks_empty(photo: Photo) -> bool:
        for member in router.members("waste_type"):
            if not isinstance(member, GuardedProvider):
                try:
                    return ask(member, photo, "waste_type", seconds).nothing > _NOTHING
                except ProviderError as error:
                    log.warning("slot.not_judged", cause=error)
        return False

    return looks_empty
