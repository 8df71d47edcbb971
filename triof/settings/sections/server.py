"""Address, host names and limits of the HTTP server."""

import re
from ipaddress import ip_network
from typing import Annotated

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from providers.options import Listed, Options

_HOST_NAME = re.compile(r"\.?[0-9a-z_]([0-9a-z._-]*[0-9a-z_])?|[0-9a-f:.]*:[0-9a-f:.]*", re.ASCII)


def _host_names(names: tuple[str, ...]) -> tuple[str, ...]:
    """Normalise host names as browsers send them: lower case and IDNA."""
    sent = tuple(_as_sent(name) for name in names)
    wrong = [name for name, plain in zip(names, sent, strict=True) if not _HOST_NAME.fullmatch(plain)]
    if wrong:
        raise PydanticCustomError(
            "host_name",
            "{wrong} is no host name: give names such as triof.example, or .example for all below it, without scheme,"
            " port and path",
            {"wrong": ", ".join(map(repr, wrong))},
        )
    return sent


def _as_sent(name: str) -> str:
    plain = name.strip().lower().removesuffix(".").strip("[]")
    try:
        return plain if plain.isascii() else "." * plain.startswith(".") + plain.strip(".").encode("idna").decode()
    except UnicodeError:
        return ""


def _networks(names: tuple[str, ...]) -> tuple[str, ...]:
    for name in names:
        try:
            network = ip_network(name, strict=False)
        except ValueError as error:
            raise PydanticCustomError(
                "network",
                "{name} is no address: give IP addresses such as 127.0.0.1, or networks such as 10.0.0.0/24",
                {"name": repr(name)},
            ) from error
        if network.prefixlen == 0:
            raise PydanticCustomError(
                "network", "{name} is every address: name the proxies alone, as they are believed", {"name": repr(name)}
            )
    return names


KEPT_THREADS = 2
"""Threads reserved for the machine's own touchscreen and ``/livez``."""


class ServerSettings(Options):
    """Address, host names and limits of the HTTP server."""

    host: str = Field("127.0.0.1", min_length=1)
    port: int = Field(8080, ge=1, le=65535)
    trusted_hosts: Annotated[Listed, AfterValidator(_host_names)] = ()
    """Further host names that requests may use, in lower case; a leading dot covers all names below."""
    trusted_proxies: Annotated[Listed, AfterValidator(_networks)] = ()
    """Addresses and networks of proxies whose ``X-Forwarded-For``, ``-Proto`` and ``-Host`` are trusted."""
    threads: int = Field(8, ge=1, le=64)
    request_seconds: int = Field(60, ge=1)
    """Timeout of receiving a request, and of an idle connection."""
    stop_seconds: float = Field(30, ge=0)
    """Time to finish received requests when the server stops."""
    touchscreen_from_anywhere: bool = False
    """Whether other computers may open the touchscreen's pages, which need no login."""

    @property
    def all_threads(self) -> int:
        """Maximum number of concurrent requests."""
        return self.threads + KEPT_THREADS
