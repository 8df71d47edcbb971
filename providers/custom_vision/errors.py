"""Translates the vendor's and the HTTP library's errors into those of ``providers/base.py``."""

import re
from base64 import b64encode
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from hashlib import md5

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
"""Seconds until the quota is probed again if the vendor states no time."""
_LONGEST_RATE_WAIT = 300.0
"""Upper limit of the wait in seconds after too many calls, as the rate counts calls per second."""
_PASSING = (408, 429)
"""Status codes about timeouts and rates: the same call may succeed later."""
_NOT_ABOUT_THE_CALL = (401, 403, 410, *_PASSING)
"""The same, and those about the key or the service as a whole."""
_OWN_CODE = re.compile("BadRequest|NotFound|Forbidden|Conflict|Unsupported|Error")
"""Prefix of the service's own error codes; a gateway's codes lack it."""
_LONGEST_WAIT = 31 * 86_400.0
"""Upper limit of a stated wait: the quota's window is 30 days, so a longer wait is an error."""


class TrainingRefused(ProviderError):
    """The training API refuses a request; ``code`` is its error code."""

    def __init__(self, message: str, code: str) -> None:
        super().__init__(message)
        self.code = code


def prediction_refusal(status: int, headers: Mapping[str, str], text: str, now: datetime) -> ProviderError:
    """Return the error for a failed response of the prediction API (bodies: docs/guide/azure.md)."""
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
    """Return the error for a failed response of the training API."""
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
    """Return the error for a failed download from an address of the training API, which is valid for a day."""
    if 400 <= status < 500 and status not in _PASSING:
        return TrainingRefused(
            f"The cloud does not give this out any more (status {status}): its address has expired, ask again.",
            str(status),
        )
    return _refusal(status, headers, text, now, "training")


def check_digest(body: bytes, headers: Mapping[str, str]) -> None:
    """Raise TrainingRefused if the response's ``Content-MD5`` does not match its body."""
    stated = headers.get("Content-MD5", "")
    if stated and stated != b64encode(md5(body, usedforsecurity=False).digest()).decode():
        raise TrainingRefused("What came is damaged: its checksum is not the one that the cloud states.", "damaged")


def _refusal(status: int, headers: Mapping[str, str], text: str, now: datetime, resource: str) -> ProviderError:
    said = _message(text)
    if status in (403, 429) and "out of call volume quota" in text.lower():
        wait = timedelta(seconds=_wait(headers, text, now) or _UNKNOWN_WAIT)
        return QuotaExceeded("The cloud says that the quota is used up.", now + wait)
    if status in (401, 403) and (fault := _identity_refusal(text, resource, said)):
        return fault
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


def _identity_refusal(text: str, resource: str, said: str) -> ProviderError | None:
    """Return the error for a refusal that speaks of Entra ID; None for any other."""
    if "AuthenticationTypeDisabled" in text or "Key based authentication is disabled" in text:
        return ProviderMisconfigured(
            "The resource takes no keys any more: set custom_vision.entra.kind, as docs/guide/azure.md tells."
        )
    if "PermissionDenied" in text or "Principal does not have access" in text:
        return ProviderMisconfigured(
            f"The identity may not do this: give it a role on the {resource} resource (docs/guide/azure.md){said}"
        )
    if "access token" in text.lower():
        return ProviderMisconfigured(
            f"The cloud refuses the token of Entra ID: check custom_vision.entra, and that .{resource}_endpoint is the"
            f" resource's own address{said}"
        )
    return None


def _code(text: str) -> str:
    """Return the vendor's error code; empty if there is none."""
    found = re.search(r'"code"\s*:\s*"(\w{1,100})"', text, re.IGNORECASE)
    return found[1] if found else ""


def _message(text: str) -> str:
    """Return the vendor's message, for the technician; nothing for pages that are not the vendor's."""
    found = re.search(r'"message"\s*:\s*"([^"]{1,200})', text)
    return f" ({found[1].strip()})" if found else "."


_SECONDS = {"second": 1, "minute": 60, "hour": 3600, "day": 86_400}


def _wait(headers: Mapping[str, str], text: str, now: datetime) -> float:
    """Return the seconds to wait, 0 if the response states none."""
    # Floats, as absurd values become infinite where integers and timedeltas overflow.
    return min(_stated_wait(headers.get("Retry-After", ""), text, now), _LONGEST_WAIT)


def _stated_wait(header: str, text: str, now: datetime) -> float:
    """Read the header (seconds or a date), "retry after 28 days" or "replenished in 22.14:18:12"."""
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
