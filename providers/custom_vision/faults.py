"""Whatever went wrong on the way to the vendor and back, as one of the errors in ``providers/base.py``."""

import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from ssl import SSLCertVerificationError

import requests
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError, SSLError

from providers.base import (
    PhotoRejected,
    ProviderError,
    ProviderMisconfigured,
    ProviderUnavailable,
    QuotaExceeded,
    RateLimited,
)

_UNKNOWN_WAIT = 3600.0
"""When the vendor does not say how long the quota is gone, it is asked again after so many seconds."""
_LONGEST_RATE_WAIT = 300.0
"""The rate is one of calls a second."""
_NOT_ABOUT_THE_CALL = (401, 403, 408, 429)
"""About the key, the time or the rate: the same call may be taken another time."""
_LONGEST_WAIT = 31 * 86_400.0
"""The quota's window is 30 days: whoever says more than this is wrong, and would be believed for years."""


class Refused(ProviderError):
    """The training API does not do what it is asked; ``code`` is its own word for the reason."""

    def __init__(self, message: str, code: str) -> None:
        super().__init__(message)
        self.code = code


def prediction_refusal(status: int, headers: Mapping[str, str], text: str, now: datetime) -> ProviderError:
    """What an answer of the prediction API means that is no prediction; the bodies' shapes stand in docs/azure.md."""
    said = _message(text)
    match status:
        case 404:
            return ProviderMisconfigured(
                f"The cloud knows no such model: check custom_vision.project_id and .published_name{said}"
            )
        case 413 | 415:
            return PhotoRejected(f"The cloud cannot read this photo{said}")
        case 400 if "BadRequestImage" in text:
            return PhotoRejected(f"The cloud cannot read this photo{said}")
        case 400 if "BadRequest" in text:
            return ProviderMisconfigured(f"The cloud does not take the question{said}")
    return _refusal(status, headers, text, now, "custom_vision.prediction_key")


def training_refusal(status: int, headers: Mapping[str, str], text: str, now: datetime) -> ProviderError:
    """What an answer of the training API means that is not what was asked for."""
    found = re.search(r'"code"\s*:\s*"(\w{1,100})"', text)
    code = found[1] if found else str(status)
    if code == "NotFoundProject":
        return ProviderMisconfigured(
            "The training resource has no such project: mend custom_vision.project_id (`triof settings` tells where it"
            " comes from, `triof azure status` what there is)."
        )
    if status == 404 and code == "404":
        return ProviderMisconfigured(f"There is no training API: check custom_vision.training_endpoint{_message(text)}")
    if 400 <= status < 500 and status not in _NOT_ABOUT_THE_CALL:
        return Refused(f"The cloud does not do that{_message(text)}", code)
    return _refusal(status, headers, text, now, "custom_vision.training_key")


def download_refusal(status: int, headers: Mapping[str, str], text: str, now: datetime) -> ProviderError:
    """The same for an address that the training API has given out, which carries its own permission for a day."""
    if status in (400, 403, 404, 410):
        return Refused("The cloud does not give this out any more: its address has expired, ask again.", str(status))
    return _refusal(status, headers, text, now, "custom_vision.training_key")


def _refusal(status: int, headers: Mapping[str, str], text: str, now: datetime, key: str) -> ProviderError:
    said = _message(text)
    if status in (403, 429) and "out of call volume quota" in text.lower():
        wait = timedelta(seconds=_wait(headers, text, now) or _UNKNOWN_WAIT)
        return QuotaExceeded("The cloud says that the quota is used up.", now + wait)
    match status:
        case 200 | 301 | 302 | 303 | 307 | 308:
            return ProviderUnavailable(
                "The cloud's answer makes no sense: something else answered in its place, such as a Wi-Fi's login page."
            )
        case 401:
            return ProviderMisconfigured(f"The cloud refuses the key: renew {key}{said}")
        case 403:
            return ProviderMisconfigured(f"The cloud forbids the call: check the key and its network rules{said}")
        case 429:
            seconds = min(_wait(headers, text, now) or 1.0, _LONGEST_RATE_WAIT)
            return RateLimited("The cloud is asked too fast.", seconds)
    return ProviderUnavailable(f"The cloud answered with status {status}{said}")


def _message(text: str) -> str:
    """The vendor's own sentence, for the technician; nothing of pages that are not the vendor's."""
    found = re.search(r'"message"\s*:\s*"([^"]{1,200})', text)
    return f" ({found[1].strip()})" if found else "."


_SECONDS = {"second": 1, "minute": 60, "hour": 3600, "day": 86_400}


def _wait(headers: Mapping[str, str], text: str, now: datetime) -> float:
    """How many seconds to wait, 0 if nobody says."""
    # Floats, as those that are absurd become infinite, where whole numbers and durations overflow.
    return min(_stated_wait(headers.get("Retry-After", ""), text, now), _LONGEST_WAIT)


def _stated_wait(header: str, text: str, now: datetime) -> float:
    """By the header (seconds or a date), "retry after 28 days" or "replenished in 22.14:18:12"."""
    if header.isdecimal():
        return float(header)
    with suppress(ValueError, OverflowError):
        date = parsedate_to_datetime(header)
        return max(0.0, ((date if date.tzinfo else date.replace(tzinfo=UTC)) - now).total_seconds())
    if found := re.search(r"retry after (\d+) (second|minute|hour|day)", text, re.IGNORECASE):
        return float(found[1]) * _SECONDS[found[2].lower()]
    if found := re.search(r"replenished in (?:(\d+)\.)?(\d+):(\d+):(\d+)", text):
        days, hours, minutes, seconds = (float(part or 0) for part in found.groups())
        return ((days * 24 + hours) * 60 + minutes) * 60 + seconds
    return 0.0


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
"""Why there is no connection. urllib3 derives each of the name, the refusal and the timeout from the next one."""


def unreached(error: BaseException) -> ProviderUnavailable:
    """Why nothing was sent."""
    found = list(causes(error))
    sentences = (sentence for kind, sentence in _UNREACHED if any(isinstance(cause, kind) for cause in found))
    sentence = next(sentences, "whoever accepts the connection says nothing")
    return ProviderUnavailable(f"The cloud cannot be reached: {sentence}.", sent=False)


def causes(error: BaseException, depth: int = 8) -> Iterator[BaseException]:
    """The error and all that it wraps: msrest, requests and urllib3 each have their own way of telling."""
    yield error
    inner = (
        error.__cause__,
        error.__context__,
        *(getattr(error, name, None) for name in ("inner_exception", "reason")),
    )
    for cause in (*inner, *error.args):
        if isinstance(cause, BaseException) and depth:
            yield from causes(cause, depth - 1)
