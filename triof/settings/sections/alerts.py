"""Recipients of alerts, thresholds of technical alerts, and the people to call."""

from typing import Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_core import PydanticCustomError

from providers.options import Names, Options, is_loopback


class WebhookSettings(Options):
    """Webhook to which alerts are posted as JSON."""

    url: SecretStr | None = None
    """HTTPS, or plain HTTP to loopback only; secret, as many addresses contain keys."""
    secret: SecretStr | None = None
    """Key for the signature of the posted body."""
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
    """Mail server, sender and recipients of alerts; without ``host`` no mail is sent."""

    host: str | None = Field(None, min_length=1)
    port: int = Field(587, ge=1, le=65535)
    security: Literal["starttls", "tls", "none"] = "starttls"
    """``none`` is allowed to loopback only."""
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
    """Recipients of alerts besides the log, and thresholds of technical alerts."""

    webhook: WebhookSettings = WebhookSettings()
    email: EmailSettings = EmailSettings()
    disk_megabytes: float = Field(500, ge=0)
    """Free space in the home folder below which an alert is sent."""
    breaker_minutes: float = Field(15, gt=0)
    """Time for which a breaker must be open before an alert is sent."""
    retirement_months: float = Field(12, ge=0, le=120)
    """Months before a cloud service is switched off from which on that is an alert."""
