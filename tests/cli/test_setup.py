"""``triof setup``: flags and questions, what is kept, what a part that fails stops, and that it goes on."""

import json
import os
import stat
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from select import select

import pytest
from click.testing import CliRunner, Result

from testing.azure.custom_vision_server import CustomVisionServer
from testing.ip_camera import IpCamera
from tests.support.lit_hardware import KIND, lamp_record
from tests.support.paths import ROOT
from triof.access.users import Users
from triof.cli import main
from triof.settings.loader import load
from triof.settings.tree import Settings
from triof.storage.data_folder import open_database, take_machine

QUICK = ("--yes", "--no-login", "--no-test")
PASSWORD = "a long password of ten words\n"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


def setup(*arguments: str, stdin: str | None = None, **environ: str) -> Result:
    return CliRunner(env=environ).invoke(main, ["setup", *arguments], input=stdin)


def kept(home: Path) -> dict[str, object]:
    return tomllib.loads((home / "config" / "machine.toml").read_text())


def test_flags_become_settings_that_the_machine_reads(home: Path) -> None:
    ran = setup(*QUICK, "--language", "en", "--name", "Canteen “2”", "--place", "Lyon", "--tenant", "ACME")
    assert ran.exit_code == 0, ran.output
    assert kept(home)["machine"] == {"name": "Canteen “2”", "place": "Lyon"}
    found = load({}, {"TRIOF_HOME": str(home)}).settings
    assert (found.language, found.machine.title, found.tenant.name) == ("en", "Canteen “2”, Lyon", "ACME")
    assert found.mode == "local"
    assert not (home / "setup.json").exists()


@pytest.mark.parametrize("kind", ["simulated", "gpiozero"])
def test_each_hardware_of_triof_has_a_flag(home: Path, kind: str) -> None:
    ran = setup(*QUICK, "--hardware", kind)
    assert ran.exit_code == 0, ran.stderr
    assert load({}, {"TRIOF_HOME": str(home)}).settings.slot.kind == kind


def test_what_else_stands_in_the_file_stays(home: Path) -> None:
    (home / "config").mkdir(parents=True)
    own = "[policy.thresholds]\nbottle = 0.9\n\n[server]\nport = 8081\ntrusted_hosts = ['a.example', 'b.example']\n"
    (home / "config" / "machine.toml").write_text(own)
    assert setup(*QUICK, "--name", "One").exit_code == 0
    found = load({}, {"TRIOF_HOME": str(home)}).settings
    assert (found.server.port, found.server.trusted_hosts) == (8081, ("a.example", "b.example"))
    assert found.policy.thresholds == {"bottle": 0.9}
    assert found.machine.name == "One"


def test_what_another_source_overrules_is_told(home: Path) -> None:
    ran = setup(*QUICK, "--language", "en", TRIOF_LANGUAGE="fr")
    assert "language was written to" in ran.stderr
    assert "overruled by environment: unset it there" in ran.stderr


def test_without_a_terminal_it_names_the_flag_and_does_not_wait() -> None:
    ran = setup("--language", "en")
    assert ran.exit_code == 1
    assert ran.stderr == "Error: There is no terminal to answer: give --name, or --yes to take what holds now.\n"


def test_it_goes_on_where_a_part_has_stopped_it(home: Path, tmp_path: Path) -> None:
    ran = setup("--yes", "--language", "en", "--name", "One", "--camera-folder", str(tmp_path / "none"))
    assert ran.exit_code == 1
    assert "does not exist: set camera.folder" in ran.stderr
    assert json.loads((home / "setup.json").read_text()) == {"done": ["language", "name"]}
    assert "camera" not in kept(home)
    ran = setup(*QUICK)
    assert "Going on: language, name are done" in ran.stdout
    assert ran.stdout.splitlines()[1:5] == ["camera", "hardware", "judging", "login"]
    assert load({}, {"TRIOF_HOME": str(home)}).settings.machine.name == "One"


