"""Settings of drift monitoring."""

from pydantic import Field

from providers.options import Names, Options


class MonitoringSettings(Options):
    """The monitored machines, and the sensitivity of the alerts."""

    machines: Names | None = None
    """Ids of the machines, if the journal holds several; None: this machine."""
    false_alarm_days: float = Field(182, ge=1)
    """Mean time between false alerts of drift on one machine."""
    baseline_days: int = Field(10, ge=5, le=40)
    """Minimum days with deposits in the baseline before alerts are possible."""
    baseline_deposits: int = Field(200, ge=50, le=5000)
    """Minimum deposits in the baseline before alerts are possible."""
