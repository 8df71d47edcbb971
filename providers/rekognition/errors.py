"""Translates the vendor's errors and those of its library into those of ``providers/base.py``, by two tables."""

import json
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime, timedelta

from providers.base import (
    ModelStopped,
    PhotoRejected,
    ProviderError,
    ProviderMisconfigured,
    ProviderUnavailable,
    QuotaExceeded,
    RateLimited,
    ServiceRetired,
)

_LIMIT_SECONDS = 3600.0
"""Seconds until a service limit is probed again, as the vendor states no time."""
_RATE_SECONDS = 1.0
"""Seconds without a call after one too many, as the rate counts calls per second."""
_GUIDE = "docs/guide/rekognition.md"

Told = Callable[[str, datetime], ProviderError]
"""Returns an error from the vendor's message (empty, or in brackets) and the time now."""


def _throttled(said: str, now: datetime) -> ProviderError:
    return RateLimited(f"The cloud is asked too fast{said}.", _RATE_SECONDS)


def _limited(said: str, now: datetime) -> ProviderError:
    return QuotaExceeded(
        f"A limit of the AWS account is reached{said}: see Service Quotas.", now + timedelta(seconds=_LIMIT_SECONDS)
    )


def _stopped(said: str, now: datetime) -> ProviderError:
    return ModelStopped(
        f"The model is not running{said}: `triof rekognition start` starts it, which is paid by the hour;"
        " rekognition.hours does so each day."
    )


def _forbidden(said: str, now: datetime) -> ProviderError:
    return ProviderMisconfigured(f"AWS forbids the call: give the user the permissions of {_GUIDE}{said}.")


def _unknown_credentials(said: str, now: datetime) -> ProviderError:
    # Without the vendor's words, which may quote what was signed, session tokens too.
    return ProviderMisconfigured(
        "AWS refuses the credentials: renew the access key or log in again; check the clock of this machine, and that"
        " the account is of the region of the ARN."
    )


def _unknown_model(said: str, now: datetime) -> ProviderError:
    return ProviderMisconfigured(
        f"AWS knows no such model: check rekognition.waste_type and .cleanliness, the ARN of a version{said}."
    )


def _misasked(said: str, now: datetime) -> ProviderError:
    return ProviderMisconfigured(f"AWS does not take the question: check the ARN of the version{said}.")


def _unreadable(said: str, now: datetime) -> ProviderError:
    return PhotoRejected(f"The cloud cannot read this photo{said}.")


def _broken(said: str, now: datetime) -> ProviderError:
    return ProviderUnavailable(f"The cloud answered with an error of its own{said}.")


def _retired(said: str, now: datetime) -> ProviderError:
    return ServiceRetired(f"The service is retired (status 410){said}: take rekognition out of the routes.")


CODES: Mapping[str, Told] = {
    **dict.fromkeys(
        ("ThrottlingException", "Throttling", "TooManyRequestsException", "RequestLimitExceeded", "SlowDown"),
        _throttled,
    ),
    "ProvisionedThroughputExceededException": _throttled,
    **dict.fromkeys(("LimitExceededException", "ServiceQuotaExceededException"), _limited),
    "ResourceNotReadyException": _stopped,
    **dict.fromkeys(("AccessDeniedException", "AccessDenied", "NotAuthorized", "OptInRequired"), _forbidden),
    "SubscriptionRequiredException": _forbidden,
    **dict.fromkeys(
        (
            "UnrecognizedClientException",
            "InvalidSignatureException",
            "SignatureDoesNotMatch",
            "IncompleteSignature",
            "IncompleteSignatureException",
            "MissingAuthenticationToken",
            "MissingAuthenticationTokenException",
            "InvalidClientTokenId",
            "InvalidAccessKeyId",
            "ExpiredToken",
            "ExpiredTokenException",
            "RequestExpired",
        ),
        _unknown_credentials,
    ),
    "ResourceNotFoundException": _unknown_model,
    **dict.fromkeys(
        (
            "InvalidParameterException",
            "ValidationException",
            "ResourceInUseException",
            "InvalidS3ObjectException",
            "InvalidPaginationTokenException",
            "SerializationException",
            "UnknownOperationException",
        ),
        _misasked,
    ),
    **dict.fromkeys(("ImageTooLargeException", "InvalidImageFormatException"), _unreadable),
    **dict.fromkeys(("InternalServerError", "InternalFailure", "ServiceUnavailable"), _broken),
    "ServiceUnavailableException": _broken,
}
"""What each error code of the vendor means."""

