"""New models beside the one in production: never in a person's way, sent away when they fail, promoted whole."""

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from threading import Event as Signal
from uuid import UUID, uuid4

import pytest

from providers.base import Photo, Prediction, ProviderUnavailable, Task
from providers.fake import FakeProvider
from providers.local_cnn.provider import LocalCnn
from testing.azure.custom_vision_server import CustomVisionServer
from tests.support.candidates import FIRST, SECOND, SEEN, activate, deposits_of, make_home
from tests.support.clock import Clock
from tests.support.faulty_disk import PowerCut, failing_replace
from tests.support.machines import Machine, Visitor, assemble, cloud_settings
from triof import services
from triof.common.paths import DEMO_PICTURES
from triof.drills.fault_file import FaultFile, InjectedFault
from triof.journal.journal import Journal
from triof.judging.guarded_provider import GuardedProvider
from triof.judging.mode import Switch
from triof.judging.quota import ledgers
from triof.judging.router import Member, Router
from triof.judging.sorter import Sorter
from triof.machine.cameras.folder import FolderCamera
from triof.models import bundle_store
from triof.rollout.auto_rollback import Rollout
from triof.rollout.candidates import AZURE, LOCAL, Arm, Candidate, CandidateMode, Candidates
from triof.rollout.experiment import Experiment, RenamedProvider
from triof.rollout.rollout_service import CandidateRequest, RolloutService
from triof.settings.sections.rollout import RolloutSettings
from triof.settings.tree import Settings
from triof.storage import data_folder
from triof.storage.tables import PredictionRow

pytestmark = pytest.mark.slow

ROUTES = {"waste_type": ("local_cnn",), "cleanliness": ("fake",)}
PUBLISHED, NEXT = "triof", "triof-next"


@pytest.fixture
def home(tmp_path: Path, new_journal: Path) -> Path:
    return make_home(tmp_path / "home", new_journal)


Build = Callable[..., "Trial"]


class Trial:
    """A running machine that sees the same bottle again and again, and somebody who begins candidates."""

    def __init__(self, machine: Machine, settings: Settings, next_ids: list[UUID]) -> None:
        """``next_ids`` are given to the deposits to come."""
        self.machine = machine
        self.settings = settings
        self.sorter = machine.services.sorter
        self.journal = machine.services.journal
        self.desk = RolloutService(settings, self.journal, "marie")
        self._next_ids = next_ids

    @property
    def experiment(self) -> Experiment:
        experiment = self.sorter.router.experiment
        assert isinstance(experiment, Experiment)
        return experiment

    def begin(self, mode: CandidateMode, share: float, provider: str = LOCAL, name: str = SECOND) -> Candidate:
        """Begin a candidate, and let the machine load it."""
        candidate = self.desk.begin(CandidateRequest("waste_type", provider, name, mode, share), "try it")
        # Loading begins where it is first needed: of a canary before a photo, of a shadow after it.
        if mode == "canary":
            self.sorter.router.members("waste_type", deposits_of(candidate, "candidate")())
        else:
            self._show(candidate, "production").press("/return").press("/done")
        self.experiment.wait_idle()
        return candidate

    def _show(self, candidate: Candidate, arm: Arm) -> Visitor:
        self._next_ids.append(deposits_of(candidate, arm)())
        return self.machine.visitor().press("/start").press("/waste/pick-type")

    def deposit(
        self, candidate: Candidate, arm: Arm, chosen: str | None = None, *, waits: bool = True
    ) -> list[PredictionRow]:
        """One deposit in an arm, confirmed as ticked or as ``chosen``; what was said of its type, believed first."""
        visitor = self._show(candidate, arm)
        deposit_id = self._next_ids.pop()
        if waits:
            self.experiment.wait_idle()
        label = chosen or visitor.ticked
        visitor.press("/confirmation", waste_type=label)
        if visitor.shown == "pick_type":
            visitor.press("/confirmation", waste_type=label, sure="1")
        visitor.wait_idle().open("/confirmation").press("/done")
        rows = [row for row in self.journal.predictions(deposit_id) if row.task == "waste_type"]
        return sorted(rows, key=lambda row: not row.believed)


