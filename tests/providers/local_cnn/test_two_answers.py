"""One network that answers both tasks: asked once for a photo, and in and out of service like any other."""

import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

import pytest
from click.testing import CliRunner, Result

from providers.base import TASKS, ProviderMisconfigured, ProviderUnavailable, Task
from providers.local_cnn import bundle
from providers.local_cnn.isolated import Isolation
from providers.local_cnn.options import LocalCnnOptions
from providers.local_cnn.provider import LocalCnn
from tests.support import colour_models
from tests.support.colour_models import shown
from tests.support.watched import watched
from triof import services
from triof.cli import main
from triof.judging import photo
from triof.models import bundle_store
from triof.rollout.installation import install
from triof.settings.tree import Settings

CUP = shown("cup", "dirty")


def triof(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def done(*arguments: object) -> str:
    ran = triof("bundles", *arguments)
    assert ran.exit_code == 0, ran.output
    return ran.output


def refusal(*arguments: object) -> str:
    ran = triof(*arguments)
    assert ran.exit_code == 1, ran.output
    assert isinstance(ran.exception, SystemExit)
    return ran.output


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory, new_journal: Path) -> Path:
    """A home with a bundle of both tasks, which is not active."""
    home = tmp_path_factory.mktemp("both") / "home"
    home.mkdir()
    shutil.copy(new_journal, home / "journal.db")
    install(colour_models.save_both(home.parent / "both"), Settings(home=home), "marie")
    return home


@pytest.fixture
def home(tmp_path: Path, installed: Path) -> Path:
    """The same for one test, which the commands take."""
    return Path(shutil.copytree(installed, tmp_path / "home"))


@pytest.fixture
def both(tmp_path: Path) -> LocalCnnOptions:
    """The settings that name one bundle for both tasks, which counts as tried."""
    folder = colour_models.save_both(tmp_path / "both")
    Isolation(tmp_path / "bundles").remember(bundle.load(folder).model)
    return LocalCnnOptions(waste_type_bundle=folder, cleanliness_bundle=folder, bundles=tmp_path / "bundles")


def serving(home: Path) -> dict[Task, str]:
    options = bundle_store.options(Settings(home=home))
    return {task: LocalCnn(task, options).card.version for task in TASKS}


@pytest.mark.slow
def test_it_is_installed_activated_and_removed_as_a_whole(home: Path) -> None:
    assert done("list").count("both-1") == 2
    told = done("activate", "both-1", "--why", "faster")
    assert "waste_type: both-1 answers now, before it shipped did." in told
    assert "cleanliness: both-1 answers now, before it shipped did." in told
    assert serving(home) == dict.fromkeys(TASKS, "both-1")
    assert "both-1 answers now" in refusal("bundles", "remove", "both-1")
    for task in TASKS:
        done("rollback", task)
    assert "both-1" not in serving(home).values()
    done("remove", "both-1")
    assert "both-1" not in done("list")


@pytest.mark.slow
def test_it_serves_for_one_task_alone(home: Path) -> None:
    before = serving(home)
    done("activate", "cleanliness/both-1")
    assert serving(home) == {**before, "cleanliness": "both-1"}
    assert "both-1" in refusal("bundles", "remove", "both-1")
    done("remove", "waste_type/both-1")
    assert serving(home) == {**before, "cleanliness": "both-1"}
    # What is left of it is installed again for both.
    again = done("install", colour_models.save_both(home.parent / "again"))
    assert again.count("both-1 answers") == 2
    done("activate", "both-1")
    assert serving(home) == dict.fromkeys(TASKS, "both-1")
    done("rollback", "cleanliness")
    assert serving(home) == {**before, "waste_type": "both-1"}


@pytest.mark.slow
def test_installing_says_both_tasks_and_activates_both(home: Path) -> None:
    told = done("install", colour_models.save_both(home.parent / "next", "both-2"), "--activate")
    assert "both-2 answers waste_type: bottle, cup, cutlery, other;" in told
    assert "both-2 answers cleanliness: clean, dirty;" in told
    assert told.count("Tried on 20 reference photos") == 2
    assert serving(home) == dict.fromkeys(TASKS, "both-2")


def test_another_bundle_of_its_name_is_refused(home: Path) -> None:
    other = colour_models.save_both(home.parent / "other", labels=("cup", "bottle", "cutlery", "other"))
    assert "Another bundle is installed as both-1" in refusal("bundles", "install", other)


def test_on_trial_it_is_one_task_after_the_other(home: Path) -> None:
    assert "say waste_type/both-1 or cleanliness/both-1" in refusal("models", "shadow", "both-1")
    ran = triof("models", "shadow", "cleanliness/both-1")
    assert ran.exit_code == 0, ran.output