_STATUSES: Mapping[int, Told] = {
    401: _unknown_credentials,
    403: _forbidden,
    404: _unknown_model,
    410: _retired,
    413: _unreadable,
    415: _unreadable,
    429: _throttled,
}
"""The same for an error without a code of the vendor."""

_CREDENTIALS = "No credentials of AWS can be used here ({name}): see *Credentials* in docs/guide/rekognition.md."
LIBRARY: Mapping[str, str] = {
    **dict.fromkeys(
        (
            "NoCredentialsError",
            "PartialCredentialsError",
            "CredentialRetrievalError",
            "NoAuthTokenError",
            "ProfileNotFound",
            "ConfigNotFound",
            "ConfigParseError",
            "InvalidConfigError",
            "MetadataRetrievalError",
            "RefreshWithMFAUnsupportedError",
            "InfiniteLoopConfigError",
            "SSOError",
            "TokenRetrievalError",
            "AuthorizationCodeLoadError",
            "LoginError",
        ),
        _CREDENTIALS,
    ),
    **dict.fromkeys(
        ("ParamValidationError", "NoRegionError", "InvalidRegionError", "EndpointProviderError", "UnknownServiceError"),
        "AWS's library does not take the settings ({name}): check the ARN of the version and rekognition.endpoint.",
    ),
}
"""Errors of the vendor's library, by the name of their class or of a base of it, that need other settings."""


def refusal(status: int, headers: Mapping[str, str], text: str, now: datetime) -> ProviderError:
    """Return the error for a response that is no good answer."""
    code, message = _told(headers, text)
    said = f" ({message})" if message else ""
    told = CODES.get(code) or _STATUSES.get(status)
    if told:
        fault = told(said, now)
        # The vendor counts only photos that it has looked at.
        fault.refused = status < 500 and not isinstance(fault, PhotoRejected)
        return fault
    if status < 400:
        return ProviderUnavailable(
            "The cloud's answer makes no sense: something else answered in its place, such as a Wi-Fi's login page."
        )
    if code and status < 500:
        return ProviderMisconfigured(f"AWS refuses the call with {code}{said}.")
    return ProviderUnavailable(f"The cloud answered with status {status}{said}.")


def library_fault(error: BaseException) -> ProviderError | None:
    """Return the error for one that the vendor's library raised before it sent anything; None if it is no such one."""
    for kind in type(error).__mro__:
        if kind.__name__ in LIBRARY:
            return ProviderMisconfigured(LIBRARY[kind.__name__].format(name=type(error).__name__))
    return None


def _told(headers: Mapping[str, str], text: str) -> tuple[str, str]:
    """Return the vendor's code and the beginning of its message; empty for an answer that is not the vendor's."""
    content: object = None
    with suppress(ValueError):
        content = json.loads(text)
    fields = {str(name).lower(): value for name, value in content.items()} if isinstance(content, dict) else {}
    stated = str(headers.get("x-amzn-ErrorType") or fields.get("__type") or fields.get("code") or "")
    # com.amazonaws.rekognition#ThrottlingException, or ThrottlingException:http://…
    code = stated.partition(":")[0].rpartition("#")[2]
    message = fields.get("message")
    return code if re.fullmatch(r"\w{1,100}", code) else "", str(message)[:200].strip().rstrip(".") if message else ""
