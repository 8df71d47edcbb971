"""The commands in the pages do what the pages show, but for those that say why they are not run.

Pages that belong together share a folder and a home; commands of Triof alone run in this process, lines that need a
shell in bash. What is not run is still checked: its commands, options, make targets and modules exist.
"""

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import chdir
from importlib.util import find_spec
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from testing.azure.training_server import TrainingServer
from testing.gpio_bench import FOLDER, Bench
from tests.support import drawn_photos
from tests.support.api_desk import served
from tests.support.documented_commands import Block, Command, blocks
from tests.support.paths import ROOT
from tools.kill_drill import STAND_IN
from tools.running_kiosk import RunningKiosk
from triof import services
from triof.app import create_app
from triof.cli import main
from triof.settings.tree import Settings

pytestmark = pytest.mark.slow

PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCKS = [block for page in PAGES for block in blocks(page)]
MOST_NOT_RUN, MOST_UNCOMPARED = 0.36, 0.5
"""The largest shares: of the blocks outside measurements, and of those that are run and show something."""
LOCAL = (
    "dashboard",
    "monitoring",
    "machine",
    "technician",
    "reports",
    "privacy",
    "installation",
    "engines",
    "model-service",
)
PHOTOS = ("data-sets", "labelling", "evaluating")
CLOUD = ("cloud-training", "bundles", "azure")
SERVER = ("api", "metrics-and-logs")
KIOSK = ("serving",)
PINS = ("build-a-machine",)
_UUID = r"\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b"
CHANGES = re.compile(rf'(?<="model_version": ")[^"]+|{_UUID}|\b[0-9a-f]{{8}}\b|\d[\d,]*(\.\d+)?(e-\d+)?')
"""What is another one each time, or with the next model: ids, dates, durations, probabilities."""


def of_pages(*names: str) -> list[Block]:
    """The blocks of these pages that are to be run, page by page."""
    return [block for name in names for block in BLOCKS if block.page.stem == name and not block.not_run]


def matches(shown: str, output: str) -> bool:
    """Whether output is as the page shows it: numbers and blanks aside, with anything for an ellipsis."""
    wanted = r"[^\n]*".join(re.escape(part) for part in plain(shown).split("…"))
    return re.fullmatch(wanted, plain(output)) is not None


def plain(text: str) -> str:
    """The text without what changes, and with one blank for several."""
    return "\n".join(" ".join(line.split()) for line in CHANGES.sub("0", text).strip().splitlines())


