"""The labelling page: labels are confirmed or changed photo by photo; served to this machine only.

Every step is a POST that redirects to the page, so that it works without JavaScript.
"""

import secrets
from collections.abc import Callable, Collection

from flask import Flask, Response, abort, redirect, render_template, request, url_for
from flask import session as cookie
from flask_babel import Babel, get_locale
from flask_babel import gettext as _
from flask_wtf.csrf import CSRFError, CSRFProtect
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response as BaseResponse

from providers.base import LABELS
from providers.event_log import get_logger
from triof.common.paths import STATIC, TEMPLATES, TRANSLATIONS
from triof.curation.labelling import UNUSABLE, LabellingSession, ModelSuggestion, Question, tally
from triof.judging import photo as photos
from triof.judging.photo import PhotoError
from triof.settings.sections.photo import DEFAULT_LIMITS, PhotoLimits
from triof.settings.tree import Language
from triof.web import texts
from triof.web.hosts import Hosts

log = get_logger(__name__)

_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; form-action 'self';"
        " base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_FORM_BYTES = 65_536
_KEPT = "private, max-age=3600"


def create_app(
    session: LabellingSession,
    opinion: Callable[[Question], ModelSuggestion | None],
    limits: PhotoLimits = DEFAULT_LIMITS,
    trusted_hosts: Collection[str] = (),
    language: Language = "en",
) -> Flask:
    """Return the app for ``session``; ``opinion`` gives the machine's own prediction for a photo.

    It accepts the hosts localhost and ``trusted_hosts``, and speaks ``language`` until another one is chosen.
    """
    app = Flask("triof", template_folder=str(TEMPLATES), static_folder=str(STATIC))
    app.config.update(
        # Rejects forms of an earlier run, whose positions count other photos.
        SECRET_KEY=secrets.token_bytes(32),
        # Cookies ignore the port, so the name must differ from the touchscreen's.
        SESSION_COOKIE_NAME="triof_labels",
        SESSION_COOKIE_SAMESITE="Strict",
        MAX_CONTENT_LENGTH=_FORM_BYTES,
        WTF_CSRF_TIME_LIMIT=None,
        BABEL_TRANSLATION_DIRECTORIES=str(TRANSLATIONS),
    )
    Babel(app, locale_selector=lambda: cookie.get("language", language))
    app.jinja_env.filters.update(texts.FILTERS)
    app.context_processor(_common)
    app.before_request(_choose_language)
    app.before_request(Hosts("localhost", trusted_hosts).check)
    CSRFProtect(app)
    pages = LabellingPages(session, opinion, limits)
    app.get("/", endpoint="labels")(pages.show)
    app.post("/decide", endpoint="decide")(pages.decide)
    app.post("/skip", endpoint="skip")(pages.skip)
    app.post("/undo", endpoint="undo")(pages.undo)
    app.get("/photo/<run>/<int:position>", endpoint="photo")(pages.photo)
    app.after_request(_add_headers)
    app.register_error_handler(CSRFError, lambda error: _fault(_("This page is of an earlier run."), 400))
    app.register_error_handler(HTTPException, lambda error: _fault(f"{error.name}.", error.code or 500))
    app.register_error_handler(OSError, _not_written)
    return app


class LabellingPages:
    """The page, its photos and its actions."""

    def __init__(
        self, session: LabellingSession, opinion: Callable[[Question], ModelSuggestion | None], limits: PhotoLimits
    ) -> None:
        self._session = session
        self._opinion = opinion
        self._limits = limits
        self._run = secrets.token_urlsafe(8)
        """Part of the photos' URLs, as browsers cache them and the next run numbers photos differently."""

    def show(self) -> str:
        """Show the current photo, or that none is left."""
        position, total = self._session.position, len(self._session.questions)
        common = {"can_undo": bool(self._session.answered), "total": total, "labelling_session": self._session}
        if position >= total:
            return render_template("labels/finished.html", **common, tally=tally(self._session))
        question, following = self._session.questions[position], position + 1
        return render_template(
            "labels/question.html",
            **common,
            question=question,
            position=position,
            labels=LABELS[question.task],
            opinion=question.doubt or self._opinion(question),
            minutes_left=self._minutes_left(total - position),
            photo_url=self._photo_url(position),
            next_url=self._photo_url(following) if following < total else None,
        )

    def decide(self) -> BaseResponse:
        """Store the decision."""
        position, now = self._position(), request.form.get("now", "")
        task = self._session.questions[position].task
        if now not in (*LABELS[task], "unusable"):
            abort(400)
        self._session.decide(position, UNUSABLE if now == "unusable" else now)
        return redirect(url_for("labels"), 303)

    def skip(self) -> BaseResponse:
        """Skip the photo in this run."""
        self._session.skip(self._position())
        return redirect(url_for("labels"), 303)

    def undo(self) -> BaseResponse:
        """Undo the last step."""
        self._session.undo()
        return redirect(url_for("labels"), 303)

    def photo(self, run: str, position: int) -> Response:
        """Return the photo, upright and without metadata."""
        if run != self._run or position >= len(self._session.questions):
            abort(404)
        try:
            jpeg = photos.to_jpeg(self._session.questions[position].item.path.read_bytes(), self._limits)
        except (OSError, PhotoError):
            abort(404)
        return Response(jpeg, mimetype="image/jpeg", headers={"Cache-Control": _KEPT})

    def _position(self) -> int:
        position = request.form.get("position", type=int)
        if position is None or not 0 <= position < len(self._session.questions):
            abort(400)
        return position

    def _photo_url(self, position: int) -> str:
        return url_for("photo", run=self._run, position=position)

    def _minutes_left(self, questions: int) -> int | None:
        pace = self._session.per_minute
        return max(1, round(questions / pace)) if pace else None


def _common() -> dict[str, object]:
    """Return what every template needs."""
    return {"language": str(get_locale()), "languages": texts.LANGUAGES, "names": texts.NAMES, "theme": "auto"}


def _choose_language() -> None:
    if (language := request.args.get("lang")) in dict(texts.LANGUAGES):
        cookie["language"] = language


def _add_headers(response: Response) -> Response:
    response.headers.update(_HEADERS)
    if request.endpoint != "static":
        response.headers.setdefault("Cache-Control", "no-store")
    return response


def _not_written(error: OSError) -> tuple[str, int]:
    log.error("labels.not_written", exc_info=error)
    return _fault(_("The decision could not be written (%(why)s).", why=error.strerror), 500)


def _fault(what: str, status: int) -> tuple[str, int]:
    return render_template("labels/fault.html", what=what), status
