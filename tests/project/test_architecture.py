"""The shape of the project: its one arrow, its sizes, its docs, and what a wheel carries."""

import ast
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from tests.support.paths import ROOT
from triof.cli import main
from triof.common import paths


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
            {f"providers/local_cnn/{name}.py" for name in ("runtime", "isolated_child", "training/weight_import")},
        ),
        ("azure", "providers", {"providers/custom_vision/client.py"}),
        ("azure", "triof", set()),
        ("msrest", "providers", {"providers/custom_vision/client.py"}),
        (
            "requests",
            "triof",
            {
                f"triof/{name}.py"
                for name in ("drills/visitor", "cli/drill", "curation/collecting/http_client", "monitoring/notifiers")
            },
        ),
        (
            "flask",
            "triof",
            {"triof/app.py"} | {str(path.relative_to(ROOT)) for path in sources("triof/web")},
        ),
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


@pytest.mark.slow
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


def test_modules_and_functions_keep_their_sizes() -> None:
    for path in sources("triof", "providers"):
        text = path.read_text(encoding="utf-8")
        assert text.count("\n") <= 400, path
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef):
                assert (node.end_lineno or 0) - node.lineno < 60, f"{path}:{node.name}"


def test_the_shipped_folders_are_found_in_a_checkout() -> None:
    for folder in (paths.TEMPLATES, paths.STATIC, paths.CONFIG, paths.TRANSLATIONS, paths.MIGRATIONS):
        assert folder.is_dir()
    assert list(paths.DEMO_PICTURES.glob("*.jpg"))


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(out), str(ROOT)]
    built = subprocess.run(command, capture_output=True, text=True, check=False)
    if built.returncode:
        pytest.skip(f"no wheel can be built here: {built.stderr.strip().splitlines()[-1:]}")
    return next(out.glob("*.whl"))


@pytest.mark.slow
def test_a_wheel_carries_all_that_runs_and_nothing_else(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    for needed in (
        "triof/templates/kiosk/base.html",
        "triof/static/kiosk.css",
        "triof/config/triof.toml",
        "triof/translations/fr/LC_MESSAGES/messages.mo",
        "triof/storage/migrations/script.py.mako",
        "providers/local_cnn/bundles/waste_type/model.tflite",
        "providers/local_cnn/bundles/waste_type/model-card.md",
        "providers/local_cnn/backbone.tflite",
        "providers/local_cnn/scenery/hands/00.png",
    ):
        assert needed in names
    assert not [name for name in names if ".env" in name or name.startswith(("tests/", "tools/", "docs/"))]


@pytest.mark.slow
def test_an_installed_wheel_finds_its_files(wheel: Path, tmp_path: Path) -> None:
    zipfile.ZipFile(wheel).extractall(tmp_path)
    code = (
        "from triof.common import paths\n"
        "for folder in (paths.TEMPLATES, paths.STATIC, paths.CONFIG):\n"
        f"    assert folder.is_dir() and str(folder).startswith({str(tmp_path)!r}), folder"
    )
    environ = {"PYTHONPATH": str(tmp_path), "PATH": ""}
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path, env=environ)


def commands(group: click.Group, above: str) -> Iterator[str]:
    """Every command with the groups that it stands in."""
    context = click.Context(group)
    for name in group.list_commands(context):
        yield f"{above} {name}"
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            yield from commands(command, f"{above} {name}")


def test_every_command_and_every_door_stands_in_the_docs() -> None:
    text = "".join(path.read_text(encoding="utf-8") for path in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")])
    missing = [command for command in commands(main, "triof") if command not in text]
    targets = re.findall(r"^([a-z-]+):.*## ", (ROOT / "Makefile").read_text(), re.MULTILINE)
    missing += [f"make {name}" for name in targets if f"make {name}" not in text]
    assert not missing


def test_links_in_the_docs_lead_somewhere() -> None:
    for path in [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]:
        for target in re.findall(r"\]\((?!https?://|#)([^)#]+)", path.read_text(encoding="utf-8")):
            assert (path.parent / target).exists(), f"{path.name}: {target}"


def test_every_page_of_the_docs_is_linked_from_another() -> None:
    pages = [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]
    linked = {
        (page.parent / target).resolve()
        for page in pages
        for target in re.findall(r"\]\((?!https?://|#)([^)#]+)", page.read_text(encoding="utf-8"))
        if (page.parent / target).resolve() != page
    }
    assert not [page.name for page in pages[1:] if page not in linked]