def run_bash(script: str, folder: Path, environ: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """Type the script into a shell of its own."""
    command = ["bash", "-c", script]
    with subprocess.Popen(
        command,
        cwd=folder,
        env=environ,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as shell:
        try:
            stdout, stderr = shell.communicate(timeout=300)
        except subprocess.TimeoutExpired:
            # All that the shell has started: what outlives it would keep the pipes open.
            os.killpg(shell.pid, signal.SIGKILL)
            raise
    return subprocess.CompletedProcess(command, shell.returncode, stdout, stderr)


class Terminal:
    """A folder with the files that the pages name, a home folder in ``~``, and answers to the prompts."""

    def __init__(self, folder: Path, journal: Path, **environ: str) -> None:
        self.folder = folder / "work"
        self.user = folder / "user"
        self.home = self.user / ".local" / "share" / "triof"
        self.home.mkdir(parents=True)
        shutil.copy(journal, self.home / "journal.db")
        (self.folder / "static" / "demo").mkdir(parents=True)
        for picture in ("bottle-clean-1.jpg", "cup-dirty-1.jpg", "other-empty-1.jpg"):
            shutil.copy(ROOT / "static" / "demo" / picture, self.folder / "static" / "demo")
        shutil.copytree(ROOT / "config", self.folder / "config")
        shutil.copy(ROOT / "README.md", self.folder)
        bin_ = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        ours = {"HOME": str(self.user), "TRIOF_HOME": str(self.home), "COLUMNS": "200", "PATH": bin_}
        self.environ = {**ours, "PYTHONPATH": str(ROOT), **environ}
        self.iteration = ""
        """What stands for the iteration that the pages show."""
        self.stand_ins: dict[str, str] = {}
        """What stands for other names in the pages."""

    def run(self, command: Command) -> tuple[int, str]:
        """Exit code and output."""
        typed = command.typed.replace("9b75d307", self.iteration or "9b75d307")
        for name, ours in self.stand_ins.items():
            typed = typed.replace(name, ours)
        if command.needs_shell:
            environ = {**os.environ, **self.environ}
            done = run_bash(typed, self.folder, environ)
            return done.returncode, self.as_shown(done.stdout + done.stderr)
        words = shlex.split(typed, comments=True)[1:]
        words = [re.sub(r"\$(\w+)", lambda name: self.environ[name[1]], word) for word in words]
        words = [str(self.user / word[2:]) if word.startswith("~/") else word for word in words]
        answers = "a long password of ten words\n" * 2 if words[0] == "users" else "y\n" * 4
        with chdir(self.folder):
            ran = CliRunner(env=self.environ).invoke(main, words, input=answers)
        assert ran.exception is None or isinstance(ran.exception, SystemExit), (typed, ran.exception)
        if found := re.search(r"Iteration \d+ \((\w{8})\) is being trained", ran.output):
            self.iteration = found[1]
        return ran.exit_code, self.as_shown(ran.output)

    def as_shown(self, output: str) -> str:
        """The output with the home folder as the pages name it."""
        return output.replace(str(self.home), "~/.local/share/triof")

    def walk(self, *pages: str) -> None:
        """Run what these pages show, and compare."""
        for block in of_pages(*pages):
            for command in block.commands:
                code, output = self.run(command)
                where = f"{block.page.relative_to(ROOT)}:{block.line}: {command.typed}\n{output}"
                assert code == 0 or "FAIL" in output, where
                if command.shown and not block.varies:
                    assert matches(command.shown, output), where


@pytest.fixture
def terminal(tmp_path: Path, new_journal: Path) -> Terminal:
    """A machine without a cloud."""
    return Terminal(tmp_path, new_journal, TRIOF_MODE="local", TRIOF_DEADLINE_SECONDS="60")


def test_pages_about_a_machine(terminal: Terminal) -> None:
    shutil.copy(terminal.home / "journal.db", terminal.folder / "FILE")
    terminal.walk(*LOCAL)


def test_the_page_about_pins(tmp_path: Path, new_journal: Path) -> None:
    quick = {"SLOT_SECONDS": "0.05", "BOX_SECONDS": "0.05", "SHRED_SECONDS": "0.05"}
    ours = {f"TRIOF_SLOT__GPIOZERO__{name}": value for name, value in quick.items()}
    ours |= {"TRIOF_SLOT__GPIOZERO__PIN_FACTORY": "testing.gpio_bench:BenchFactory", FOLDER: str(tmp_path)}
    ours |= {"TRIOF_DEADLINE_SECONDS": "60", "PYTHONPATH": f"{STAND_IN}{os.pathsep}{ROOT}"}
    terminal = Terminal(tmp_path, new_journal, **ours)
    device = tmp_path / "devices" / "video0"
    device.parent.mkdir()
    device.touch()
    terminal.stand_ins["usb-046d_C270_HD_WEBCAM-video-index0"] = str(device)
    terminal.walk(*PINS)
    bench = Bench(tmp_path)
    assert bench.history(bench.table.shredder_relay) == [1, 0]
    assert bench.driven() == {}


def draw_dataset(folder: Path) -> None:
    """Photos of every label with a manifest, as the folder of labelled photos has them."""
    kinds = [(type_, state) for type_ in ("bottle", "cup", "cutlery") for state in ("clean", "dirty")]
    rows = []
    for number, (type_, state) in enumerate([*kinds, ("other", "")]):
        source = ("web", "home")[number % 2]
        drawn = drawn_photos.save(folder, f"{type_}-{state}".rstrip("-"), range(6))
        rows += [f"{path.relative_to(folder)},{type_},{state},{source}" for path in drawn]
    split = ("train", "train", "train", "train", "test", "test")
    lines = [f"{row},{split[number % 6]}" for number, row in enumerate(rows)]
    for manifest in ("manifest.csv", "all.csv"):
        (folder / manifest).write_text("path,waste_type,cleanliness,source,split\n" + "\n".join(lines) + "\n")


def test_pages_about_photos(terminal: Terminal) -> None:
    pytest.importorskip("cleanlab")
    draw_dataset(terminal.folder / "photos")
    shutil.copytree(terminal.folder / "photos", terminal.folder / "DATA")
    drawn_photos.save(terminal.folder / "collected" / "bottle", "bottle", range(2))
    drawn_photos.save(terminal.user / "photos", "cutlery", range(2))
    (terminal.folder / "corrections.csv").write_text("path,task,was,now,why,at\n")
    terminal.environ["TRIOF_DATASET"] = "photos"
    terminal.walk(*PHOTOS)


@pytest.fixture
def azure() -> Iterator[TrainingServer]:
    """The strict stand-in of the vendor."""
    with TrainingServer(tier="S0", rate_per_second=1000) as azure:
        yield azure
        assert azure.violations == []


def test_pages_about_the_cloud(azure: TrainingServer, tmp_path: Path, new_journal: Path) -> None:
    resource = {
        "TRAINING_ENDPOINT": azure.endpoint,
        "TRAINING_KEY": azure.training_key,
        "TRAINING_TIER": "S0",
        "PREDICTION_ENDPOINT": azure.endpoint,
        "PREDICTION_KEY": azure.prediction_key,
        "PREDICTION_RESOURCE_ID": azure.prediction_resource_id,
        "TIER": "S0",
        "POLL_SECONDS": "0",
        "CALLS_PER_SECOND": "1000",
        "TRAINING_CALLS_PER_SECOND": "1000",
    }
    ours = {f"TRIOF_CUSTOM_VISION__{name}": value for name, value in resource.items()}
    terminal = Terminal(tmp_path, new_journal, TRIOF_CLOUD_SECONDS="30", TRIOF_DEADLINE_SECONDS="60", **ours)
    for folder, first in (("photos", 0), ("PHOTOS", 100)):
        for label in ("bottle", "cup", "cutlery", "other"):
            drawn_photos.save(terminal.folder / folder, label, range(first, first + 7))
    shutil.move(terminal.folder / "photos", terminal.folder / "kept")
    paths = sorted((terminal.folder / "kept").glob("*/*.png"))
    rows = [
        f"{path.relative_to(terminal.folder)},{path.parent.name},{'test' if n % 7 > 4 else 'train'}"
        for n, path in enumerate(paths)
    ]
    (terminal.folder / "photos.csv").write_text("path,waste_type,split\n" + "\n".join(rows) + "\n")
    terminal.walk(*CLOUD)


def test_pages_that_ask_a_server(new_journal: Path, tmp_path: Path) -> None:
    needed = [program for program in ("bash", "curl", "sed", "grep") if not shutil.which(program)]
    if needed:
        pytest.skip(f"the pages need {', '.join(needed)}")
    home = tmp_path / "home"
    home.mkdir()
    shutil.copy(new_journal, home / "journal.db")
    settings = Settings(home=home, mode="local", deadline_seconds=60)
    built = services.build(settings)
    built.operations.jobs.start()
    try:
        with served(create_app(settings, built)) as url:
            in_one_shell(url, home, *SERVER)
    finally:
        built.close()


def test_pages_that_ask_a_kiosk(new_journal: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    shutil.copy(new_journal, home / "journal.db")
    with RunningKiosk(home, {"TRIOF_MODE": "local"}) as kiosk:
        in_one_shell(kiosk.url, home, *KIOSK)


def in_one_shell(url: str, home: Path, *pages: str) -> None:
    """Type all commands of the pages into one shell, as variables live on in it; compare what each one shows."""
    shown = list(typed_into_a_shell(*pages))
    script = "set -e\n" + "".join(f"echo @@@\n{command.typed}\n" for command in shown)
    script = re.sub(r"(http://)?(127\.0\.0\.1|localhost):8080", url, script)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environ = {**os.environ, "PATH": path, "TRIOF_HOME": str(home), "PYTHONPATH": str(ROOT)}
    done = run_bash(script, ROOT, environ)
    assert done.returncode == 0, done.stderr
    printed = done.stdout.split("@@@\n")[1:]
    for expected, output in zip(shown, printed, strict=True):
        assert matches(expected.shown, output), f"{expected.typed}\n{output}"


def typed_into_a_shell(*pages: str) -> Iterator[Command]:
    """The commands of the pages, and their Python example with what it prints."""
    for name in pages:
        (page,) = (page for page in PAGES if page.stem == name)
        for block in of_pages(name):
            yield from block.commands
        for example in re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL):
            yield Command(f"python3 - <<'EOF'\n{example}\nEOF", "cutlery clean accept")


# ---- what is not run ----


def test_every_block_is_run_or_says_why_not() -> None:
    walked = {*LOCAL, *PHOTOS, *CLOUD, *SERVER, *KIOSK, *PINS}
    forgotten = [
        f"{block.page.name}:{block.line}" for block in BLOCKS if not block.not_run and block.page.stem not in walked
    ]
    assert not forgotten, "put the page into one of the walks, or say above the block why it is not run"
    assert not [block for block in BLOCKS if not block.commands], "a console block without a command"


def test_few_blocks_are_left_out() -> None:
    meant = [block for block in BLOCKS if block.page.parent.name != "measurements"]
    assert len([block for block in meant if block.not_run]) <= MOST_NOT_RUN * len(meant)
    showing = [block for block in BLOCKS if not block.not_run and any(command.shown for command in block.commands)]
    assert len([block for block in showing if block.varies]) <= MOST_UNCOMPARED * len(showing)


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: f"{block.page.stem}-{block.line}")
def test_every_command_and_option_exists(block: Block) -> None:
    for command in block.commands:
        for line in re.split(r"[|;]|&&", re.sub(r"\s# .*", "", command.typed.replace("\\\n", " "))):
            check_names(shlex.split(line) if line.count("'") % 2 == line.count('"') % 2 == 0 else line.split())


def check_names(words: list[str]) -> None:
    """Raises where a command of Triof, an option, a make target or a module is not there."""
    while words and re.fullmatch(r"\w+=.*", words[0]):
        words.pop(0)
    if words[:1] == ["make"]:
        assert re.search(rf"^{words[1]}:", (ROOT / "Makefile").read_text(), re.MULTILINE), words
    elif words[1:2] == ["-m"]:
        assert find_spec(words[2]), words
    elif words[:1] == ["triof"]:
        command: click.Command = main
        context = click.Context(command)
        rest = words[1:]
        while isinstance(command, click.Group) and rest and (found := command.get_command(context, rest[0])):
            command, rest = found, rest[1:]
            context = click.Context(command, parent=context)
        assert not isinstance(command, click.Group) or command.invoke_without_command, words
        rest = rest[: rest.index(">")] if ">" in rest else rest
        command.make_parser(context).parse_args(rest)
