"""Why an address gave nothing to keep.

::

    FetchError
    ├── Gone          there is nothing
    ├── FetchRefused  the host does not let us in
    │   └── KeptOut   we do not go there
    ├── TooLarge
    ├── NotWanted     it is no photo, by the host's own word
    ├── Unreachable   no answer that makes sense
    └── Busy          later; .retry_after
"""

from triof.common.errors import TriofError


class FetchError(TriofError):
    """An address gave nothing to keep; the message says why."""


class Gone(FetchError):
    """There is nothing at this address, and there will not be."""


class FetchRefused(FetchError):
    """The host does not let us in."""


class KeptOut(FetchRefused):
    """We do not go there: no address of the web, a private network, a robots.txt."""


class TooLarge(FetchError):
    """The body is longer than asked for."""


class NotWanted(FetchError):
    """The host says itself that this is no photo: a page, a drawing."""


class Unreachable(FetchError):
    """No answer, or none that makes sense; another time there may be one."""


class Busy(FetchError):
    """The host asks to come back after ``retry_after`` seconds, or does not say when."""

    def __init__(self, message: str, host: str, retry_after: float | None) -> None:
        super().__init__(message)
        self.host = host
        self.retry_after = retry_after
