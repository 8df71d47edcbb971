"""Install, use, upgrade, remove and purge a Debian package: ``python -m tools.check_deb dist/triof_0.1.0_amd64.deb``.

It runs in this computer's own tree with an overlay on it, in which all changes are lost, and without a network. The
system in it gets a gpiozero that fails, before which Triof's own must come, and later an lgpio, which Triof must find.
Needs root and the Python of the package in /usr/bin. With ``--boot`` it boots that tree with systemd-nspawn (Debian's
package systemd-container) instead, and looks whether systemd starts the machine, replaces it when it hangs or is
killed, and stops it.
"""

import argparse
import os
import shutil
import subprocess
import sys
from pathlib import Path

_TREE = r"""
set -e
mount -t tmpfs tmpfs /mnt
mkdir /mnt/upper /mnt/work /mnt/tree
mount -t overlay overlay -o lowerdir=/,upperdir=/mnt/upper,workdir=/mnt/work /mnt/tree
cp "$0" /mnt/tree/root/triof.deb
inside() {
    env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 DEBIAN_FRONTEND=noninteractive chroot /mnt/tree "$@"
}
mount -t proc proc /mnt/tree/proc
mount --rbind /dev /mnt/tree/dev
mount -t tmpfs tmpfs /mnt/tree/tmp
chmod 1777 /mnt/tree/tmp
"""
_USE = r"""
mount -t tmpfs tmpfs /mnt/tree/run
ip link set lo up 2>/dev/null || true
inside sh -c "$1" sh "$2"
"""
_BOOT = r"""
inside dpkg --install /root/triof.deb
umount /mnt/tree/tmp /mnt/tree/proc
umount -R /mnt/tree/dev
cd /mnt/tree
rm -rf etc/systemd/system/*.wants
mkdir -p etc/systemd/system/triof.service.d
# Quicker than a minute.
printf '[Service]\nWatchdogSec=6\nRestartSec=1\n' > etc/systemd/system/triof.service.d/quick.conf
printf '[Unit]\nDefaultDependencies=no\nSuccessAction=exit\nFailureAction=exit\n[Service]\nType=oneshot\n%s\n%s\n' \
    'ExecStart=/root/trial' 'StandardOutput=file:/root/trial.log' > etc/systemd/system/trial.service
printf '%s' "$1" > root/trial
chmod 755 root/trial
timeout 300 systemd-nspawn --quiet --register=no --keep-unit --private-network -D . --boot -- --unit=trial.service \
    > boot.log 2>&1 || cat boot.log
cat root/trial.log
tail -1 root/trial.log | grep -q '^-- all is well$'
"""
_TRIAL = r"""#!/bin/sh
set -e
say() { printf '%s\n' "-- $*"; }
of() { systemctl show triof --property "$1" --value; }
holds() { if ! eval "$1"; then echo "This does not hold: $1"; systemctl status triof; exit 1; fi; }
within() { for round in $(seq 60); do if eval "$1"; then return; fi; sleep 1; done; holds "$1"; }
say start
systemctl start triof
holds '[ "$(of ActiveState):$(of User)" = active:triof ]'
holds '/usr/bin/python3 -c "from urllib.request import urlopen; urlopen(\"http://127.0.0.1:8080/readyz\")"'
say "it is fed: no restart within three times the watchdog's patience"
sleep 18
holds '[ "$(of NRestarts)" = 0 ]'
say "it hangs"
kill -STOP "$(of MainPID)"
within '[ "$(of NRestarts):$(of ActiveState)" = 1:active ]'
say "it is killed"
kill -KILL "$(of MainPID)"
within '[ "$(of NRestarts):$(of ActiveState)" = 2:active ]'
say stop
systemctl stop triof
holds '[ "$(of Result):$(of ExecMainStatus)" = success:0 ]'
say "all is well"
"""
_STEPS = r"""
set -e
cd /root
say() { printf '%s\n' "-- $*"; }
holds() { if ! eval "$1"; then echo "This does not hold: $1" >&2; exit 1; fi; }
kept() { holds 'grep -q "port = 8099" /etc/triof/triof.toml'; holds 'grep -q Canteen /etc/triof/machine.toml'; }

say "a system that has another gpiozero, and no lgpio"
system=/usr/lib/python3/dist-packages
rm -rf $system/lgpio.py $system/_lgpio.*
mkdir -p $system/gpiozero $system/gpiozero-1.0.egg-info
echo 'raise ImportError("this is the gpiozero of the system")' > $system/gpiozero/__init__.py
printf 'Metadata-Version: 2.1\nName: gpiozero\nVersion: 1.0\n' > $system/gpiozero-1.0.egg-info/PKG-INFO
printf '[gpiozero_pin_factories]\nlgpio = gpiozero:No\n' > $system/gpiozero-1.0.egg-info/entry_points.txt

say install
started=$(date +%s)
dpkg --install /root/triof.deb
say "installed in $(($(date +%s) - started)) s, $(du -sm /opt/triof/venv | cut -f1) MB in use"
holds '[ "$(stat -c %U:%a /var/lib/triof)" = triof:700 ]'
holds '[ "$(readlink /etc/systemd/system/multi-user.target.wants/triof.service)" = /lib/systemd/system/triof.service ]'
holds 'id -nG triof | grep -qw video'
triof --version

say "all wheels are installed, and come before what the system has"
printf '%s' "$1" > /tmp/libraries.py
runuser -u triof -- /opt/triof/venv/bin/python /tmp/libraries.py

say "pins: lgpio is asked for, and found once the system has it"
pins() { TRIOF_SLOT__KIND=gpiozero triof doctor > /tmp/doctor.log || true; grep -i lgpio /tmp/doctor.log || true; }
pins
holds 'grep -q "apt-get install python3-lgpio" /tmp/doctor.log'
echo 'raise OSError("this is the lgpio of the system")' > $system/lgpio.py
pins
holds 'grep -q "this is the lgpio of the system" /tmp/doctor.log'

say setup
printf '\n[server]\nport = 8099\n' >> /etc/triof/triof.toml
triof setup --yes --no-login --name Canteen
holds '[ "$(stat -c %U /etc/triof/machine.toml)" = triof ]'

say run
triof kiosk >/tmp/kiosk.log 2>&1 &
kiosk=$!
for round in $(seq 120); do
    if grep -q "Triof is ready" /tmp/kiosk.log; then break; fi
    sleep 1
done
cat /tmp/kiosk.log
holds '/usr/bin/python3 -c "from urllib.request import urlopen; urlopen(\"http://127.0.0.1:8099/livez\")"'
kill $kiosk
wait $kiosk || true
holds '[ -z "$(find /var/lib/triof ! -user triof)" ]'

say upgrade
dpkg --install --force-confold /root/triof.deb
kept
triof settings | grep "server.port"

say remove
dpkg --remove triof
kept
holds '[ -e /var/lib/triof/journal.db ]'
holds '[ ! -e /opt/triof ]'
holds '[ ! -e /usr/bin/triof ]'
holds '[ ! -L /etc/systemd/system/multi-user.target.wants/triof.service ]'

say purge
dpkg --purge triof
holds '[ ! -e /var/lib/triof ]'
holds '[ ! -e /etc/triof ]'
holds '! getent passwd triof'
say "all is as it was"
"""

