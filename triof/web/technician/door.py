"""Login of the technician's page, from the machine itself only: by PIN, or by a technician's dashboard login."""

import math
import time
from collections.abc import Callable
from contextlib import suppress

from flask import Blueprint, abort, g, make_response, redirect, render_template, request, session, url_for
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.wrappers import Response as BaseResponse

from providers.event_log import get_logger
from triof.access.technician_pin import BY_PIN, LONGEST_PIN, TechnicianPin
from triof.common.errors import TriofError
from triof.operations.technician_work import TechnicianWork
from triof.settings.sections.technician import TechnicianSettings
from triof.web.access import is_from_here
from triof.web.guesses import Guesses, TooManyGuesses
from triof.web.login import Gate, Page

log = get_logger(__name__)

LOOK_HEADER = "X-Triof-Look"
"""Sent by scripts that only look again: it does not keep a login alive."""


class TechnicianDoor:
    """Lets technicians in. ``clock`` gives Unix time in seconds."""

    def __init__(
        self,
        gate: Gate,
        pin: TechnicianPin,
        *,
        guesses: Guesses,
        settings: TechnicianSettings,
        work: TechnicianWork,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._gate = gate
        self._pin = pin
        self._guesses = guesses
        self._from_anywhere = settings.from_anywhere
        self._seconds = 60 * settings.maintenance_minutes
        self._work = work
        self._clock = clock

    def blueprint(self) -> Blueprint:
        """Return the blueprint of login and logout."""
        blueprint = Blueprint("technician_login", __name__, url_prefix="/technician")
        blueprint.before_request(self.check_place)
        blueprint.get("/login")(self.form)
        blueprint.post("/login")(self.log_in)
        blueprint.post("/leave")(self.leave)
        return blueprint

    def check_place(self) -> None:
        """Reject requests from other computers, unless the settings allow them."""
        if not self._from_anywhere and not is_from_here():
            abort(403)

    def check(self) -> BaseResponse | None:
        """Load the technician before a page; return a redirect to the login if there is none."""
        self.check_place()
        if actor := self._actor():
            g.technician = actor
            if LOOK_HEADER not in request.headers and "technician" in session:
                session["technician"] = {**session["technician"], "at": int(self._clock())}
            return None
        return redirect(url_for("technician_login.form"), 303)

    def form(self) -> Page:
        """Show the keypad."""
        return redirect(url_for("technician.overview"), 303) if self._actor() else self._form()

    def log_in(self) -> Page:
        """Log in if the PIN is right; a digit of the keypad is added to those typed before."""
        pin = request.form.get("pin", "")[:LONGEST_PIN]
        if digit := request.form.get("digit", "")[:1]:
            return self._form(typed=f"{pin}{digit}"[:LONGEST_PIN])
        if "correct" in request.form:
            return self._form(typed=pin[:-1])
        try:
            was_right = self._guesses.begin(BY_PIN, request.remote_addr or "")
        except TooManyGuesses as error:
            log.warning("login.throttled", address=request.remote_addr)
            return self._throttled(math.ceil(error.seconds))
        if not self._pin.is_right(pin):
            log.warning("login.refused", address=request.remote_addr)
            return self._form("wrong", 401)
        was_right()
        # A form that was opened before must not act for the technician.
        session.pop("csrf_token", None)
        session["technician"] = {"mark": self._pin.mark, "at": int(self._clock())}
        with suppress(TriofError):  # a deposit is under way: the page says so
            self._work.begin(BY_PIN)
        return redirect(url_for("technician.overview"), 303)

    def leave(self) -> Page:
        """End maintenance and the login by PIN; on the machine itself, show the touchscreen again."""
        if actor := self._actor():
            self._work.end(actor)
        session.pop("technician", None)
        session.pop("csrf_token", None)
        return redirect(url_for("kiosk.attract" if is_from_here() else "technician_login.form"), 303)

    def _actor(self) -> str:
        kept = session.get("technician")
        if kept and self._is_of_pin(kept["mark"]) and kept["at"] <= self._clock() < kept["at"] + self._seconds:
            return BY_PIN
        # The PIN opens the page while the journal, which has the users, cannot be read.
        with suppress(SQLAlchemyError):
            user = self._gate.logged_in()
            return user.name if user and user.may_act else ""
        return ""

    def _is_of_pin(self, mark: str) -> bool:
        return self._pin.is_set and mark == self._pin.mark

    def _throttled(self, seconds: int) -> BaseResponse:
        response = self._form("throttled", 429, seconds=seconds)
        response.headers["Retry-After"] = str(seconds)
        return response

    def _form(self, fault: str = "", status: int = 200, seconds: int = 0, typed: str = "") -> BaseResponse:
        page = render_template(
            "technician/login.html", fault=fault, seconds=seconds, typed=typed, has_pin=self._pin.is_set
        )
        return make_response(page, status)
