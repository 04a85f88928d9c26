"""Somebody else's repository with a package ``harness`` of its own: it keeps the name, and the plugin works."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import harness
from harness.entry import pytest_gokrazy
from harness.package_data import scenarios_folder
from harness.tests.outside import clean_environment

PACKAGE = Path(harness.__file__).parent
THEIRS = """
from harness.thing import mine

def test_mine():
    assert mine() == 1
"""
BOTH = """
import harness.thing
from gokrazy_harness.errors import WaitTimeout

def test_both(appliance):
    assert harness.thing.mine() == 1
    assert issubclass(WaitTimeout, Exception)
"""
PYTEST = str(Path(sys.executable).with_name("pytest"))


def run(folder: Path, *command: str) -> tuple[int, str]:
    clean = clean_environment()
    done = subprocess.run(command, cwd=folder, env=clean, capture_output=True, text=True, timeout=120)
    return done.returncode, done.stdout + done.stderr


@pytest.fixture
def repository(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """With a package, or with a mere folder where the parameter says so."""
    root = tmp_path / "repository"
    (root / "harness").mkdir(parents=True)
    (root / "tests").mkdir()
    (root / "harness/thing.py").write_text("def mine():\n    return 1\n")
    if getattr(request, "param", "package") == "package":
        (root / "harness/__init__.py").touch()
    (root / "tests/test_mine.py").write_text(THEIRS)
    (root / "conftest.py").touch()
    return root


COMMANDS = {
    "pytest": (PYTEST,),
    "python -m pytest": (sys.executable, "-m", "pytest"),
    "pythonpath": (PYTEST, "-o", "pythonpath=."),
    "importlib": (PYTEST, "--import-mode=importlib", "-o", "pythonpath=."),
    "worker": (PYTEST, "-n", "1"),
    "no plugin": (PYTEST, "-p", "no:gokrazy"),
}


@pytest.mark.parametrize(
    ("repository", "command"),
    [*(("package", command) for command in COMMANDS), ("folder", "pytest"), ("folder", "worker")],
    indirect=["repository"],
)
def test_its_own_package_is_what_its_tests_import(repository: Path, command: str) -> None:
    status, said = run(repository, *COMMANDS[command], "-p", "no:cacheprovider")
    assert status == 0, said
    assert "1 passed" in said
    assert "gokrazy:" not in said


@pytest.mark.parametrize(
    ("repository", "command"),
    [("package", "pytest"), ("package", "python -m pytest"), ("package", "importlib"), ("folder", "pytest")],
    indirect=["repository"],
)
def test_the_plugin_works_there_under_another_name(repository: Path, command: str) -> None:
    (repository / "tests/test_both.py").write_text(BOTH)
    arguments = (*COMMANDS[command], "-p", "no:cacheprovider", "tests/test_both.py", "--gk-board=virt")
    status, said = run(repository, *arguments, "--collect-only", "-q")
    assert status == 0, said
    assert "test_both[virt]" in said


def test_wrong_input_is_one_sentence_there_too(repository: Path) -> None:
    status, said = run(repository, PYTEST, "-p", "no:cacheprovider", "--gk-image=nothing.img")
    assert status == 4, said
    assert "There is no such image file." in said
    assert "Traceback" not in said


def test_the_command_runs_its_scenarios_there(repository: Path) -> None:
    from harness.tests.image.synthetic import write_image

    image = write_image(repository / "a.img", repository / "parts", arch="arm64")
    status, said = run(repository, PYTEST.replace("pytest", "gokharness"), "check", str(image), "--list")
    assert status == 0, said
    assert "test_the_appliance_boots_from_power_on_to_its_web_interface[virt]" in said


def test_scenarios_that_would_get_the_wrong_package_are_one_sentence(repository: Path) -> None:
    status, said = run(repository, sys.executable, "-m", "pytest", str(scenarios_folder()))
    assert status == 4, said
    assert "the scenarios import the package harness, and another one is found first" in said
    assert "Traceback" not in said


def test_every_module_can_go_by_the_other_name() -> None:
    for path in PACKAGE.rglob("*.py"):
        if path.is_relative_to(PACKAGE / "tests") or path.is_relative_to(PACKAGE / "data"):
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            plain = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            # Only "from harness..." is given the other name.
            assert not any(name.split(".")[0] == "harness" for name in plain), path


def test_our_own_package_is_nobody_else_s() -> None:
    assert pytest_gokrazy.FOLDER == PACKAGE
    assert not pytest_gokrazy.is_taken(None)


def test_an_argument_that_is_too_long_for_a_path_is_none(tmp_path: Path) -> None:
    (tmp_path / "test_mine.py").write_text("def test_mine(): pass\n")
    arguments = ["-k", " or ".join(["mine"] * 100), "-p", "no:cacheprovider"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *arguments],
        cwd=tmp_path,
        env=clean_environment(),
        capture_output=True,
        text=True,
    )
    assert "1 passed" in done.stdout, done.stdout + done.stderr
