"""Which files are pictures, by their ending; whether they really are is found out by decoding them."""

from pathlib import Path

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif"})


def pictures_in(folder: Path) -> list[Path]:
    """Every picture below ``folder``, in the order of the names; without those whose name is not UTF-8.

    Such a name, from an old disk or archive, can stand neither in a manifest nor on a page.
    """
    return sorted(path for path in folder.rglob("*") if _is_picture(path) and path.is_file())


def _is_picture(path: Path) -> bool:
    # What could not be decoded stands in the name as halves of a surrogate pair.
    is_text = not any("\ud800" <= letter <= "\udfff" for letter in path.name)
    return is_text and path.suffix.lower() in SUFFIXES
