"""Folders of the checkout, and those beside it that are not part of the repository."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

SHARED = ROOT.parent / "shared"
"""Labelled photos, reported files and documents of Azure; tests that need them are skipped where they are missing."""
