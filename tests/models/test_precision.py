"""Half precision or 8 bits: measured once on the machine at hand, remembered, and told by `triof doctor`."""

import hashlib
import json
import shutil
import zipfile
from collections.abc import Callable
from itertools import accumulate, cycle
from pathlib import Path

import pytest
from click.testing import CliRunner

from providers.base import TASKS, Task
from providers.local_cnn import bundle, precision
from providers.local_cnn.bundle import EIGHT_BIT_FILE
from providers.local_cnn.precision import Choice
from providers.local_cnn.provider import LocalCnn
from tests.support import colour_models
from tests.support.colour_models import network, shown
from triof import services
from triof.cli import main
from triof.judging import photo
from triof.models import bundle_store, precision_benchmark
from triof.settings.tree import Settings

pytestmark = pytest.mark.slow

ALIKE = network("waste_type", gain=1.0001)
CONTRARY = network("waste_type", gain=-1)
NEVER = "was not measured on this machine yet"


def carrying(folder: Path, eight_bit: bytes) -> Path:
    """The bundle in ``folder``, with that network for its 8-bit one."""
    there = bundle.load(folder)
    bundle.save(folder, there.card, there.model, eight_bit)
    return folder


def clock(half: float, eight_bit: float) -> Callable[[], float]:
    """By which a call in half precision takes so many seconds, and one in 8 bits."""
    return accumulate(cycle((0.0, half, 0.0, eight_bit))).__next__


