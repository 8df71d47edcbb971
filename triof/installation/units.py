"""The systemd units of a machine, as text: the server, the browser in front of it, the user, the devices."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

HEADER = "# Written by `triof install-service`, which overwrites changes: put yours into a drop-in (systemctl edit)."
_STATES = Path("/var/lib")
SYSTEM_HOME = _STATES / "triof"
GROUPS = ("video", "gpio", "dialout")
"""Groups that own cameras, pins and serial ports."""
_DEVICES = (
    *("char-video4linux", "char-media", "char-dma_heap", "char-gpiochip"),
    *("/dev/gpiomem", "/dev/vcio", "char-ttyUSB", "char-ttyACM", "char-ttyAMA"),
)
_HOMES = tuple(map(Path, ("/home", "/root", "/run/user")))


@dataclass(frozen=True)
class ServicePlan:
    """What the units say. ``command`` runs ``triof``; ``user`` is None for a person's own service manager."""

    command: Sequence[str]
    home: Path
    user: str | None
    written: Sequence[Path] = ()
    """Paths outside ``home`` that the settings let the server write to."""

    @property
    def needs_homes(self) -> bool:
        """Whether a part of it lies in a person's home folder, from which services are usually kept away."""
        paths = (Path(self.command[0]), self.home, *self.written)
        return any(path.is_relative_to(home) for path in paths for home in _HOMES)


def server(plan: ServicePlan) -> str:
    """Return the unit of the machine."""
    return _text(
        "Unit",
        "Description=Triof, the machine that sorts plastic",
        "After=network.target",
        "# However often it fails: no person starts it again.",
        "StartLimitIntervalSec=0",
        "",
        "[Service]",
        "Type=notify",
        f"ExecStart={_typed(*plan.command, 'kiosk')}",
        *_place(plan),
        "# Migrating a large journal takes minutes on a Raspberry Pi.",
        "TimeoutStartSec=300",
        "# Fed only while the server answers and its housekeeper does its rounds.",
        "WatchdogSec=60",
        "Restart=on-failure",
        "RestartSec=5",
        "# Wrong settings do not become right by starting again.",
        "RestartPreventExitStatus=2",
        "# Longer than server.stop_seconds.",
        "TimeoutStopSec=45",
        "# Idle 300 MB and 313 MB more under attack (docs/measurements/resilience.md), the rest for camera and cache.",
        "MemoryHigh=800M",
        "MemoryMax=1G",
        "LimitNOFILE=4096",
        "NoNewPrivileges=yes",
        "UMask=0077",
        *(_hardening(plan) if plan.user else ()),
        "",
        "[Install]",
        f"WantedBy={'multi-user.target' if plan.user else 'default.target'}",
    )


def browser(plan: ServicePlan) -> str:
    """Return the unit of the touchscreen's browser: in cage on the first console, or in a person's desktop."""
    if not plan.user:
        return _text(
            "Unit",
            "Description=The touchscreen of Triof",
            "PartOf=graphical-session.target",
            "After=graphical-session.target",
            "StartLimitIntervalSec=0",
            "",
            "[Service]",
            f"ExecStart={_typed(*plan.command, 'kiosk', '--browser')}",
            *_place(plan),
            *_BROWSER_LIMITS,
            "",
            "[Install]",
            "WantedBy=graphical-session.target",
        )
    return _text(
        "Unit",
        "Description=The touchscreen of Triof",
        "Wants=triof.service",
        "After=triof.service systemd-user-sessions.service plymouth-quit-wait.service getty@tty1.service",
        "Conflicts=getty@tty1.service",
        "ConditionPathExists=/dev/tty0",
        "StartLimitIntervalSec=0",
        "",
        "[Service]",
        "# It waits for /livez itself, on a page of its own. cage is a compositor for one full-screen window.",
        f"ExecStart=/usr/bin/cage -d -s -- {_typed(*plan.command, 'kiosk', '--browser')}",
        *_place(plan),
        "# Else cage does not start before a mouse is plugged in.",
        "Environment=WLR_LIBINPUT_NO_DEVICES=1",
        "PAMName=login",
        "TTYPath=/dev/tty1",
        "TTYReset=yes",
        "TTYVHangup=yes",
        "TTYVTDisallocate=yes",
        "StandardInput=tty-force",
        "StandardOutput=journal",
        "StandardError=journal",
        "UtmpIdentifier=tty1",
        "UtmpMode=user",
        *_BROWSER_LIMITS,
        "",
        "[Install]",
        "WantedBy=multi-user.target",
    )


