"""Trying again, by stamina, without its log lines: they hold every argument of a call, photos and addresses included.

Nothing else imports stamina. Who waits for a call is told by the caller's own words.
"""

import stamina
from stamina import RetryingCaller, retry_context

__all__ = ["RetryingCaller", "retry_context"]

stamina.instrumentation.set_on_retry_hooks([])
