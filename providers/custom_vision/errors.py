"""Whatever went wrong on the way to the vendor and back, as one of the errors in ``providers/base.py``."""

import re
from base64 import b64encode
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from hashlib import md5
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
    ServiceRetired,
)

_UNKNOWN_WAIT = 3600.0
"""When the vendor does not say how long the quota is gone, it is asked again after so many seconds."""
_LONGEST_RATE_WAIT = 300.0
"""The rate is one of calls a second."""
_PASSING = (408, 429)
"""About the time or the rate: the same call may be taken another time."""
_NOT_ABOUT_THE_CALL = (401, 403, 410, *_PASSING)
"""About the key or the service as a whole as well."""
_OWN_CODE = re.compile("BadRequest|NotFound|Forbidden|Conflict|Unsupported|Error")
"""So begin the service's own codes. Those of a gateway, where no Custom Vision is behind it, do not."""
_LONGEST_WAIT = 31 * 86_400.0
"""The quota's window is 30 days: whoever says more than this is wrong, and would be believed for years."""


class TrainingRefused(ProviderError):
    """The training API does not do what it is asked; ``code`` is its own word for the reason."""

    def __init__(self, message: str, code: str) -> None:
        super().__init__(message)
        self.code = code


def prediction_refusal(status: int, headers: Mapping[str, str], text: str, now: datetime) -> ProviderError:
    """What an answer of the prediction API means that is no prediction (bodies: docs/guide/azure.md)."""
    said = _message(text)
    match status:
        case 404 if _OWN_CODE.match(_code(text)):
            return ProviderMisconfigured(
                f"The cloud knows no such model: check custom_vision.project_id and .published_name{said}"
            )
        case 413 | 415:
            return PhotoRejected(f"The cloud cannot read this photo{said}")
        case 400 if "BadRequestImage" in text:
            return PhotoRejected(f"The cloud cannot read this photo{said}")
        case 400 if "BadRequest" in text:
            return ProviderMisconfigured(f"The cloud does not take the question{said}")
    return _refusal(status, headers, text, now, "prediction")


def training_refusal(status: int, headers: Mapping[str, str], text: str, now: datetime) -> ProviderError:
    """What an answer of the training API means that is not what was asked for."""
    code = _code(text) or str(status)
    if code == "NotFoundProject":
        return ProviderMisconfigured(
            "The training resource has no such project: mend custom_vision.project_id (`triof settings` tells where it"
            " comes from, `triof azure status` what there is)."
        )
    at_all = status != 404 or _OWN_CODE.match(code)
    if at_all and 400 <= status < 500 and status not in _NOT_ABOUT_THE_CALL:
        return TrainingRefused(f"The cloud does not do that{_message(text)}", code)
    return _refusal(status, headers, text, now, "training")


def download_refusal(status: int, headers: Mapping[str, str], text: str, now: datetime) -> ProviderError:
    """The same for an address that the training API has given out, which carries its own permission for a day."""
    if 400 <= status < 500 and status not in _PASSING:
        return TrainingRefused(
            f"The cloud does not give this out any more (status {status}): its address has expired, ask again.",
            str(status),
        )
    return _refusal(status, headers, text, now, "training")


def check_digest(body: bytes, headers: Mapping[str, str]) -> None:
    """Raise TrainingRefused where the answer's ``Content-MD5`` is not that of its body."""
    stated = headers.get("Content-MD5", "")
    if stated and stated != b64encode(md5(body, usedforsecurity=False).digest()).decode():
        raise TrainingRefused("What came is damaged: its checksum is not the one that the cloud states.", "damaged")


def _refusal(status: int, headers: Mapping[str, str], text: str, now: datetime, resource: str) -> ProviderError:
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
            return ProviderMisconfigured(
                f"The cloud refuses the key: renew custom_vision.{resource}_key, or mend .{resource}_endpoint, as both"
                f" must be of one resource{said}"
            )
        case 403:
            return ProviderMisconfigured(f"The cloud forbids the call: check the key and its network rules{said}")
        case 404:
            return ProviderMisconfigured(
                f"There is no {resource} API at this address: check custom_vision.{resource}_endpoint, as the page Keys"
                f" and Endpoint of the {resource} resource shows it{said}"
            )
        case 410:
            return ServiceRetired(
                "Azure Custom Vision is retired (status 410): no call is answered any more. The part on the retirement"
                " in docs/guide/azure.md tells how to go on without it."
            )
        case 429:
            seconds = min(_wait(headers, text, now) or 1.0, _LONGEST_RATE_WAIT)
            return RateLimited("The cloud is asked too fast.", seconds)
    return ProviderUnavailable(f"The cloud answered with status {status}{said}")


def _code(text: str) -> str:
    """The vendor's own word for the reason; empty if there is none."""
    found = re.search(r'"code"\s*:\s*"(\w{1,100})"', text, re.IGNORECASE)
    return found[1] if found else ""


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
