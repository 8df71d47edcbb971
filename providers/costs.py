"""What decisions cost: the machine's policy states it, and whoever trains a model chooses thresholds by it."""

from pydantic import Field

from providers.options import Options

_ACCEPTED = frozenset({"bottle", "cup", "cutlery", "clean"})
"""Labels that let an item in; the others send it back."""


class Costs(Options):
    """In any one unit: only the ratios count."""

    wrong_accept: float = Field(default=20, gt=0)
    """What is of another type or dirty goes into the shredder, and spoils a spool."""
    wrong_refusal: float = Field(default=5, gt=0)
    """A good item is handed back, and annoys a person."""
    ask: float = Field(default=1, gt=0)
    """A person is asked, who takes some seconds and may be wrong as well."""

    def of_mistake(self, label: str) -> float:
        """Of believing ``label`` wrongly."""
        return self.wrong_accept if label in _ACCEPTED else self.wrong_refusal
