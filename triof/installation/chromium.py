"""Finds Chromium, and its options for a touchscreen that stands in the open."""

import os
import shutil
import signal
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import psutil

from triof.common.errors import TriofError

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_OPTIONS = (
    "--kiosk",
    "--no-first-run",
    "--no-default-browser-check",
    "--noerrdialogs",
    "--disable-infobars",
    "--disable-session-crashed-bubble",
    "--hide-crash-restore-bubble",
    "--disable-pinch",
    "--overscroll-history-navigation=0",
    "--disable-features=Translate,TranslateUI,MediaRouter",
    "--disable-component-update",
    "--disable-background-networking",
    "--disable-sync",
    "--password-store=basic",
    "--check-for-update-interval=31536000",
    "--ozone-platform-hint=auto",
)
_LOCK = "SingletonLock"


class BrowserMissing(TriofError):
    """There is no browser for the touchscreen."""


def find_browser() -> str:
    """Return the path of the first browser on PATH. Raises BrowserMissing."""
    for name in NAMES:
        if found := shutil.which(name):
            return found
    raise BrowserMissing(
        f"There is none of {', '.join(NAMES)} on PATH: install one, with `apt-get install chromium` on Debian and"
        " Raspberry Pi OS."
    )


def command(
    browser: str, profile: Path, page: str, language: str, *, films: bool, speaks: bool, more: Sequence[str]
) -> list[str]:
    """Return the command that shows ``page``; whether pages may use the camera, and speak, without a touch."""
    voice = ["--enable-speech-dispatcher", "--autoplay-policy=no-user-gesture-required"] if speaks else []
    camera = ["--auto-accept-camera-and-microphone-capture"] if films else []
    own = [f"--user-data-dir={profile}", f"--lang={language}"]
    return [browser, *_OPTIONS, *own, *camera, *voice, *more, page]


def free_profile(profile: Path) -> None:
    """Remove the lock of a browser that was killed or ran under another host name; end one that was left running.

    Else Chromium asks a question that stays unanswered, or only opens a window in the one that runs.
    """
    with suppress(OSError):
        pid = (profile / _LOCK).readlink().name.rpartition("-")[2]
        if pid.isdecimal() and _runs_on(int(pid), profile):
            os.kill(int(pid), signal.SIGKILL)
    for path in profile.glob("Singleton*"):
        with suppress(OSError):
            path.unlink()


def _runs_on(pid: int, profile: Path) -> bool:
    try:
        return f"--user-data-dir={profile}" in psutil.Process(pid).cmdline()
    except psutil.Error:
        return False
