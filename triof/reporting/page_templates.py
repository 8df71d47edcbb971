"""Templates of pages that are files of their own, in each language, with its numbers and dates."""

import base64
import mimetypes
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import date
from functools import cache, partial
from pathlib import Path

from babel import dates, numbers
from babel.support import Translations
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from triof.common.paths import TEMPLATES, TRANSLATIONS

LOCALES: Mapping[str, str] = {"fr": "fr_FR", "en": "en_GB"}
"""By language."""
_COMMAND = re.compile("`([^`]*)`")


@cache
def page_templates(language: str) -> Environment:
    """Return the environment of ``language``, whose templates load nothing from a server."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
    )
    translations = Translations.load(TRANSLATIONS, [language])
    environment.install_gettext_translations(translations, newstyle=True)  # type: ignore[attr-defined]
    environment.filters.update(_filters(LOCALES[language]))
    environment.globals["language"] = language
    return environment


def data_url(picture: Path | None) -> str | None:
    """Return a picture's file as a ``data:`` URL; None without one that can be read."""
    try:
        content = picture.read_bytes() if picture else b""
    except OSError:
        return None
    kind, text = mimetypes.guess_type(str(picture))[0], base64.b64encode(content).decode()
    return f"data:{kind};base64,{text}" if text else None


def long_date(day: date, locale: str) -> str:
    """Return a date in words; the first of a month is "1er" in French."""
    text = dates.format_date(day, "long", locale)
    return re.sub("^1 ", "1er ", text) if locale.startswith("fr") else text


def with_code(text: object) -> Markup:
    """Return the text as HTML, with what stands in backticks as code."""
    return Markup(_COMMAND.sub(r"<code>\1</code>", str(escape(text))))  # noqa: S704 (escaped)


def _filters(locale: str) -> Iterator[tuple[str, Callable[..., str]]]:
    yield "number", partial(numbers.format_decimal, locale=locale, format="#,##0")
    yield "fine", partial(numbers.format_decimal, locale=locale, format="#,##0.00")
    yield "ratio", partial(numbers.format_decimal, locale=locale, format="0.000")
    yield "decimals", lambda number, digits: numbers.format_decimal(number, f"#,##0.{'0' * digits}", locale)
    yield "plain", partial(numbers.format_decimal, locale=locale, format="#,##0.###")
    yield "percent", partial(numbers.format_percent, locale=locale, format="#,##0.0\N{NO-BREAK SPACE}%")
    yield "with_code", with_code
    yield "day", partial(long_date, locale=locale)
