"""Runs the tour: takes each scene at every size, in both languages, light and dark, and checks each picture."""

import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic
from typing import Any, Literal, NamedTuple

from tools.screens import checks
from tools.screens.checks import KIOSK, ZOOMED_KIOSK
from tools.screens.lanes import LANES, Lane
from tools.screens.scripted import Script
from tools.screens.visit import PageVisit, ScreenState

CHROMIUM = "/usr/bin/chromium"
_ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--use-fake-ui-for-media-stream",
    "--use-fake-device-for-media-stream",
)
Size = tuple[int, int]
SIZES: tuple[Size, ...] = ((800, 480), (1024, 600), (1920, 1080), (1080, 1920))
LANGUAGES = ("fr", "en")
Scheme = Literal["light", "dark"]
SCHEMES: tuple[Scheme, ...] = ("light", "dark")
_CONTRAST = ("color-contrast",)
"""The rule of axe-core whose outcome depends on light and dark."""


@dataclass(frozen=True)
class TourOptions:
    """What is taken, and the folder that the pictures go to."""

    out: Path
    sizes: tuple[Size, ...] = SIZES
    languages: tuple[str, ...] = LANGUAGES
    schemes: tuple[Scheme, ...] = SCHEMES
    only: tuple[str, ...] = ()
    """Parts of names of scenes; all of them if empty."""
    reduced: bool = False

    def scenes(self, lane: Lane) -> tuple[ScreenState, ...]:
        """Return the scenes of the lane that are taken."""
        wanted = [scene for scene in lane.scenes if scene.reduced or not self.reduced]
        return tuple(one for one in wanted if not self.only or any(part in one.name for part in self.only))

    def path(self, scene: str, language: str, size: Size, scheme: Scheme) -> Path:
        """Return where the picture goes."""
        return self.out / language / f"{scene}-{size[0]}x{size[1]}-{scheme}.png"


class PageFinding(NamedTuple):
    """What is wrong with a page."""

    scene: str
    language: str
    view: str
    """The size, with what is special about it."""
    what: str

    def __str__(self) -> str:
        return f"{self.scene} {self.language} {self.view}: {self.what}"


def run(options: TourOptions, workers: int) -> Iterator[PageFinding]:
    """Take the tour in ``workers`` processes, each with a browser; yields the findings of each lane as it ends."""
    lanes = [lane for lane in LANES if options.scenes(lane)]
    with ProcessPoolExecutor(workers) as pool:
        for found in pool.map(_lane, [lane.name for lane in lanes], [options] * len(lanes)):
            yield from found


def _lane(name: str, options: TourOptions) -> list[PageFinding]:
    from playwright.sync_api import sync_playwright

    lane = next(lane for lane in LANES if lane.name == name)
    found: list[PageFinding] = []
    with TemporaryDirectory() as folder, sync_playwright() as running:
        browser = running.chromium.launch(executable_path=CHROMIUM, args=_ARGUMENTS)
        # The other lanes are taken whatever happens to a server.
        try:
            for part in _parts(lane, Path(folder), browser, options):
                found += part
        except Exception as error:
            found.append(PageFinding(f"server {name}", "", "", str(error)))
        browser.close()
    return found


def _parts(lane: Lane, home: Path, browser: Any, options: TourOptions) -> Iterator[list[PageFinding]]:
    """Yield the findings of each scene in each language."""
    script = Script(home) if lane.scripted else None
    if script:
        script.reset()
    with lane.serve(home) as url:
        for scene, language in product(options.scenes(lane), options.languages):
            started = monotonic()
            with PageVisit(browser, url, language, script, scripts=scene.scripts) as visit:
                yield _visited(visit, scene, options)
            print(f"{scene.name} {language}: {monotonic() - started:.0f} s", file=sys.stderr, flush=True)


def _visited(visit: PageVisit, scene: ScreenState, options: TourOptions) -> list[PageFinding]:
    """Take the scene, and leave the machine as it was found."""
    found: list[PageFinding] = []
    # Whatever a page does, the other scenes are taken.
    try:
        visit.begin()
        scene.reach(visit)
        found += _taken(visit, scene, options)
    except Exception as error:
        found.append(_failed(visit, scene, "not taken", error))
    try:
        visit.end(leaves=scene.leaves)
    except Exception as error:
        found.append(_failed(visit, scene, "not left", error))
    return found + [PageFinding(scene.name, visit.language, "", f"JavaScript: {one}") for one in visit.complaints]


def _failed(visit: PageVisit, scene: ScreenState, what: str, error: Exception) -> PageFinding:
    return PageFinding(scene.name, visit.language, visit.page.url, f"{what}: {str(error).splitlines()[0]}")


def _taken(visit: PageVisit, scene: ScreenState, options: TourOptions) -> Iterator[PageFinding]:
    page = visit.page
    page.wait_for_load_state()
    page.evaluate("document.fonts.ready")
    told = page.get_attribute("html", "lang")
    if scene.keeps_language and told != visit.language:
        yield PageFinding(scene.name, visit.language, "", f"the page is in {told}")
    for scheme in options.schemes:
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        for size in options.sizes:
            page.set_viewport_size({"width": size[0], "height": size[1]})
            path = options.path(scene.name, visit.language, size, scheme)
            path.parent.mkdir(parents=True, exist_ok=True)
            page.screenshot(path=path, full_page=scene.whole)
            yield from _findings(visit, scene, size, scheme)
    if scene.rules is KIOSK:
        page.emulate_media(color_scheme="light", reduced_motion="reduce")
        for wide, high in options.sizes:
            page.set_viewport_size({"width": wide // 2, "height": high // 2})
            for what in checks.geometry(page, ZOOMED_KIOSK):
                yield PageFinding(scene.name, visit.language, f"{wide}x{high} at 200 %", what)


def _findings(visit: PageVisit, scene: ScreenState, size: Size, scheme: Scheme) -> Iterator[PageFinding]:
    view = f"{size[0]}x{size[1]}" + (" dark" if scheme == "dark" else "")
    found = [] if scheme == "dark" else checks.geometry(visit.page, scene.rules)
    if scene.scripts:
        found += checks.violations(visit.page, _CONTRAST if scheme == "dark" else ())
    yield from (PageFinding(scene.name, visit.language, view, what) for what in found)
