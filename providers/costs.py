"""The costs of wrong and avoided decisions, for the machine's policy and for choosing thresholds in training."""

from pydantic import Field

from providers.options import Options

_ACCEPTED = frozenset({"bottle", "cup", "cutlery", "clean"})
"""Labels of items that are shredded; items with another label are returned."""


class Costs(Options):
    """Costs in any unit, as only their ratios count."""

    wrong_accept: float = Field(default=20, gt=0)
    """A wrong or dirty item is shredded and spoils a spool."""
    wrong_refusal: float = Field(default=5, gt=0)
    """A good item is returned, which annoys the employee."""
    ask: float = Field(default=1, gt=0)
    """The employee is asked, who takes some seconds and may be wrong as well."""

    def of_mistake(self, label: str) -> float:
        """Return the cost of accepting ``label`` when it is wrong."""
        return self.wrong_accept if label in _ACCEPTED else self.wrong_refusal
