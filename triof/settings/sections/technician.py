"""Settings of the technician's page."""

from pydantic import Field

from providers.options import Options


class TechnicianSettings(Options):
    """Who may open the technician's page, and how long it holds the machine."""

    from_anywhere: bool = False
    """Whether other computers may open the page, which moves parts."""
    maintenance_minutes: float = Field(10, ge=1, le=240)
    """Time without an action after which the technician's login ends, and maintenance once the slot is closed."""
