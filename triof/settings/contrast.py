"""Contrast of colours by WCAG 2; a colour is written ``#rrggbb``."""

from collections.abc import Mapping

_WHITE = "#ffffff"
_STEPS = 100


def ratio(first: str, second: str) -> float:
    """Return the contrast of two colours, from 1 to 21."""
    light, dark = sorted((_luminance(first), _luminance(second)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def mixed(colour: str, other: str, share: float) -> str:
    """Return ``colour`` with a ``share`` of the other, from 0 to 1."""
    parts = zip(_channels(colour), _channels(other), strict=True)
    return "#" + "".join(f"{round(mine + (theirs - mine) * share):02x}" for mine, theirs in parts)


def nearest_passing(colour: str, needed: Mapping[str, float]) -> str | None:
    """Return ``colour``, as little darker or lighter as it has the contrast ``needed`` to each other colour."""
    for step in range(_STEPS + 1):
        for end in ("#000000", _WHITE):
            tried = mixed(colour, end, step / _STEPS)
            if all(ratio(tried, other) >= least for other, least in needed.items()):
                return tried
    return None


def _channels(colour: str) -> tuple[int, ...]:
    return tuple(bytes.fromhex(colour.removeprefix("#")))


def _luminance(colour: str) -> float:
    red, green, blue = (
        value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4
        for value in (channel / 255 for channel in _channels(colour))
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