def no_clock() -> float:
    pytest.fail("it was measured again")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A bundle whose 8-bit network answers alike."""
    return carrying(colour_models.save(tmp_path / "bundle", "waste_type"), ALIKE)


@pytest.fixture
def settings(tmp_path: Path, folder: Path) -> Settings:
    """Those of a machine on which that bundle tells the type."""
    (tmp_path / "home").mkdir()
    return asking(tmp_path, folder)


def asking(tmp_path: Path, folder: Path, how: str = "auto") -> Settings:
    chosen = {"waste_type_bundle": folder, "precision": how}
    return Settings(home=tmp_path / "home", routes={task: ["local_cnn"] for task in TASKS}, local_cnn=chosen)


def provider(settings: Settings, task: Task = "waste_type") -> LocalCnn:
    return LocalCnn(task, bundle_store.options(settings))


def choice(settings: Settings, task: Task = "waste_type") -> Choice:
    """What a machine that starts now answers with."""
    return provider(settings, task).choice


def doctor(folder: Path, *more: str) -> str:
    """The line of `triof doctor` about a machine that asks the bundle in ``folder``."""
    ran = CliRunner().invoke(main, ["--set", f"local_cnn.waste_type_bundle={folder}", *more, "doctor"])
    assert ran.exit_code == 0, ran.output
    (line,) = [line for line in ran.output.splitlines() if line[6:].startswith("precision ")]
    return line


def triof(*arguments: object, code: int = 0) -> str:
    ran = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert ran.exit_code == code, ran.output
    return ran.output


def damage(folder: Path) -> None:
    path = folder / EIGHT_BIT_FILE
    path.write_bytes(path.read_bytes()[:-1])


# ---- which one answers ----


def test_eight_bits_answer_where_they_are_faster_and_agree(settings: Settings, folder: Path) -> None:
    assert choice(settings) == (False, f"its 8-bit network {NEVER}", False)
    measured = precision_benchmark.run(folder, settings, clock(0.030, 0.020))
    assert measured
    assert (measured.ratio, measured.agreement, measured.photos) == (1.5, 1.0, 200)
    assert choice(settings).eight_bit
    cup = photo.load(shown("cup"))
    said = {how: provider(settings.model_copy(update=precise(settings, how))).predict(cup, timeout=5) for how in HOW}
    assert said["auto"].scores == said["8-bit"].scores != said["half"].scores
    assert said["auto"].model_version == said["half"].model_version
    told = doctor(folder)
    assert told.startswith("ok ")
    assert "waste_type in 8 bits: 8 bits are 1.50 times as fast and agree on 100.0 % of 200 reference photos" in told
    assert "cleanliness in half precision: the bundle carries no 8-bit network" in told


HOW = ("auto", "half", "8-bit")


def precise(settings: Settings, how: str) -> dict[str, object]:
    return {"local_cnn": settings.local_cnn.model_copy(update={"precision": how})}


@pytest.mark.parametrize(("half", "eight_bit", "taken"), [(1.39, 1, False), (1.4, 1, True), (1, 2, False)])
def test_they_must_be_clearly_faster(
    settings: Settings, folder: Path, half: float, eight_bit: float, *, taken: bool
) -> None:
    precision_benchmark.run(folder, settings, clock(half, eight_bit))
    assert choice(settings).eight_bit == taken
    assert (
        f"waste_type in {'8 bits' if taken else 'half precision'}: 8 bits are {half / eight_bit:.2f} times"
        in doctor(folder)
    )


def test_they_must_agree(settings: Settings, folder: Path) -> None:
    carrying(folder, CONTRARY)
    measured = precision_benchmark.run(folder, settings, clock(2, 1))
    assert measured
    assert (measured.ratio, measured.agreement) == (2, 0)
    assert "waste_type in half precision: 8 bits are 2.00 times as fast and agree on 0.0 %" in doctor(folder)
    assert provider(settings).predict(photo.load(shown("cup")), timeout=5).label == "cup"


def test_what_is_believed_must_agree_too(settings: Settings, folder: Path) -> None:
    carrying(folder, network("waste_type", gain=0.01))
    measured = precision_benchmark.run(folder, settings, clock(2, 1))
    assert measured
    assert measured.agreement < 0.8, "the labels are the same, but none is believed"
    assert not choice(settings).eight_bit


def test_one_network_for_both_tasks_is_measured_for_both(tmp_path: Path, settings: Settings) -> None:
    both = colour_models.save_both(tmp_path / "both")
    carrying(both, bundle.load(both).model)
    chosen = {f"{task}_bundle": both for task in TASKS}
    settings = settings.model_copy(update={"local_cnn": settings.local_cnn.model_copy(update=chosen)})
    precision_benchmark.run(both, settings, clock(2, 1))
    assert [choice(settings, task).eight_bit for task in TASKS] == [True, True]


@pytest.mark.parametrize("how", ["half", "8-bit"])
def test_the_settings_overrule_what_was_measured(tmp_path: Path, settings: Settings, folder: Path, how: str) -> None:
    told = asking(tmp_path, folder, how)
    assert precision_benchmark.run(folder, told, no_clock) is None
    assert choice(told) == (how == "8-bit", "the settings say so (local_cnn.precision)", False)
    precision_benchmark.run(folder, settings, clock(*((2, 1) if how == "half" else (1, 2))))
    assert choice(told).eight_bit == (how == "8-bit")


# ---- what is remembered ----


def test_it_is_measured_once(settings: Settings, folder: Path) -> None:
    assert precision_benchmark.run(folder, settings, clock(2, 1))
    assert precision_benchmark.run(folder, settings, no_clock) is None
    assert "waste_type in 8 bits: 8 bits are 2.00 times" in doctor(folder), "another process remembers it"


@pytest.mark.parametrize("what", ["processor", "interpreter", "sha256"])
def test_another_processor_interpreter_or_network_is_measured_anew(settings: Settings, folder: Path, what: str) -> None:
    precision_benchmark.run(folder, settings, clock(2, 1))
    path = settings.home / "bundles" / precision.MEMORY_FILE
    kept = json.loads(path.read_bytes())
    path.write_text(json.dumps({sha256: {**entry, what: "another one"} for sha256, entry in kept.items()}))
    assert NEVER in choice(settings).reason
    assert precision_benchmark.run(folder, settings, clock(1, 1))
    assert "8 bits are 1.00 times" in choice(settings).reason
    assert len(json.loads(path.read_bytes())) == 1


@pytest.mark.parametrize("junk", [b"", b"[]", b"\xff", b'{"a": 1}', b"[" * 100_000])
def test_what_somebody_has_spoilt_is_measured_anew(settings: Settings, folder: Path, junk: bytes) -> None:
    precision_benchmark.run(folder, settings, clock(2, 1))
    (settings.home / "bundles" / precision.MEMORY_FILE).write_bytes(junk)
    assert NEVER in choice(settings).reason
    precision_benchmark.run(folder, settings, clock(2, 1))
    assert choice(settings).eight_bit


def test_a_running_machine_takes_what_was_measured(settings: Settings, folder: Path) -> None:
    asked = provider(settings)
    assert not asked.choice.eight_bit
    precision_benchmark.run(folder, settings, clock(2, 1))
    assert asked.choice.eight_bit
    assert asked.predict(photo.load(shown("cup")), timeout=5).label == "cup"


def test_a_machine_measures_by_itself_what_was_not(settings: Settings) -> None:
    router = services.build_router(settings)
    (member,) = router.members("waste_type")
    assert isinstance(member, LocalCnn)
    assert NEVER in member.choice.reason
    precision_benchmark.keep_up(settings, router, clock(2, 1))
    assert member.choice.eight_bit
    precision_benchmark.keep_up(settings, router, no_clock)
    router.close()


def test_doctor_measures_what_was_not(settings: Settings, folder: Path) -> None:
    assert "times as fast and agree on 100.0 % of 200 reference photos" in doctor(folder)
    assert precision_benchmark.run(folder, settings, no_clock) is None


def test_processors_are_told_apart_by_what_they_can_do(tmp_path: Path) -> None:
    lines = "processor\t: 0\nmodel name\t: AMD EPYC\ncpu MHz\t\t: {}\nflags\t\t: avx2 {}\n\nprocessor\t: 1\n"
    paths = [tmp_path / name for name in "abc"]
    for path, told in zip(paths, [(2000, ""), (2900, ""), (2000, "avx512_vnni")], strict=True):
        path.write_text(lines.format(*told))
    first, same, other = map(precision.processor, paths)
    assert first == same != other
    assert first.startswith("AMD EPYC (")
    assert precision.processor(tmp_path / "nowhere")


# ---- what is broken ----


@pytest.mark.parametrize("change", [damage, lambda folder: (folder / EIGHT_BIT_FILE).unlink()])
def test_half_precision_answers_where_the_8_bit_file_is_damaged(
    settings: Settings, folder: Path, change: Callable[[Path], object]
) -> None:
    precision_benchmark.run(folder, settings, clock(2, 1))
    change(folder)
    told = doctor(folder)
    assert told.startswith("warn")
    assert "waste_type in half precision: its model-8bit.tflite is missing or damaged: install the bundle again" in told
    assert provider(settings).predict(photo.load(shown("cup")), timeout=5).label == "cup"
    assert precision_benchmark.run(folder, settings, no_clock) is None


@pytest.mark.parametrize("junk", [b"junk", network("cleanliness")], ids=["no model", "other outputs"])
def test_half_precision_answers_where_the_8_bit_network_cannot_be_run(
    tmp_path: Path, settings: Settings, folder: Path, junk: bytes
) -> None:
    carrying(folder, junk)
    for more in ((), ("--set", "local_cnn.precision=8-bit")):
        told = doctor(folder, *more)
        assert told.startswith("warn")
        assert "waste_type in half precision: its 8-bit network cannot be run: " in told
    again = precision_benchmark.run(folder, settings, no_clock)
    assert again
    assert "cannot be run" in again.fault
    assert provider(asking(tmp_path, folder, "8-bit")).predict(photo.load(shown("cup")), timeout=5).label == "cup"


# ---- in and out of a bundle ----


def test_a_card_without_one_says_nothing_of_it(tmp_path: Path, folder: Path) -> None:
    plain = colour_models.save(tmp_path / "plain", "waste_type")
    assert "eight_bit_sha256" not in json.loads((plain / bundle.CARD_FILE).read_bytes())
    assert "8 bits" not in (plain / bundle.PAGE_FILE).read_text()
    told = json.loads((folder / bundle.CARD_FILE).read_bytes())
    assert told["eight_bit_sha256"] == hashlib.sha256(ALIKE).hexdigest()
    assert "8 bits" in (folder / bundle.PAGE_FILE).read_text()
    there = bundle.load(folder)
    bundle.save(folder, there.card, there.model)
    assert bundle.load(folder).card.eight_bit_sha256 is None
    assert not (folder / EIGHT_BIT_FILE).exists()


@pytest.fixture
def home(tmp_path: Path, new_journal: Path) -> Path:
    (tmp_path / "home").mkdir()
    return Path(shutil.copy(new_journal, tmp_path / "home" / "journal.db")).parent


def zipped(folder: Path) -> Path:
    path = folder.with_suffix(".zip")
    with zipfile.ZipFile(path, "w") as archive:
        for file in folder.iterdir():
            archive.write(file, file.name)
    return path


def test_it_is_installed_measured_and_removed_with_its_bundle(home: Path, folder: Path) -> None:
    told = triof("bundles", "install", zipped(folder))
    assert "Measured on this machine: 8 bits are " in told
    there = home / "bundles" / "waste_type" / "colours-waste_type"
    assert bundle.load(there).eight_bit == ALIKE
    triof("bundles", "activate", "colours-waste_type")
    assert precision_benchmark.run(there, Settings(home=home), no_clock) is None
    triof("bundles", "rollback", "waste_type")
    triof("bundles", "remove", "colours-waste_type")
    assert not there.exists()


def test_a_damaged_one_is_not_installed_and_installed_over(home: Path, tmp_path: Path, folder: Path) -> None:
    broken = Path(shutil.copytree(folder, tmp_path / "broken"))
    damage(broken)
    assert "its model-8bit.tflite is missing or damaged" in triof("bundles", "install", zipped(broken), code=1)
    there = home / "bundles" / "waste_type" / "colours-waste_type"
    assert not there.exists()
    triof("bundles", "install", folder)
    damage(there)
    assert "It is installed, in" in triof("bundles", "install", folder)
    assert bundle.load(there).eight_bit == ALIKE
    assert "It is installed already" in triof("bundles", "install", folder)
    carrying(folder, b"junk")
    assert "Another bundle is installed as" in triof("bundles", "install", folder, code=1)