_LIBRARIES = r"""
import sys
from importlib.metadata import distribution
from pathlib import Path

import cv2
import gpiozero

wheels = [path.name.split("-")[:2] for path in Path("/opt/triof/wheels").glob("*.whl")]
for name, version in wheels:
    found = distribution(name)
    where = str(found.locate_file(""))
    assert where.startswith(sys.prefix) and found.version == version, f"{name} {found.version} in {where}"
assert all(module.__file__.startswith(sys.prefix) for module in (cv2, gpiozero)), sys.path
print(f"{len(wheels)} wheels, with OpenCV {cv2.__version__} and gpiozero {distribution('gpiozero').version}")
"""


def main() -> None:
    """Check the package that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("package", type=Path)
    parser.add_argument("--boot", action="store_true", help="under a systemd of its own")
    asked = parser.parse_args()
    if os.geteuid():
        sys.exit("Only root can lay an overlay: sudo .venv/bin/python -m tools.check_deb …")
    if asked.boot and not shutil.which("systemd-nspawn"):
        sys.exit("There is no systemd-nspawn: apt-get install systemd-container.")
    script, steps = (_BOOT, _TRIAL) if asked.boot else (_USE, _STEPS)
    words = ["unshare", "--mount", "--net", "--propagation", "private", "sh", "-c", _TREE + script]
    words += [str(asked.package.resolve(strict=True)), steps, _LIBRARIES]
    sys.exit(subprocess.run(words, check=False).returncode)


if __name__ == "__main__":
    main()
