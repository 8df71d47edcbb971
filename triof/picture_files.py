"""Which files are pictures, by their ending; whether they really are is found out by decoding them."""

from pathlib import Path

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif"})


def pictures_in(folder: Path) -> list[Path]:
    """Every picture below ``folder``, in the order of the names."""
    return sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file())
