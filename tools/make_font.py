"""Make the font of the pages from a release of Atkinson Hyperlegible Next: ``python -m tools.make_font FONT``.

FONT is the variable font without italics; static/fonts/README.md says where it comes from. Writes
static/fonts/atkinson-hyperlegible-next.woff2: the characters of French and English, the weights 400 to 800. Needs
``pip install fonttools brotli``.
"""

import sys
from pathlib import Path
from typing import Any

from fontTools.subset import Options, Subsetter
from fontTools.ttLib import TTFont
from fontTools.ttLib.tables._g_l_y_f import Glyph, GlyphComponent
from fontTools.varLib.instancer import instantiateVariableFont

from triof.common.paths import FONT

CHARACTERS = (
    *range(0x20, 0x7F),
    *range(0xA0, 0x100),
    *(0x152, 0x153),  # Œ œ
    *(0x2010, 0x2011, 0x2013, 0x2014),  # hyphens and dashes
    *(0x2018, 0x2019, 0x201A, 0x201C, 0x201D, 0x201E),  # quotation marks
    *(0x2022, 0x2026, 0x202F, 0x2082, 0x20AC, 0x2122, 0x2212),  # bullet, ellipsis, narrow space, ₂ € ™ and minus
)
_WEIGHTS = (400, 800)
_SAME = {0x2010: "-", 0x2011: "-", 0x202F: "\u2009"}
"""Characters that the source lacks, and the one whose glyph they take."""
_SUBSCRIPT_TWO, _SUPERSCRIPT_TWO = "twoinferior", "\N{SUPERSCRIPT TWO}"
_LOWERED = 0.45
"""By how much of the em the subscript two of CO₂ lies below the superscript two."""


def make(source: Path, target: Path) -> None:
    """Write the subset of ``source`` to ``target``."""
    font = TTFont(source)
    instantiateVariableFont(font, {"wght": _WEIGHTS}, inplace=True)
    names = font.getBestCmap()
    added = {code: names[ord(same)] for code, same in _SAME.items() if code not in names}
    if 0x2082 not in names:
        added[0x2082] = _lower(font, names[ord(_SUPERSCRIPT_TWO)])
    for table in font["cmap"].tables:
        if table.isUnicode():
            table.cmap.update(added)
    options = Options(flavor="woff2", layout_features=["ccmp", "locl", "kern", "mark", "mkmk", "tnum"], hinting=False)
    subsetter = Subsetter(options)
    subsetter.populate(unicodes=CHARACTERS)
    subsetter.subset(font)
    font.flavor = "woff2"
    font.save(target)


def _lower(font: Any, superscript: str) -> str:
    """Add a glyph that is ``superscript`` set lower, and return its name."""
    part = GlyphComponent()
    part.glyphName, part.x, part.y = superscript, 0, -round(_LOWERED * font["head"].unitsPerEm)
    part.flags = 0x0204  # ROUND_XY_TO_GRID, and USE_MY_METRICS: its width follows the weight
    glyph = Glyph()
    glyph.numberOfContours, glyph.components = -1, [part]
    font["hmtx"][_SUBSCRIPT_TWO] = font["hmtx"][superscript]
    font["glyf"][_SUBSCRIPT_TWO] = glyph
    font["gvar"].variations |= {name: [] for name in font["glyf"].glyphOrder if name not in font["gvar"].variations}
    font.setGlyphOrder(font["glyf"].glyphOrder)
    if "HVAR" in font:  # it knows the glyphs of the source only; widths then follow from gvar
        del font["HVAR"]
    return _SUBSCRIPT_TWO


if __name__ == "__main__":
    make(Path(sys.argv[1]), FONT)
    print(f"{FONT}: {FONT.stat().st_size} bytes")
