"""The committed pictures of the tour, small: some views of each scene, and a contact sheet for each language."""

from collections.abc import Sequence
from functools import cache
from itertools import product
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from tools.screens.checks import KIOSK, TECHNICIAN, PageRules
from tools.screens.lanes import LANES
from tools.screens.tour import SCHEMES, SIZES, Size, TourOptions

_VIEWS: tuple[tuple[PageRules, str, Size], ...] = (
    (KIOSK, "fr", SIZES[0]),
    (KIOSK, "fr", SIZES[-1]),
    (TECHNICIAN, "en", SIZES[0]),
)
"""Pages, language and size of what is committed one by one."""
_LONGEST_SIDE, _QUALITY, _SHEET_QUALITY = 800, 55, 35
_ROW, _GAP, _WORDS = 132, 8, 18
_PAPER, _INK = "#fbf7ef", "#22190f"


def small(source: Path, target: Path) -> None:
    """Write the picture as a small WebP, at most 800 pixels long."""
    with Image.open(source) as picture:
        shown = picture.convert("RGB")
    shown.thumbnail((_LONGEST_SIDE, _LONGEST_SIDE), Image.Resampling.LANCZOS)
    target.parent.mkdir(parents=True, exist_ok=True)
    shown.save(target, quality=_QUALITY, method=6)


def write(options: TourOptions, out: Path) -> None:
    """Replace the committed pictures in ``out`` by those that the tour took."""
    for old in out.glob("*.webp"):
        old.unlink()
    scenes = [scene for lane in LANES for scene in lane.scenes]
    for scene, (rules, language, size) in product(scenes, _VIEWS):
        source = options.path(scene.name, language, size, SCHEMES[0])
        if scene.rules is rules and source.exists():
            small(source, out / f"{scene.name}-{language}-{size[0]}x{size[1]}.webp")
    for language in options.languages:
        taken = [one.name for one in scenes if options.path(one.name, language, SIZES[0], SCHEMES[0]).exists()]
        sheet = contact_sheet(options, taken, language)
        sheet.save(out / f"all-{language}.webp", quality=_SHEET_QUALITY, method=6)


def contact_sheet(options: TourOptions, scenes: Sequence[str], language: str) -> Image.Image:
    """Return a sheet with a row for each scene: every size that was taken, light, then dark."""
    views = [
        (size, scheme)
        for scheme, size in product(options.schemes, options.sizes)
        if any(options.path(scene, language, size, scheme).exists() for scene in scenes)
    ]
    widths = [round(_ROW * size[0] / size[1]) for size, _ in views]
    high = _ROW + _WORDS + _GAP
    sheet = Image.new("RGB", (sum(widths) + _GAP * (len(widths) + 1), high * len(scenes) + _GAP), _PAPER)
    draw = ImageDraw.Draw(sheet)
    for row, scene in enumerate(scenes):
        top, left = _GAP + row * high, _GAP
        draw.text((left, top), scene, _INK, font=_font())
        for (size, scheme), width in zip(views, widths, strict=True):
            path = options.path(scene, language, size, scheme)
            if path.exists():
                sheet.paste(_thumbnail(path, (width, _ROW)), (left, top + _WORDS))
            left += width + _GAP
    return sheet


def _thumbnail(path: Path, size: Size) -> Image.Image:
    """Return the top of the picture in the shape of ``size``, as a page may be longer than its screen."""
    with Image.open(path) as picture:
        wide, high = picture.size
        shown = picture.convert("RGB").crop((0, 0, wide, min(high, round(wide * size[1] / size[0]))))
    return shown.resize(size, Image.Resampling.LANCZOS, reducing_gap=2.0)


@cache
def _font() -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(14)
