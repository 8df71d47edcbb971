"""Which machines are watched for drift, and how carefully."""

from pydantic import Field

from providers.options import Names, Options


class MonitoringSettings(Options):
    """Which machines are watched, and how carefully."""

    machines: Names | None = None
    """Their ids, for a server whose journal is that of many machines; None: this machine."""
    false_alarm_days: float = Field(182, ge=1)
    """Mean time between alerts of drift that chance raises on one machine."""
    baseline_days: int = Field(10, ge=5, le=40)
    """Days with deposits ..."""
    baseline_deposits: int = Field(200, ge=50, le=5000)
    """... and deposits that the baseline needs before anything counts as unusual."""
