"""Name, logo, colours and bins of the company where the machine stands."""

from collections.abc import Iterator
from typing import Annotated, Any, Self

from pydantic import BeforeValidator, Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from providers.options import Options
from triof.settings import contrast

WHITE, INK, SOFT_INK = "#ffffff", "#22190f", "#5a4a38"
"""Words on the touchscreen; static/kiosk.css has them too."""
WORDS, MARKS = 4.5, 3.0
"""Contrast that WCAG AA asks of words, and of the marks and edges that are needed to understand a page."""


def _unset_if_empty(value: Any) -> Any:
    return None if isinstance(value, str) and not value.strip() else value


Colour = Annotated[str, StringConstraints(pattern=r"^#[0-9a-fA-F]{6}$", to_lower=True)]
PictureName = Annotated[
    str, StringConstraints(pattern=r"^[\w-][\w. -]*\.(png|jpg|jpeg|webp|svg)$"), Field(max_length=100)
]
"""A file in ``config`` of the home folder."""
Picture = Annotated[PictureName | None, BeforeValidator(_unset_if_empty)]


class TenantColours(Options):
    """Colours of the touchscreen by day, checked for contrast."""

    main: Colour = "#0b6a4c"
    """Of the main button, with white words, and of marks on the paper."""
    paper: Colour = "#fff2dc"
    """The ground of each page, with dark words."""

    @model_validator(mode="after")
    def _can_be_read(self) -> Self:
        uses = (
            ("main", "white words on it", self.main, WHITE, WORDS),
            ("paper", "dark words on it", self.paper, INK, WORDS),
            ("paper", "brown words on it", self.paper, SOFT_INK, WORDS),
            ("main", f"it as a mark on the paper {self.paper}", self.main, self.paper, MARKS),
        )
        for name, use, colour, other, least in uses:
            if (found := contrast.ratio(colour, other)) < least:
                needed = {against: by for which, _, _, against, by in uses if which == name}
                passing = contrast.nearest_passing(colour, needed)
                raise PydanticCustomError(
                    "contrast",
                    "{colour} is hard to see: {use} has a contrast of {found}:1, where WCAG AA asks for {least}:1;"
                    " {advice}",
                    {
                        "below": name,
                        "colour": colour,
                        "use": use,
                        "found": f"{found:.2f}",
                        "least": f"{least:g}",
                        "advice": f"{passing} would do" if passing else "choose another paper first",
                    },
                )
        return self


class OtherBin(Options):
    """Where an item belongs that the machine hands back."""

    fr: str = Field("", max_length=160)
    en: str = Field("", max_length=160)
    picture: Picture = None
    """Shown beside the words."""


class WhereElse(Options):
    """The right bin, by the reason for which the machine hands an item back."""

    other: OtherBin = OtherBin()
    """For what is no plastic bottle, cup or cutlery."""
    dirty: OtherBin = OtherBin()
    """For what a person does not want to clean."""


class TenantSettings(Options):
    """Name, logo, colours and bins of the company where the machine stands."""

    name: str = Field("", max_length=60)
    logo: Picture = None
    """On the first page of the touchscreen and on the monthly report."""
    colours: TenantColours = TenantColours()
    where_else: WhereElse = WhereElse()

    def pictures(self) -> Iterator[tuple[str, str]]:
        """Yield the setting of each picture, below this section, and its file's name."""
        named = {
            "logo": self.logo,
            "where_else.other.picture": self.where_else.other.picture,
            "where_else.dirty.picture": self.where_else.dirty.picture,
        }
        return ((setting, name) for setting, name in named.items() if name)
