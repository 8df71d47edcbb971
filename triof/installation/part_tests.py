"""Tests of a machine's parts at its first run: a picture, a movement, an answer of the cloud, a deposit."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

import providers
from providers.base import TASKS
from providers.photo_statistics import PhotoStatistics, measure
from triof import services
from triof.common.atomic_files import replace_file
from triof.common.errors import TriofError
from triof.common.paths import DEMO_PICTURES, SETUP_PICTURE
from triof.deposits.lamp import lamp_on
from triof.judging import cloud_providers, photo
from triof.machine.cameras.registry import build_camera
from triof.machine.hardware.registry import build_hardware
from triof.machine.slot import Jammed, Slot

if TYPE_CHECKING:
    from triof.judging.sorter import Judgement
    from triof.settings.tree import Settings

_DARK, _BRIGHT = 0.08, 0.92
_BLURRED = 4.0


class NotJudged(TriofError):
    """No provider has judged the picture of the test deposit."""


def look(settings: Settings) -> str:
    """Take a picture, keep it in the home folder, and return what can be said of it. Raises CameraError, PhotoError."""
    if settings.camera.kind == "browser":
        return "the touchscreen's own: try it there, as only the touchscreen can take a picture"
    image = _picture(settings)
    taken = photo.load(image, settings.photo)
    path = settings.home / SETUP_PICTURE
    replace_file(path, photo.to_jpeg(image, settings.photo))
    found = measure(taken)
    size = f"{taken.width} x {taken.height} pixels"
    return f"{size}, brightness {found.brightness:.2f}, sharpness {found.sharpness:.1f}{_doubts(found)}: see {path}"


def move(settings: Settings, may_move: Callable[[], bool]) -> str:
    """Open and close the slot, if ``may_move``; return what was found. Raises SlotError."""
    with _slot(settings) as slot:
        if part := slot.jammed():
            raise Jammed(part)
        if not may_move():
            return f"{settings.slot.kind}: {'open' if slot.is_open() else 'closed'}, not moved"
        slot.open()
        slot.close()
    return f"{settings.slot.kind}: the slot opened and closed"


def reach_cloud(settings: Settings) -> str:
    """Look whether the endpoint of each cloud provider can be reached. Raises ProviderError."""
    missing = cloud_providers.left_out(settings)
    names = [name for name in cloud_providers.in_routes(settings) if name not in missing]
    for name in names:
        with closing(providers.load(name)("waste_type", getattr(settings, name))) as provider:
            provider.ping()
    return f"{', '.join(names)} can be reached" if names else "none"


def deposit(settings: Settings, ask: Callable[[str], None] | None) -> str:
    """Judge a picture of the camera by the machine's own routes, and return the verdict; nothing is recorded.

    ``ask`` tells the person what to do and waits for it; None: nothing is moved. Raises TriofError.
    """
    with _slot(settings) as slot, closing(services.build_sorter(settings)) as sorter:
        sorter.router.prepare()
        if ask:
            slot.open()
            ask("Put a bottle, a cup or cutlery into the slot")
            slot.close()
        try:
            with lamp_on(slot):
                picture = _picture(settings)
            judged = sorter.judge(picture)
        finally:
            if ask:
                slot.open()
                ask("Take it out")
                slot.close()
    return _told(judged)


def _told(judged: Judgement) -> str:
    for unanswered in judged.unanswered.values():
        raise NotJudged(str(unanswered))
    seen = [judged.predictions[task] for task in TASKS]
    labels = ", ".join(f"{each.label} {each.probability:.0%} by {each.provider}" for each in seen)
    return f"{labels}: {judged.verdict.action} ({judged.duration:.2f} s)"


def _picture(settings: Settings) -> bytes:
    if settings.camera.kind == "browser":
        # Only the touchscreen has this camera; the rest of the machine is tried with a picture of the demo.
        return (DEMO_PICTURES / "bottle-clean-1.jpg").read_bytes()
    camera = build_camera(settings.camera)
    with closing(camera):
        camera.ping()
        return camera.take(None)


@contextmanager
def _slot(settings: Settings) -> Iterator[Slot]:
    slot = Slot(build_hardware(settings))
    try:
        yield slot
    finally:
        slot.release()


def _doubts(found: PhotoStatistics) -> str:
    if found.brightness < _DARK:
        return ", which is dark: is the lamp on, the lens free?"
    if found.brightness > _BRIGHT:
        return ", which is too bright"
    return ", which is blurred: turn the lens" if found.sharpness < _BLURRED else ""
