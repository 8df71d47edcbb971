"""Text that other programs wrote, such as the editors and spreadsheets of Windows and macOS."""

import codecs
import unicodedata


def decoded(content: bytes, *, legacy: bool = False) -> str:
    r"""The text in ``content``, UTF-8 or UTF-16, without its byte order mark and with ``\n`` at the end of lines.

    With ``legacy`` a line that is not UTF-8 is taken for Windows-1252. Only for text whose words are compared with
    known ones afterwards, such as labels and the names of files: a wrong guess changes letters. Raises
    UnicodeDecodeError.
    """
    if encoding := _utf_16(content):
        text = content.decode(encoding)
    else:
        content = content.removeprefix(codecs.BOM_UTF8)
        text = "\n".join(map(_line, content.split(b"\n"))) if legacy else content.decode()
    return text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")


def tidy(words: str) -> str:
    """``words`` with ordinary blanks between them, and letters with accents in one piece."""
    return " ".join(unicodedata.normalize("NFC", words).split())


def plain(words: str) -> str:
    """``words`` as names are compared: without regard to case, blanks at the ends, kind of blank and Unicode form."""
    # Soft hyphens, zero-width blanks and marks of direction do not show.
    shown = (letter for letter in unicodedata.normalize("NFKC", words) if unicodedata.category(letter) != "Cf")
    return " ".join(unicodedata.normalize("NFKC", "".join(shown).casefold()).split())


def _utf_16(content: bytes) -> str:
    """The encoding, if it is UTF-16; empty if not. Without a mark it shows in the NULs beside the first letters."""
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
