"""The scenarios use of the harness what other people's tests may use: errors, faults, what an appliance has."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from harness.package_data import scenarios_folder
from harness.tests.sources import imported

PUBLIC = ("harness.errors", "harness.faults", "harness.console.phases")
"""Modules and packages: the errors, the faults, and the words for phases and causes of a boot."""
SCENARIOS = sorted(scenarios_folder().glob("test_*.py"))


def private(tree: ast.AST) -> list[str]:
    return [node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute) and node.attr.startswith("_")]


def is_public(name: str) -> bool:
    inner = name.rpartition(".")[2].startswith("_")
    return not inner and any(f"{name}.".startswith(f"{public}.") for public in PUBLIC)


def test_there_are_scenarios() -> None:
    assert len(SCENARIOS) > 5


@pytest.mark.parametrize("path", SCENARIOS, ids=lambda path: path.stem)
def test_a_scenario_imports_only_what_is_public(path: Path) -> None:
    names = [name for name in imported(ast.parse(path.read_text("utf-8"))) if name.startswith("harness")]
    assert [name for name in names if not is_public(name)] == []


@pytest.mark.parametrize("path", SCENARIOS, ids=lambda path: path.stem)
def test_a_scenario_reaches_into_nothing_private(path: Path) -> None:
    assert private(ast.parse(path.read_text("utf-8"))) == []


def test_what_is_not_public_is_found() -> None:
    imports = "from harness.machine.disk_overlay import DiskOverlay\nfrom harness.errors import _KEPT\n"
    source = f"{imports}appliance._device\n"
    tree = ast.parse(source)
    assert [is_public(name) for name in imported(tree)] == [False, False]
    assert private(tree) == ["_device"]
