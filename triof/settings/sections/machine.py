"""Name and place of the machine."""

from pydantic import Field

from providers.options import Options


class MachineSettings(Options):
    """What people call the machine, and where it stands."""

    name: str | None = Field(None, min_length=1, max_length=64)
    place: str | None = Field(None, min_length=1, max_length=120)

    @property
    def title(self) -> str:
        """Name and place as one line; empty if neither is set."""
        return ", ".join(filter(None, (self.name, self.place)))
