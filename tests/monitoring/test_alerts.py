"""Alerts: each reaches every channel once, whatever is down or restarts in between."""

import hashlib
import hmac
import json
import os
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import stamina
import trustme
from click.testing import CliRunner, Result

from tests.support.paths import ROOT
from triof import services
from triof.cli import main
from triof.journal.journal import Journal
from triof.judging.quota import ledgers
from triof.monitoring.alerts import Alerts, DetectedFault
from triof.monitoring.monitor import Monitor
from triof.monitoring.notifiers import of
from triof.observability.health_checks.check import CheckedParts
from triof.observability.health_checks.runner import HealthChecks
from triof.settings.tree import Settings
from triof.storage.database import Database

pytestmark = pytest.mark.slow

NOW = datetime(2026, 5, 4, 10, tzinfo=UTC)


class Webhook:
    """Somebody's server on loopback: ``answers`` are its next status codes, then 204."""

    def __init__(self) -> None:
        self.answers: list[int] = []
        self.got: list[dict[str, Any]] = []
        self.signatures: list[tuple[str | None, bytes]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status = outer.answers.pop(0) if outer.answers else 204
                if status < 300:
                    outer.got.append(json.loads(body))
                    outer.signatures.append((self.headers["X-Triof-Signature"], body))
                self.send_response(status)
                self.send_header("Location", "/elsewhere")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook?token=geheim"


class MailServer:
    """A mail server on loopback that speaks what smtplib needs; with ``context`` it insists on STARTTLS."""

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        self.context = context
        self.mails: list[Any] = []
        self.heard: list[str] = []
        self.down = False
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            # Whoever does not trust us hangs up.
            with connection, suppress(OSError):
                if not self.down:
                    self._talk(connection)

    def _talk(self, connection: socket.socket) -> None:
        secure = False
        connection.sendall(b"220 mail\r\n")
        lines = connection.makefile("rb")
        while line := lines.readline().decode().strip():
            verb = line.split()[0].upper()
            self.heard.append(f"{'tls' if secure else 'plain'} {verb}")
            if verb == "EHLO":
                offered = b"AUTH PLAIN" if secure or not self.context else b"STARTTLS"
                connection.sendall(b"250-mail\r\n250 " + offered + b"\r\n")
            elif verb == "STARTTLS" and self.context:
                connection.sendall(b"220 go\r\n")
                connection = self.context.wrap_socket(connection, server_side=True)
                lines, secure = connection.makefile("rb"), True
            elif verb == "AUTH":
                connection.sendall(b"235 welcome\r\n")
            elif verb == "DATA":
                connection.sendall(b"354 go on\r\n")
                body = b"".join(iter(lines.readline, b".\r\n"))
                self.mails.append(message_from_bytes(body, policy=policy.default))
                connection.sendall(b"250 queued\r\n")
            elif verb == "QUIT":
                connection.sendall(b"221 bye\r\n")
                return
            else:
                connection.sendall(b"250 ok\r\n")

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def webhook() -> Iterator[Webhook]:
    hook = Webhook()
    yield hook
    hook.server.shutdown()
    hook.server.server_close()


@pytest.fixture
def mail_server() -> Iterator[MailServer]:
    server = MailServer()
    yield server
    server.close()


@pytest.fixture(autouse=True)
def _tries_at_once() -> Iterator[None]:
    with stamina.set_testing(True, attempts=3):
        yield


@pytest.fixture
def home(tmp_path: Path, journal_url: str) -> Path:
    return tmp_path / "home"


class Desk:
    """The alerts of a machine, with a clock."""

    def __init__(self, home: Path, **alerts: Any) -> None:
        self.settings = Settings.model_validate({"home": home, "machine_id": "machine-1", "alerts": alerts})
        self.now = NOW
        self.journal = Journal(Database(os.environ["TRIOF_JOURNAL__URL"], "machine-1"), now=lambda: self.now)
        self.alerts = self.started()

    def started(self) -> Alerts:
        senders = list(of(self.settings.alerts))
        return Alerts(self.settings.home, self.journal.database, senders, ["machine-1"], lambda: self.now)

    def round(self, *names: str) -> None:
        """What is wrong now; then the messages."""
        self.now += timedelta(minutes=1)
        faults = {name: DetectedFault(f"{name} is not well.", 0.25) for name in names}
        self.alerts.reconcile("machine-1", faults, self.now, among=lambda name: True)
        self.alerts.deliver()
        self.alerts.finish()

    def restart(self) -> None:
        self.alerts.close()
        self.alerts = self.started()


BuildDesk = Callable[..., Desk]


@pytest.fixture
def build_desk(home: Path) -> Iterator[BuildDesk]:
    desks: list[Desk] = []

    def build(**alerts: Any) -> Desk:
        desks.append(Desk(home, **alerts))
        return desks[-1]

    yield build
    for desk in desks:
        desk.alerts.close()
        desk.journal.database.close()


def mail_to(server: MailServer, **more: Any) -> dict[str, Any]:
    to = {"sender": "triof@example.org", "to": "eve@example.org, bob@example.org"}
    return {"host": "localhost", "port": server.port, "security": "none", **to, **more}


def test_an_alert_goes_once_through_every_channel_and_once_when_it_is_over(
    build_desk: BuildDesk, webhook: Webhook, mail_server: MailServer, caplog: pytest.LogCaptureFixture
) -> None:
    desk = build_desk(webhook={"url": webhook.url, "secret": "pepper"}, email=mail_to(mail_server))
    caplog.set_level("INFO")
    for names in ((), ("disk",), ("disk",), ("disk", "quota"), ("quota",)):
        desk.round(*names)
        desk.restart()
    story = [("alert.fired", "disk"), ("alert.fired", "quota"), ("alert.cleared", "disk")]
    assert [(got["kind"], got["name"]) for got in webhook.got] == story
    first = webhook.got[0]
    assert (first["machine"], first["text"], first["value"]) == ("machine-1", "disk is not well.", 0.25)
    for signature, body in webhook.signatures:
        assert signature == "sha256=" + hmac.new(b"pepper", body, hashlib.sha256).hexdigest()
    subjects = [mail["Subject"] for mail in mail_server.mails]
    assert subjects == [f"[triof machine-1] {what}" for what in ("Alert: disk", "Alert: quota", "Over: disk")]
    assert mail_server.mails[0]["To"] == "eve@example.org, bob@example.org"
    assert "disk is not well." in mail_server.mails[0].get_content()
    assert [record.levelname for record in caplog.records if "name=disk" in record.getMessage()] == ["WARNING", "INFO"]
    assert [alert.name for alert in desk.alerts.open()] == ["quota"]


def test_an_alert_calls_the_machine_by_its_name(home: Path, webhook: Webhook, mail_server: MailServer) -> None:
    alerts = {"webhook": {"url": webhook.url}, "email": mail_to(mail_server), "disk_megabytes": 0}
    settings = Settings.model_validate({"home": home, "machine": {"name": "Canteen"}, "alerts": alerts})
    database = Database(os.environ["TRIOF_JOURNAL__URL"], "machine-1")
    monitor = Monitor(settings, database, lambda: NOW)
    monitor.watch_parts(["disk"], lambda is_open: {"disk": DetectedFault("disk is not well.")})
    monitor.look()
    monitor.close()
    database.close()
    assert [(got["machine"], got["machine_name"]) for got in webhook.got] == [("machine-1", "Canteen")]
    assert [mail["Subject"] for mail in mail_server.mails] == ["[triof Canteen] Alert: disk"]


def test_what_a_channel_did_not_take_comes_later_in_order_and_no_other_channel_hears_it_twice(
    build_desk: BuildDesk, webhook: Webhook, mail_server: MailServer, caplog: pytest.LogCaptureFixture
) -> None:
    desk = build_desk(webhook={"url": webhook.url}, email=mail_to(mail_server))
    mail_server.down = True
    webhook.answers = [503, 503]
    desk.round("disk")
    assert [got["name"] for got in webhook.got] == ["disk"], "the third try was taken"
    assert "alert.not_delivered channel=email" in caplog.text
    webhook.answers = [400, 302]
    desk.round()
    assert len(webhook.got) == 1, "who does not want it is not asked three times"
    assert webhook.answers == [302]
    desk.round()
    assert "HTTP 302" in caplog.text, "nothing is posted to where a redirect points"
    desk.restart()
    mail_server.down = False
    desk.round()
    desk.round()
    told = [(got["kind"], got["name"]) for got in webhook.got]
    assert told == [("alert.fired", "disk"), ("alert.cleared", "disk")]
    assert [mail["Subject"][17:] for mail in mail_server.mails] == [" Alert: disk", " Over: disk"]
    assert len({mail["Message-ID"] for mail in mail_server.mails}) == 2
    assert "geheim" not in caplog.text, "the webhook's address is a secret"


def test_the_password_goes_over_tls_only_and_an_untrusted_server_gets_nothing(
    build_desk: BuildDesk, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    server = MailServer(context)
    login = {"security": "starttls", "user": "triof", "password": "geheim"}
    desk = build_desk(email=mail_to(server, **login))
    desk.round("disk")
    assert server.mails == []
    assert "not trusted" in caplog.text
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    desk.round("disk")
    server.close()
    assert len(server.mails) == 1
    assert "tls AUTH" in server.heard
    assert "plain AUTH" not in server.heard


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["alerts", *arguments])


def test_the_command_sends_a_test_by_every_channel_and_says_what_came(
    monkeypatch: pytest.MonkeyPatch, home: Path, webhook: Webhook, mail_server: MailServer
) -> None:
    assert "webhook  not set up" in run("test").output
    monkeypatch.setenv("TRIOF_ALERTS__WEBHOOK__URL", webhook.url)
    for name, value in mail_to(mail_server).items():
        monkeypatch.setenv(f"TRIOF_ALERTS__EMAIL__{name.upper()}", str(value))
    done = run("test")
    assert done.exit_code == 0, done.output
    assert "ok   webhook  HTTP 204" in done.output
    assert "ok   email    accepted by localhost" in done.output
    assert webhook.got[0]["kind"] == "alert.test"
    assert mail_server.mails[0]["Subject"].endswith("Test: test")
    mail_server.down = True
    webhook.answers = [404]
    failed = run("test")
    assert failed.exit_code == 1
    assert "FAIL webhook  The webhook answered with HTTP 404" in failed.output
    assert "FAIL email    The mail server localhost" in failed.output
    assert "geheim" not in failed.output


def test_list_and_accept_say_what_there_is(home: Path, build_desk: BuildDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRIOF_MACHINE_ID", "machine-1")
    assert "Nothing is known yet" in run("list").output
    build_desk().round("drift.brightness")
    listed = run("list").output
    assert "drift.brightness on machine-1, since" in listed
    assert json.loads(run("list", "--json").output)["alert"] == "drift.brightness"
    wrong = run("accept", "brightness", "--why", "x")
    assert wrong.exit_code == 1
    assert "drift.brightness" in wrong.output
    done = run("accept", "drift.brightness", "--why", "a new lamp")
    assert done.exit_code == 0, done.output


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("WEBHOOK__URL", "http://example.org/geheim", "Use https"),
        ("WEBHOOK__URL", "geheim", "Give the address"),
        ("EMAIL__HOST", "mail.example.org", "from whom and to whom"),
        ("EMAIL__PASSWORD", "geheim", "needs its alerts.email.user"),
    ],
)
def test_settings_that_cannot_work_are_told_without_secrets(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, said: str
) -> None:
    monkeypatch.setenv(f"TRIOF_ALERTS__{name}", value)
    told = run("list")
    assert told.exit_code == 2
    assert said in told.output
    assert "geheim" not in told.output


