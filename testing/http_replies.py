"""Answers over HTTP and the ways in which any service, or the network before it, fails to give them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from types import MappingProxyType
from typing import Any, Literal

WireFault = Literal[
    "silent",  # reads the request and never answers
    "hang_before_read",  # accepts the connection and never reads
    "drip",  # the body, a byte every DRIP_SECONDS for ever
    "drip_headers",  # the same within the headers
    "half_open",  # RST after reading the request, as a middlebox that forgot the connection
    "reset",  # the same
    "truncated",  # less than Content-Length says, then closed
    "cut",  # half of the body, with the length of that half
    "dropped",  # RST, and nothing was done, as on a connection that was closed while it was idle
    "empty_503",
    "html_502",
    "html_200",  # a captive portal
    "bad_json",
    "json_list",
    "empty_200",
    "empty_object",
    "redirect",  # to a port where nobody listens
    "retired",
]


@dataclass(frozen=True)
class Reply:
    """What goes back over the wire."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)

    def head(self, announced_bytes: int) -> bytes:
        """Status line and headers, which promise so many bytes of body."""
        headers = {"Content-Type": "application/json; charset=utf-8", "Content-Length": announced_bytes, **self.headers}
        lines = [f"HTTP/1.1 {self.status} {HTTPStatus(self.status).phrase}", *(f"{k}: {v}" for k, v in headers.items())]
        return ("\r\n".join(lines) + "\r\n\r\n").encode("ascii")


def page(status: int, title: str) -> Reply:
    """What a proxy or a captive portal shows to people."""
    body = f"<!DOCTYPE html><html><head><title>{title}</title></head><body><h1>{title}</h1></body></html>"
    return Reply(status, body.encode(), {"Content-Type": "text/html"})


WIRE_CANNED: Mapping[Any, Reply] = MappingProxyType(
    {
        "empty_503": Reply(503),
        "html_502": page(502, "502 Bad Gateway"),
        "html_200": page(200, "Bienvenue sur le Wi-Fi"),
        "bad_json": Reply(200, b'{"id": "'),
        "json_list": Reply(200, b"[]"),
        "empty_200": Reply(200),
        "empty_object": Reply(200, b"{}"),
        "redirect": Reply(307, headers={"Location": "http://127.0.0.1:1/portal"}),
        "dropped": Reply(503),
    }
)
"""The faults that are an answer of their own, whatever the service."""
