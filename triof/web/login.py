"""Login and logout of the dashboard, and the check before each of its pages.

The touchscreen shares the cookie: login and logout leave the values of a running deposit unchanged.
"""

import math
import re
import time
from collections.abc import Callable
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
from werkzeug.exceptions import Forbidden
from werkzeug.wrappers import Response as BaseResponse

from providers.event_log import get_logger
from triof.access.users import User, Users
from triof.web.guesses import Guesses, TooManyGuesses

log = get_logger(__name__)

Page = str | Response | BaseResponse

_NAME_CHARACTERS = 64
_OUR_PAGES = re.compile(r"/technician|/dashboard(?:/(?!log)[a-z][a-z./-]*)?(?:\?[\w=&%.+-]*)?")
_HOUR_SECONDS = 3600


class Cookies(SecureCookieSessionInterface):
    """Session cookie that is marked Secure if the request came by https."""

    def get_cookie_secure(self, app: Flask) -> bool:
        """Return whether this request came by https."""
        return request.is_secure


class Gate:
    """Logs users in and out. ``session_hours`` is the lifetime of a login; ``clock`` gives Unix time in seconds."""

    def __init__(
        self, users: Users, session_hours: float, guesses: Guesses, clock: Callable[[], float] = time.time
    ) -> None:
        self._users = users
        self._guesses = guesses
        self._seconds = session_hours * _HOUR_SECONDS
        self._clock = clock

    def blueprint(self) -> Blueprint:
        """Return the blueprint of login and logout, the only dashboard pages without a login."""
        blueprint = Blueprint("login", __name__, url_prefix="/dashboard")
        blueprint.get("/login")(self.form)
        blueprint.post("/login")(self.log_in)
        blueprint.post("/logout")(self.log_out)
        add_error_pages(blueprint)
        return blueprint

    def check(self) -> BaseResponse | None:
        """Load the current user before a page; return a redirect to the login if there is none."""
        if user := self.logged_in():
            g.user = user
            return None
        return redirect(url_for("login.form", next=_here()), 303)

    def check_may_act(self) -> BaseResponse | None:
        """Like :meth:`check`, but reject users who are not technicians."""
        answer = self.check()
        if answer is None and not g.user.may_act:
            abort(403)
        return answer

    def form(self) -> Page:
        """Show the login form, or how to create the first user."""
        if self.logged_in():
            return redirect(_next(), 303)
        return self._form()

    def log_in(self) -> Page:
        """Log the user in if the password is right."""
        name, password = request.form.get("name", ""), request.form.get("password", "")
        account = name.strip().lower()[:_NAME_CHARACTERS]
        is_known = session.get("known") == account
        try:
            was_right = self._guesses.begin(account, request.remote_addr or "", is_known=is_known)
        except TooManyGuesses as error:
            log.warning("login.throttled", address=request.remote_addr)
            return self._throttled(math.ceil(error.seconds))
        user = self._users.with_password(name, password)
        if not user:
            log.warning("login.refused", address=request.remote_addr)
            return self._form("wrong", 401)
        was_right()
        # A form opened in another user's session, or by an attacker, must not act for this user.
        session.pop("csrf_token", None)
        # Kept after logout, so that other people's guesses do not delay this browser (triof/web/guesses.py).
        session["known"] = user.name
        session["login"] = {"user": user.session, "since": int(self._clock())}
        return redirect(_next(), 303)

    def log_out(self) -> Page:
        """End every login of this user, so that a copied cookie stops working."""
        if user := self.logged_in():
            self._users.end_logins(user)
        session.pop("login", None)
        session.pop("csrf_token", None)
        return redirect(url_for("login.form"), 303)

    def logged_in(self) -> User | None:
        """Return the user of this request; None without a valid login."""
        kept = session.get("login")
        if not kept or not kept["since"] <= self._clock() < kept["since"] + self._seconds:
            return None
        return self._users.with_session(kept["user"])

    def _throttled(self, seconds: int) -> Response:
        response = self._form("throttled", 429, seconds=seconds)
        response.headers["Retry-After"] = str(seconds)
        return response

    def _form(self, fault: str = "", status: int = 200, seconds: int = 0) -> Response:
        no_users = not self._users.all()
        page = render_template("dashboard/login.html", fault=fault, no_users=no_users, next=_next(), seconds=seconds)
        return make_response(page, status)


def add_error_pages(blueprint: Blueprint) -> None:
    """Register the dashboard's error pages."""
    blueprint.errorhandler(Forbidden)(lambda _: (render_template("dashboard/fault.html", fault="forbidden"), 403))
    blueprint.errorhandler(CSRFError)(lambda _: (render_template("dashboard/fault.html", fault="csrf"), 400))


def _here() -> str | None:
    """Return the requested page, to redirect to after login."""
    path = request.full_path.rstrip("?")
    return path if request.method == "GET" and _OUR_PAGES.fullmatch(path) else None


def _next() -> str:
    """Return the redirect target after login, which is always a page of the dashboard, or the technician's."""
    wanted = request.values.get("next", "")
    return wanted if _OUR_PAGES.fullmatch(wanted) else url_for("dashboard.today")


def current_user() -> dict[str, Any]:
    """Return the current user for the templates."""
    return {"user": g.get("user")}
