"""The company's colours, logo and bins on the touchscreen."""

from typing import NamedTuple

from flask import Blueprint, Flask, Response, abort, send_file, url_for
from flask_babel import get_locale

from triof.settings import contrast
from triof.settings.sections.tenant import INK, WORDS, TenantColours
from triof.settings.tree import Settings

_SHADE, _TINT = 0.35, 0.1
"""How much darker the edge of a button is than its face: the main one's, the others'."""
_NIGHT_PAPER, _NIGHT_PAPER_DEEP, _NIGHT_CARD, _NIGHT_INK = "#1b1510", "#40342a", "#2b231b", "#14100b"
"""Colours of the dark pages, as in static/look.css."""


class RightBin(NamedTuple):
    """Where an item belongs that was handed back; ``language`` is that of the words."""

    words: str
    language: str
    picture_url: str | None


class Tenant:
    """What the templates show of the company, and where browsers get it."""

    def __init__(self, settings: Settings) -> None:
        self._tenant = settings.tenant
        self._folder = settings.home / "config"
        self.name = settings.tenant.name

    def blueprint(self) -> Blueprint:
        """Return the blueprint with stylesheet and pictures."""
        blueprint = Blueprint("tenant", __name__, url_prefix="/tenant")
        blueprint.get("/colours.css")(self.colours)
        blueprint.get("/picture/<name>")(self.picture)
        return blueprint

    @property
    def logo_url(self) -> str | None:
        """Return the address of the logo, if there is one."""
        return url_for("tenant.picture", name="logo") if self._tenant.logo else None

    @property
    def colours_url(self) -> str | None:
        """Return the address of the stylesheet, if the company has colours of its own."""
        return url_for("tenant.colours") if self._tenant.colours != TenantColours() else None

    def right_bin(self, reason: str) -> RightBin | None:
        """Return where an item belongs that was handed back for ``reason``; None if the settings do not say."""
        bins = {"other": self._tenant.where_else.other, "dirty": self._tenant.where_else.dirty}
        if not (found := bins.get(reason)):
            return None
        language = str(get_locale())
        words = {"fr": found.fr, "en": found.en}
        if not words[language]:
            language = next((each for each, text in words.items() if text), language)
        url = url_for("tenant.picture", name=reason) if found.picture else None
        return RightBin(words[language], language, url) if words[language] or url else None

    def colours(self) -> Response:
        """Return the stylesheet with the company's colours."""
        main, paper = self._tenant.colours.main, self._tenant.colours.paper
        # Light enough for dark words on it, and for words of this colour.
        lighter = contrast.nearest_passing(main, {_NIGHT_INK: WORDS, _NIGHT_CARD: WORDS}) or main
        values = {
            "green": (main, lighter),
            "green-deep": (_shaded(main), _shaded(lighter)),
            "paper": (paper, _NIGHT_PAPER),
            "paper-deep": (contrast.mixed(paper, INK, _TINT), _NIGHT_PAPER_DEEP),
        }
        lines = "".join(
            f"  --{name}: light-dark({by_day}, {by_night});\n" for name, (by_day, by_night) in values.items()
        )
        return Response(f":root {{\n{lines}}}\n", mimetype="text/css")

    def picture(self, name: str) -> Response:
        """Return a picture of the settings."""
        where = self._tenant.where_else
        files = {"logo": self._tenant.logo, "other": where.other.picture, "dirty": where.dirty.picture}
        path = self._folder / (files.get(name) or "")
        if not files.get(name) or not path.is_file():
            abort(404)
        return send_file(path.resolve())


def _shaded(colour: str) -> str:
    return contrast.mixed(colour, "#000000", _SHADE)


def register(app: Flask, settings: Settings) -> None:
    """Register the routes, and let each template use ``tenant``."""
    tenant = Tenant(settings)
    app.register_blueprint(tenant.blueprint())
    app.context_processor(lambda: {"tenant": tenant})
