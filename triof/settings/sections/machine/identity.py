"""Name and place of the machine, and who helps when it is out of order."""

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


class SupportSettings(Options):
    """Shown on the touchscreen while the machine is out of order; what is unset is left out."""

    name: str | None = Field(None, min_length=1, max_length=60)
    phone: str | None = Field(None, pattern=r"^[+0-9(][0-9 ()./-]{2,29}$")
    email: str | None = Field(None, max_length=60, pattern=r"^[^@\s,]+@[^@\s,]+$")
