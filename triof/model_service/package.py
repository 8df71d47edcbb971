"""``triof package``: writes a folder with a bundle's web service, to run as a container or as one file."""

import json
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from datetime import date
from importlib.util import find_spec
from pathlib import Path
from string import Template

import providers
import triof
from providers.local_cnn.bundle import REHEARSAL_FILE, Bundle
from providers.local_cnn.isolated import Isolation
from providers.local_cnn.options import LocalCnnOptions
from providers.local_cnn.provider import try_first
from triof.common.errors import TriofError
from triof.model_service import requirements
from triof.model_service.served import BUNDLE_FOLDER, SETTINGS_FILE, ServedSettings
from triof.settings.tree import Settings
from triof.web.api import openapi
from triof.web.api.routes import STATELESS_ROUTES

_FILES = Path(__file__).with_name("files")
_SERVED = Path("triof") / "model_service" / "served"
_TASKS = {"waste_type": "the waste type", "cleanliness": "the cleanliness"}
_LEFT_OUT = shutil.ignore_patterns(
    *("__pycache__", "*.po", "*.pot", "*.mo", "*.tflite", "bundles", "training", "scenery"),
    *("templates", "static", "config", "served"),
)
"""Parts of the packages that no service reads."""


class PackageUnwritable(TriofError):
    """The service cannot be written."""


def write(found: Bundle, settings: Settings, out: Path) -> list[Path]:
    """Write the service of a bundle to the folder ``out``, which must be new or empty; returns its files.

    The bundle is run first. Raises PackageUnwritable, ProviderError.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise PackageUnwritable(f"{out} is there already: choose another folder, or remove it.")
    if found.card.format != "tflite":
        raise PackageUnwritable(f"{found.card.version} is an ONNX network: package the bundle it was converted from.")
    if not find_spec("shiv"):
        raise PackageUnwritable("The library shiv is missing: install Triof with the extra package (triof[package]).")
    out.parent.mkdir(parents=True, exist_ok=True)
    # Beside the target, so that an interrupted run leaves no half of a package there.
    with tempfile.TemporaryDirectory(prefix=f".{out.name}-", dir=out.parent) as half:
        folder = Path(half)
        folder.chmod(0o755)
        _write_app(found, settings, folder / "app")
        distributions = requirements.needed()
        (folder / "requirements.txt").write_text(requirements.pinned(distributions))
        document = openapi.document(settings.api, STATELESS_ROUTES)
        (folder / "openapi.json").write_text(json.dumps(document, indent=2) + "\n")
        pyz = f"triof-model-{found.card.version}.pyz"
        _write_texts(_values(found, settings, pyz), folder)
        with tempfile.TemporaryDirectory() as packages:
            requirements.copy_installed(distributions, Path(packages))
            shutil.copytree(folder / "app", packages, dirs_exist_ok=True)
            _zip(Path(packages), folder / pyz)
        out.mkdir(exist_ok=True)
        for part in sorted(folder.iterdir()):
            part.rename(out / part.name)
    return sorted(out.iterdir())


def _write_app(found: Bundle, settings: Settings, app: Path) -> None:
    for package in (triof, providers):
        source = Path(package.__path__[0])
        shutil.copytree(source, app / source.name, ignore=_LEFT_OUT)
    served = app / _SERVED
    shutil.copytree(found.folder, served / BUNDLE_FOLDER, ignore=shutil.ignore_patterns(REHEARSAL_FILE))
    kept = ServedSettings(
        version=found.card.version,
        tasks=found.card.tasks,
        policy=settings.policy,
        photo=settings.photo,
        api=settings.api,
        deadline_seconds=settings.deadline_seconds,
    )
    (served / SETTINGS_FILE).write_text(kept.model_dump_json(indent=2) + "\n")
    try_first(found, LocalCnnOptions(bundles=served))
    with Isolation(served) as isolation:
        # Also a shipped bundle, which is only trusted where it lies.
        isolation.remember(found.model)


def _values(found: Bundle, settings: Settings, pyz: str) -> Mapping[str, str]:
    return {
        "version": found.card.version,
        "tasks": " and ".join(_TASKS[task] for task in found.card.tasks),
        "date": date.today().isoformat(),
        "pyz": pyz,
        "python": ".".join(map(str, sys.version_info[:2])),
        "platform": f"{platform.system()} ({platform.machine()})",
        "per_minute": str(settings.api.per_minute),
    }


def _write_texts(values: Mapping[str, str], folder: Path) -> None:
    shutil.copyfile(_FILES / "Containerfile", folder / "Containerfile")
    for name in ("README.md", "compose.yaml"):
        (folder / name).write_text(Template((_FILES / name).read_text()).substitute(values))
    (folder / ".containerignore").write_text("*.pyz\nkeys.txt\n")


def _zip(packages: Path, pyz: Path) -> None:
    """Make one file of the folder with all packages, which runs the service. Raises PackageUnwritable."""
    command = [sys.executable, "-m", "shiv", "--site-packages", str(packages), "--output-file", str(pyz)]
    command += [
        "--entry-point",
        "triof.model_service.__main__:main",
        "--python",
        "/usr/bin/env python3",
        "--compressed",
    ]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    if ran.returncode:
        raise PackageUnwritable(f"shiv failed: {ran.stderr.strip() or ran.stdout.strip()}")
