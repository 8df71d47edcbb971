"""Retries with stamina, without its log lines, which contain every argument of a call, photos and addresses too.

The only module that imports stamina. Callers report waits themselves.
"""

import stamina
from stamina import RetryingCaller, retry_context

__all__ = ["RetryingCaller", "retry_context"]

stamina.instrumentation.set_on_retry_hooks([])
