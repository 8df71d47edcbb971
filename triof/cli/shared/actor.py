"""The actor of a command, for the journal."""

import getpass


def user() -> str:
    """Return the name of the operating system's user."""
    try:
        return getpass.getuser()
    # There is no pwd on Windows, and a container's user id may have no name.
    except (ImportError, KeyError, OSError):
        return "unknown"
