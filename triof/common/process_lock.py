"""The one process of a home folder that does what must not be done twice: whoever came first, as long as it lives."""

from pathlib import Path

from filelock import FileLock, Timeout

from providers.event_log import get_logger
from triof.common.repeated_faults import Complaints

log = get_logger(__name__)


class ProcessLock:
    """A claim to be that process, by a lock at ``path``; the system takes it back from a dead one."""

    def __init__(self, path: Path) -> None:
        # Not each thread's own: it is claimed in the thread that does the work, and given back by the one that ends it.
        self._path = path
        self._complaints = Complaints(log)
        self._lock = FileLock(path, mode=0o600, thread_local=False)

    def is_ours(self) -> bool:
        """Claim it, unless another process has."""
        if self._lock.is_locked:
            return True
        try:
            # It would make the folder, which may have been moved and be brought back.
            self._path.parent.stat()
            self._lock.acquire(blocking=False)
        except Timeout:
            return False
        except OSError as error:
            self._complaints.failed("lock.not_taken", error)
            return False
        return True

    def release(self) -> None:
        """Let another process claim it; harmless if it is not ours."""
        self._lock.release()
