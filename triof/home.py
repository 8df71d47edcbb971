"""The machine's home folder and its journal: found, made, or a sentence that says why not."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

from triof.durable import replace_file
from triof.errors import TriofError
from triof.settings import Settings

if TYPE_CHECKING:
    from sqlalchemy import URL

    from triof.journal import Journal


class HomeUnusable(TriofError):
    """The home folder cannot be made or written to."""


class JournalUnusable(TriofError):
    """The database of the journal cannot be reached, read or brought to the newest version."""


def open_journal(settings: Settings) -> Journal:
    """The journal, its tables at the newest version. Raises HomeUnusable, JournalUnusable."""
    make(settings)
    with _journal_faults(settings):
        opened = _journal(settings)
        opened.upgrade()
        return opened


@contextmanager
def journal(settings: Settings) -> Iterator[Journal]:
    """The journal for a command. Raises HomeUnusable and, whatever becomes of it meanwhile, JournalUnusable."""
    from sqlalchemy.exc import SQLAlchemyError

    opened = open_journal(settings)
    try:
        yield opened
    except SQLAlchemyError as error:
        raise _unusable_journal(settings, error) from None
    finally:
        opened.close()


def interrupted_deposits(settings: Settings) -> int | None:
    """How many deposits of this machine have not ended; None where there is no journal yet.

    Makes and changes nothing, unlike :func:`open_journal`. Raises JournalUnusable.
    """
    from sqlalchemy import create_engine, inspect

    with _journal_faults(settings):
        url = _journal_url(settings)
        if _is_file(url) and not Path(str(url.database)).exists():
            return None
        engine = create_engine(url)
        try:
            if not inspect(engine).has_table("events"):
                return None
        finally:
            engine.dispose()
        opened = _journal(settings)
        try:
            return len(opened.unfinished())
        finally:
            opened.close()


def make(settings: Settings) -> None:
    """Make sure that there is a home folder. Raises HomeUnusable."""
    try:
        settings.home.mkdir(parents=True, exist_ok=True)
    except (OSError, ValueError) as error:
        raise unusable(settings, error) from error


def unusable(settings: Settings, error: Exception) -> HomeUnusable:
    """What to say when the home folder raises ``error``."""
    return HomeUnusable(
        f"The home folder {settings.home} cannot be used ({getattr(error, 'strerror', None) or error}): set TRIOF_HOME"
        " to a folder that this user may write."
    )


def _journal(settings: Settings) -> Journal:
    from triof.journal import Journal

    return Journal(_journal_url(settings), settings.machine_id or _own_machine_id(settings.home))


def _own_machine_id(home: Path) -> str:
    """The id that the machine got at its first start; a host's name may change from one day to the next."""
    path = home / "machine_id"
    if not path.exists() or not path.read_text().strip():
        replace_file(path, f"{uuid4()}\n".encode())
    return path.read_text().strip()


def _journal_url(settings: Settings) -> URL:
    from sqlalchemy import URL, make_url

    if settings.journal.url:
        url = make_url(settings.journal.url.get_secret_value())
    else:
        url = URL.create("sqlite", database=str(settings.home / "journal.db"))
    if _is_file(url) and not (folder := Path(str(url.database)).parent).is_dir():
        raise JournalUnusable(f"There is no folder {folder} for the journal: make it, or mend journal.url.")
    return url


def _is_file(url: URL) -> bool:
    return url.get_backend_name() == "sqlite" and url.database not in (None, "", ":memory:") and "uri" not in url.query


@contextmanager
def _journal_faults(settings: Settings) -> Iterator[None]:
    try:
        yield
    except TriofError:
        raise
    # Each driver has errors of its own, and a malformed URL leads to whatever it leads to.
    except Exception as error:
        # Without the chain: what the driver says may hold the password.
        raise _unusable_journal(settings, error) from None


def _unusable_journal(settings: Settings, error: Exception) -> JournalUnusable:
    remedy = (
        "mend journal.url, install its driver, or start its database"
        if settings.journal.url
        else f"make {settings.home / 'journal.db'} readable and writable, or move it away to begin a new one"
    )
    return JournalUnusable(f"The journal cannot be used ({_cause(error, settings)}): {remedy}.")


def _cause(error: Exception, settings: Settings) -> str:
    """What can be told of ``error``: a part of the password may have been taken for the host or the port."""
    from sqlalchemy.exc import NoSuchModuleError

    url = settings.journal.url
    if (
        url
        and not url.get_secret_value().startswith("sqlite")
        and not isinstance(error, ImportError | NoSuchModuleError)
    ):
        return type(error).__name__
    return str(getattr(error, "orig", None) or error).partition("\n")[0]
