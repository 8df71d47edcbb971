"""Translates the HTTP library's errors into those of ``providers/base.py``."""

from collections.abc import Iterator
from ssl import SSLCertVerificationError

import requests
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError, SSLError

from providers.base import ProviderUnavailable

_UNREACHED: tuple[tuple[type[BaseException], str], ...] = (
    (requests.exceptions.ProxyError, "the proxy does not let us through; check HTTPS_PROXY"),
    (NameResolutionError, "its name is not known here (no network, or DNS is down)"),
    (NewConnectionError, "the connection is refused or there is no network"),
    (ConnectTimeoutError, "nothing accepts the connection"),
    (
        SSLCertVerificationError,
        "its certificate is not to be trusted; check the clock, and a company's proxy needs REQUESTS_CA_BUNDLE",
    ),
    (SSLError, "it does not speak TLS; check the endpoint in the settings and HTTPS_PROXY"),
)
"""Messages for connection errors. In urllib3 each of the name, refusal and timeout errors derives from the next."""


def unreached(error: BaseException) -> ProviderUnavailable:
    """Return the error for a request that was not sent."""
    found = list(causes(error))
    sentences = (sentence for kind, sentence in _UNREACHED if any(isinstance(cause, kind) for cause in found))
    sentence = next(sentences, "the server accepts the connection but does not answer")
    return ProviderUnavailable(f"The cloud cannot be reached: {sentence}.", sent=False)


def broken_off(error: BaseException, hung_up: bool, timeout: float) -> ProviderUnavailable:
    """Return the error for a request that was sent and got no whole answer; ``hung_up``: we ended the call."""
    if hung_up or any(isinstance(cause, TimeoutError | requests.Timeout) for cause in causes(error)):
        return ProviderUnavailable(f"The cloud gave no whole answer within {timeout:.1f} s.")
    return ProviderUnavailable("The connection to the cloud broke off.")


def causes(error: BaseException, depth: int = 8) -> Iterator[BaseException]:
    """Yield the error and all errors that it wraps: msrest, requests and urllib3 each chain them differently."""
    yield error
    inner = (
        error.__cause__,
        error.__context__,
        *(getattr(error, name, None) for name in ("inner_exception", "reason")),
    )
    for cause in (*inner, *error.args):
        if isinstance(cause, BaseException) and depth:
            yield from causes(cause, depth - 1)
