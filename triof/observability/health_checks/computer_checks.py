"""Checks of the computer: its clock, memory, temperature and languages."""

import getpass
from datetime import timedelta

from triof.common.paths import TRANSLATIONS
from triof.journal.journal import Kind
from triof.judging.cloud_providers import in_routes, left_out
from triof.monitoring.event_reader import latest_first
from triof.observability import system_stats
from triof.observability.health_checks.check import CheckedParts, CheckResult, failed, health_check, ok, warning

_KINDS: tuple[Kind, ...] = ("machine.started", "deposit.opened")
"""Kinds of events that every machine writes and whose latest one an index finds."""
_AHEAD = timedelta(minutes=5)
_LITTLE_MEMORY = 150_000_000
_HOT_CELSIUS, _TOO_HOT_CELSIUS = 75, 85
"""Degrees Celsius; a Raspberry Pi throttles from 80 on."""

_DEVICES = (
    ("webcam", "video", ("video*",)),
    ("picamera2", "video", ("video*", "media*")),
    ("gpiozero", "gpio", ("gpiochip*", "gpiomem*")),
)
"""Kinds of camera and hardware, the group that owns their devices, and the devices in /dev."""


@health_check()
def clock(parts: CheckedParts) -> CheckResult:
    """Check whether the clock was set back: then the journal has events in the future."""
    now, journal = parts.now(), parts.journal()
    if not journal:
        return ok(f"{now:%Y-%m-%d %H:%M} UTC")
    with journal.database.read() as connection:
        events = [row for kind in _KINDS for row in latest_first(connection, journal.machine_id, kind, 1)]
    latest = max((event.at for event in events), default=now)
    if latest > now + _AHEAD:
        return warning(
            f"It is {now:%Y-%m-%d %H:%M} UTC by this clock, but the journal has an event of {latest:%Y-%m-%d %H:%M}.",
            "Set the clock, or switch on its synchronisation (NTP).",
        )
    return ok(f"{now:%Y-%m-%d %H:%M} UTC")


@health_check()
def memory(parts: CheckedParts) -> CheckResult:
    """Check the available memory."""
    free = system_stats.memory_available_bytes()
    if free < _LITTLE_MEMORY:
        return warning(f"Only {free / 1e6:.0f} MB of memory are free.", "End other programs, or start Triof again.")
    return ok(f"{free / 1e9:.1f} GB free")


@health_check()
def temperature(parts: CheckedParts) -> CheckResult | None:
    """Check whether the processor is hot enough to throttle."""
    celsius = system_stats.temperature_celsius()
    if celsius is None:
        return None
    if celsius > _HOT_CELSIUS:
        found = failed if celsius > _TOO_HOT_CELSIUS else warning
        return found(f"The computer is {celsius:.0f} °C hot.", "Let air in, clean its fan.")
    return ok(f"{celsius:.0f} °C")


@health_check()
def groups(parts: CheckedParts) -> CheckResult | None:
    """Check that this user may use the devices of the machine's camera and hardware."""
    used = {str(parts.settings.camera.kind), str(parts.settings.slot.kind)}
    needed = {group: patterns for kind, group, patterns in _DEVICES if kind in used} if parts.slot else {}
    denied = {group: found for group, patterns in needed.items() if (found := system_stats.denied_devices(patterns))}
    if denied:
        names = ", ".join(str(path) for found in denied.values() for path in found)
        join = f"`sudo usermod -aG {','.join(denied)} {getpass.getuser()}`"
        return failed(f"This user may not use {names}.", f"{join}, then log in again and restart the service.")
    return ok(", ".join(needed)) if needed else None


@health_check()
def network(parts: CheckedParts) -> CheckResult:
    """Check that the computer has a network, where the cloud or an alert needs one."""
    if address := system_stats.own_address():
        return ok(address)
    settings, missing = parts.settings, left_out(parts.settings)
    needs = [name for name in in_routes(settings) if name not in missing and settings.mode != "local"]
    needs += ["alerts"] * bool(settings.alerts.webhook.url or settings.alerts.email.host)
    if needs:
        return warning(f"There is no network, which {', '.join(needs)} need.", "Check cable, Wi-Fi and router.")
    return ok("none, and nothing needs one")


@health_check()
def languages(parts: CheckedParts) -> CheckResult:
    """Check that the translations are compiled."""
    catalogues = list(TRANSLATIONS.glob("*/LC_MESSAGES/messages.po"))
    if missing := [path.parts[-3] for path in catalogues if not path.with_suffix(".mo").exists()]:
        return failed(f"The translations of {', '.join(missing)} are not compiled.", "Install Triof again.")
    return ok(", ".join(["en", *(path.parts[-3] for path in catalogues)]))