@pytest.fixture
def build(home: Path, tmp_path: Path) -> Iterator[Build]:
    """Builds machines on the home, whose sorter may be another one than the settings'."""
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    (pictures / "1.jpg").write_bytes((DEMO_PICTURES / "bottle-clean-1.jpg").read_bytes())
    machines: list[Machine] = []

    def made(
        settings: Settings | None = None, build_sorter: Callable[[Settings], Sorter] = services.build_sorter
    ) -> Trial:
        settings = settings or Settings(home=home, language="en", routes=ROUTES, rollout=RolloutSettings(least_asked=5))
        ids: list[UUID] = []
        new_id = lambda: ids[-1] if ids else uuid4()  # noqa: E731
        machine = assemble(settings, build_sorter(settings), FolderCamera(pictures), new_id=new_id)
        machines.append(machine)
        return Trial(machine, settings, ids)

    yield made
    for machine in machines:
        machine.services.deposits.close()
        machine.services.sorter.close()
        machine.services.journal.database.close()


@pytest.fixture
def trial(build: Build) -> Trial:
    return build()


class Watched(LocalCnn):
    """The local provider, which calls ``meanwhile`` with each photo first."""

    meanwhile: Callable[[Photo], object] = lambda photo: None

    def predict(self, photo: Photo, *, timeout: float) -> Prediction:
        self.meanwhile(photo)
        return super().predict(photo, timeout=timeout)


class Detailed(Watched):
    """One that needs larger photos than any other."""

    needed_side = 700


def sorter_of(
    candidate_class: type[Watched],
    meanwhile: Callable[[Photo], object],
    seen: Callable[[Photo], object] = lambda photo: None,
    clock: Clock | None = None,
) -> Callable[[Settings], Sorter]:
    """Builds a sorter whose candidate calls ``meanwhile`` at each photo, and whose production calls ``seen``."""

    def build(settings: Settings) -> Sorter:
        def build_candidate(candidate: Candidate) -> Member:
            provider = candidate_class("waste_type", bundle_store.options(candidate.settings(settings)))
            provider.meanwhile = meanwhile
            return RenamedProvider(candidate.label, provider)

        production = Watched("waste_type", bundle_store.options(settings))
        production.meanwhile = seen
        journal = cache(lambda: Journal(data_folder.open_database(settings)))
        experiment = Experiment(settings, journal, build_candidate, no_cloud, clock=clock or time.monotonic)
        routes: dict[Task, list[Member]] = {
            "waste_type": [production],
            "cleanliness": [FakeProvider("cleanliness", settings.fake)],
        }
        router = Router(routes, settings.deadline_seconds, experiment=experiment)
        return Sorter(router, settings.policy, settings.photo, compare=experiment.follow_up)

    return build


def no_cloud(task: Task, name: str) -> GuardedProvider:
    raise AssertionError(name)


def versions(rows: list[PredictionRow]) -> list[str]:
    return [row.model_version for row in rows]


# Shadow


def test_a_shadow_is_asked_about_the_same_photo_and_never_believed(trial: Trial) -> None:
    candidate = trial.begin("shadow", 0.5)
    believed, beside = trial.deposit(candidate, "production")
    assert (believed.model_version, believed.label, believed.believed) == (FIRST, SEEN[FIRST], True)
    assert (beside.model_version, beside.label, beside.believed) == (SECOND, SEEN[SECOND], False)
    assert beside.photo == believed.photo
    assert [attempt["outcome"] for attempt in beside.attempts] == ["answered"]
    assert versions(trial.deposit(candidate, "alone")) == [FIRST]
    assert [row.reason for row in trial.machine.events("deposit.confirmed")] == ["agreed", "agreed"]


def test_a_shadow_that_hangs_keeps_nobody_waiting_and_is_sent_away(build: Build) -> None:
    free, clock = Signal(), Clock()
    trial = build(build_sorter=sorter_of(Watched, lambda _: free.wait(60), clock=clock))
    candidate = trial.begin("shadow", 1.0)
    for _ in range(6):
        assert versions(trial.deposit(candidate, "production", waits=False)) == [FIRST]
        clock.pass_(10)
    failures = trial.machine.events("candidate.failed")
    assert len(failures) == 5
    assert failures[0].detail["message"] == "it has not come back from an earlier photo"
    Rollout(trial.settings, trial.journal).guard()
    (ended,) = trial.machine.events("candidate.ended")
    assert ended.detail["outcome"] == "stopped"
    assert "it gave no answer to 5 of the latest 5 questions" in ended.detail["why"]
    free.set()


def test_production_sees_its_photos_as_without_a_shadow(build: Build) -> None:
    sizes: list[tuple[int, int]] = []
    look = lambda photo: sizes.append(photo.picture.size)  # noqa: E731
    trial = build(build_sorter=sorter_of(Detailed, look, seen=look))
    alone = trial.sorter.judge((DEMO_PICTURES / "bottle-clean-1.jpg").read_bytes(), uuid4())
    candidate = trial.begin("shadow", 1.0)
    sizes.clear()
    trial.deposit(candidate, "production")
    assert sizes[0] == alone.photo.picture.size
    assert min(sizes[1]) >= 700 > min(sizes[0])


