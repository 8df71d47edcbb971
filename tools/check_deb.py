"""Install, use, upgrade, remove and purge a Debian package: ``python -m tools.check_deb dist/triof_0.1.0_amd64.deb``.

It runs in this computer's own tree with an overlay on it, in which all changes are lost, and without a network. Needs
root and the Python of the package in /usr/bin.
"""

import os
import subprocess
import sys
from pathlib import Path

_OVERLAY = r"""
set -e
mount -t tmpfs tmpfs /mnt
mkdir /mnt/upper /mnt/work /mnt/tree
mount -t overlay overlay -o lowerdir=/,upperdir=/mnt/upper,workdir=/mnt/work /mnt/tree
mount -t proc proc /mnt/tree/proc
mount --rbind /dev /mnt/tree/dev
mount -t tmpfs tmpfs /mnt/tree/run
mount -t tmpfs tmpfs /mnt/tree/tmp
chmod 1777 /mnt/tree/tmp
ip link set lo up 2>/dev/null || true
cp "$0" /mnt/tree/tmp/triof.deb
exec chroot /mnt/tree env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 DEBIAN_FRONTEND=noninteractive \
    sh -c "$1"
"""
_STEPS = r"""
set -e
cd /root
say() { printf '%s\n' "-- $*"; }
holds() { if ! eval "$1"; then echo "This does not hold: $1" >&2; exit 1; fi; }
kept() { holds 'grep -q "port = 8099" /etc/triof/triof.toml'; holds 'grep -q Canteen /etc/triof/machine.toml'; }

say install
started=$(date +%s)
dpkg --install /tmp/triof.deb
say "installed in $(($(date +%s) - started)) s, $(du -sm /opt/triof/venv | cut -f1) MB in use"
holds '[ "$(stat -c %U:%a /var/lib/triof)" = triof:700 ]'
holds '[ "$(readlink /etc/systemd/system/multi-user.target.wants/triof.service)" = /lib/systemd/system/triof.service ]'
holds 'id -nG triof | grep -qw video'
triof --version

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
dpkg --install --force-confold /tmp/triof.deb
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


def main() -> None:
    """Check the package that the command line names."""
    if len(sys.argv) != 2 or not Path(sys.argv[1]).is_file():
        sys.exit("Name the package: python -m tools.check_deb dist/triof_VERSION_ARCH.deb")
    if os.geteuid():
        sys.exit("Only root can lay an overlay: sudo .venv/bin/python -m tools.check_deb …")
    package = str(Path(sys.argv[1]).resolve())
    words = ["unshare", "--mount", "--net", "--propagation", "private", "sh", "-c", _OVERLAY, package, _STEPS]
    sys.exit(subprocess.run(words, check=False).returncode)


if __name__ == "__main__":
    main()
