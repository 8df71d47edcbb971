"""Shared code of ``triof models shadow`` and ``canary``."""

from providers.base import TASKS
from triof.cli.shared.actor import user
from triof.journal.journal import Journal
from triof.models.bundle_store import Store
from triof.rollout.candidates import AZURE, LOCAL, Candidate, CandidateMode
from triof.rollout.rollout_service import CandidateRequest, RolloutRefused, RolloutService
from triof.settings.tree import Settings
from triof.storage import data_folder


def begin(settings: Settings, name: str, mode: CandidateMode, share: float, comment: str, *, azure: bool) -> Candidate:
    """Start a candidate: the bundle, or the iteration published as, ``name``. Raises TriofError, ProviderError."""
    request = _iteration(settings, name, mode, share) if azure else _bundle(settings, name, mode, share)
    with data_folder.database(settings) as database:
        return RolloutService(settings, Journal(database), user()).begin(request, comment)


def _bundle(settings: Settings, name: str, mode: CandidateMode, share: float) -> CandidateRequest:
    found = Store(settings).find(name)
    if len(found) > 1:
        choices = " or ".join(f"{task}/{version}" for task, version in found)
        raise RolloutRefused(f"{name} answers {len(found)} tasks, and each is tried by itself: say {choices}.")
    ((task, version),) = found
    return CandidateRequest(task, LOCAL, version, mode, share)


def _iteration(settings: Settings, name: str, mode: CandidateMode, share: float) -> CandidateRequest:
    for task in TASKS:
        if name.startswith(f"{task}/"):
            return CandidateRequest(task, AZURE, name.removeprefix(f"{task}/"), mode, share)
    asked = [task for task in TASKS if AZURE in settings.routes[task]]
    if len(asked) != 1:
        choices = " or ".join(f"{task}/{name}" for task in asked or TASKS)
        raise RolloutRefused(f"{AZURE} is asked for {len(asked)} tasks: say {choices}.")
    return CandidateRequest(asked[0], AZURE, name, mode, share)
