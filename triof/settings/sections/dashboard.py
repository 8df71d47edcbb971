"""Settings of the dashboard."""

from pydantic import Field

from providers.options import Options


class DashboardSettings(Options):
    """The pages behind a login."""

    session_hours: float = Field(12, gt=0, le=8760)
    """Validity of a login."""
