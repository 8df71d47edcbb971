"""Take every state of every page into a folder, and check each: ``make screens``.

    python -m tools.screens [--reduced] [--only NAME ...] [--out FOLDER]

Real servers run, whose machine answers and fails as the scenes ask for. Needs Chromium and Playwright.
"""

import argparse
import os
import sys
from pathlib import Path

from tools.screens import sheets
from tools.screens.tour import LANGUAGES, SIZES, TourOptions, run

ROOT = Path(__file__).parents[2]
COMMITTED = ROOT / "docs" / "screens"


def main() -> int:
    """Return 1 if anything was found."""
    parser = argparse.ArgumentParser(prog="python -m tools.screens", description=__doc__.splitlines()[0])
    parser.add_argument("--reduced", action="store_true", help="a few states, two sizes, French, light")
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME", help="scenes whose name contains this")
    parser.add_argument("--out", type=Path, default=ROOT / "runs" / "screens", help="the folder of all pictures")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    chosen = parser.parse_args()
    options = TourOptions(chosen.out, only=tuple(chosen.only), reduced=chosen.reduced)
    if chosen.reduced:
        options = TourOptions(chosen.out, (SIZES[0], SIZES[-1]), LANGUAGES[:1], ("light",), options.only, reduced=True)
    found = []
    for finding in run(options, chosen.workers):
        print(finding, flush=True)
        found.append(finding)
    if not (chosen.reduced or chosen.only):
        sheets.write(options, COMMITTED)
    print(f"{len(found)} findings; the pictures are in {chosen.out}.")
    return min(len(found), 1)


if __name__ == "__main__":
    sys.exit(main())
