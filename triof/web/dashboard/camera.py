"""The camera's newest picture, for technicians: neither kept nor shown while a person uses the machine."""

from dataclasses import dataclass

from flask import Blueprint, Response, abort

from triof.common.errors import TriofError
from triof.judging import photo as photos
from triof.services import KioskServices, Services
from triof.settings.tree import Settings
from triof.web import login

_SHOWN_SIDE = 800


@dataclass(frozen=True)
class PictureState:
    """Whether the picture can be shown; ``fault`` is the camera's code, or its message if it has none."""

    is_occupied: bool = False
    fault: str = ""


class CameraPicture:
    """The picture of the machine of ``services``, if this server runs one."""

    def __init__(self, services: Services, settings: Settings) -> None:
        self._services = services if isinstance(services, KioskServices) else None
        self._limits = settings.photo

    def blueprint(self, gate: login.Gate) -> Blueprint:
        """Return the blueprint; operators are rejected."""
        blueprint = Blueprint("camera", __name__, url_prefix="/dashboard")
        blueprint.get("/camera.jpg")(self.picture)
        blueprint.before_request(gate.check_may_act)
        login.add_error_pages(blueprint)
        return blueprint

    def state(self) -> PictureState | None:
        """Return whether there is a picture to show; None on a server without a machine."""
        if not self._services:
            return None
        if self._is_occupied(self._services):
            return PictureState(is_occupied=True)
        try:
            self._look(self._services)
        except TriofError as error:
            return PictureState(fault=str(getattr(error, "code", "")) or str(error))
        return PictureState()

    def picture(self) -> login.Page:
        """Return the newest picture; 404 without a machine, 409 while a person uses it, 503 if there is none."""
        if not self._services:
            abort(404)
        if self._is_occupied(self._services):
            return Response(status=409)
        try:
            return Response(self._look(self._services), mimetype="image/jpeg")
        except TriofError:
            return Response(status=503)

    def _is_occupied(self, services: KioskServices) -> bool:
        """Return whether a hand or a face may be in the picture."""
        return services.deposits.busy("") or bool(services.deposits.maintenance.actor)

    def _look(self, services: KioskServices) -> bytes:
        return photos.to_jpeg(services.camera.preview(), self._limits, longest_side=_SHOWN_SIDE)
