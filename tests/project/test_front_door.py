"""Tests use the front door: no patches of this project's code, no private attributes of it, no other test module."""

import ast
from collections.abc import Callable, Iterator

import pytest

from tests.support.paths import ROOT

pytestmark = pytest.mark.slow

OURS = ("triof", "providers", "testing", "tests", "tools")
TESTS = sorted((ROOT / "tests").rglob("*.py"))


def trees() -> Iterator[tuple[str, ast.Module]]:
    for path in TESTS:
        yield str(path.relative_to(ROOT / "tests")), ast.parse(path.read_text(encoding="utf-8"))


def foreign_names(tree: ast.Module) -> set[str]:
    """Names that are bound to modules, classes and functions of others."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.asname or alias.name for alias in node.names if alias.name.split(".")[0] not in OURS}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] not in OURS:
            names |= {alias.asname or alias.name for alias in node.names}
    return names


def patched(tree: ast.Module) -> Iterator[str]:
    """What ``setattr``, ``setitem`` and ``delattr`` of a MonkeyPatch change, as far as it is not of others."""
    foreign = foreign_names(tree)
    for node in ast.walk(tree):
        match node:
            case ast.Call(
                func=ast.Attribute(attr="setattr" | "delattr" | "setitem" | "delitem"), args=[target, *others]
            ):
                pass
            case _:
                continue
        if isinstance(target, ast.Constant):
            if str(target.value).split(".")[0] in OURS:
                yield str(target.value)
        elif ast.unparse(target).split(".")[0] not in foreign:
            name = str(others[0].value) if others and isinstance(others[0], ast.Constant) else "…"
            yield f"{ast.unparse(target)}.{name}"


def _is_hidden(name: str) -> bool:
    return name.startswith("_") and not name.endswith("__")


def private(tree: ast.Module) -> Iterator[str]:
    """Attributes with a leading underscore of objects other than ``self``, unless this module defines them."""
    foreign = foreign_names(tree)
    own = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
    attributes = [node for node in ast.walk(tree) if isinstance(node, ast.Attribute)]
    own |= {node.attr for node in attributes if ast.unparse(node.value) == "self" and isinstance(node.ctx, ast.Store)}
    for each in attributes:
        hidden = _is_hidden(each.attr)
        of_others = isinstance(each.value, ast.Name) and each.value.id in {"self", "cls", *foreign}
        if hidden and each.attr not in {*own, "_replace"} and not of_others:
            yield ast.unparse(each)
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in OURS:
            yield from (f"{node.module}.{alias.name}" for alias in node.names if _is_hidden(alias.name))


def found(rule: Callable[[ast.Module], Iterator[str]]) -> dict[str, set[str]]:
    return {name: hits for name, tree in trees() if (hits := set(rule(tree)))}


def test_no_test_patches_the_code_of_this_project() -> None:
    assert found(patched) == {}, "meet the fault for real, or give the code an argument with the usual value"


def test_no_test_reads_private_attributes() -> None:
    assert found(private) == {}, "look at what the code does for its callers"


def test_no_module_imports_a_test_module() -> None:
    for folder in ("tests", "testing", "tools"):
        for path in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.ImportFrom) and node.module:
                    foreign = node.module.startswith("tests.") and folder != "tests"
                    assert not foreign, f"{path}: tests are not for others, see testing/"
                    shared = node.module.startswith("tests.") and not node.module.startswith("tests.support")
                    assert not shared, f"{path}: {node.module}; what tests share is in tests/support"


def test_tests_lie_in_rooms_that_exist() -> None:
    for folder in (path for path in (ROOT / "tests").rglob("*") if path.is_dir() and any(path.glob("test_*.py"))):
        room = folder.relative_to(ROOT / "tests")
        places = [ROOT / "triof" / room, (ROOT / "triof" / room).with_suffix(".py"), ROOT / room]
        assert str(room) == "project" or any(place.exists() for place in places), room