def test_trouble_of_the_machine_is_an_alert_until_it_is_mended(home: Path, cloud_used: Callable[[int], None]) -> None:
    settings = Settings.model_validate(
        {
            "home": home,
            "alerts": {"disk_megabytes": 1e9},
            "routes": {"waste_type": ("custom_vision", "fake"), "cleanliness": ("fake",)},
            "custom_vision": {
                "prediction_endpoint": "https://example.cognitiveservices.azure.com",
                "prediction_key": "k" * 32,
                "project_id": "11111111-2222-3333-4444-555555555555",
                "published_name": "it",
                "calls_per_month": 10,
            },
        }
    )
    now = [datetime.now(UTC)]
    journal = Journal(Database(os.environ["TRIOF_JOURNAL__URL"], "machine-1"), now=lambda: now[0])
    router = services.build_router(settings, journal=lambda: journal)
    parts = CheckedParts(
        settings,
        router=lambda: router,
        journal=lambda: journal,
        now=lambda: now[0],
    )
    health = HealthChecks(parts)
    monitor = Monitor(settings, journal.database, lambda: now[0])
    monitor.watch_parts(health.alert_names(), health.alerts)

    def look() -> set[str]:
        now[0] += timedelta(minutes=1)
        monitor.look()
        monitor.alerts.finish()
        return {alert.name for alert in monitor.alerts.open()}

    assert look() == {"disk"}
    journal.record("breaker.opened", reason="custom_vision", why="silent", seconds=30)
    journal.record("deposit.failed", reason="shredder")
    assert look() == {"disk", "jammed"}, "one failure of the cloud is no alert"
    now[0] += timedelta(minutes=20)
    journal.record("breaker.opened", reason="custom_vision", why="silent", seconds=300)
    cloud_used(8)
    assert look() == {"disk", "jammed", "cloud", "quota"}
    journal.record("breaker.closed", reason="custom_vision")
    journal.record("deposit.shredded")
    assert look() == {"disk", "quota"}
    (ledger,) = ledgers(settings, journal.database).values()
    ledger.retired(datetime.now(UTC) + timedelta(days=7))
    assert look() == {"disk", "quota", "cloud"}
    ledger.resume()
    assert look() == {"disk", "quota"}
    monitor.close()
    router.close()
    journal.database.close()


@pytest.fixture
def cloud_used(home: Path) -> Callable[[int], None]:
    """Counts calls to the cloud."""
    from providers.base import Allowance
    from triof.judging.quota import QuotaLedger

    def use(calls: int) -> None:
        database = Database(os.environ["TRIOF_JOURNAL__URL"], "machine-1")
        resource = Allowance("example.cognitiveservices.azure.com", "F0", 10, None, 0.0)
        for _ in range(calls):
            QuotaLedger(database, resource).take()
        database.close()

    return use


def test_the_docs_show_a_receiver_that_checks_the_signature(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "guide" / "monitoring.md").read_text(encoding="utf-8")
    code = page.split("```python\n")[1].split("```")[0]
    scope: dict[str, Any] = {}
    exec(code, scope)
    signature = "sha256=" + hmac.new(b"pepper", b"{}", hashlib.sha256).hexdigest()
    assert scope["is_genuine"](b"{}", signature, "pepper")
    assert not scope["is_genuine"](b"{} ", signature, "pepper")
