"""Bundles are put into service, out of it and removed: at once in a running machine, which drops nothing."""

import hashlib
import json
import logging
import os
import shutil
import subprocess
import sys
import timeit
import zipfile
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from io import BytesIO
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import create_engine, text

from providers.base import TASKS, Photo, Prediction, ProviderMisconfigured
from providers.local_cnn import bundle
from providers.local_cnn.bundle import BundleCard, Input
from providers.local_cnn.options import shipped
from providers.local_cnn.provider import LocalCnn, LocalModel
from testing.azure.azure_export import SIDE, azure_export_zip, litert_model
from tests.support import colour_models
from tests.support.faulty_disk import FULL, PowerCut, failing_replace
from tests.support.machines import BuildCloudMachine, Visitor
from tests.support.paths import ROOT
from tests.support.watched import watched
from triof import services
from triof.cli import main
from triof.common.atomic_files import replace_file
from triof.common.paths import DEMO_PICTURES
from triof.evaluation.training_comparison import Hits, LearnedMore
from triof.journal.journal import Journal
from triof.judging import photo
from triof.models import bundle_store
from triof.models.acceptance import AcceptanceResult
from triof.models.bundle_store import Store
from triof.models.errors import BundleRefused
from triof.rollout.installation import install
from triof.settings.tree import Settings
from triof.storage.database import Database

pytestmark = pytest.mark.slow

TAGS = ("Bouteille", "Couvert", "Gobelet", "Negative")
SHIPPED = bundle.load(shipped("waste_type")).card.version
CUP = "azure-waste_type-aaaaaaaa"
"""Sees a cup in BOTTLE."""
CUTLERY = "azure-waste_type-bbbbbbbb"
"""Sees cutlery in it: its tags stand in another order."""
BOTTLE = DEMO_PICTURES / "bottle-clean-1.jpg"


