"""The shape of the project: rooms, their arrows and sizes."""

import ast
import shutil
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.paths import ROOT

pytestmark = pytest.mark.slow


def sources(*folders: str) -> Iterator[Path]:
    for folder in folders:
        yield from (ROOT / folder).rglob("*.py")


def imports(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def importers(folder: str, name: str) -> set[str]:
    return {
        str(path.relative_to(ROOT))
        for path in sources(folder)
        if any(module == name or module.startswith(f"{name}.") for module in imports(path))
    }


@pytest.mark.parametrize("foreign", ["triof", "flask", "click", "rich", "sqlalchemy"])
def test_providers_know_nothing_of_the_machine(foreign: str) -> None:
    assert importers("providers", foreign) == set()


@pytest.mark.parametrize(
    ("library", "folder", "only"),
    [
        (
            "ai_edge_litert",
            "providers",
            {f"providers/local_cnn/{name}.py" for name in ("litert", "training/weight_import")},
        ),
        ("onnxruntime", "providers", {"providers/onnx/runtime.py"}),
        ("onnx", "providers", {f"providers/onnx/{name}.py" for name in ("runtime", "azure_export")}),
        ("tf2onnx", "providers", {"providers/onnx/conversion.py"}),
        ("azure", "providers", {f"providers/custom_vision/{name}.py" for name in ("client", "entra")}),
        ("azure", "triof", set()),
        ("boto3", "providers", {"providers/rekognition/client.py"}),
        ("botocore", "providers", {"providers/rekognition/client.py"}),
        ("boto3", "triof", set()),
        ("msrest", "providers", {"providers/custom_vision/client.py"}),
        (
            "requests",
            "triof",
            {
                f"triof/{name}.py"
                for name in (
                    "cli/drill",
                    "curation/collecting/http_client",
                    "drills/visitor",
                    "machine/cameras/http",
                    "monitoring/notifiers",
                )
            },
        ),
        (
            "flask",
            "triof",
            {"triof/app.py", "triof/model_service/app.py"}
            | {str(path.relative_to(ROOT)) for path in sources("triof/web")},
        ),
        ("cv2", "triof", {"triof/machine/cameras/webcam.py"}),
        ("picamera2", "triof", {"triof/machine/cameras/picamera2.py"}),
        ("gpiozero", "triof", {"triof/machine/hardware/gpio/parts.py"}),
        ("dotenv", "triof", {"triof/settings/env_file.py"}),
    ],
)
def test_each_library_has_one_door(library: str, folder: str, only: set[str]) -> None:
    assert importers(folder, library) <= only


def test_tensorflow_is_imported_inside_functions_only() -> None:
    for path in sources("triof", "providers"):
        top = [
            node
            for node in ast.parse(path.read_text(encoding="utf-8")).body
            if isinstance(node, ast.Import | ast.ImportFrom)
        ]
        names = {getattr(node, "module", None) or node.names[0].name for node in top}
        assert not any(name.split(".")[0] in ("tensorflow", "keras") for name in names), path


def test_rooms_import_downwards_only() -> None:
    """The contracts of pyproject.toml; imports inside functions count."""
    linter = shutil.which("lint-imports", path=str(Path(sys.executable).parent))
    assert linter, "import-linter is missing: pip install '.[test]'"
    found = subprocess.run([linter, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stdout


def test_only_four_modules_lie_outside_the_rooms_and_no_room_is_crowded() -> None:
    assert {path.stem for path in (ROOT / "triof").glob("*.py")} <= {"__init__", "__main__", "app", "services"}
    for folder in {path.parent for path in sources("triof")}:
        modules = [path for path in folder.glob("*.py") if path.stem != "__init__"]
        assert len(modules) <= 15, folder


def test_each_room_says_what_belongs_there() -> None:
    for folder in {path.parent for path in sources("triof", "providers")} - {
        ROOT / "triof/storage/migrations/versions"
    }:
        if (init := folder / "__init__.py").is_file():
            assert ast.get_docstring(ast.parse(init.read_text(encoding="utf-8"))), init


def test_each_class_name_is_used_once() -> None:
    found: defaultdict[str, list[str]] = defaultdict(list)
    for path in sources("triof", "providers", "tools"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef):
                found[node.name.lstrip("_")].append(f"{path.relative_to(ROOT)}:{node.lineno}")
    assert not {name: places for name, places in found.items() if len(places) > 1}


def test_modules_and_functions_keep_their_sizes() -> None:
    for path in sources("triof", "providers"):
        text = path.read_text(encoding="utf-8")
        assert text.count("\n") <= 400, path
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef):
                assert (node.end_lineno or 0) - node.lineno < 60, f"{path}:{node.name}"
