"""Gives a bundle of `triof train` the distance from what it has learned (triof/familiar_photos.py); about a minute.

The data must be those that it was trained on, without the sources that it was trained without.
"""

import argparse
import sys
from pathlib import Path

from rich.console import Console
from rich.progress import Progress

from providers.base import ProviderError
from providers.local_cnn import bundle
from tools.labelled_photos import DATA, need
from triof import bundles, corrections, familiar_photos
from triof.cli.labelled_photos import without
from triof.cli.train import Bars
from triof.errors import TriofError


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("out", type=Path, help="the folder of the new bundle")
    parser.add_argument("--data", type=Path, default=DATA / "all.csv")
    parser.add_argument("--corrections", type=Path)
    parser.add_argument("--leave-out", nargs="+", default=[], metavar="SOURCE")
    asked = parser.parse_args()
    need(asked.data)
    console = Console(stderr=True)
    try:
        dataset = without(corrections.mended(asked.data, asked.corrections), asked.leave_out)
        with Progress(console=console) as progress:
            bars = Bars(progress)
            known = familiar_photos.know(
                bundle.load(asked.bundle), dataset, lambda done, total: bars.show("looking", done, total)
            )
        with bundles.writing(asked.out):
            bundle.save(asked.out.resolve(), known.card, known.model)
    except (TriofError, ProviderError) as error:
        console.print(str(error), style="red", soft_wrap=True, markup=False)
        return 1
    print(f"{known.card.version} is in {asked.out}; unfamiliar is what is {known.card.unfamiliar_from} away or more.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
