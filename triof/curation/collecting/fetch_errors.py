"""Errors of downloading an address.

::

    FetchError
    ├── Gone          no such resource
    ├── FetchRefused  the host denies access
    │   └── KeptOut   not requested by our rules
    ├── TooLarge
    ├── NotWanted     not a photo according to the host
    ├── Unreachable   no valid response
    └── Busy          later; .retry_after
"""

from triof.common.errors import TriofError


class FetchError(TriofError):
    """An address could not be downloaded; the message says why."""


class Gone(FetchError):
    """There is no resource at this address, permanently."""


class FetchRefused(FetchError):
    """The host denies access."""


class KeptOut(FetchRefused):
    """The address is not requested: not on the web, in a private network, or excluded by robots.txt."""


class TooLarge(FetchError):
    """The body exceeds the size limit."""


class NotWanted(FetchError):
    """The host sends something other than a photo: a page, a drawing."""


class Unreachable(FetchError):
    """No valid response; a later attempt may succeed."""


class Busy(FetchError):
    """The host asks for a retry after ``retry_after`` seconds; None if it does not say."""

    def __init__(self, message: str, host: str, retry_after: float | None) -> None:
        super().__init__(message)
        self.host = host
        self.retry_after = retry_after
