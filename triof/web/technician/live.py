"""The live picture of the camera with its readings, and the pictures beside it. Nothing here moves or is kept."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
from flask import Blueprint, Response, abort, make_response

from providers.base import Photo
from providers.photo_statistics import SIDE, measure, measured
from triof.common.errors import TriofError
from triof.judging import photo as photos
from triof.operations.technician_work import JudgedTest
from triof.services import KioskServices
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

    def blueprint(self, door: TechnicianDoor) -> Blueprint:
        """Return the blueprint."""
        blueprint = Blueprint("technician_live", __name__, url_prefix="/technician")
        blueprint.before_request(door.check)
        blueprint.get("/picture")(self.picture)
        blueprint.get("/tested")(self.tested)
        return blueprint

    def tested(self) -> Page:
        """Return the picture of the latest test deposit."""
        test = self._test()
        if not test:
            abort(404)
        return Response(test.photo, mimetype="image/jpeg")

    def picture(self) -> Page:
        """Return the camera's newest picture, with its readings as headers; 503 with the reason if there is none."""
        try:
            jpeg, readings = self.look()
        except TriofError as error:
            code = str(getattr(error, "code", ""))
            return make_response(str(error), 503, {"X-Triof-Code": code, "Content-Type": "text/plain; charset=utf-8"})
        return Response(jpeg, mimetype="image/jpeg", headers=_headers(readings))

    def look(self) -> tuple[bytes, Readings]:
        """Return the camera's newest picture as a JPEG, and its readings. Raises CameraError, PhotoError."""
        image = self._camera.preview()
        readings = read(photos.load(image, self._limits))
        return photos.to_jpeg(image, self._limits, longest_side=_SHOWN_SIDE), readings


def _headers(readings: Readings) -> Mapping[str, str]:
    return {f"X-Triof-{name.title()}": f"{value:.4f}" for name, value in readings._asdict().items()}