def triof(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def done(*arguments: object) -> str:
    """What a command that must succeed has printed."""
    ran = triof("bundles", *arguments)
    assert ran.exit_code == 0, ran.output
    return ran.output


def refusal(*arguments: object) -> str:
    """What a command that must be refused has said."""
    ran = triof("bundles", *arguments)
    assert ran.exit_code == 1, ran.output
    assert isinstance(ran.exception, SystemExit)
    return ran.output


@pytest.fixture(autouse=True)
def _marie(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGNAME", "marie")


@pytest.fixture(scope="module")
def two_installed(tmp_path_factory: pytest.TempPathFactory, new_journal: Path) -> Path:
    """A home with two bundles, neither of which is active."""
    home = tmp_path_factory.mktemp("bundles") / "home"
    home.mkdir()
    shutil.copy(new_journal, home / "journal.db")
    settings = Settings(home=home)
    for iteration, tags in (("aaaaaaaa", TAGS), ("bbbbbbbb", (TAGS[0], TAGS[2], TAGS[1], TAGS[3]))):
        source = home.parent / f"{iteration}.zip"
        source.write_bytes(
            azure_export_zip(TAGS, iteration_id=iteration, changes={"labels.txt": "\n".join(tags).encode()})
        )
        install(source, settings, "marie")
    return home


@pytest.fixture
def home(tmp_path: Path, two_installed: Path) -> Path:
    """The same for one test."""
    return Path(shutil.copytree(two_installed, tmp_path / "home"))


@pytest.fixture
def bottle() -> Photo:
    return photo.load(BOTTLE.read_bytes())


def pointer(home: Path) -> Path:
    return home / "bundles" / "active.json"


def point(home: Path, active: str, *before: str) -> None:
    """As an activation does it, without a check."""
    replace_file(pointer(home), json.dumps({"waste_type": {"active": active, "before": before}}).encode())


def provider(home: Path) -> LocalCnn:
    return LocalCnn("waste_type", bundle_store.options(Settings(home=home)))


def serving(home: Path) -> str:
    """What a machine that starts now would answer with."""
    return provider(home).card.version


def happened(home: Path) -> list[dict[str, Any]]:
    """What the journal knows of bundles, oldest first."""
    query = text("SELECT kind, reason, detail FROM events WHERE kind LIKE 'bundle.%' ORDER BY at")
    with create_engine(f"sqlite:///{home / 'journal.db'}").connect() as journal:
        return [{"kind": kind, "task": task, **json.loads(detail)} for kind, task, detail in journal.execute(query)]


def own_bundle(folder: Path, version: str = "mine-1", *, alike: bool = False, side: int = SIDE) -> Path:
    """A bundle as `triof train` makes it, but small."""
    model = litert_model(TAGS, logits=True, alike=alike, side=side)
    card = BundleCard(
        task="waste_type",
        version=version,
        labels=("bottle", "cutlery", "cup", "other"),
        input=Input(width=side, height=side, channels="bgr", range=(0, 255)),
        thresholds={"cup": 0.7},
        sha256=hashlib.sha256(model).hexdigest(),
    )
    bundle.save(folder, card, model)
    return folder


def test_the_shipped_bundles_serve_until_another_one_is_activated(home: Path) -> None:
    assert serving(home) == SHIPPED
    lines = done("list").splitlines()
    assert lines[0] == "waste_type"
    assert lines[1].split() == ["*", "shipped", SHIPPED]
    assert lines[2].split()[0] == CUP
    assert "cleanliness" in lines
    assert f"waste_type: {CUP} answers now, before it shipped did." in done("activate", CUP, "--why", "new photos")
    assert serving(home) == CUP
    assert [line.split()[:2] for line in done("list").splitlines()[1:3]] == [["-", "shipped"], ["*", CUP]]
    assert happened(home) == [
        {
            "kind": "bundle.activated",
            "task": "waste_type",
            "version": CUP,
            "before": "shipped",
            "who": "marie",
            "why": "new photos",
        }
    ]


def test_every_command_that_classifies_asks_the_active_one(home: Path) -> None:
    done("activate", CUP)
    told = json.loads(triof("classify", "--mode", "local", "--json", BOTTLE).stdout)
    assert (told["waste_type"]["label"], told["waste_type"]["model_version"]) == ("cup", CUP)
    assert f"local_cnn {CUP} believes" in triof("doctor").output


def test_an_evaluation_asks_the_active_one(home: Path, tmp_path: Path) -> None:
    done("activate", CUP)
    (tmp_path / "photos" / "cup").mkdir(parents=True)
    shutil.copy(BOTTLE, tmp_path / "photos" / "cup")
    for split in ("train", "val", "test"):
        ran = triof("evaluate", "waste_type", "--data", tmp_path / "photos", "--split", split, "--json", "--no-report")
        if ran.exit_code == 0:
            assert json.loads(ran.stdout)["waste_type"]["model_version"] == CUP
            return
    pytest.fail("the photo is in no split")


def test_the_previous_one_is_one_command_away(home: Path) -> None:
    for version in (CUP, CUTLERY, "waste_type/shipped", CUP):
        done("activate", version)
    for version in ("shipped", CUTLERY, CUP, "shipped"):
        again = done("rollback", "waste_type", "--why", "worse")
        assert f"waste_type: {version} answers now" in again
        assert serving(home) == (SHIPPED if version == "shipped" else version)
    assert "Nothing was in service for waste_type before shipped" in refusal("rollback", "waste_type")
    assert [event["version"] for event in happened(home)[4:]] == ["shipped", CUTLERY, CUP, "shipped"]
    assert {event["why"] for event in happened(home)[4:]} == {"worse"}
    assert f"To undo it: triof bundles activate {CUP}" in again


def test_the_tasks_do_not_touch_each_other(home: Path) -> None:
    done("activate", CUP)
    assert "Nothing was in service for cleanliness" in refusal("rollback", "cleanliness")
    assert "shipped answers already" in done("activate", "cleanliness/shipped")
    assert serving(home) == CUP
    assert LocalCnn("cleanliness", bundle_store.options(Settings(home=home))).card.version == SHIPPED


def test_what_answers_already_is_no_change(home: Path, caplog: pytest.LogCaptureFixture) -> None:
    done("activate", CUP)
    asked = provider(home)
    assert f"waste_type: {CUP} answers already." in done("activate", CUP)
    assert len(happened(home)) == 1
    caplog.set_level(logging.INFO)
    assert asked.card.version == CUP
    assert not any("bundle.swapped" in record.message for record in caplog.records), "nothing is loaded anew"
    assert "before it shipped did" not in done("activate", CUP)
    assert f"before it {CUP} did" in done("rollback", "waste_type")


def test_a_bundle_is_called_by_its_version_or_with_its_task(home: Path) -> None:
    assert "cleanliness: shipped answers already" in done("activate", "shipped"), "it answers both tasks"
    assert "No bundle is called 'nothing': `triof bundles list`" in refusal("activate", "nothing")
    assert "No bundle is called '../x'" in refusal("remove", "../x")
    done("activate", f"waste_type/{CUP}")
    done("activate", SHIPPED)
    assert serving(home) == SHIPPED


def test_one_that_is_removed_is_gone_also_from_what_was_before(home: Path) -> None:
    for version in (CUP, CUTLERY):
        done("activate", version)
    assert f"{CUTLERY} answers now: activate another one, or `triof bundles rollback waste_type`" in refusal(
        "remove", CUTLERY
    )
    assert f"{CUP} is removed; waste_type is answered by {CUTLERY} as before." in done("remove", CUP)
    assert "What ships with Triof stays" in refusal("remove", "waste_type/shipped")
    assert CUP not in done("list")
    assert [path.name for path in (home / "bundles" / "waste_type").iterdir()] == [CUTLERY]
    assert "waste_type: shipped answers now" in done("rollback", "waste_type")
    assert happened(home)[2] == {"kind": "bundle.removed", "task": "waste_type", "version": CUP, "who": "marie"}


def test_where_the_system_names_no_users_nobody_stands_in_the_journal(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setitem(sys.modules, "pwd", None)  # as on Windows
    done("activate", CUP)
    assert happened(home)[0]["who"] == "unknown"


def test_between_two_of_the_same_nothing_is_left_to_go_back_to(home: Path) -> None:
    for version in (CUP, CUTLERY, CUP):
        done("activate", version)
    done("remove", CUTLERY)
    assert "waste_type: shipped answers now" in done("rollback", "waste_type")


@pytest.mark.parametrize("name", bundle.FILES)
def test_a_damaged_one_is_not_put_into_service_but_can_be_removed(home: Path, name: str) -> None:
    done("activate", CUTLERY)
    before = pointer(home).read_bytes()
    path = home / "bundles" / "waste_type" / CUP / name
    path.write_bytes(path.read_bytes()[:-9])
    assert "cannot be used" in refusal("activate", CUP)
    assert "cannot be used" in done("list")
    assert pointer(home).read_bytes() == before
    assert len(happened(home)) == 1
    done("remove", CUP)
    assert CUP not in done("list")


def test_one_that_answers_all_alike_by_now_is_not_put_into_service(home: Path) -> None:
    folder = home / "bundles" / "waste_type" / CUP
    model = litert_model(TAGS, alike=True)
    card = bundle.load(folder).card
    bundle.save(folder, card.model_copy(update={"sha256": hashlib.sha256(model).hexdigest()}), model)
    assert "answers all 20 photos alike" in refusal("activate", CUP)
    assert serving(home) == SHIPPED
    assert not happened(home)


def test_settings_that_overrule_it_are_named(home: Path) -> None:
    mine = ["--set", f"local_cnn.waste_type_bundle={shipped('waste_type')}"]
    told = triof(*mine, "bundles", "activate", CUP).output
    assert "The settings overrule it: unset local_cnn.waste_type_bundle" in told
    assert "local_cnn.waste_type_bundle is" in triof(*mine, "bundles", "list").output
    answer = triof(*mine, "classify", "--mode", "local", "--json", BOTTLE).stdout
    assert json.loads(answer)["waste_type"]["model_version"] == SHIPPED


def test_the_folder_of_the_bundles_can_be_set(home: Path, tmp_path: Path) -> None:
    (home / "bundles").rename(tmp_path / "elsewhere")
    elsewhere = ["--set", f"local_cnn.bundles={tmp_path / 'elsewhere'}"]
    assert triof(*elsewhere, "bundles", "activate", CUP).exit_code == 0
    answer = triof(*elsewhere, "classify", "--mode", "local", "--json", BOTTLE).stdout
    assert json.loads(answer)["waste_type"]["model_version"] == CUP
    assert serving(home) == SHIPPED


def test_one_of_ours_is_tried_and_installed_too(home: Path, tmp_path: Path, bottle: Photo) -> None:
    folder = own_bundle(tmp_path / "run" / "bundle")
    told = done("install", folder, "--activate", "--why", "trained on our own photos")
    assert "mine-1 answers waste_type: bottle, cutlery, cup, other; it reads BGR from 0 to 255" in told
    assert "Tried on 20 reference photos" in told
    assert "waste_type: mine-1 answers now" in told
    assert happened(home)[0]["why"] == "trained on our own photos"
    prediction = provider(home).predict(bottle, timeout=5)
    assert (prediction.label, prediction.model_version, prediction.thresholds) == ("cup", "mine-1", {"cup": 0.7})
    assert "It is installed already" in done("install", folder)
    assert "waste_type: mine-1 answers already" in done("install", folder, "--activate")


def test_one_of_ours_may_come_as_a_zip_and_must_not_answer_all_alike(home: Path, tmp_path: Path) -> None:
    own_bundle(tmp_path / "run" / "bundle", "mine-2")
    assert "triof bundles activate mine-2" in done(
        "install", shutil.make_archive(str(tmp_path / "z"), "zip", tmp_path / "run")
    )
    own_bundle(tmp_path / "run" / "bundle", "mine-3", alike=True)
    assert "mine-3 answers all 20 photos alike" in refusal("install", tmp_path / "run" / "bundle")
    (tmp_path / "run" / "bundle" / "labels.txt").unlink()
    assert "it has no labels.txt" in refusal("install", tmp_path / "run")


@pytest.mark.parametrize("zipped", [False, True])
def test_one_that_its_training_did_not_find_better_is_not_put_into_service(
    home: Path, tmp_path: Path, *, zipped: bool
) -> None:
    folder = own_bundle(tmp_path / "run" / "bundle")
    lost = LearnedMore("web-1", [Hits("theirs", "waste_type", 9, 0, 8, 0), Hits("elsewhere", "waste_type", 9, 9, 0, 0)])
    before = bundle.load(folder)
    bundle.save(folder, lost.on(before.card), before.model, rehearsal=b"rows")
    source = shutil.make_archive(str(tmp_path / "z"), "zip", tmp_path / "run") if zipped else folder
    refused = refusal("install", source, "--activate")
    assert "It is installed, in" in refused
    assert "mine-1 is not put into service: Worse elsewhere than the bundle before." in refused
    assert "`triof bundles activate mine-1 --anyway`" in refused
    assert serving(home) == SHIPPED
    assert refusal("activate", "mine-1").startswith("Error: mine-1 is not put into service")
    assert "waste_type: mine-1 answers now" in done("activate", "mine-1", "--anyway")
    # What is in service already may be loaded anew.
    assert "mine-1 answers already" in done("activate", "mine-1")
    installed = home / "bundles" / "waste_type" / "mine-1"
    assert (installed / bundle.REHEARSAL_FILE).read_bytes() == b"rows"
    done("rollback", "waste_type")
    assert "mine-1 answers now" in done("install", source, "--activate", "--anyway")
    done("rollback", "waste_type")
    done("remove", "mine-1")
    assert not installed.exists()


@pytest.mark.parametrize("version", ["../../evil", "shipped", ".hidden", "a/b", "x" * 101])
def test_a_version_that_names_no_folder_is_refused(home: Path, tmp_path: Path, version: str) -> None:
    assert "cannot be the name of a folder" in refusal("install", own_bundle(tmp_path / "b", version))


def test_another_one_of_the_same_version_is_refused(home: Path, tmp_path: Path) -> None:
    source = tmp_path / "e.zip"
    source.write_bytes(azure_export_zip(TAGS, channels="Rgb8", iteration_id="aaaaaaaa"))
    assert f"Another bundle is installed as {CUP}: remove it first" in refusal("install", source)
    source.write_bytes(azure_export_zip(TAGS, iteration_id="aaaaaaaa"))
    renamed = triof("--set", "custom_vision.tags.Couvert=cup", "bundles", "install", source)
    assert f"Another bundle is installed as {CUP}" in renamed.output
    assert "installed already" in done("install", shipped("waste_type"))
    assert "shipped answers already" in done("install", shipped("waste_type"), "--activate")


def test_a_damaged_one_can_be_installed_again(home: Path, two_installed: Path) -> None:
    done("activate", CUP)
    running = provider(home)
    (home / "bundles" / "waste_type" / CUP / "model.tflite").write_bytes(b"")
    restarted = provider(home)
    assert restarted.card.version == SHIPPED
    assert f"It is installed, in {home}" in done("install", two_installed.parent / "aaaaaaaa.zip", "--activate")
    assert [each.card.version for each in (running, restarted)] == [CUP, CUP]


def deposit(visitor: Visitor) -> Visitor:
    return visitor.press("/start").press("/waste/pick-type")


def test_a_running_machine_follows_without_dropping_the_deposit_under_way(
    cloud_machine: BuildCloudMachine, two_installed: Path, tmp_path: Path
) -> None:
    shutil.copytree(two_installed / "bundles", tmp_path / "home" / "bundles")
    machine = cloud_machine(mode="local")

    def judged() -> list[str]:
        with create_engine(f"sqlite:///{tmp_path / 'home' / 'journal.db'}").connect() as journal:
            return list(
                journal.scalars(text("SELECT model_version FROM predictions WHERE task = 'waste_type' ORDER BY at"))
            )

    visitor = deposit(machine.visitor())
    assert visitor.ticked == "bottle"
    done("activate", CUP)
    visitor.press("/confirmation", waste_type="bottle").wait_idle()
    assert machine.happened()[-1] == ("shredded", "bottle", None)
    visitor.open("/").press("/done").press("/start")
    done("activate", CUTLERY)
    done("activate", CUP)
    visitor.press("/waste/pick-type")
    assert visitor.ticked == "cup"
    done("rollback", "waste_type")
    done("rollback", "waste_type")
    done("rollback", "waste_type")
    visitor.press("/return").press("/done")
    deposit(visitor)
    assert visitor.ticked == "bottle"
    assert judged() == [SHIPPED, CUP, SHIPPED]


def test_many_who_ask_while_bundles_come_and_go_get_whole_answers_of_one_of_them(home: Path, bottle: Photo) -> None:
    store, journal = Store(Settings(home=home)), Journal(Database(f"sqlite:///{home / 'journal.db'}", "machine-1"))
    store.activate(CUP, journal, "", "")
    asked = provider(home)
    right = {
        name: LocalModel(bundle.load(home / "bundles" / "waste_type" / name)).scores(bottle, timeout=5)
        for name in (CUP, CUTLERY)
    }
    stop = False

    def ask(_: int) -> set[str]:
        seen = set()
        while not stop:
            prediction = asked.predict(bottle, timeout=5)
            assert prediction.scores == pytest.approx(right[prediction.model_version])
            seen.add(prediction.model_version)
        return seen

    with ThreadPoolExecutor(8) as pool:
        threads = [pool.submit(ask, number) for number in range(8)]
        for turn in range(24):
            point(home, (CUTLERY, CUP)[turn % 2])
            # Whatever is activated, the next question is answered by it or by the one before, never later ones.
            asked.predict(bottle, timeout=5)
        stop = True
        seen = set.union(*(thread.result(30) for thread in threads))
    assert seen == {CUP, CUTLERY}
    assert asked.predict(bottle, timeout=5).model_version == CUP
    journal.database.close()


def test_while_one_loads_the_others_are_answered_by_the_one_before(
    home: Path, bottle: Photo, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = provider(home)
    done("activate", CUP)
    meanwhile: list[Future[Prediction]] = []

    def ask_beside() -> None:
        """Ask once, when the new model is tried."""
        if not meanwhile:
            with ThreadPoolExecutor(1) as pool:
                meanwhile.append(pool.submit(asked.predict, bottle, timeout=5))

    watched(monkeypatch, ask_beside)
    assert asked.predict(bottle, timeout=5).model_version == CUP
    assert meanwhile[0].result(5).model_version == SHIPPED


def test_a_question_under_way_ends_on_the_model_it_began_with(
    home: Path, bottle: Photo, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = provider(home)
    meanwhile: list[Prediction] = []

    def change() -> None:
        """Activate another one, at the first photo."""
        if not changed.is_set():
            changed.set()
            done("activate", CUP)
            meanwhile.append(asked.predict(bottle, timeout=5))

    changed = Event()
    watched(monkeypatch, change)
    prediction = asked.predict(bottle, timeout=5)
    assert (prediction.label, prediction.model_version) == ("bottle", SHIPPED)
    assert set(prediction.thresholds)
    assert [other.model_version for other in meanwhile] == [CUP]


def not_loaded(caplog: pytest.LogCaptureFixture) -> int:
    return sum("bundle.not_loaded" in record.message for record in caplog.records)


@pytest.mark.parametrize("damage", ["gone", "model.tflite", "task", "junk"])
def test_one_that_cannot_be_loaded_leaves_the_one_before_and_is_told_once(
    home: Path, bottle: Photo, caplog: pytest.LogCaptureFixture, damage: str
) -> None:
    done("activate", CUTLERY)
    asked = provider(home)
    folder = home / "bundles" / "waste_type" / CUP
    done("activate", CUP)
    if damage == "gone":
        shutil.rmtree(folder)
    elif damage == "task":
        colour_models.save(folder, "cleanliness")
    elif damage == "junk":
        junk = b"junk"
        card = bundle.load(folder).card.model_copy(update={"sha256": hashlib.sha256(junk).hexdigest()})
        bundle.save(folder, card, junk)
    else:
        (folder / damage).write_bytes(b"")
    for _ in range(5):
        assert asked.predict(bottle, timeout=5).model_version == CUTLERY
    asked.ping()
    assert not_loaded(caplog) == 1
    assert caplog.records[-1].levelno == logging.ERROR
    assert serving(home) == SHIPPED, "a machine that starts has no other one"
    told = triof("doctor").output
    assert "warn  bundles      The active bundle of waste_type cannot answer" in told
    assert "triof bundles rollback waste_type" in told
    done("rollback", "waste_type")
    assert f"ok    bundles      waste_type {CUTLERY}, cleanliness shipped" in triof("doctor").output
    assert asked.predict(bottle, timeout=5).model_version == CUTLERY
    done("activate", "waste_type/shipped")
    assert asked.predict(bottle, timeout=5).model_version == SHIPPED


def test_a_pointer_that_somebody_has_spoilt_is_told_and_mended(
    home: Path, bottle: Photo, caplog: pytest.LogCaptureFixture
) -> None:
    done("activate", CUP)
    asked = provider(home)
    for junk in (b"", b"[]", b"\xff", b'{"waste_type": []}', b'{"waste_type": {"active": 7}}'):
        pointer(home).write_bytes(junk)
        assert asked.predict(bottle, timeout=5).model_version == CUP
        assert serving(home) == SHIPPED
        assert "activate one again" in refusal("list")
    assert not_loaded(caplog) == 10
    assert f"waste_type: {CUTLERY} answers now, before it an unknown bundle did." in done("activate", CUTLERY)
    assert asked.predict(bottle, timeout=5).model_version == CUTLERY
    assert "Nothing was in service" in refusal("rollback", "waste_type")


def test_a_larger_input_is_known_before_the_photo_is_decoded(home: Path, tmp_path: Path) -> None:
    done("install", own_bundle(tmp_path / "b", side=448))
    sorter = services.build_sorter(Settings(home=home, mode="local"))
    assert sorter.router.needed_side == max(bundle.load(shipped(task)).card.input.width for task in TASKS)
    done("activate", "mine-1")
    assert sorter.router.needed_side == 448
    assert sorter.judge(BOTTLE.read_bytes()).predictions["waste_type"].model_version == "mine-1"
    sorter.close()


def test_a_closed_provider_takes_no_other_bundle(home: Path, bottle: Photo) -> None:
    asked = provider(home)
    asked.close()
    done("activate", CUP)
    with pytest.raises(Exception, match="closed"):
        asked.predict(bottle, timeout=5)
    assert asked.card.version == SHIPPED


def test_looking_at_the_pointer_costs_next_to_nothing(home: Path) -> None:
    done("activate", CUP)
    asked = provider(home)
    assert min(timeit.repeat(lambda: asked.card, number=200, repeat=20)) / 200 < 50e-6


def dying(monkeypatch: pytest.MonkeyPatch, name: str, after: bool) -> None:
    """Let the process end when it comes to a step, or right after it."""
    step = getattr(os, name)

    def die(*arguments: Any, **options: Any) -> Any:
        if after:
            step(*arguments, **options)
        raise PowerCut

    monkeypatch.setattr(os, name, die)


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("name", ["open", "fsync", "replace"])
@pytest.mark.parametrize("command", [["activate", CUTLERY], ["rollback", "waste_type"], ["remove", CUTLERY]])
def test_whenever_it_is_killed_the_old_one_answers_or_the_new_one(
    home: Path, monkeypatch: pytest.MonkeyPatch, command: list[str], name: str, after: bool
) -> None:
    settings = Settings(home=home)
    journal = Journal(Database(f"sqlite:///{home / 'journal.db'}", "machine-1"))
    store = Store(settings)
    point(home, CUP, "shipped", CUTLERY)
    act: dict[str, Callable[[], object]] = {
        "activate": lambda: store.activate(CUTLERY, journal, "", ""),
        "rollback": lambda: store.rollback("waste_type", journal, "", ""),
        "remove": lambda: store.remove(CUTLERY, journal, ""),
    }
    with monkeypatch.context() as patch:
        dying(patch, name, after)
        with pytest.raises(PowerCut):
            act[command[0]]()
    whole = name == "replace" and after
    old_or_new = {"activate": CUTLERY, "rollback": CUTLERY, "remove": CUP}[command[0]] if whole else CUP
    assert serving(home) == old_or_new
    active = next(entry for entry in store.entries("waste_type") if entry.active)
    assert (active.version, active.fault) == (old_or_new, "")
    if after or name != "open":
        # What was asked for can be asked for again, and then holds.
        done(*command) if serving(home) == CUP else None
        assert serving(home) == (CUP if command[0] == "remove" else CUTLERY)
    journal.database.close()


@pytest.mark.parametrize("name", ["fsync", "mkdir", "rename"])
@pytest.mark.parametrize("after", [False, True])
def test_whenever_an_installation_is_killed_it_can_be_made_again(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, after: bool
) -> None:
    loaded = bundle.load(own_bundle(tmp_path / "b"))
    with monkeypatch.context() as patch:
        dying(patch, name, after)
        with pytest.raises(PowerCut):
            bundle.save(home / "bundles" / "waste_type" / "mine-1", loaded.card, loaded.model)
    there = {entry.version: entry.fault for entry in Store(Settings(home=home)).entries("waste_type")}
    assert there.get("mine-1", "") == ""
    done("install", tmp_path / "b")
    names = [path.name for path in (home / "bundles" / "waste_type").iterdir()]
    assert sorted(names) == [CUP, CUTLERY, "mine-1"]


def test_a_process_that_dies_leaves_no_lock(home: Path) -> None:
    code = (
        "import os, pathlib\n"
        "pathlib.Path.replace = lambda *_: os._exit(9)\n"
        "from triof.cli import main\n"
        f"main(['bundles', 'activate', '{CUP}'])"
    )
    died = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env={**os.environ, "TRIOF_HOME": str(home)}, check=False
    )
    assert died.returncode == 9
    assert serving(home) == SHIPPED
    done("activate", CUP)
    assert serving(home) == CUP


def test_two_who_change_at_once_do_it_one_after_the_other(home: Path) -> None:
    journal = Journal(Database(f"sqlite:///{home / 'journal.db'}", "machine-1"))

    def activate(version: str) -> None:
        Store(Settings(home=home)).activate(version, journal, "", "")

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(activate, [CUP, CUTLERY] * 3))
    events = happened(home)
    assert [event["before"] for event in events] == ["shipped", *(event["version"] for event in events[:-1])]
    kept = json.loads(pointer(home).read_bytes())["waste_type"]
    assert [*kept["before"], kept["active"]] == ["shipped", *(event["version"] for event in events)]
    journal.database.close()


def test_what_cannot_be_written_in_the_journal_is_not_changed(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ran = triof("--set", "journal.url=sqlite:////nowhere/journal.db", "bundles", "activate", CUP)
    assert ran.exit_code == 1
    assert "journal.url" in ran.output
    assert not pointer(home).exists()


def test_a_home_that_cannot_be_written_is_one_sentence(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    failing_replace(monkeypatch, OSError(*FULL), "active.json")
    assert "cannot be used (No space left on device)" in refusal("activate", CUP)
    assert serving(home) == SHIPPED


def test_the_way_that_the_training_commands_install(home: Path, tmp_path: Path) -> None:
    source = tmp_path / "e.zip"
    source.write_bytes(azure_export_zip(TAGS, iteration_id="cccccccc-1"))
    installed = install(source, Settings(home=home), "marie")
    assert installed.card.version == "azure-waste_type-cccccccc"
    assert installed.folder == home / "bundles" / "waste_type" / "azure-waste_type-cccccccc"
    tried = AcceptanceResult.of(installed.card)
    assert tried
    assert (tried.photos, tried.compared, installed.note) == (20, 0, "")
    assert install(source, Settings(home=home), "marie").already
    with pytest.raises(ProviderMisconfigured):
        install(tmp_path, Settings(home=home), "marie")
    source.write_bytes(azure_export_zip(TAGS, alike=True))
    with pytest.raises(BundleRefused):
        install(source, Settings(home=home), "marie")
    assert zipfile.is_zipfile(BytesIO(source.read_bytes()))
