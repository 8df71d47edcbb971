"""The registry of all checks, in display order."""

from collections.abc import Sequence
from functools import cache

from triof.observability.health_checks.check import HealthCheck


@cache
def all_checks() -> Sequence[HealthCheck]:
    """Return every check of the modules below, each in the order of its definition."""
    from triof.observability.health_checks import computer_checks, judging_checks, machine_checks, storage_checks

    modules = (storage_checks, judging_checks, machine_checks, computer_checks)
    return tuple(each for module in modules for each in vars(module).values() if isinstance(each, HealthCheck))
