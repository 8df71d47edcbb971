"""A real PostgreSQL server in a temporary folder, reached by its socket."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

import psycopg
from psycopg import sql

from triof.storage.database import Database

_DEBIAN = Path("/usr/lib/postgresql")
_USER = "postgres"
_FAST = "-F -c full_page_writes=off -c listen_addresses= -c max_connections=60 -c shared_buffers=32MB"
"""Without fsync: nothing of a test has to outlive it."""


def programs() -> Path | None:
    """The folder with initdb and pg_ctl of the newest version; None where PostgreSQL is not installed."""
    found = sorted(_DEBIAN.glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    on_path = shutil.which("initdb")
    return found[-1].parent if found else Path(on_path).parent if on_path else None


class PostgresServer:
    """The server. It makes a database for each path that a test would give to SQLite."""

    def __init__(self, programs: Path, folder: Path) -> None:
        self._programs = programs
        self._folder = folder
        self._made: set[str] = set()

    def start(self) -> None:
        """Start, and wait until it answers."""
        options = f"{_FAST} -k {self._folder}"
        self._run("pg_ctl", "-D", "data", "-l", "log", "-w", "-o", options, "start")

    def stop(self, mode: str = "fast") -> None:
        """End; immediate: as a power cut does."""
        self._run("pg_ctl", "-D", "data", "-w", "-m", mode, "stop")

    def prepare(self) -> None:
        """Make the data folder, start, and make the template of all journals."""
        self._run("initdb", "-D", "data", "-U", _USER, "--auth=trust", "--no-sync", "-E", "UTF8", "--locale=C")
        self.start()
        database = Database(self.empty("new_journal"), "machine-1")
        database.upgrade()
        database.close()

    def url(self, path: Path) -> str:
        """The URL of the database of ``path``: a copy of the new journal, when it is asked for the first time."""
        name = "t" + sha256(str(path).encode()).hexdigest()[:20]
        if name not in self._made:
            self._execute(sql.SQL("CREATE DATABASE {} TEMPLATE new_journal").format(sql.Identifier(name)))
            self._made.add(name)
        return self._url(name)

    def empty(self, name: str) -> str:
        """The URL of a new database without tables."""
        self._execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        return self._url(name)

    def drop(self) -> None:
        """Drop what :meth:`url` made."""
        for name in self._made:
            self._execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
        self._made.clear()

    def _url(self, name: str) -> str:
        return f"postgresql://{_USER}@/{name}?host={self._folder}"

    def _execute(self, statement: sql.Composed) -> None:
        with psycopg.connect(f"dbname=postgres user={_USER} host={self._folder}", autocommit=True) as connection:
            connection.execute(statement)

    def _run(self, program: str, *arguments: str) -> None:
        # PostgreSQL refuses to run as root.
        user = ["runuser", "-u", _USER, "--"] if os.geteuid() == 0 else []
        command = [*user, str(self._programs / program), *arguments]
        subprocess.run(command, check=True, cwd=self._folder, stdout=subprocess.DEVNULL, timeout=120)


@contextmanager
def running(programs: Path) -> Iterator[PostgresServer]:
    """A server that ends afterwards."""
    # Not below pytest's folder, whose path may be longer than that of a socket.
    with tempfile.TemporaryDirectory(prefix="pg", ignore_cleanup_errors=True) as folder:
        if os.geteuid() == 0:
            shutil.chown(folder, _USER)
        server = PostgresServer(programs, Path(folder))
        server.prepare()
        try:
            yield server
        finally:
            server.stop("immediate")
