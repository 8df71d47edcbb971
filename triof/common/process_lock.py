"""A lock that one process of a home folder holds for its lifetime, for work that must not be done twice."""

from pathlib import Path

from filelock import FileLock, Timeout

from providers.event_log import get_logger
from triof.common.repeated_faults import Complaints

log = get_logger(__name__)


class ProcessLock:
    """A file lock at ``path``; the system releases it when the process dies."""

    def __init__(self, path: Path) -> None:
        # Not thread-local, as one thread acquires the lock and another releases it.
        self._path = path
        self._complaints = Complaints(log)
        self._lock = FileLock(path, mode=0o600, thread_local=False)

    def is_ours(self) -> bool:
        """Acquire the lock unless another process holds it; returns whether this process holds it."""
        if self._lock.is_locked:
            return True
        try:
            # The lock would create a missing folder, which may only have been moved.
            self._path.parent.stat()
            self._lock.acquire(blocking=False)
        except Timeout:
            return False
        except OSError as error:
            self._complaints.failed("lock.not_taken", error)
            return False
        return True

    def release(self) -> None:
        """Release the lock; does nothing if this process does not hold it."""
        self._lock.release()
