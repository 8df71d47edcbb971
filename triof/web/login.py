"""Who looks at the dashboard: logging in and out, and the check before every page of it.

The cookie is the touchscreen's too: logging in and out changes nothing that belongs to a deposit under way.
"""

import logging
import re
import time
from collections.abc import Callable, Mapping
from typing import Any

from flask import (
    Blueprint,
    Flask,
    Response,
    abort,
    g,
    make_response,
    redirect,
    render_template,
    request,
    session,
    url_for,
)
from flask.sessions import SecureCookieSessionInterface
from flask_wtf.csrf import CSRFError
from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter
from werkzeug.exceptions import Forbidden
from werkzeug.wrappers import Response as BaseResponse

from triof.users import User, Users

log = logging.getLogger(__name__)

Page = str | Response | BaseResponse

_MINUTES = 15
_PER_NAME = RateLimitItemPerMinute(8, _MINUTES)
_PER_ADDRESS = RateLimitItemPerMinute(40, _MINUTES)
"""Guesses: many people may sit behind one address."""
_OUR_PAGES = re.compile(r"/dashboard(?:/(?!log)[a-z][a-z./-]*)?(?:\?[\w=&%.+-]*)?")
_HOUR_SECONDS = 3600


class Cookies(SecureCookieSessionInterface):
    """The session's cookie, which a browser that came by https gives away by https alone."""

    def get_cookie_secure(self, app: Flask) -> bool:
        """Whether this request came by https."""
        return request.is_secure


class Gate:
    """Lets people in. ``session_hours`` is how long a login holds; ``clock`` gives seconds since 1970."""

    def __init__(self, users: Users, session_hours: float, clock: Callable[[], float] = time.time) -> None:
        self._users = users
        self._seconds = session_hours * _HOUR_SECONDS
        self._clock = clock
        self._guesses = MovingWindowRateLimiter(MemoryStorage())

    def blueprint(self) -> Blueprint:
        """The addresses of logging in and out, the only ones of the dashboard that ask for no login."""
        blueprint = Blueprint("login", __name__, url_prefix="/dashboard")
        blueprint.get("/login")(self.form)
        blueprint.post("/login")(self.log_in)
        blueprint.post("/logout")(self.log_out)
        with_faults(blueprint)
        return blueprint

    def check(self) -> BaseResponse | None:
        """Before a page of the dashboard: who asks, or the way to the login."""
        if user := self._logged_in():
            g.user = user
            return None
        return redirect(url_for("login.form", next=_here()), 303)

    def check_may_act(self) -> BaseResponse | None:
        """The same before what a technician alone may do."""
        answer = self.check()
        if answer is None and not g.user.may_act:
            abort(403)
        return answer

    def form(self) -> Page:
        """Ask for name and password; or say how to make the first user."""
        if self._logged_in():
            return redirect(_next(), 303)
        return self._form()

    def log_in(self) -> Page:
        """Let somebody in, if the password is theirs."""
        name, password = request.form.get("name", ""), request.form.get("password", "")
        # Counted before the password is looked at: of many guesses at once none may slip through.
        if not self._may_guess(name):
            log.warning("login.throttled address=%s", request.remote_addr)
            return self._form("throttled", 429, {"Retry-After": str(_MINUTES * 60)})
        user = self._users.with_password(name, password)
        if not user:
            log.warning("login.refused address=%s", request.remote_addr)
            return self._form("wrong", 401)
        self._guesses.clear(_PER_NAME, "name", user.name)
        # The form that somebody else may have left open, or planted, must not act for this person.
        session.pop("csrf_token", None)
        session["login"] = {"user": user.session, "since": int(self._clock())}
        return redirect(_next(), 303)

    def log_out(self) -> Page:
        """End every login of this person: a copy of the cookie must not live on."""
        if user := self._logged_in():
            self._users.end_logins(user)
        session.pop("login", None)
        session.pop("csrf_token", None)
        return redirect(url_for("login.form"), 303)

    def _logged_in(self) -> User | None:
        kept = session.get("login")
        if not kept or not kept["since"] <= self._clock() < kept["since"] + self._seconds:
            return None
        return self._users.with_session(kept["user"])

    def _may_guess(self, name: str) -> bool:
        name_left = self._guesses.hit(_PER_NAME, "name", name.strip().lower()[:64])
        return self._guesses.hit(_PER_ADDRESS, "address", request.remote_addr or "") and name_left

    def _form(self, fault: str = "", status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
        nobody = not self._users.all()
        page = render_template("dashboard/login.html", fault=fault, nobody=nobody, next=_next(), minutes=_MINUTES)
        return make_response(page, status, dict(headers or {}))


def with_faults(blueprint: Blueprint) -> None:
    """Let the faults of these pages be told in the dashboard's own words."""
    blueprint.errorhandler(Forbidden)(lambda _: (render_template("dashboard/fault.html", fault="forbidden"), 403))
    blueprint.errorhandler(CSRFError)(lambda _: (render_template("dashboard/fault.html", fault="csrf"), 400))


def _here() -> str | None:
    """The page asked for, to come back to."""
    path = request.full_path.rstrip("?")
    return path if request.method == "GET" and _OUR_PAGES.fullmatch(path) else None


def _next() -> str:
    """Where to go after the login: a page of the dashboard and nowhere else."""
    wanted = request.values.get("next", "")
    return wanted if _OUR_PAGES.fullmatch(wanted) else url_for("dashboard.today")


def current_user() -> dict[str, Any]:
    """For the pages: who is logged in."""
    return {"user": g.get("user")}
