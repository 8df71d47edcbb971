"""Channels for alerts: log, webhook, e-mail. None sends a photo or who made a deposit."""

import hashlib
import hmac
import json
import logging
import smtplib
import ssl
from collections.abc import Iterator
from datetime import datetime
from email.message import EmailMessage
from typing import NamedTuple, Protocol

import requests

from providers.event_log import get_logger
from providers.retries import RetryingCaller
from triof.common.errors import TriofError
from triof.settings.sections.alerts import AlertSettings, EmailSettings, WebhookSettings

log = get_logger(__name__)

SIGNATURE = "X-Triof-Signature"
_ATTEMPTS, _WAIT_SECONDS = 3, 1.0


class NotDelivered(TriofError):
    """A channel did not accept a message; the error says why and what to do."""


class _ChannelUnreachable(NotDelivered):
    """The channel is temporarily unreachable."""


class Message(NamedTuple):
    """A fired or cleared alert, or a test message."""

    id: str
    """Stays the same on a resend, so that a receiver can detect it."""
    at: datetime
    machine: str
    kind: str
    """``alert.fired``, ``alert.cleared`` or ``alert.test``."""
    name: str
    text: str
    value: float | None = None
    code: str = ""
    """The fault code, if there is one: docs/reference/faults.md."""
    machine_name: str = ""
    """``machine.name`` of its settings; empty if it has none."""

    @property
    def sender(self) -> str:
        """Return what people call the machine."""
        return self.machine_name or self.machine

    def as_json(self) -> dict[str, object]:
        """Return the JSON body for a webhook."""
        return {**self._asdict(), "at": self.at.isoformat()}


class Notifier(Protocol):
    """Delivers messages one by one, in one thread."""

    name: str

    def send(self, message: Message) -> str:
        """Deliver the message; return a description of the result. Raises NotDelivered."""


class LogNotifier:
    """Writes alerts to the log."""

    name = "log"

    def send(self, message: Message) -> str:
        """Deliver it."""
        level = logging.WARNING if message.kind == "alert.fired" else logging.INFO
        log.log(
            level,
            message.kind,
            machine=message.machine,
            name=message.name,
            code=message.code or None,
            text=message.text,
        )
        return "written"


class WebhookNotifier:
    """Posts JSON; with a secret, it adds ``X-Triof-Signature: sha256=`` and the HMAC of the body."""

    name = "webhook"

    def __init__(self, settings: WebhookSettings) -> None:
        self._settings = settings
        self._retrying = RetryingCaller(attempts=_ATTEMPTS, timeout=None, wait_initial=_WAIT_SECONDS)

    def send(self, message: Message) -> str:
        """Deliver the message, with a few retries. Raises NotDelivered."""
        return self._retrying(_ChannelUnreachable, self._post, json.dumps(message.as_json()).encode())

    def _post(self, body: bytes) -> str:
        settings = self._settings
        assert settings.url
        headers = {"Content-Type": "application/json", "User-Agent": "triof"}
        if settings.secret:
            digest = hmac.new(settings.secret.get_secret_value().encode(), body, hashlib.sha256).hexdigest()
            headers[SIGNATURE] = f"sha256={digest}"
        try:
            # A redirect would send the message and its signature to an unverified address.
            with requests.post(
                settings.url.get_secret_value(),
                data=body,
                headers=headers,
                timeout=settings.timeout_seconds,
                allow_redirects=False,
                stream=True,
            ) as response:
                status = response.status_code
        except requests.RequestException as error:
            # Only the type: the message contains the URL, which may hold a key.
            raise _ChannelUnreachable(
                f"The webhook cannot be reached ({type(error).__name__}): check alerts.webhook.url and the network."
            ) from None
        if 200 <= status < 300:
            return f"HTTP {status}"
        remedy = f"The webhook answered with HTTP {status}: check alerts.webhook.url and what stands behind it."
        raise _ChannelUnreachable(remedy) if status >= 500 or status == 429 else NotDelivered(remedy)


class EmailNotifier:
    """Sends a short mail by SMTP."""

    name = "email"

    def __init__(self, settings: EmailSettings) -> None:
        self._settings = settings
        self._retrying = RetryingCaller(attempts=_ATTEMPTS, timeout=None, wait_initial=_WAIT_SECONDS)

    def send(self, message: Message) -> str:
        """Deliver the message, with a few retries. Raises NotDelivered."""
        return self._retrying(_ChannelUnreachable, self._mail, _mail(message, self._settings))

    def _mail(self, mail: EmailMessage) -> str:
        settings = self._settings
        try:
            with self._server() as server:
                if settings.user and settings.password:
                    server.login(settings.user, settings.password.get_secret_value())
                refused = server.send_message(mail)
        except (smtplib.SMTPConnectError, smtplib.SMTPServerDisconnected, OSError) as error:
            if isinstance(error, smtplib.SMTPException) or not isinstance(error, ssl.SSLError):
                raise _ChannelUnreachable(self._sentence(f"cannot be reached or asked ({_cause(error)})")) from error
            raise NotDelivered(self._sentence(f"is not trusted ({_cause(error)})")) from error
        if refused:
            # Not retried: the other recipients would get it twice.
            log.error("alert.refused", recipients=len(refused))
        return f"accepted by {settings.host}"

    def _server(self) -> smtplib.SMTP:
        settings = self._settings
        host, seconds = settings.host or "", settings.timeout_seconds
        context = ssl.create_default_context()
        if settings.security == "tls":
            return smtplib.SMTP_SSL(host, settings.port, timeout=seconds, context=context)
        server = smtplib.SMTP(host, settings.port, timeout=seconds)
        if settings.security == "starttls":
            try:
                server.starttls(context=context)
            except BaseException:
                server.close()
                raise
        return server

    def _sentence(self, what: str) -> str:
        settings = self._settings
        return (
            f"The mail server {settings.host}:{settings.port} {what}: check alerts.email.host, port, security, user and"
            " password."
        )


def of(settings: AlertSettings) -> Iterator[Notifier]:
    """Yield every configured channel."""
    yield LogNotifier()
    if settings.webhook.url:
        yield WebhookNotifier(settings.webhook)
    if settings.email.host:
        yield EmailNotifier(settings.email)


def _mail(message: Message, settings: EmailSettings) -> EmailMessage:
    what = {"alert.fired": "Alert", "alert.cleared": "Over", "alert.test": "Test"}[message.kind]
    mail = EmailMessage()
    # The header must be one line, whatever the machine's name.
    mail["Subject"] = " ".join(f"[triof {message.sender}] {what}: {message.name} {message.code}".split())
    mail["From"] = settings.sender
    mail["To"] = ", ".join(settings.to or ())
    mail["Date"] = message.at
    mail["Message-ID"] = f"<{message.id}@triof>"
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(f"{message.text}\n\n{message.kind} at {message.at.isoformat()} on machine {message.sender}\n")
    return mail


def _cause(error: Exception) -> str:
    """Return the cause in short, without server messages, which may contain the password."""
    if isinstance(error, smtplib.SMTPResponseException):
        return f"{type(error).__name__} {error.smtp_code}"
    return f"{type(error).__name__}: {getattr(error, 'strerror', None) or error}"
