"""Who types a command, for the journal."""

import getpass


def user() -> str:
    """The name of the system's user."""
    try:
        return getpass.getuser()
    # Windows has no such list, and a container may run under a number that has no name.
    except (ImportError, KeyError, OSError):
        return "unknown"
