"""The live picture of the camera with its readings, and the pictures beside it. Nothing here moves or is kept."""

from collections.abc import Callable, Mapping
from io import BytesIO
from typing import NamedTuple

import numpy as np
from flask import Blueprint, Response, abort, make_response
from PIL import Image

from providers.base import Photo
from providers.photo_statistics import SIDE, measure, measured
from triof.common.errors import TriofError
from triof.judging import photo as photos
from triof.judging.slot_view import SlotFinding, cut_out
from triof.machine.reference_store import SlotReference
from triof.operations.technician_work import JudgedTest
from triof.services import KioskServices, build_slot_view
from triof.settings.tree import Settings
from triof.web.login import Page
from triof.web.technician.door import TechnicianDoor

_SHOWN_SIDE = 800
_FOCUS_SIDE = 480
_DARK, _BRIGHT = 12, 245
"""Grey levels beyond which nothing can be seen any more."""


class Readings(NamedTuple):
    """Of a picture: shares from 0 to 1, sharpness as in ``providers/photo_statistics.py``."""

    brightness: float
    focus: float
    """Sharpness of the middle of the picture, pixel by pixel."""
    dark: float
    bright: float


class CameraView(NamedTuple):
    """The newest picture of the camera."""

    photo: Photo
    jpeg: bytes
    readings: Readings
    finding: SlotFinding | None
    """What it shows beside the reference of the empty slot; None without a reference."""


def read(photo: Photo) -> Readings:
    """Measure a picture; takes some milliseconds."""
    grey = photo.resized(SIDE, SIDE).mean(axis=2)
    left, top = max(0, photo.picture.width - _FOCUS_SIDE) // 2, max(0, photo.picture.height - _FOCUS_SIDE) // 2
    middle = np.asarray(photo.picture.crop((left, top, left + _FOCUS_SIDE, top + _FOCUS_SIDE)))
    dark, bright = float((grey < _DARK).mean()), float((grey > _BRIGHT).mean())
    return Readings(measure(photo).brightness, measured(middle).sharpness, dark, bright)


class LiveViews:
    """The pictures of one machine; ``test`` returns the latest test deposit."""

    def __init__(self, services: KioskServices, settings: Settings, test: Callable[[], JudgedTest | None]) -> None:
        self._camera = services.camera
        self._test = test
        self._limits = settings.photo
        self._slot_view, self._references = build_slot_view(settings)

    def blueprint(self, door: TechnicianDoor) -> Blueprint:
        """Return the blueprint."""
        blueprint = Blueprint("technician_live", __name__, url_prefix="/technician")
        blueprint.before_request(door.check)
        blueprint.get("/picture")(self.picture)
        blueprint.get("/cut")(self.cut)
        blueprint.get("/reference.jpg")(self.reference)
        blueprint.get("/tested")(self.tested)
        return blueprint

    def picture(self) -> Page:
        """Return the camera's newest picture, with its readings as headers; 503 with the reason if there is none."""
        try:
            found = self.look()
        except TriofError as error:
            code = str(getattr(error, "code", ""))
            return make_response(str(error), 503, {"X-Triof-Code": code, "Content-Type": "text/plain; charset=utf-8"})
        return Response(found.jpeg, mimetype="image/jpeg", headers=_headers(found))

    def look(self) -> CameraView:
        """Return the camera's newest picture and what it shows. Raises CameraError, PhotoError."""
        image = self._camera.preview()
        photo = photos.load(image, self._limits)
        jpeg = photos.to_jpeg(image, self._limits, longest_side=_SHOWN_SIDE)
        return CameraView(photo, jpeg, read(photo), self._slot_view.find(photo))

    def cut(self) -> Page:
        """Return the part of the newest picture that the models would see; 204 if that is all, or there is none."""
        try:
            found = self.look()
        except TriofError:
            return Response(status=204)
        if not found.finding or not found.finding.cut:
            return Response(status=204)
        return _jpeg(cut_out(found.photo, found.finding.cut).picture)

    def latest_reference(self) -> SlotReference | None:
        """Return the reference picture of the empty slot, or the first of the demo's."""
        return next(iter(self._references.current()), None)

    def reference(self) -> Page:
        """Return the reference picture of the empty slot."""
        found = self.latest_reference()
        return _jpeg(found.picture) if found else abort(404)

    def tested(self) -> Page:
        """Return the picture of the latest test deposit."""
        test = self._test()
        return Response(test.photo, mimetype="image/jpeg") if test else abort(404)


def _jpeg(picture: Image.Image) -> Response:
    small, written = picture.copy(), BytesIO()
    small.thumbnail((_SHOWN_SIDE, _SHOWN_SIDE))
    small.save(written, "JPEG", quality=85)
    return Response(written.getvalue(), mimetype="image/jpeg")


def _headers(found: CameraView) -> Mapping[str, str]:
    readings = {f"X-Triof-{name.title()}": f"{value:.4f}" for name, value in found.readings._asdict().items()}
    return readings | ({"X-Triof-Slot": found.finding.comparison.state} if found.finding else {})
