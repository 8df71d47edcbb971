"""Reads text written by other programs, such as the editors and spreadsheets of Windows and macOS."""

import codecs
import unicodedata


def decoded(content: bytes, *, legacy: bool = False) -> str:
    r"""Decode ``content``, UTF-8 or UTF-16; removes the byte order mark and ends lines with ``\n``.

    With ``legacy``, a line that is not UTF-8 is decoded as Windows-1252. Use it only for text that is compared with
    known words afterwards, such as labels and file names, as a wrong guess changes letters. Raises
    UnicodeDecodeError.
    """
    if encoding := _utf_16(content):
        text = content.decode(encoding)
    else:
        content = content.removeprefix(codecs.BOM_UTF8)
        text = "\n".join(map(_line, content.split(b"\n"))) if legacy else content.decode()
    return text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")


def tidy(words: str) -> str:
    """Return ``words`` with ordinary spaces and composed accented letters."""
    return " ".join(unicodedata.normalize("NFC", words).split())


def plain(words: str) -> str:
    """Normalise a name for comparison: case, surrounding and special whitespace, and Unicode form are ignored."""
    # Soft hyphens, zero-width spaces and direction marks are invisible.
    shown = (letter for letter in unicodedata.normalize("NFKC", words) if unicodedata.category(letter) != "Cf")
    return " ".join(unicodedata.normalize("NFKC", "".join(shown).casefold()).split())


def _utf_16(content: bytes) -> str:
    """Return the UTF-16 encoding, or an empty string. Without a mark, NULs beside the first letters reveal it."""
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    even, odd = content[:8:2], content[1:8:2]
    if len(even) == len(odd) > 0 and all(even) and not any(odd):
        return "utf-16-le"
    return "utf-16-be" if len(even) == len(odd) > 0 and all(odd) and not any(even) else ""


def _line(content: bytes) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError:
        return content.decode("cp1252", "replace")