def test_a_flag_has_a_step_done_again_and_restart_all_of_them(home: Path) -> None:
    (home / "config").mkdir(parents=True)
    (home / "setup.json").write_text('{"done": ["language", "name", "camera", "hardware"]}')
    ran = setup(*QUICK, "--place", "Lyon")
    assert ran.stdout.splitlines()[1:4] == ["name", "judging", "login"]
    (home / "setup.json").write_text('{"done": ["language", "name", "camera", "hardware"]}')
    assert setup(*QUICK, "--restart").stdout.startswith("language\nname\n")


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (["--with", "camera.kinds=x"], "no such setting; did you mean camera.kind?"),
        (["--with", "nonsense"], "is not SETTING=VALUE"),
        (["--key-file", "-"], "--key-file belongs to --judging"),
        (["--login", "ada", "--no-login"], "exclude each other"),
        (["--camera", "eyes"], "is not"),
        (["--camera", "webcam", "--camera-url", "http://a.example"], "--camera-url does not belong to --camera webcam"),
        (["--camera", "http"], "set camera.http.url"),
        (["--camera", "http", "--camera-password-file", "-"], "--camera-password-file belongs to --camera-user"),
        (["--hardware", "hands"], "No hardware is called 'hands': use simulated, gpiozero or module:Class"),
        (["--name", "x" * 65], "machine.name"),
    ],
)
def test_mistakes_are_told_in_words(flags: Sequence[str], told: str, home: Path) -> None:
    ran = setup("--yes", "--no-test", *flags)
    assert ran.exit_code == 2, ran.output
    assert told in ran.stderr
    assert "machine" not in (kept(home) if (home / "config").exists() else {})


def test_signs_that_no_file_can_hold_are_told(home: Path) -> None:
    ran = setup(*QUICK, "--place", "Ly\non")
    assert ran.exit_code == 1
    assert "machine.place = 'Ly\\non' holds signs that cannot be written" in ran.stderr
    assert "machine" not in kept(home)


@pytest.mark.slow
def test_the_camera_of_the_touchscreen_is_left_to_it() -> None:
    ran = setup("--yes", "--camera", "browser", "--hardware", "simulated", "--login", "ada", "--password-file", "-")
    assert "the touchscreen's own: try it there" in ran.stdout


def test_a_webcam_is_looked_for_and_kept(home: Path, tmp_path: Path) -> None:
    flags = ("--yes", "--no-login", "--camera", "webcam", "--camera-device", str(tmp_path / "video9"))
    ran = setup(*flags)
    assert ran.exit_code == 1
    assert f"There is no {tmp_path}/video9" in ran.stderr
    assert "camera" not in kept(home)
    assert setup(*flags, "--no-test").exit_code == 0
    assert kept(home)["camera"] == {"kind": "webcam", "webcam": {"device": f"{tmp_path}/video9"}}


@pytest.mark.slow
def test_the_address_and_the_login_of_an_ip_camera_lie_in_a_private_file(home: Path) -> None:
    login = ("--camera-user", "marie", "--camera-password-file", "-")
    with IpCamera() as camera:
        camera.behaviour = "login"
        flags = ("--yes", "--camera", "http", "--camera-url", camera.url("/video"), *login)
        # The next step is stopped for want of hardware, so no test deposit is made.
        ran = setup(*flags, "--hardware", "nowhere:Driver", stdin="s3cret\n")
    assert "320 x 180 pixels" in ran.stdout
    assert "s3cret" not in ran.output
    assert kept(home)["camera"] == {"kind": "http", "http": {"user": "marie"}}
    assert stat.S_IMODE((home / ".env").stat().st_mode) == 0o600
    assert setup(*QUICK, "--camera", "http").exit_code == 0
    found = load({}, {"TRIOF_HOME": str(home)}).settings.camera.http
    assert found.url
    assert found.password
    assert (found.url.get_secret_value(), found.password.get_secret_value()) == (camera.url("/video"), "s3cret")


