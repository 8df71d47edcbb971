"""The labelled photos that tools measure with; they are not part of the repository."""

import os
import sys
from pathlib import Path

DATA = Path(os.environ.get("TRIOF_DATASET", Path(__file__).resolve().parents[2] / "shared" / "data"))


def missing(data: Path = DATA) -> str:
    """Why there are no photos to measure with; empty where there are."""
    return "" if data.exists() else f"there are no labelled photos in {data}: set TRIOF_DATASET to their folder"


def need(data: Path) -> None:
    """End the program with a sentence where there are no photos."""
    if why := missing(data):
        sys.exit(f"Nothing can be measured, {why}.")
