"""Build the Debian package in dist: ``python -m tools.build_deb --arch arm64 --python 3.13``.

The package carries wheels, of which its postinst makes a virtual environment in /opt/triof without a network: an
environment made here would hold paths and programs of this computer, and none could be made for another processor.
Wheels are those of one Python version, which is that of one release of Debian: 3.11 for 12, 3.13 for 13. OpenCV for
webcams and gpiozero for pins are among them; lgpio and picamera2, of which there are no wheels for all of these, are
the distribution's own.
"""

import argparse
import gzip
import hashlib
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from triof import __version__
from triof.installation import units
from triof.installation.units import ServicePlan

ROOT = Path(__file__).resolve().parent.parent
SCRIPTS = Path(__file__).resolve().parent / "deb"
PLATFORMS = {"amd64": "x86_64", "arm64": "aarch64"}
GLIBC = ("2_28", "2_27", "2_26", "2_24", "2_17", "2014", "2_12", "2010", "2_5", "1")
"""Versions of manylinux that run on Debian 12, newest first; those without underscore are older names."""
EXTRA = "camera"
"""The extra whose wheels the package carries."""
PINS = "gpiozero>=2.0.1"
"""Of the extra ``gpio`` what has a wheel for every processor and Python."""
CONFIG = Path("/etc/triof")
_PLAN = ServicePlan(["/opt/triof/venv/bin/triof"], units.SYSTEM_HOME, "triof", [CONFIG])


@dataclass(frozen=True)
class Package:
    """What the control file says."""

    arch: str
    python: str
    version: str = __version__

    @property
    def file(self) -> str:
        """The name of the package's file."""
        return f"triof_{self.version}_{self.arch}.deb"

    def control(self, kilobytes: int) -> str:
        """The control file."""
        major, minor = self.python.split(".")
        python = f"python3 (>= {self.python}), python3 (<< {major}.{int(minor) + 1})"
        fields = {
            "Package": "triof",
            "Version": self.version,
            "Architecture": self.arch,
            "Maintainer": "The Triof founders <triof@example.org>",
            "Installed-Size": str(kilobytes),
            "Depends": f"{python}, python3-venv, adduser",
            "Recommends": "chromium, cage, python3-lgpio",
            "Suggests": "python3-picamera2",
            "Section": "misc",
            "Priority": "optional",
            "Description": "machine that sorts plastic by looking at it\n"
            " Takes bottles, cups and cutlery, says by a photo what they are and whether they are\n"
            " clean, and shreds them for filament. With a touchscreen, a dashboard and an API.",
        }
        return "".join(f"{name}: {value}\n" for name, value in fields.items())


def collect_wheels(package: Package, out: Path) -> None:
    """Build Triof's wheel, and download those it needs for the package's processor and Python."""
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    subprocess.run([*pip, "wheel", "--quiet", "--no-deps", "--wheel-dir", str(out), str(ROOT)], check=True)
    (own,) = out.glob("triof-*.whl")
    platforms = [f"--platform=manylinux{'_' if '_' in name else ''}{name}_{PLATFORMS[package.arch]}" for name in GLIBC]
    which = ["--only-binary=:all:", f"--python-version={package.python}", "--implementation=cp", *platforms]
    subprocess.run([*pip, "download", "--quiet", "--dest", str(out), *which, f"{own}[{EXTRA}]", PINS], check=True)


def files(package: Package) -> Mapping[str, str]:
    """The text files of the package, by their paths."""
    changes = f"triof ({package.version}) stable; urgency=low\n\n  * See CHANGELOG.md of the sources.\n"
    return {
        "lib/systemd/system/triof.service": _of_package(units.server(_PLAN)),
        "lib/systemd/system/triof-browser.service": _of_package(units.browser(_PLAN)),
        "usr/lib/udev/rules.d/60-triof.rules": _of_package(units.device_rules()),
        "etc/triof/triof.toml": (SCRIPTS / "triof.toml").read_text("utf-8"),
        "usr/bin/triof": (SCRIPTS / "triof.sh").read_text("utf-8"),
        "usr/share/doc/triof/copyright": (ROOT / "LICENSE").read_text("utf-8"),
        "usr/share/doc/triof/changelog": changes,
    }


def stage(package: Package, wheels: Path, tree: Path) -> None:
    """Lay the package's tree out in ``tree``, with the ``wheels`` and the control files."""
    for name, text in files(package).items():
        path = tree / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
        path.chmod(0o755 if name.startswith("usr/bin/") else 0o644)
    changelog = tree / "usr/share/doc/triof/changelog"
    changelog.with_suffix(".gz").write_bytes(gzip.compress(changelog.read_bytes(), 9, mtime=0))
    changelog.unlink()
    shutil.copytree(wheels, tree / "opt/triof/wheels")
    kilobytes = sum(path.stat().st_size for path in tree.rglob("*") if path.is_file()) // 1024
    # Triof in its environment is as large again as its wheels, unpacked three times.
    control = {"control": package.control(4 * kilobytes), "conffiles": "/etc/triof/triof.toml\n"}
    control["md5sums"] = "".join(_sums(tree))
    for name in ("postinst", "prerm", "postrm"):
        script = (SCRIPTS / name).read_text("utf-8")
        control[name] = script.replace("@EXTRA@", EXTRA).replace("@VERSION@", package.version)
    (tree / "DEBIAN").mkdir()
    for name, text in control.items():
        path = tree / "DEBIAN" / name
        path.write_text(text, "utf-8")
        path.chmod(0o755 if text.startswith("#!") else 0o644)
    for folder in (tree, *(path for path in tree.rglob("*") if path.is_dir())):
        folder.chmod(0o755)


def build(package: Package, wheels: Path, out: Path) -> Path:
    """Write the package's file into ``out`` and return its path."""
    out.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory() as folder:
        tree = Path(folder) / "tree"
        stage(package, wheels, tree)
        # Wheels are compressed already.
        words = ["dpkg-deb", "--root-owner-group", "-Zgzip", "-z1", "--build", str(tree), str(out / package.file)]
        subprocess.run(words, check=True, stdout=subprocess.DEVNULL)
    return out / package.file


def main() -> None:
    """Build what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--arch", choices=PLATFORMS, default="amd64")
    parser.add_argument("--python", default="3.11", help="of the computers that it is for")
    parser.add_argument("--out", type=Path, default=ROOT / "dist")
    asked = parser.parse_args()
    if not shutil.which("dpkg-deb"):
        sys.exit("There is no dpkg-deb: build the package on Debian, or install dpkg.")
    package = Package(asked.arch, asked.python)
    with TemporaryDirectory() as folder:
        collect_wheels(package, Path(folder))
        path = build(package, Path(folder), asked.out)
    print(f"{path} ({path.stat().st_size / 1e6:.0f} MB)")


def _of_package(text: str) -> str:
    return text.replace(units.HEADER, "# Of the package triof: put changes into a drop-in (systemctl edit).", 1)


def _sums(tree: Path) -> Iterator[str]:
    for path in sorted(tree.rglob("*")):
        name = str(path.relative_to(tree))
        if path.is_file() and not name.startswith("etc/"):
            yield f"{hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()}  {name}\n"


if __name__ == "__main__":
    main()
