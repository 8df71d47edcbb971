"""The settings of monitoring and of alerts."""

from typing import Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_core import PydanticCustomError

from providers.options import Names, Options, is_loopback


class MonitoringSettings(Options):
    """Which machines are watched, and how carefully."""

    machines: Names | None = None
    """By their ids; None: this one. For a server whose journal is that of many."""
    false_alarm_days: float = Field(182, ge=1)
    """For how long, on average, chance alone must not raise an alert of drift on one machine."""
    baseline_days: int = Field(10, ge=5, le=40)
    """So many days with deposits ..."""
    baseline_deposits: int = Field(200, ge=50, le=5000)
    """... and so many deposits, at least, must be known before anything counts as unusual."""


class WebhookSettings(Options):
    """Where alerts are posted as JSON."""

    url: SecretStr | None = None
    """https, or plain http towards loopback only; secret, as many addresses are keys themselves."""
    secret: SecretStr | None = None
    """Signs what is posted."""
    timeout_seconds: float = Field(5, gt=0, le=60)

    @field_validator("url", "secret", mode="before")
    @classmethod
    def _unset_if_empty(cls, value: Any) -> Any:
        return None if value == "" else value

    @field_validator("url")
    @classmethod
    def _is_safe(cls, value: SecretStr | None) -> SecretStr | None:
        if value is None:
            return None
        try:
            parts = urlsplit(value.get_secret_value())
            host = parts.hostname if parts.port != 0 else None
        except ValueError:
            host = None
        if not host or parts.scheme not in ("https", "http"):
            raise PydanticCustomError("webhook", "Give the address to post to, such as https://example.org/hook")
        if parts.scheme == "http" and not is_loopback(host):
            raise PydanticCustomError("webhook", "Use https: what is posted by plain http can be read on the way")
        return value


class EmailSettings(Options):
    """Through which mail server alerts go out, from whom and to whom; unset without ``host``."""

    host: str | None = Field(None, min_length=1)
    port: int = Field(587, ge=1, le=65535)
    security: Literal["starttls", "tls", "none"] = "starttls"
    """``none`` towards loopback only."""
    user: str | None = Field(None, min_length=1)
    password: SecretStr | None = None
    sender: str | None = Field(None, pattern=r"^[^@\s,]+@[^@\s,]+$")
    to: Names | None = None
    timeout_seconds: float = Field(10, gt=0, le=60)

    @field_validator("host", "user", "password", "sender", mode="before")
    @classmethod
    def _unset_if_empty(cls, value: Any) -> Any:
        return None if value == "" else value

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if self.host and not (self.sender and self.to):
            raise PydanticCustomError("email", "Say from whom and to whom: alerts.email.sender and alerts.email.to")
        if self.host and self.security == "none" and not is_loopback(self.host):
            raise PydanticCustomError(
                "email", "Use starttls or tls: without, what is sent to another host can be read on the way"
            )
        if self.password and not self.user:
            raise PydanticCustomError("email", "A password needs its alerts.email.user")
        return self


class AlertSettings(Options):
    """Who is told, besides the log."""

    webhook: WebhookSettings = WebhookSettings()
    email: EmailSettings = EmailSettings()
    disk_megabytes: float = Field(500, ge=0)
    """Less than that free in the home folder is an alert."""
    breaker_minutes: float = Field(15, gt=0)
    """A cloud that has not answered for so long is an alert."""
