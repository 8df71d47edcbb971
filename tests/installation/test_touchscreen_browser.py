"""The browser in front of the machine: what it is started with, and that it comes back from everything."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import psutil
import pytest
from click.testing import CliRunner

from tests.support.browsing import CHROMIUM
from tests.support.clock import Clock
from tests.support.raw_clients import eventually
from tests.support.stand_in_browser import StandInBrowser
from tools.running_kiosk import free_port
from triof.cli import main
from triof.common.liveness import LivenessAnswer
from triof.installation.chromium import command, free_profile
from triof.installation.touchscreen_browser import TouchscreenBrowser
from triof.installation.waiting_page import WaitingPage


class Screen:
    """A browser that is looked after round by round, and the server that it shows."""

    def __init__(self, folder: Path, stand_in: StandInBrowser) -> None:
        self.clock = Clock()
        self.said: list[str] = []
        self.server: LivenessAnswer = "refused"
        self.stand_in = stand_in
        self.folder = folder
        self.page = WaitingPage(folder, "http://127.0.0.1:8080/")
        ask: Callable[[], LivenessAnswer] = lambda: self.server  # noqa: E731
        started = command(
            str(stand_in.path), folder / "profile", self.page.address, "fr", films=False, speaks=False, more=["--x"]
        )
        self.browser = TouchscreenBrowser(
            started,
            folder / "profile",
            self.page,
            ask,
            tell=self.said.append,
            clock=self.clock,
            end_seconds=0.05,
        )

    @property
    def pids(self) -> list[int]:
        return [pid for pid, _ in self.stand_in.starts]

    def state(self) -> str:
        return (self.folder / "state.js").read_text().strip()

    def started(self, times: int) -> None:
        """Returns once the browser has been started so often."""
        self.browser.look()
        assert eventually(lambda: len(self.pids) == times)

    def died(self, times: int) -> None:
        """Returns once the death of the browser has been noticed so often."""

        def is_noticed() -> bool:
            self.browser.look()
            return sum("ended after" in line for line in self.said) == times

        assert eventually(is_noticed)


@pytest.fixture
def screen(tmp_path: Path) -> Iterator[Screen]:
    screen = Screen(tmp_path / "browser", StandInBrowser(tmp_path / "bin"))
    yield screen
    screen.browser.close()


def test_it_starts_full_screen_on_a_profile_and_a_page_of_its_own(screen: Screen) -> None:
    screen.started(1)
    ((_, arguments),) = screen.stand_in.starts
    assert {"--kiosk", "--no-first-run", "--disable-pinch", "--hide-crash-restore-bubble", "--x"} <= set(arguments)
    assert f"--user-data-dir={screen.folder / 'profile'}" in arguments
    assert arguments[-1] == screen.page.address
    assert "camera" not in " ".join(arguments)
    page = screen.page.path.read_text()
    assert "La machine démarre" in page
    assert "The machine is starting" in page
    assert 'location.replace("http://127.0.0.1:8080/")' in page


def test_only_a_machine_whose_touchscreen_takes_the_pictures_gives_the_camera_away(tmp_path: Path) -> None:
    given = command("chromium", tmp_path, "file:///x", "en", films=True, speaks=False, more=[])
    assert "--auto-accept-camera-and-microphone-capture" in given
    assert not any("speech" in option for option in given)


def test_a_touchscreen_that_speaks_has_a_voice_and_need_not_be_touched_first(tmp_path: Path) -> None:
    given = command("chromium", tmp_path, "file:///x", "en", films=False, speaks=True, more=[])
    assert {"--enable-speech-dispatcher", "--autoplay-policy=no-user-gesture-required"} <= {*given}


def test_the_page_goes_on_once_the_server_answers_and_the_browser_stays(screen: Screen) -> None:
    screen.started(1)
    assert screen.state() == "serverAnswers(false);"
    screen.server = "answers"
    screen.browser.look()
    assert screen.state() == "serverAnswers(true);"
    assert len(screen.pids) == 1


def test_after_an_outage_it_starts_again_on_our_page(screen: Screen) -> None:
    screen.server = "answers"
    screen.started(1)
    screen.server = "refused"
    screen.started(2)
    assert screen.state() == "serverAnswers(false);"
    assert eventually(lambda: not psutil.pid_exists(screen.pids[0]))
    screen.browser.look()
    screen.server = "answers"
    screen.browser.look()
    assert screen.state() == "serverAnswers(true);"
    assert len(screen.pids) == 2


def test_a_busy_server_is_not_away(screen: Screen) -> None:
    screen.server = "answers"
    screen.started(1)
    screen.server = "silent"
    for _ in range(2):
        screen.browser.look()
    assert screen.state() == "serverAnswers(true);"
    assert not screen.said
    screen.browser.look()
    assert screen.state() == "serverAnswers(false);"
    assert "starts again and waits" in screen.said[0]


def test_it_is_started_again_after_a_growing_pause(screen: Screen) -> None:
    screen.stand_in.do("dies")
    for death, pause in enumerate((1, 2, 4, 8, 16, 32, 60, 60), 1):
        screen.died(death)
        assert screen.said[-1] == f"The browser ended after 0 s (exit code 7): it starts again in {pause} s."
        screen.clock.pass_(pause - 0.5)
        screen.browser.look()
        assert len(screen.pids) == death
        screen.clock.pass_(0.5)
    screen.stand_in.do("lives")
    screen.started(9)
    screen.clock.pass_(60)
    os.kill(screen.pids[-1], signal.SIGKILL)
    screen.died(9)
    assert screen.said[-1].endswith("starts again in 1 s.")


def test_one_that_does_not_end_is_killed_with_its_children(screen: Screen) -> None:
    screen.stand_in.do("hangs")
    screen.started(1)
    screen.browser.look()
    shell = psutil.Process(screen.pids[0])
    assert eventually(lambda: len(shell.children()) == 1)
    (sleeping,) = shell.children()
    screen.browser.close()
    assert eventually(lambda: not psutil.pid_exists(screen.pids[0]))
    assert eventually(lambda: not sleeping.is_running() or sleeping.status() == psutil.STATUS_ZOMBIE)


def test_the_lock_of_a_killed_browser_is_removed_and_one_left_running_is_ended(tmp_path: Path) -> None:
    profile = tmp_path / "profile"
    profile.mkdir()
    (profile / "SingletonLock").symlink_to("former-name-4194305")
    (profile / "SingletonCookie").symlink_to("gone")
    free_profile(profile)
    assert list(profile.iterdir()) == []
    script = [sys.executable, "-c", "import time; time.sleep(600)", f"--user-data-dir={profile}"]
    left = subprocess.Popen(script)
    assert eventually(lambda: psutil.Process(left.pid).cmdline()[-1:] == script[-1:])
    (profile / "SingletonLock").symlink_to(f"host-{left.pid}")
    free_profile(profile)
    assert left.wait(30) == -signal.SIGKILL
    (profile / "SingletonLock").symlink_to(f"host-{os.getpid()}")
    free_profile(profile)  # this process is no browser


# ---- the command ----


def test_without_a_browser_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    ran = CliRunner().invoke(main, ["kiosk", "--browser"])
    assert ran.exit_code == 1
    assert "apt-get install chromium" in ran.stderr


def test_an_option_of_the_browser_needs_the_browser() -> None:
    ran = CliRunner().invoke(main, ["kiosk", "--browser-option", "--headless"])
    assert ran.exit_code == 2
    assert "--browser-option belongs to --browser" in ran.stderr


@contextmanager
def touchscreen(port: int, seen: list[str]) -> Iterator[None]:
    """A server with a page for the browser; notes what is asked for."""

    class Pages(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen.append(f"{self.path} {self.headers['User-Agent']}")
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"<p>the touchscreen</p>")

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", port), Pages)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def showing(port: int, environ: dict[str, str], *more: str) -> Iterator["subprocess.Popen[str]"]:
    words = [sys.executable, "-m", "triof.cli", "kiosk", "--browser", "--port", str(port), *more]
    process = subprocess.Popen(words, env={**os.environ, **environ}, stderr=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.terminate()
        process.communicate()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["chromium", "chromium-browser", "google-chrome"])
def test_the_command_runs_whichever_browser_there_is_and_ends_it(name: str, tmp_path: Path) -> None:
    stand_in = StandInBrowser(tmp_path / "bin", name=name)
    with showing(free_port(), {"PATH": str(tmp_path / "bin")}) as process:
        assert eventually(lambda: len(stand_in.starts) == 1)
        again = CliRunner().invoke(main, ["kiosk", "--browser"], env={"PATH": str(tmp_path / "bin")})
        assert "Another browser shows the touchscreen" in again.stderr
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    assert not psutil.pid_exists(stand_in.starts[0][0])


@pytest.mark.browser
@pytest.mark.skipif(not CHROMIUM.exists(), reason=f"no Chromium at {CHROMIUM}: apt-get install chromium")
def test_a_real_chromium_waits_for_the_server_and_comes_back_to_it(tmp_path: Path) -> None:
    port, seen = free_port(), list[str]()

    def is_visited(times: int) -> bool:
        return sum(line.startswith("/ ") and "Chrom" in line for line in seen) >= times

    more = [f"--browser-option={option}" for option in ("--headless=new", "--no-sandbox", "--disable-gpu")]
    state = tmp_path / "home" / "browser" / "state.js"
    with showing(port, {}, *more):
        for visits in (1, 2):
            assert eventually(lambda: state.exists() and "false" in state.read_text())
            with touchscreen(port, seen):
                # A browser takes half a minute to start where eight programs share two cores.
                assert any(eventually(partial(is_visited, visits)) for _ in range(4)), seen[-5:]
