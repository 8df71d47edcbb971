"""The page that explains the API: the OpenAPI document and the problems, in the language of the reader.

The document itself is in English. Its texts are translated here, where the page is made, so that the model's web
service (:mod:`triof.model_service`), which serves the document too, needs no Babel.
"""

from collections.abc import Iterator

from flask import render_template
from flask_babel import gettext

from triof.settings.sections.api import ApiSettings
from triof.web.api import openapi
from triof.web.api.openapi import Translate
from triof.web.api.problems import KINDS, Kind
from triof.web.api.routes import ROUTES


def page(settings: ApiSettings) -> str:
    """Return the page as HTML."""
    return render_template(
        "api/docs.html",
        document=openapi.document(settings, ROUTES, gettext),
        kinds=_kinds(gettext),
        settings=settings,
    )


def extract(*_file: object, **_options: object) -> Iterator[tuple[int, str, str, tuple[str, ...]]]:
    """Yield the texts that :func:`page` translates; an extraction method of Babel, named in babel.cfg."""
    found: dict[str, None] = {}

    def note(text: str) -> str:
        found[text] = None
        return text

    openapi.document(ApiSettings(), ROUTES, note)
    _kinds(note)
    return ((1, "gettext", text, ()) for text in found)


def _kinds(translate: Translate) -> dict[str, Kind]:
    """Return the problems by code, their texts passed through ``translate``."""
    return {code: Kind(kind.status, translate(kind.title), translate(kind.remedy)) for code, kind in KINDS.items()}