def test_a_machine_runs_it_once_for_each_photo(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done("activate", "both-1")
    runs: list[None] = []
    watched(monkeypatch, lambda: runs.append(None))
    sorter = services.build_sorter(Settings(home=home, routes={task: ["local_cnn"] for task in TASKS}))
    warmed = len(runs)
    images = [shown(label, dirt) for label in ("bottle", "cup", "cutlery", "other") for dirt in ("clean", "dirty")]
    with ThreadPoolExecutor(3) as pool:
        judged = list(pool.map(sorter.judge, images * 3))
    sorter.close()
    assert len(runs) - warmed == len(judged) == 24
    said = [(one.predictions["waste_type"].label, one.predictions["cleanliness"].label) for one in judged[:8]]
    assert said == [(label, dirt) for label in ("bottle", "cup", "cutlery", "other") for dirt in ("clean", "dirty")]
    assert {one.predictions[task].model_version for one in judged for task in TASKS} == {"both-1"}
    assert judged[2].predictions["waste_type"].embedding == judged[2].predictions["cleanliness"].embedding
    assert judged[2].predictions["waste_type"].embedding == pytest.approx((0, colour_models.LIT / 255, 0), abs=0.03)


def test_who_asks_second_waits_for_the_call_under_way(both: LocalCnnOptions, monkeypatch: pytest.MonkeyPatch) -> None:
    asked, let = Event(), Event()
    runs: list[None] = []
    watched(monkeypatch, lambda: (runs.append(None), asked.set(), let.wait(10)))
    cup = photo.load(CUP)
    types, dirt = (LocalCnn(task, both) for task in TASKS)
    with ThreadPoolExecutor(1) as pool:
        under_way = pool.submit(dirt.predict, cup, timeout=10)
        assert asked.wait(10)
        with pytest.raises(ProviderUnavailable, match="busy"):
            types.predict(cup, timeout=0.01)
        let.set()
        assert under_way.result(10).label == "dirty"
    assert len(runs) == 1
    # Another object is another question, even of the same picture.
    assert types.predict(photo.load(CUP), timeout=10).label == "cup"
    assert len(runs) == 2


def test_each_order_shares_the_call_and_asking_again_runs_again(
    both: LocalCnnOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs: list[None] = []
    watched(monkeypatch, lambda: runs.append(None))
    for order in (TASKS, tuple(reversed(TASKS))):
        asked = photo.load(CUP)
        runs.clear()
        answers = {task: LocalCnn(task, both).predict(asked, timeout=5) for task in order}
        assert (answers["waste_type"].label, answers["cleanliness"].label) == ("cup", "dirty")
    provider = LocalCnn("waste_type", both)
    kept = LocalCnn("cleanliness", both)
    runs.clear()
    for _ in range(2):
        for each in (provider, kept):
            each.predict(asked, timeout=5)
    assert len(runs) == 2


def test_a_failure_is_that_of_both_and_is_forgotten(both: LocalCnnOptions, monkeypatch: pytest.MonkeyPatch) -> None:
    faults: list[Exception] = [RuntimeError("Node number 3 (CONV_2D) failed to invoke.")]

    def fail() -> None:
        if faults:
            raise faults.pop()

    watched(monkeypatch, fail)
    cup = photo.load(CUP)
    types, dirt = (LocalCnn(task, both) for task in TASKS)
    with pytest.raises(ProviderUnavailable, match="CONV_2D"):
        types.predict(cup, timeout=5)
    assert (dirt.predict(cup, timeout=5).label, types.predict(cup, timeout=5).label) == ("dirty", "cup")


def test_closing_one_task_leaves_the_other(both: LocalCnnOptions) -> None:
    types, dirt = (LocalCnn(task, both) for task in TASKS)
    types.close()
    with pytest.raises(ProviderUnavailable, match="closed"):
        types.predict(photo.load(CUP), timeout=5)
    assert dirt.predict(photo.load(CUP), timeout=5).label == "dirty"


def test_each_task_keeps_its_own_temperature_and_thresholds(both: LocalCnnOptions) -> None:
    assert both.waste_type_bundle
    cards = {task: bundle.load(both.waste_type_bundle, task).card for task in TASKS}
    assert {task: card.temperature for task, card in cards.items()} == {"waste_type": 1.0, "cleanliness": 2.0}
    assert cards["cleanliness"].of("waste_type") == cards["waste_type"]
    assert LocalCnn("cleanliness", both).predict(photo.load(CUP), timeout=5).thresholds == {"clean": 0.8, "dirty": 0.8}


@pytest.mark.slow
def test_an_evaluation_measures_both_and_records_both(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    runs: list[None] = []
    watched(monkeypatch, lambda: runs.append(None))
    folder = colour_models.save_both(tmp_path / "both")
    (tmp_path / "a.png").write_bytes(CUP)
    (tmp_path / "b.png").write_bytes(shown("bottle", "clean"))
    (tmp_path / "manifest.csv").write_text(
        "path,waste_type,cleanliness,split\na.png,cup,dirty,test\nb.png,bottle,clean,test\n"
    )
    ran = triof("evaluate", "--data", ".", "--bundle", "both", "--record", "--no-report", "--json")
    assert ran.exit_code == 0, ran.output
    assert {task: told["accuracy"] for task, told in json.loads(ran.stdout).items()} == dict.fromkeys(TASKS, 1.0)
    assert len(runs) == 2, "one for each photo"
    for task in TASKS:
        assert bundle.load(folder, task).card.metrics["test"]["figures"]["accuracy"]["value"] == 1.0
    page = (folder / "model-card.md").read_text()
    assert page.count("| accuracy | 1.000 |") == 2
    assert "## Use: cleanliness" in page


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"embedding": 4}, "must differ"),
        ({"embedding": 5}, r"float32 \(1, 4\) and \(1, 2\) and \(1, 5\)"),
        ({"also": [{"task": "waste_type", "labels": ["cup", "bottle", "other"]}]}, "each task may stand there once"),
        ({"also": [{"task": "cleanliness", "labels": ["clean", "cup"]}]}, "and no other"),
    ],
)
def test_a_card_that_does_not_fit_is_refused(both: LocalCnnOptions, change: dict[str, object], reason: str) -> None:
    assert both.waste_type_bundle
    path = both.waste_type_bundle / bundle.CARD_FILE
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(ProviderMisconfigured, match=reason):
        LocalCnn("waste_type", both)


def test_a_card_of_one_task_says_nothing_of_others(tmp_path: Path) -> None:
    folder = colour_models.save(tmp_path / "one", "cleanliness")
    assert "also" not in json.loads((folder / bundle.CARD_FILE).read_text())