def system_user(plan: ServicePlan) -> str:
    """Return the user and the groups that it needs, for systemd-sysusers."""
    members = [f"m {plan.user} {group}" for group in GROUPS]
    lines = [f'u {plan.user} - "Triof" {plan.home} /usr/sbin/nologin', *members]
    return "\n".join((HEADER, *lines, ""))


def device_rules() -> str:
    """Return the udev rules that let the groups use cameras and pins."""
    rules = (
        'SUBSYSTEM=="gpio", KERNEL=="gpiochip*", GROUP="gpio", MODE="0660"',
        'SUBSYSTEM=="video4linux", GROUP="video", MODE="0660"',
    )
    return "\n".join((HEADER, *rules, ""))


_BROWSER_LIMITS = (
    "Restart=always",
    "RestartSec=2",
    "# Where memory is short the browser goes first, and comes back.",
    "OOMScoreAdjust=300",
    "MemoryMax=1500M",
)


def _place(plan: ServicePlan) -> Iterator[str]:
    yield f"Environment={_typed(f'TRIOF_HOME={plan.home}')}"
    # systemd takes this line as a whole.
    yield f"WorkingDirectory={'-' if plan.user is None else ''}{str(plan.home).replace('%', '%%')}"
    if plan.user:
        yield f"User={plan.user}"


def _hardening(plan: ServicePlan) -> Iterator[str]:
    if plan.home.is_relative_to(_STATES) and plan.home != _STATES:
        # systemd makes it, and gives it to the user.
        yield from (f"StateDirectory={_typed(str(plan.home.relative_to(_STATES)))}", "StateDirectoryMode=0700")
    yield "ProtectSystem=strict"
    yield f"ReadWritePaths={_typed(*(f'-{path}' for path in (plan.home, *plan.written)))}"
    yield f"ProtectHome={'read-only' if plan.needs_homes else 'yes'}"
    yield "# Cameras, pins and serial ports, and nothing else."
    yield "DevicePolicy=closed"
    yield from (f"DeviceAllow={device} rw" for device in _DEVICES)
    yield "OOMScoreAdjust=-200"
    yield "PrivateTmp=yes"
    protected = ("Clock", "ControlGroups", "Hostname", "KernelLogs", "KernelModules", "KernelTunables")
    yield from (f"Protect{what}=yes" for what in protected)
    yield "ProtectProc=invisible"
    restricted = ("Namespaces", "Realtime", "SUIDSGID")
    yield from (f"Restrict{what}=yes" for what in restricted)
    yield "RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK"
    yield "LockPersonality=yes"
    yield "RemoveIPC=yes"
    yield "CapabilityBoundingSet="
    yield "SystemCallArchitectures=native"
    yield "SystemCallFilter=@system-service"
    yield "SystemCallErrorNumber=EPERM"


def _typed(*words: str) -> str:
    """Return words as systemd reads them: a per cent sign is doubled, words with blanks are quoted."""
    return " ".join(map(_quoted, words))


def _quoted(word: str) -> str:
    word = word.replace("\\", "\\\\").replace("%", "%%").replace("$", "$$")
    return '"' + word.replace('"', '\\"') + '"' if any(sign in word for sign in " \t\"'") else word


def _text(section: str, *lines: str) -> str:
    return "\n".join((HEADER, f"[{section}]", *lines, ""))
