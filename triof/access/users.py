"""Users of the dashboard and their roles.

Passwords are stored as scrypt digests. A user's cookie holds the ``session`` of the user: changing it, after a
new password, a logout or a removal, ends every login of that name at once.
"""

import re
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from threading import Lock
from typing import Literal, cast
from uuid import uuid4

from sqlalchemy import Table, delete, insert, select, update
from sqlalchemy.exc import IntegrityError
from werkzeug.security import check_password_hash, generate_password_hash

from triof.common.errors import TriofError
from triof.storage.database import Database
from triof.storage.tables import UserRow

Role = Literal["operator", "technician"]
"""An operator may view; a technician may also act."""

SHORTEST_PASSWORD = 12
LONGEST_PASSWORD = 256
_METHOD = "scrypt:32768:8:1"
_UNUSED_DIGEST = f"{_METHOD}${'0' * 16}${'0' * 128}"
"""A digest that no password has, for the same timing with unknown names."""
_NAME = re.compile(r"[a-z0-9][a-z0-9._@-]{0,63}")
_USERS = cast(Table, UserRow.__table__)


class UserRefused(TriofError):
    """A user cannot be created, changed or removed as requested."""


@dataclass(frozen=True)
class User:
    """A user of the dashboard; ``session`` is the value that the cookie must hold."""

    name: str
    role: Role
    session: str
    made_at: datetime

    @property
    def may_act(self) -> bool:
        """Whether the user is a technician."""
        return self.role == "technician"


class Users:
    """The users in ``database``; thread-safe. Each method raises SQLAlchemyError.

    ``digest_method`` names, for new passwords, the function and its cost as werkzeug writes them into each digest.
    """

    def __init__(
        self,
        database: Database,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        digest_method: str = _METHOD,
    ) -> None:
        self._database = database
        self._now = now
        self._digest_method = digest_method
        # scrypt takes 32 MB and a core for a moment, so parallel guesses must not exhaust the machine.
        self._one_at_a_time = Lock()

    def create(self, name: str, role: Role, password: str) -> User:
        """Create a user and return it. Raises UserRefused."""
        name = _plain(name)
        if not _NAME.fullmatch(name):
            raise UserRefused(
                f"{name!r} cannot be a name: use up to 64 letters, digits, dots, hyphens, underscores or @."
            )
        row = {
            "id": uuid4(),
            "machine_id": self._database.machine_id,
            "at": self._now(),
            "name": name,
            "role": role,
            "password_hash": self._digest(password),
            "session": secrets.token_urlsafe(24),
        }
        try:
            with self._database.write() as connection:
                connection.execute(insert(_USERS), row)
        except IntegrityError as error:
            raise UserRefused(
                f"There is a user {name} already: choose another name, or `triof users password {name}`."
            ) from error
        return User(name, role, str(row["session"]), self._now())

    def remove(self, name: str) -> None:
        """Remove a user and end their logins. Raises UserRefused."""
        with self._database.write() as connection:
            if not connection.execute(delete(_USERS).where(_USERS.c.name == _plain(name))).rowcount:
                raise _unknown(name)

    def set_password(self, name: str, password: str) -> None:
        """Change a user's password and end their logins. Raises UserRefused."""
        changed = {"password_hash": self._digest(password), "session": secrets.token_urlsafe(24)}
        with self._database.write() as connection:
            if not connection.execute(update(_USERS).where(_USERS.c.name == _plain(name)).values(changed)).rowcount:
                raise _unknown(name)

    def end_logins(self, user: User) -> None:
        """End every login of ``user``."""
        fresh = {"session": secrets.token_urlsafe(24)}
        with self._database.write() as connection:
            connection.execute(update(_USERS).where(_USERS.c.name == user.name).values(fresh))

    def all(self) -> Sequence[User]:
        """Return all users, sorted by name."""
        with self._database.read() as connection:
            return [_user(*row) for row in connection.execute(select(*_COLUMNS).order_by(_USERS.c.name))]

    def with_session(self, session: str) -> User | None:
        """Return the user with this session, or None."""
        with self._database.read() as connection:
            row = connection.execute(select(*_COLUMNS).where(_USERS.c.session == session)).one_or_none()
        return _user(*row) if row else None

    def with_password(self, name: str, password: str) -> User | None:
        """Return the user if the password is right, else None; takes as long for an unknown name."""
        query = select(_USERS.c.password_hash, *_COLUMNS).where(_USERS.c.name == _plain(name))
        with self._database.read() as connection:
            row = connection.execute(query).one_or_none()
        digest, *columns = row or (_UNUSED_DIGEST,)
        with self._one_at_a_time:
            right = check_password_hash(digest, password[:LONGEST_PASSWORD])
        return _user(*columns) if row and right and len(password) <= LONGEST_PASSWORD else None

    def _digest(self, password: str) -> str:
        if not SHORTEST_PASSWORD <= len(password) <= LONGEST_PASSWORD:
            raise UserRefused(
                f"The password has {len(password)} characters: take {SHORTEST_PASSWORD} to {LONGEST_PASSWORD}, for"
                " instance four or five words."
            )
        return generate_password_hash(password, self._digest_method)


_COLUMNS = (_USERS.c.name, _USERS.c.role, _USERS.c.session, _USERS.c.at)


def _user(name: str, role: str, session: str, at: datetime) -> User:
    return User(name, cast(Role, role), session, at)


def _plain(name: str) -> str:
    return name.strip().lower()


def _unknown(name: str) -> UserRefused:
    return UserRefused(f"There is no user {_plain(name)}: `triof users list` shows those there are.")
