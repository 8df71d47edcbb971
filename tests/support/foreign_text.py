"""Text written as the editors and spreadsheets of other systems write it."""

import csv
import unicodedata
from collections.abc import Sequence
from io import StringIO
from typing import Any, Literal

from hypothesis import strategies as st

UnicodeForm = Literal["NFC", "NFD", "NFKC", "NFKD"]

ENCODINGS = ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252")
LINE_ENDS = ("\n", "\r\n", "\r")

Rows = Sequence[Sequence[str]]
Style = dict[str, Any]

text_styles = st.fixed_dictionaries(
    {
        "encoding": st.sampled_from(ENCODINGS),
        "line_end": st.sampled_from(LINE_ENDS),
        "form": st.sampled_from(("NFC", "NFD")),
    }
)
csv_styles = st.fixed_dictionaries(
    {
        "delimiter": st.sampled_from((",", ";", "\t")),
        "separator_line": st.booleans(),
        "quoting": st.sampled_from((csv.QUOTE_MINIMAL, csv.QUOTE_ALL)),
        "blank": st.sampled_from(("", " ", "\xa0")),
        "header": st.sampled_from((str, str.upper, str.title)),
        "backslashes": st.booleans(),
        "empty_lines": st.integers(0, 2),
        "text": text_styles,
    }
)


def encoded_text(text: str, style: Style) -> bytes:
    """``text``, whose lines end with a line feed, as a file."""
    # Windows-1252 has no letters put together from two.
    form: UnicodeForm = "NFC" if style["encoding"] == "cp1252" else style["form"]
    return unicodedata.normalize(form, text).replace("\n", style["line_end"]).encode(style["encoding"])


def encoded_csv(rows: Rows, style: Style) -> bytes:
    """A table whose first row names its columns and whose first column holds paths."""
    text = StringIO()
    writer = csv.writer(text, delimiter=style["delimiter"], quoting=style["quoting"], lineterminator="\n")
    (first, *others), *body = rows
    writer.writerow([style["header"](first), *map(style["header"], others)])
    for path, *cells in body:
        padded = [f"{style['blank']}{cell}{style['blank']}" for cell in cells]
        writer.writerow([path.replace("/", "\\") if style["backslashes"] else path, *padded])
    text.write((style["delimiter"] * len(others) + "\n") * style["empty_lines"])
    above = f"sep={style['delimiter']}\n" if style["separator_line"] else ""
    return encoded_text(above + text.getvalue(), style["text"])


def simple_csv(rows: Rows) -> bytes:
    """The same as we write it."""
    text = StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode()