# Canary


def test_a_canary_is_believed_in_its_share_and_both_arms_give_pairs(trial: Trial) -> None:
    candidate = trial.begin("canary", 0.3)
    assert versions(trial.deposit(candidate, "candidate")) == [SECOND, FIRST]
    assert versions(trial.deposit(candidate, "production")) == [FIRST, SECOND]
    assert [event.waste_type for event in trial.machine.events("deposit.judged")] == [SEEN[SECOND], SEEN[FIRST]]


def test_a_deposit_stays_in_its_arm_and_the_tasks_are_drawn_apart(trial: Trial) -> None:
    candidate = trial.begin("canary", 0.3)
    other = replace(candidate, task="cleanliness")
    ids = [uuid4() for _ in range(4000)]
    arms = [candidate.arm(deposit_id) for deposit_id in ids]
    assert arms == [candidate.arm(deposit_id) for deposit_id in ids]
    assert arms.count("candidate") == pytest.approx(1200, abs=150)
    both = sum(arm == other.arm(deposit_id) == "candidate" for arm, deposit_id in zip(arms, ids, strict=True))
    assert both == pytest.approx(360, abs=90)


def test_where_a_canary_fails_production_answers_and_the_guard_takes_it_back(build: Build) -> None:
    def fail(_: Photo) -> None:
        raise ProviderUnavailable("it is broken")

    trial = build(build_sorter=sorter_of(Watched, fail))
    candidate = trial.begin("canary", 0.5)
    (believed,) = trial.deposit(candidate, "candidate")
    assert believed.model_version == FIRST
    assert [attempt["provider"] for attempt in believed.attempts] == [f"local_cnn@{SECOND}", "local_cnn"]
    rollout = Rollout(trial.settings, trial.journal)
    rollout.guard()
    assert trial.machine.events("candidate.ended") == [], "one failure says little"
    for _ in range(4):
        trial.deposit(candidate, "candidate")
    assert len(trial.machine.events("candidate.failed")) == 5
    rollout.guard()
    (ended,) = trial.machine.events("candidate.ended")
    assert (ended.detail["outcome"], ended.detail["who"]) == ("rolled_back", "triof")
    members = [
        member.name for member in trial.sorter.router.members("waste_type", deposits_of(candidate, "candidate")())
    ]
    assert members == ["local_cnn"], "from the next question on"


def test_one_that_cannot_be_loaded_is_counted_and_production_answers(trial: Trial, home: Path) -> None:
    candidate = trial.desk.begin(CandidateRequest("waste_type", LOCAL, SECOND, "canary", 0.5), "")
    (home / "bundles" / "waste_type" / SECOND / "model.tflite").write_bytes(b"spoilt")
    for _ in range(3):
        assert versions(trial.deposit(candidate, "candidate")) == [FIRST]
    assert {event.detail["outcome"] for event in trial.machine.events("candidate.failed")} == {"ProviderMisconfigured"}


def test_a_drill_rehearses_what_production_does(trial: Trial) -> None:
    candidate = trial.begin("canary", 0.5)
    FaultFile(trial.settings.home).set(InjectedFault("camera_gone", "http://127.0.0.1:9"), 30)
    members = trial.sorter.router.members("waste_type", deposits_of(candidate, "candidate")())
    assert [member.name for member in members] == ["local_cnn"]


def test_a_spoilt_file_means_production_alone(trial: Trial, home: Path) -> None:
    candidate = trial.begin("canary", 0.5)
    for spoilt in (b"", b"[]", b'{"candidates": {"waste_type": {"mode": "canary"}}}', b"\0" * 40):
        (home / "candidates.json").write_bytes(spoilt)
        assert Candidates(trial.settings).of("waste_type") is None
        assert versions(trial.deposit(candidate, "candidate")) == [FIRST]


# Promotion


def test_a_promotion_answers_at_once_and_ends_the_candidate(trial: Trial) -> None:
    candidate = trial.begin("canary", 0.5)
    trial.desk.promote("waste_type", "better")
    assert versions(trial.deposit(candidate, "production")) == [SECOND]
    (activated,), (ended,) = trial.machine.events("bundle.activated"), trial.machine.events("candidate.ended")
    assert (activated.detail["version"], activated.detail["before"]) == (SECOND, FIRST)
    assert ended.detail["outcome"] == "promoted"
    trial.desk.rollback("waste_type", LOCAL, "it was not")
    assert versions(trial.deposit(candidate, "candidate")) == [FIRST]


