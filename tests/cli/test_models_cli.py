"""``triof models``: begin a candidate, see how it does, promote it or go back; each with one command."""

import json
import tomllib
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import create_engine, text

from providers.local_cnn import bundle
from tests.support.candidates import FIRST, SECOND, History, make_home
from triof.cli import main
from triof.common.paths import DEMO_PICTURES
from triof.evaluation.paired_comparison import photos_needed
from triof.evaluation.training_comparison import Hits, LearnedMore
from triof.journal.journal import Journal
from triof.models.training_outcome import NotBetter
from triof.rollout.candidates import Candidate, Candidates
from triof.rollout.rollout_service import RolloutService
from triof.settings.loader import load
from triof.settings.tree import Settings
from triof.storage.database import Database

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def _marie(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGNAME", "marie")
    monkeypatch.setenv("COLUMNS", "80")


@pytest.fixture
def home(tmp_path: Path, new_journal: Path) -> Path:
    """The home that the commands find."""
    return make_home(tmp_path / "home", new_journal)


def triof(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def done(*arguments: object) -> str:
    """What a command that must succeed has printed."""
    ran = triof("models", *arguments)
    assert ran.exit_code == 0, ran.output
    return ran.output


def refusal(*arguments: object) -> str:
    """What a command that must be refused has said, in one line."""
    ran = triof("models", *arguments)
    assert ran.exit_code == 1, ran.output
    assert isinstance(ran.exception, SystemExit)
    assert ran.stderr.count("\n") == 1
    return ran.stderr


def happened(home: Path) -> list[tuple[str, str, dict[str, object]]]:
    """Kind, task and detail of what the journal knows of models, oldest first."""
    query = text(
        "SELECT kind, reason, detail FROM events WHERE kind LIKE 'candidate%' OR kind LIKE 'bundle%' ORDER BY at"
    )
    with create_engine(f"sqlite:///{home / 'journal.db'}").connect() as journal:
        return [(kind, task, json.loads(detail)) for kind, task, detail in journal.execute(query)]


def running() -> Candidate:
    candidate = Candidates(load().settings).of("waste_type")
    assert candidate
    return candidate


def history(home: Path) -> History:
    """To write what a machine of the home would have."""
    return History(Journal(Database(f"sqlite:///{home / 'journal.db'}", "machine-1")), running())


def better(home: Path) -> None:
    """Deposits that show the candidate to be better."""
    told = history(home)
    for _ in range(20):
        told.deposit("production", "cup", "bottle", "cup")
        told.deposit("production", "bottle", "bottle", "bottle")
        told.deposit("candidate", "cup", "bottle", "cup")
    told.write()


def test_from_a_shadow_to_production_and_back(home: Path) -> None:
    assert f"{SECOND} is asked beside {FIRST} in 100% of the deposits, never believed" in done("shadow", SECOND)
    assert f"{SECOND} answers in 30% of the deposits now, {FIRST} in the others" in done(
        "canary", SECOND, "--why", "ok"
    )
    better(home)
    assert f"  {SECOND} is a canary in 30% since" in done("status")
    assert "promote: people's confirmations show that it is better" in done("compare")
    assert f"waste_type: {SECOND} answers now, before it {FIRST} did." in done("promote", SECOND, "--why", "better")
    assert done("status").startswith(f"waste_type: {SECOND} (local_cnn) in production\n")
    assert "There is no candidate" in done("compare")
    assert f"waste_type: {FIRST} answers now; {SECOND} does not any more." in done("rollback", "waste_type")
    kinds = [(kind, detail.get("mode"), detail.get("outcome")) for kind, _, detail in happened(home)]
    assert kinds == [
        ("candidate.started", "shadow", None),
        ("candidate.ended", "shadow", "replaced"),
        ("candidate.started", "canary", None),
        ("bundle.activated", None, None),
        ("candidate.ended", "canary", "promoted"),
        ("bundle.activated", None, None),
    ]
    started = happened(home)[2][2]
    assert started == {
        "provider": "local_cnn",
        "version": SECOND,
        "against": FIRST,
        "mode": "canary",
        "share": 0.3,
        "who": "marie",
        "why": "ok",
    }


def test_a_promotion_of_what_its_training_found_no_better_is_refused_at_every_door(home: Path) -> None:
    folder = home / "bundles" / "waste_type" / SECOND
    before = bundle.load(folder)
    bundle.rewrite(folder, LearnedMore("web-1", [Hits("theirs", "waste_type", 9, 0, 0, 1)]).on(before.card))
    done("shadow", SECOND)
    journal = Journal(Database(f"sqlite:///{home / 'journal.db'}", "machine-1"))
    with closing(journal.database), pytest.raises(NotBetter, match="No better"):
        RolloutService(Settings(home=home), journal, "marie").promote("waste_type", "as the dashboard does it")
    assert "answers now" in done("promote", SECOND, "--anyway")


def test_a_promotion_that_nothing_speaks_for_is_refused_unless_anyway(home: Path) -> None:
    done("canary", SECOND)
    told = refusal("promote", "waste_type")
    assert "The comparison says wait: there are too few confirmed pairs yet" in told
    assert "add --anyway" in told
    assert running().model.name == SECOND
    assert "answers now" in done("promote", "waste_type", "--anyway")


def test_a_canary_is_rolled_back_or_stopped_in_one_command(home: Path) -> None:
    for command, outcome in (("rollback", "rolled_back"), ("stop", "stopped")):
        done("canary", SECOND)
        assert FIRST in done(command, "waste_type", "--why", "it smells")
        assert happened(home)[-1][2]["outcome"] == outcome
        assert happened(home)[-1][2]["why"] == "it smells"
    assert "There is no candidate for waste_type" in refusal("stop", "waste_type")
    assert "Nothing was in service for waste_type before" in refusal("rollback", "waste_type")


def test_what_makes_no_sense_is_refused_with_the_remedy(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert f"{FIRST} is in production: name another one" in refusal("canary", FIRST)
    assert "No bundle is called 'nothing'" in refusal("shadow", "nothing")
    assert "No iteration is in production here" in refusal("shadow", "triof-next", "--azure")
    assert "There is no candidate" in refusal("promote", "waste_type")
    assert "'nothing' is no candidate (there is none)" in refusal("promote", "nothing")
    assert "No iteration was promoted here" in refusal("rollback", "waste_type", "--azure")
    for share in ("0", "1", "1.5"):
        assert triof("models", "canary", SECOND, "--share", share).exit_code == 2
    done("canary", SECOND)
    assert f"{SECOND} is the candidate of waste_type: `triof models stop waste_type` first" in refusal(
        "shadow", "waste_type/shipped"
    )
    monkeypatch.setenv("TRIOF_LOCAL_CNN__WASTE_TYPE_BUNDLE", str(home / "bundles" / "waste_type" / FIRST))
    assert "unset local_cnn.waste_type_bundle" in refusal("canary", SECOND)
    monkeypatch.setenv("TRIOF_ROUTES__WASTE_TYPE", "fake")
    assert "local_cnn is not asked for waste_type" in refusal("canary", SECOND)


def test_the_comparison_as_a_table_and_as_json(home: Path) -> None:
    done("canary", SECOND)
    told = history(home)
    for _ in range(30):
        told.deposit("candidate", "cup", "cup", "cup", seconds=(0.004, 0.006))
        told.deposit("production", "bottle", "cup", "cup", seconds=(0.004, 0.006))
    told.failed(2)
    told.write()
    table = done("compare", "waste_type")
    for row in (
        "60 deposits asked both, 60 photos have both answers; both said the same about 50.0% of them",
        "4.0 ms",
    ):
        assert row in table
    (right,) = [line for line in table.splitlines() if "right, of 60 confirmed" in line]
    assert [cell.strip() for cell in right.split("│")[2:4]] == ["30 (50.0%)", "60 (100.0%)"]
    assert "2 of the latest 62" in table
    assert max(map(len, table.splitlines()[2:12])) <= 80
    found = json.loads(done("compare", "--json"))["waste_type"]
    assert (found["word"], found["pairs"], found["agreed"], found["failed"]) == ("keep", 60, 30, 2)
    assert found["table"] == {"both": 30, "only_candidate": 0, "only_production": 30, "neither": 0}
    assert found["p"] == pytest.approx(2 / 2**30)
    assert found["candidate"]["model"] == {"name": SECOND, "version": SECOND}
    assert found["candidate_times"] == {"p50": 0.004, "p95": 0.004}
    assert datetime.fromisoformat(found["candidate"]["since"]) < datetime.now(UTC)


def test_labelled_photos_are_shown_to_both_and_decide(home: Path, tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    for label, times in (("cutlery", 12), ("cup", 1)):
        (photos / label).mkdir(parents=True)
        for number in range(times):
            image = (DEMO_PICTURES / "bottle-clean-1.jpg").read_bytes()
            (photos / label / f"{number}.jpg").write_bytes(image + bytes([number + 1]) * (1 + times))
    done("shadow", SECOND)
    found = {}
    for split in ("train", "test"):
        found[split] = json.loads(done("compare", "--data", photos, "--split", split, "--json"))["waste_type"]
    train = found["train"]
    # SECOND takes all of them for cutlery, FIRST for cups.
    assert train["labelled"]["table"]["only_candidate"] >= 6
    assert (train["word"], train["labelled"]["p"] < 0.05) == ("promote", True)
    assert train["labelled"]["difference"]["low"] > 0
    assert found["test"]["word"] == "wait"
    assert photos_needed(1.0, 0.02, 0.05, 0.8) > 1000
    assert "promote:" in done("compare", "--data", photos, "--split", "train")
    corrections = tmp_path / "corrections.csv"
    corrections.write_text("path,task,was,now,why,at\ncup/0.jpg,waste_type,cup,cutlery,,\n")
    arguments = ("waste_type", "--data", photos, "--split", "train", "--corrections", corrections)
    assert json.loads(done("compare", *arguments, "--json"))["waste_type"]["labelled"]["table"]["only_production"] == 0
    assert "answers now" in done("promote", *arguments)


def test_a_promoted_iteration_stands_in_the_settings_of_the_other_commands(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cloud = {"PREDICTION_ENDPOINT": "https://vision.test", "PREDICTION_KEY": "k" * 32}
    for name, value in (*cloud.items(), ("PROJECT_ID", "8b1bb0d8-3b42-4b5c-9c3b-6f3ff4d4e5a1")):
        monkeypatch.setenv(f"TRIOF_CUSTOM_VISION__{name}", value)
    written = home / "config" / "azure-written.toml"
    written.parent.mkdir()
    written.write_text('[custom_vision]\npublished_name = "triof"\n')
    kiosk = Candidates(load().settings)
    done("canary", "triof-next", "--azure", "--share", "0.1")
    assert kiosk.of("waste_type")
    assert "0.00 " in done("compare")
    told = done("promote", "triof-next", "--anyway")
    assert "waste_type: triof-next answers now, before it triof did." in told
    assert f"Kept in {written} too" in told.replace("\n", "")
    assert tomllib.loads(written.read_text())["custom_vision"]["published_name"] == "triof-next"
    assert kiosk.published() == Candidates(load().settings).published() == "triof-next", "with a restart or without"
    assert "triof-next (custom_vision)" in done("status")
    done("canary", "triof-third", "--azure")
    assert kiosk.of("waste_type")
    done("promote", "waste_type", "--anyway")
    assert kiosk.published() == load().settings.custom_vision.published_name == "triof-third"
    for name in ("triof-next", "triof"):
        assert f"{name} answers now" in done("rollback", "waste_type", "--azure")
        assert kiosk.published() == Candidates(load().settings).published() == name
        assert load().settings.custom_vision.published_name == name
    assert "No iteration was promoted" in refusal("rollback", "waste_type", "--azure")
    monkeypatch.setenv("TRIOF_CUSTOM_VISION__PUBLISHED_NAME", "triof-env")
    assert load().settings.custom_vision.published_name == "triof-env"
    assert Candidates(load().settings).published() == "triof-env", "who sets another name means it"


def test_a_home_that_cannot_be_written_is_one_sentence(home: Path) -> None:
    (home / "candidates.json").mkdir()
    (home / "candidates.json" / "in the way").mkdir()
    told = refusal("canary", SECOND)
    assert f"{home / 'candidates.json'} cannot be used (Is a directory): let this user read and write it" in told
