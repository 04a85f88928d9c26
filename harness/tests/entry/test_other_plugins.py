"""Other people's plugins, all in one empty environment, with appliances that are only played.

They are not among what the tests need: pytest would load them into every run of the project's own tests.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from harness.tests.outside import ROOT, clean_environment, programs_of_the_wheel

PLUGINS = ("asyncio", "timeout", "randomly", "rerunfailures", "html", "xdist")
pytestmark = [
    pytest.mark.gk_tier("nightly"),
    pytest.mark.skipif(not (ROOT / "pyproject.toml").is_file(), reason="not a clone: there is no wheel to build"),
]

CONFTEST = """
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from tempfile import mkdtemp
from types import SimpleNamespace

import pytest
from harness import boards
from harness.lab import lab

NUMBERS = count(1)

class PlayedLab:
    def __init__(self, settings, **_):
        self.settings = settings
        self.boards = boards.boards(("virt",))
        self.images = SimpleNamespace(kind=lambda board: board.family, image=lambda *_: None, check=lambda: None)
        self.journal = SimpleNamespace(take=dict)
        self.folders = SimpleNamespace(folder=lambda *_, **__: Path(mkdtemp()))

    def board(self, name):
        return boards.board(name)

    def skip_reason(self, *_):
        return ""

    def live(self, name):
        return None

    def accelerator_so_far(self, name):
        return "{accelerator}"

    def prepare(self, *_):
        pass

    def close(self):
        print("closed")

    @contextmanager
    def appliance(self, *_, **__):
        yield SimpleNamespace(number=next(NUMBERS))

lab.Lab = PlayedLab

@pytest.fixture
def mine():
    return "theirs"
"""
TESTS = """
import asyncio
import time

import pytest

SEEN = []

def test_plain(appliance, mine):
    assert mine == "theirs"

async def test_async(appliance):
    await asyncio.sleep(0)

@pytest.mark.flaky(reruns=2)
def test_flaky(appliance):
    SEEN.append(appliance.number)
    assert len(SEEN) == 2
    assert SEEN[0] != SEEN[1]

@pytest.mark.parametrize("size", [1, 2, 3])
def test_sizes(appliance, size):
    assert size
"""
HANGS = "import time\ndef test_hangs(appliance): time.sleep(60)\n"


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of an environment with the wheel and the plugins."""
    return programs_of_the_wheel(tmp_path_factory.mktemp("environment"), *(f"pytest-{name}" for name in PLUGINS))


def run(
    programs: Path, folder: Path, *arguments: str, tests: str = TESTS, accelerator: str = "tcg"
) -> tuple[int, str]:
    (folder / "conftest.py").write_text(CONFTEST.replace("{accelerator}", accelerator))
    (folder / "test_mine.py").write_text(tests)
    (folder / "pytest.ini").write_text("[pytest]\nasyncio_mode = auto\naddopts = -p no:cacheprovider\n")
    command = [str(programs / "pytest"), "--gk-board=virt", *arguments]
    done = subprocess.run(
        command, cwd=folder, env=clean_environment(), capture_output=True, text=True, timeout=300
    )
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("--import-mode=importlib",),
        ("--timeout=60", "--timeout-method=signal"),
        ("--timeout=60", "--timeout-method=thread"),
        ("-p", "no:randomly"),
        ("--html=page.html", "--self-contained-html"),
        ("-n", "2", "--dist", "loadfile"),
        ("-n", "2", "--dist", "loadscope"),
        ("-n", "2", "--dist", "worksteal"),
        ("--import-mode=importlib", "--timeout=60", "--html=page.html", "-n", "2", "--dist", "loadfile"),
    ],
    ids=" ".join,
)
def test_all_of_them_at_once(programs: Path, tmp_path: Path, arguments: tuple[str, ...]) -> None:
    status, said = run(programs, tmp_path, *arguments)
    assert status == 0, said
    assert "passed" in said
    assert "1 rerun" in said
    assert "INTERNALERROR" not in said
    if any(argument.startswith("--html") for argument in arguments):
        assert "test_plain[virt]" in (tmp_path / "page.html").read_text()


@pytest.mark.parametrize("accelerator", ["tcg", "kvm"])
def test_a_rerun_gets_an_appliance_of_its_own(programs: Path, tmp_path: Path, accelerator: str) -> None:
    status, said = run(programs, tmp_path, "-k", "flaky", accelerator=accelerator)
    assert status == 0, said
    assert "1 passed, 5 deselected, 1 rerun" in said


@pytest.mark.parametrize("method", ["signal", "thread"])
def test_a_test_that_takes_too_long_is_red(programs: Path, tmp_path: Path, method: str) -> None:
    status, said = run(programs, tmp_path, "--timeout=2", f"--timeout-method={method}", tests=HANGS)
    assert status == 1, said
    assert "Timeout" in said


def test_without_the_plugin_there_is_no_appliance(programs: Path, tmp_path: Path) -> None:
    (tmp_path / "test_mine.py").write_text("def test_plain(): pass\ndef test_boots(appliance): pass\n")
    command = [str(programs / "pytest"), "-p", "no:gokrazy", "-p", "no:cacheprovider"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert "1 passed, 1 error" in done.stdout
    assert "fixture 'appliance' not found" in done.stdout