def test_the_pins_are_shown_and_where_they_are_set(home: Path) -> None:
    ran = setup(*QUICK, "--hardware", "gpiozero", "--with", "slot.gpiozero.lamp_relay=27")
    assert ran.exit_code == 0, ran.output
    assert f"each a line below [slot.gpiozero] of {home}/config/machine.toml" in ran.stdout
    assert "    slot_servo = 18\n" in ran.stdout
    assert "    lamp_relay = 27\n" in ran.stdout
    assert "box_forward" not in ran.stdout
    assert load({}, {"TRIOF_HOME": str(home)}).settings.slot.kind == "gpiozero"


def test_a_machine_in_use_is_left_alone(home: Path) -> None:
    with take_machine(Settings(home=home)):
        ran = setup(*QUICK)
    assert ran.exit_code == 1
    assert "Another kiosk runs the machine" in ran.stderr


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can give a folder away")
def test_the_folder_of_another_user_is_left_alone(home: Path) -> None:
    home.mkdir()
    os.chown(home, 65534, -1)
    ran = setup(*QUICK)
    assert ran.exit_code == 1
    assert "belongs to nobody: run this as that user, `sudo -u nobody" in ran.stderr
    assert list(home.iterdir()) == []


@pytest.mark.slow
def test_a_technician_may_log_in_afterwards(home: Path) -> None:
    flags = ("--yes", "--no-test", "--login", "ada", "--password-file", "-")
    ran = setup(*flags, stdin=PASSWORD)
    assert "ada may log in at /dashboard" in ran.stdout
    database = open_database(Settings(home=home))
    user = Users(database).with_password("ada", PASSWORD.strip())
    database.close()
    assert user
    assert user.may_act
    assert "ada may log in already" in setup("--yes", "--no-test").stdout
    assert "There is a user ada already" in setup(*flags, stdin=PASSWORD).stderr
    assert "12 to 256" in setup(*flags[:2], "--login", "bob", "--password-file", "-", stdin="short\n").stderr


def cloud_flags(cloud: CustomVisionServer) -> list[str]:
    return [
        *("--judging", "cloud", "--endpoint", cloud.endpoint, "--project-id", cloud.project_id),
        *("--published-name", cloud.published_name, "--key-file", "-"),
    ]


@pytest.mark.slow
def test_the_key_of_the_cloud_lies_in_a_private_file_alone(home: Path, cloud: CustomVisionServer) -> None:
    home.mkdir()
    (home / ".env").write_text("# mine\nTRIOF_CUSTOM_VISION__PREDICTION_KEY=old\nOTHER=1\n")
    ran = setup(*QUICK, *cloud_flags(cloud), stdin=f"{cloud.key}\n")
    assert ran.exit_code == 0, ran.output
    env_file = home / ".env"
    assert env_file.read_text() == f"# mine\nOTHER=1\nTRIOF_CUSTOM_VISION__PREDICTION_KEY='{cloud.key}'\n"
    assert stat.S_IMODE(env_file.stat().st_mode) == 0o600
    assert cloud.key not in (home / "config" / "machine.toml").read_text() + ran.output
    found = load({}, {"TRIOF_HOME": str(home)}).settings.custom_vision
    assert found.is_set
    assert found.prediction_key
    assert found.prediction_key.get_secret_value() == cloud.key


@pytest.mark.slow
def test_a_cloud_that_cannot_be_reached_stops_it(home: Path, cloud: CustomVisionServer) -> None:
    flags = [flag.replace(cloud.endpoint, "http://127.0.0.1:1") for flag in cloud_flags(cloud)]
    ran = setup("--yes", "--no-login", *flags, stdin=f"{cloud.key}\n")
    assert ran.exit_code == 1
    assert "The cloud cannot be reached" in ran.stderr
    assert "judging" not in json.loads((home / "setup.json").read_text())["done"]


@pytest.mark.slow
def test_it_ends_with_checks_and_a_test_deposit_that_leaves_no_trace(home: Path) -> None:
    ran = setup("--yes", "--no-login", "--name", "One", TRIOF_DEADLINE_SECONDS="60")
    assert ran.exit_code == 0, ran.output
    assert "960 x 720 pixels, brightness 0.8" in ran.stdout
    assert (home / "setup-picture.jpg").read_bytes()[:2] == b"\xff\xd8"
    assert "the slot opened and closed" in ran.stdout
    assert "ok    camera" in ran.stdout
    assert "by local_cnn: accept" in ran.stdout
    assert not (home / "photos").exists()


