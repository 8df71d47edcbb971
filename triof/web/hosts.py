"""The Host check: a server answers only requests whose Host names it.

In DNS rebinding a web page points its own domain at this machine, so that the browser takes the machine's pages for
part of that page. Such a request carries the foreign domain as its Host. An IP address cannot be rebound, so that every
address is accepted. Werkzeug's TRUSTED_HOSTS does the same for names, but knows neither IPv6 addresses nor upper case
nor a trailing dot, and ignores the authority of an absolute request target.
"""

import ipaddress
import re
import socket
from collections.abc import Collection, Iterator
from urllib.parse import urlsplit

from flask import Response, request

from providers.options import is_loopback
from triof.web.api import problems

_AUTHORITY = re.compile(r"(?:\[([0-9a-f:.]+)\]|([0-9a-z._-]+?)\.?)(?::[0-9]{1,5})?", re.ASCII | re.IGNORECASE)
_SHOWN_CHARACTERS = 100


class Hosts:
    """The host names of a server that listens on ``listening``; ``trusted`` are further names from the settings."""

    def __init__(self, listening: str, trusted: Collection[str] = (), machine: str | None = None) -> None:
        self._names = {"localhost", ".localhost", listening.lower(), *trusted}
        if not is_loopback(listening):
            machine = (machine or socket.gethostname()).lower()
            short = machine.partition(".")[0]
            self._names |= {machine, short, f"{short}.local"}

    def check(self) -> Response | None:
        """Return the error response if the request names another host, else None."""
        for authority in _authorities():
            if not self._is_ours(authority):
                return _refusal(authority)
        return None

    def _is_ours(self, authority: str) -> bool:
        found = _AUTHORITY.fullmatch(authority)
        if not found:
            return False
        name = (found[1] or found[2]).lower()
        return _is_address(name) or name in self._names or any(parent in self._names for parent in _parents(name))


def _authorities() -> Iterator[str]:
    """Yield the host of the Host header and, if the request target is a whole URL, of that."""
    yield request.environ.get("HTTP_HOST", "")
    target = request.environ.get("REQUEST_URI", "")
    if not target.startswith("/") and "://" in target:
        yield urlsplit(target).netloc


def _parents(name: str) -> Iterator[str]:
    """Yield the setting's patterns that match a name: ``.a.example`` covers ``a.example`` and its subdomains."""
    labels = name.split(".")
    return ("." + ".".join(labels[at:]) for at in range(len(labels)))


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _refusal(authority: str) -> Response:
    shown = f"is not called {authority[:_SHOWN_CHARACTERS]!r}" if authority else "was asked without a Host"
    sentence = (
        f"This server {shown}: the request was refused, as it may come from a foreign page (DNS rebinding). Open the"
        " server by its IP address or as localhost; if the name is its own, add it to the setting server.trusted_hosts"
        " (TRIOF_SERVER__TRUSTED_HOSTS)."
    )
    if problems.concern():
        return problems.respond(problems.body("host_unknown", sentence))
    return Response(f"{sentence}\n", 403, mimetype="text/plain")