@pytest.mark.parametrize(("file", "serves"), [("active.json", FIRST), ("candidates.json", SECOND)])
def test_a_promotion_that_is_killed_leaves_it_before_or_after(
    trial: Trial, monkeypatch: pytest.MonkeyPatch, file: str, serves: str
) -> None:
    candidate = trial.begin("canary", 0.5)
    with monkeypatch.context() as patch:
        failing_replace(patch, PowerCut, file)
        with pytest.raises(PowerCut):
            trial.desk.promote("waste_type", "better")
    held = Candidates(trial.settings).of("waste_type")
    assert (held is None) == (serves == SECOND)
    believed, *beside = trial.deposit(candidate, "production")
    assert believed.model_version == serves
    assert len(beside) == (serves == FIRST)
    Rollout(trial.settings, trial.journal).guard()
    outcomes = [event.detail["outcome"] for event in trial.machine.events("candidate.ended")]
    assert set(outcomes) == ({"promoted"} if serves == SECOND else set())


def test_whatever_changes_production_ends_the_candidate(trial: Trial, home: Path) -> None:
    candidate = trial.begin("canary", 0.5)
    activate(home, "shipped")
    assert Candidates(trial.settings).of("waste_type") is None
    assert SECOND not in versions(trial.deposit(candidate, "candidate"))
    Rollout(trial.settings, trial.journal).guard()
    assert [event.detail["outcome"] for event in trial.machine.events("candidate.ended")] == ["superseded"]


# Azure


class _Either(str):
    """A published name that is two."""

    __slots__ = ()

    def __ne__(self, other: object) -> bool:
        return other not in (PUBLISHED, NEXT)

    __hash__ = str.__hash__


@pytest.fixture
def cloud_trial(build: Build, cloud: CustomVisionServer, home: Path) -> Trial:
    routes = {"waste_type": ("custom_vision", "local_cnn"), "cleanliness": ("fake",)}
    settings = cloud_settings(cloud, home, routes=routes)
    cloud.published_name = _Either(PUBLISHED)
    trial = build(settings)
    trial.sorter.router.prepare()
    return trial


def names(rows: list[PredictionRow]) -> list[str]:
    return [row.model_version.partition("@")[0] for row in rows if row.provider == AZURE]


def test_an_iteration_in_the_shadow_costs_counted_calls(cloud_trial: Trial, cloud: CustomVisionServer) -> None:
    candidate = cloud_trial.begin("shadow", 0.5, AZURE, NEXT)
    assert names(cloud_trial.deposit(candidate, "production")) == [PUBLISHED, NEXT]
    assert names(cloud_trial.deposit(candidate, "alone")) == [PUBLISHED]
    (ledger,) = ledgers(cloud_trial.settings, cloud_trial.journal.database).values()
    assert ledger.usage().used == cloud.calls == 4, "one before it was loaded"


def test_an_iteration_is_a_canary_then_in_production_without_a_restart(
    cloud_trial: Trial, build: Build, cloud: CustomVisionServer
) -> None:
    candidate = cloud_trial.begin("canary", 0.3, AZURE, NEXT)
    assert names(cloud_trial.deposit(candidate, "candidate")) == [NEXT, PUBLISHED]
    assert names(cloud_trial.deposit(candidate, "alone")) == [PUBLISHED]
    cloud_trial.desk.promote("waste_type", "better")
    assert names(cloud_trial.deposit(candidate, "candidate")) == [NEXT]
    state = Rollout(cloud_trial.settings, cloud_trial.journal).state()
    assert state[0] == {"task": "waste_type", "production": {AZURE: NEXT, LOCAL: FIRST}, "candidate": None}
    cloud_trial.desk.rollback("waste_type", AZURE, "worse after all")
    assert names(cloud_trial.deposit(candidate, "candidate")) == [PUBLISHED]


def test_an_iteration_that_is_not_published_fails_and_production_answers(
    cloud_trial: Trial, cloud: CustomVisionServer
) -> None:
    candidate = cloud_trial.begin("canary", 0.5, AZURE, "nobody")
    assert names(cloud_trial.deposit(candidate, "candidate"))[0] == PUBLISHED
    (failed,) = cloud_trial.machine.events("candidate.failed")
    assert failed.detail["outcome"] == "ProviderMisconfigured"


def test_in_local_mode_no_iteration_is_asked(cloud_trial: Trial, cloud: CustomVisionServer) -> None:
    candidate = cloud_trial.begin("canary", 0.5, AZURE, NEXT)
    Switch(cloud_trial.settings.home, "auto").turn("local", "marie", "")
    assert names(cloud_trial.deposit(candidate, "candidate")) == []
    assert cloud.calls == 0