@pytest.mark.slow
def test_its_test_deposit_is_lit_as_any_other(home: Path) -> None:
    ran = setup("--yes", "--no-login", "--name", "One", TRIOF_DEADLINE_SECONDS="60", TRIOF_SLOT__KIND=KIND)
    assert ran.exit_code == 0, ran.output
    assert lamp_record(home) == ["on", "off"]


@pytest.mark.slow
def test_a_check_that_fails_is_mended_first(home: Path) -> None:
    assert CliRunner().invoke(main, ["slot", "jam", "box"]).exit_code == 0
    ran = setup("--yes", "--no-login")
    assert ran.exit_code == 1
    assert "The box is jammed" in ran.output
    CliRunner().invoke(main, ["slot", "clear"])
    ran = setup("--yes", "--no-login", TRIOF_DEADLINE_SECONDS="60")
    assert "Going on: language, name, camera are done" in ran.stdout
    assert ran.exit_code == 0, ran.output


_ON_A_TERMINAL = (
    "import fcntl, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); from triof.cli import main; main(prog_name='triof')"
)
_PATIENCE_SECONDS = 60


class Typing:
    """A person at a terminal of the command's own process."""

    def __init__(self, home: Path, *arguments: str) -> None:
        self.shown = ""
        self._terminal, theirs = os.openpty()
        # Not pty.fork, whose child can hang in this process with the threads of other tests.
        self._process = subprocess.Popen(
            [sys.executable, "-c", _ON_A_TERMINAL, "setup", *arguments],
            env={**os.environ, "TRIOF_HOME": str(home), "PYTHONPATH": str(ROOT)},
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
        )
        os.close(theirs)

    def answer(self, question: str, typed: str) -> None:
        """Wait for the question, then type."""
        before = self.shown.count(question)
        while self.shown.count(question) == before and self._read():
            pass
        assert self.shown.count(question) > before, self.shown
        os.write(self._terminal, f"{typed}\n".encode())

    def end(self) -> int:
        """The exit code, once all is read."""
        while self._read():
            pass
        return self._process.wait(_PATIENCE_SECONDS)

    def leave(self) -> None:
        """End the process, should it still wait for an answer."""
        self._process.kill()
        self._process.wait()
        os.close(self._terminal)

    def _read(self) -> bool:
        assert select([self._terminal], [], [], _PATIENCE_SECONDS)[0], f"It waits for another answer:\n{self.shown}"
        try:
            got = os.read(self._terminal, 4096)
        except OSError:  # the process has ended
            return False
        self.shown += got.decode(errors="replace")
        return bool(got)


@contextmanager
def typing(home: Path, *arguments: str) -> Iterator[Typing]:
    """A person who leaves at the end."""
    person = Typing(home, *arguments)
    try:
        yield person
    finally:
        person.leave()


@pytest.mark.slow
def test_a_person_answers_is_interrupted_and_goes_on(home: Path) -> None:
    with typing(home, "--no-test") as person:
        person.answer("Language", "en")
        person.answer("Name of the machine", "One")
        person.answer("Where it stands", "Lyon")
        person.answer("Company", "")
        person.answer("Camera", "\x03")
        assert person.end() == 1
    with typing(home, "--no-test") as person:
        person.answer("Camera", "folder")
        person.answer("Folder of its pictures", "/nowhere")
        person.answer("Motors", "")
        person.answer("Who judges", "local")
        person.answer("technician's login", "ada")
        person.answer("Password", "short")
        person.answer("Once more", "short")
        person.answer("Answer again?", "y")
        person.answer("technician's login", "ada")
        person.answer("Password", PASSWORD.strip())
        person.answer("Once more", PASSWORD.strip())
        assert person.end() == 0, person.shown
    assert "Going on: language, name are done" in person.shown
    assert PASSWORD.strip() not in person.shown
    found = load({}, {"TRIOF_HOME": str(home)}).settings
    assert (found.machine.title, str(found.camera.folder)) == ("One, Lyon", "/nowhere")
