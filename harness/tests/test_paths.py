"""The path as people type it: from a subfolder, by ini, on a worker; and folders that may not be written to."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from harness.package_data import images_folder
from harness.tests.image.synthetic import write_image
from harness.tests.outside import clean_environment

SHOWS = """
from harness.plugin import SETTINGS

def test_shows(request, record_property):
    settings = request.config.stash[SETTINGS]
    for name in ("image", "next_image", "from_image", "kernel", "password_file", "ssh_key", "artifacts", "cache"):
        print(f"{name}={getattr(settings, name)}", end=";")
    assert False
"""
USES_AN_APPLIANCE = "def test_boots(appliance): pass"
NAMES = {
    "gk_image": "a.img",
    "gk_next_image": "b.img",
    "gk_from": "old",
    "gk_kernel": "vmlinuz",
    "gk_password_file": "pw.txt",
    "gk_ssh_key": "id",
    "gk_artifacts": "out",
    "gk_cache": "cache",
}
UNWRITABLE = Path("/proc")
"""Nobody may make a file here, not even root."""


def run(folder: Path, *command: str) -> tuple[int, str]:
    typed = [sys.executable, "-m", *command]
    done = subprocess.run(typed, cwd=folder, env=clean_environment(), capture_output=True, text=True, timeout=120)
    return done.returncode, done.stdout + done.stderr


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    root = tmp_path / "repository"
    (root / "tests/deep").mkdir(parents=True)
    (root / "tests/test_shows.py").write_text(SHOWS)
    for name in NAMES.values():
        (root / name).touch()
    (root / "a.img").unlink()
    write_image(root / "a.img", tmp_path / "parts", arch="arm64")
    return root


WORKERS = [(), ("-n", "1")]


@pytest.mark.parametrize("workers", WORKERS, ids=["alone", "worker"])
def test_a_path_in_an_ini_file_begins_at_the_file_s_folder(repository: Path, workers: tuple[str, ...]) -> None:
    lines = "".join(f"{name} = {value}\n" for name, value in NAMES.items())
    (repository / "pytest.ini").write_text(f"[pytest]\n{lines}")
    # A worker starts where the controller stands at that moment.
    (repository / "conftest.py").write_text("import os\nos.chdir('/')\n")
    said = run(
        repository / "tests/deep",
        "pytest",
        "-p",
        "no:cacheprovider",
        *workers,
        str(repository / "tests/test_shows.py"),
    )[1]
    for name, value in NAMES.items():
        field = {"gk_from": "from_image"}.get(name, name[3:])
        assert f"{field}={repository / value};" in said


@pytest.mark.parametrize("workers", WORKERS, ids=["alone", "worker"])
def test_a_path_on_the_command_line_begins_where_it_was_typed(repository: Path, workers: tuple[str, ...]) -> None:
    (repository / "pytest.ini").write_text("[pytest]\n")
    (repository / "conftest.py").write_text("import os\nos.chdir('/')\n")
    flags = [f"--{name.replace('_', '-')}=../../{value}" for name, value in NAMES.items()]
    command = ["pytest", "-p", "no:cacheprovider", *workers, *flags, str(repository / "tests/test_shows.py")]
    said = run(repository / "tests/deep", *command)[1]
    for name, value in NAMES.items():
        field = {"gk_from": "from_image"}.get(name, name[3:])
        assert f"{field}={repository / value};" in said


@pytest.mark.parametrize(
    ("command", "flag", "what"),
    [
        (
            ["pytest", "-p", "no:cacheprovider", "{test}", "--gk-board=virt"],
            "--gk-artifacts",
            "logs and the report",
        ),
        (["harness", "check", "{image}"], "--artifacts", "logs and the report"),
        (["harness", "boot", "{image}"], "--artifacts", "logs"),
        (
            ["harness", "check", "{image}", "--artifacts", "{out}", "--junit", "sub/out.xml"],
            "--junit",
            "the JUnit XML",
        ),
        (
            ["pytest", "-p", "no:cacheprovider", "{test}", "--gk-artifacts={out}", "--junitxml=out.xml"],
            "--junitxml",
            "the JUnit XML",
        ),
        (["harness", "build", "{instance}", "--cache", "sub"], "--cache", "what is built"),
        (["harness", "check", "{instance}", "--cache", "sub", "--artifacts", "{out}"], "--cache", "what is built"),
        (["harness", "cache", "prune", "--cache", "sub"], "--cache", "the cache"),
    ],
)
def test_a_folder_that_may_not_be_written_to_is_one_sentence_with_the_flag(
    command: list[str], flag: str, what: str, tmp_path: Path
) -> None:
    image = write_image(tmp_path / "a.img", tmp_path / "parts", arch="arm64")
    test = tmp_path / "test_boots.py"
    test.write_text(USES_AN_APPLIANCE)
    names = {"test": test, "image": image, "out": tmp_path / "out", "instance": images_folder() / "hello-arm64"}
    filled = [part.format(**names) for part in command]
    status, said = run(UNWRITABLE, *filled)
    assert status == 4, said
    assert f"{what} cannot be written here" in said
    assert f"to do: give {flag} with" in said
    assert "Traceback" not in said
    assert str(UNWRITABLE) in said


def test_tests_without_an_appliance_write_nothing(tmp_path: Path) -> None:
    (tmp_path / "test_plain.py").write_text("def test_plain(): pass")
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    status, said = run(folder, "pytest", "-p", "no:cacheprovider", "../test_plain.py")
    assert status == 0, said
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("check", "a", "--builder", "foo"), "--builder does not know 'foo'"),
        (("check", "a", "--gk-strict"), "to do: give pytest's options after --"),
        (("boot", "a.img", "--", "--gk-nothing"), "unrecognized arguments: --gk-nothing"),
        (("build", "nothing"), "there is no gokrazy instance 'nothing'"),
    ],
)
def test_a_wrong_flag_is_told_in_the_words_of_the_command(
    arguments: tuple[str, ...], told: str, tmp_path: Path
) -> None:
    status, said = run(tmp_path, "harness", *arguments)
    assert status == 4, said
    assert told in said
    assert "pytest.main" not in said
