"""Each example of the README, typed as it stands there, in a folder that holds the files that it names.

What would run for long is given PYTEST_ADDOPTS that picks a test of it; the command line stays the README's.
"""

from __future__ import annotations

import gzip
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path

import pytest

from harness.package_data import images_folder
from harness.store.root import default_root
from harness.tests.outside import clean_environment

README = Path(__file__).resolve().parents[2] / "README.md"
ROOT = README.parent
pytestmark = pytest.mark.skipif(not README.is_file(), reason="not a clone: there is no README to try")

BOOTS = "boots_from_power_on"
VERSION = re.compile(r"github.com/gokrazy/kernel.amd64 (v\S+)")
COMMAND = re.compile(r"(?:gokharness|pytest|pip|ci/[a-z]+)(?: .*)?")
ENDS = 600.0
"""Seconds for one example: a PC under TCG on a busy host."""


@dataclass(frozen=True)
class Example:
    """How one command line of the README is tried."""

    says: str
    """A pattern of what it prints."""
    status: tuple[int, ...] = (0,)
    picks: str = ""
    """What PYTEST_ADDOPTS adds."""
    arch: str = "arm64"
    """Of the instance ~/gokrazy/hello."""
    nightly: bool = False


EXAMPLES = {
    "gokharness": Example("Test gokrazy appliances", status=(4,)),
    "gokharness doctor": Example("(?i)qemu", status=(0, 12)),
    "gokharness cache": Example(r"\d+ images and \d+ snapshots in"),
    "pytest --help": Example("--gk-instance"),
    "gokharness check ~/gokrazy/hello --list": Example(r"\d+ tests, about \d+ min"),
    "gokharness check ~/gokrazy/hello": Example("1 passed", picks=f"-k {BOOTS}"),
    "gokharness boot disk.img": Example(r"gokrazy: port \d+/tcp: 127\.0\.0\.1:\d+", status=(130,)),
    "gokharness check disk.img.gz --password-file pw.txt": Example(
        "1 passed", picks="-k asks_for_the_password", nightly=True
    ),
    "gokharness check ~/gokrazy/hello --kernel github.com/gokrazy/kernel.amd64@VERSION": Example(
        "1 passed", picks=f"-k '{BOOTS} and pc-bios'", arch="amd64", nightly=True
    ),
    "gokharness check ~/gokrazy/hello --board pc-bios --hardware nvme+igb": Example(
        "1 passed", picks=f"-k {BOOTS}", arch="amd64", nightly=True
    ),
    "gokharness check candidate.img --from released.img": Example("1 passed", picks="-k released", nightly=True),
    "pytest --gk-instance ~/gokrazy/hello --gk-board pc-bios": Example("2 passed", arch="amd64", nightly=True),
}
SCRIPTS = ("ci/smoke", "ci/test", "ci/setup", "ci/nightly")
"""They run all of this themselves; here they only have to be there, and to tell how they are used."""
ELSEWHERE = {
    "ci/test scenarios": "ci/test runs it",
    "gokharness check images/others/new-arm64 --board virt --ssh-key id_ed25519": "ci/nightly others",
    "gokharness measure candidate.img": "harness/tests/test_cli_measure.py",
    "gokharness run INSTANCE ./cmd/hello": "harness/tests/test_cli_run.py",
    "gokharness repro bundle.tar.zst": "harness/tests/bundle/test_back.py",
    "gokharness bootery": "harness/tests/bootery/test_real.py",
    "gokharness bump INSTANCE --kernel MODULE@VERSION": "harness/tests/bump/test_planted.py",
    "gokharness check disk.img --device http://192.168.1.20 --device-serial /dev/ttyUSB0": "harness/tests/device",
    "gokharness hardware disk.img": "a boot for each part; harness/tests/test_cli_hardware.py",
    "gokharness replay bundle.tar.zst": "harness/tests/bundle/test_again.py",
    "pytest --gk-record --gk-repeat 50": "harness/tests/bundle/test_again.py",
    "gokharness ctl reboot": "harness/tests/hand/test_ctl.py, test_by_hand.py",
    "pytest --gk-pause": "harness/tests/hand/test_pause.py",
    "ci/setup --check": "harness/tests/host/test_scripts.py",
    "ci/bench": "measures for hours",
    "ci/bare": "needs root, and an hour",
    "ci/lock": "needs uv, and changes the lock files",
    "gokharness report shard-1 shard-2": "harness/tests/test_cli_report.py",
    "pip install .": "ci/setup does",
    "pip wheel --no-deps --wheel-dir dist .": "harness/tests/test_without_a_clone.py",
    "pip install dist/pytest_gokrazy-*.whl": "harness/tests/test_without_a_clone.py",
}


def commands() -> set[str]:
    """Every command line in the README: after a ``$``, or alone between back-ticks."""
    text = README.read_text()
    blocks = re.findall(r"^```console\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    typed = {line.removeprefix("$ ") for block in blocks for line in block.splitlines() if line.startswith("$ ")}
    prose = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    spans = {" ".join(span.split()) for span in re.findall(r"`([^`]+)`", prose)}
    return typed | {span for span in spans if COMMAND.fullmatch(span)}


def test_every_command_of_the_readme_is_tried_here_or_elsewhere() -> None:
    assert commands() == set(EXAMPLES) | (commands() & set(SCRIPTS)) | set(ELSEWHERE)


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_script_tells_how_it_is_used(script: str) -> None:
    done = subprocess.run([ROOT / script, "--help"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0
    assert done.stdout.strip()


def home_with(arch: str, folder: Path) -> dict[str, str]:
    """The environment of somebody whose ~/gokrazy has the project's instances, one of them as ``hello``."""
    home = folder / "home"
    shutil.copytree(images_folder(), home / "gokrazy")
    (home / "gokrazy/hello").symlink_to(f"hello-{arch}")
    go = subprocess.run(["go", "env", "GOMODCACHE", "GOCACHE"], capture_output=True, text=True, timeout=60)
    caches = dict(zip(("GOMODCACHE", "GOCACHE"), go.stdout.split(), strict=False))
    programs = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    # What others have built and downloaded is as good for this one.
    cache = str(default_root().parent)
    return clean_environment(**caches, XDG_CACHE_HOME=cache, HOME=str(home), PATH=programs)


def files_for(command: str, folder: Path, environment: dict[str, str]) -> None:
    """Lay down the files that a command line names."""
    named = re.findall(r"\S+\.(?:img|gz|txt)\b", command)
    for name in named:
        if name == "pw.txt":
            (folder / name).write_text("test-password\n")
            continue
        build = ["gokharness", "build", str(images_folder() / "hello-arm64")]
        said = subprocess.run(build, env=environment, capture_output=True, text=True, timeout=ENDS, check=True)
        disk = Path(said.stdout.splitlines()[0])
        if name.endswith(".gz"):
            with disk.open("rb") as source, gzip.open(folder / name, "wb", compresslevel=1) as target:
                shutil.copyfileobj(source, target, 1 << 20)
        else:
            subprocess.run(["cp", "--sparse=always", disk, folder / name], check=True, timeout=ENDS)
    blocks = re.findall(r"^```python\n(.*?)^```", README.read_text(), re.MULTILINE | re.DOTALL)
    (folder / "test_first.py").write_text("".join(blocks))


@pytest.mark.parametrize(
    "command",
    [
        pytest.param(command, id=command, marks=[pytest.mark.gk_tier("nightly")] if example.nightly else [])
        for command, example in EXAMPLES.items()
    ],
)
def test_an_example_of_the_readme(command: str, tmp_path: Path) -> None:
    example = EXAMPLES[command]
    environment = home_with(example.arch, tmp_path)
    folder = tmp_path / "here"
    folder.mkdir()
    files_for(command, folder, environment)
    if example.picks:
        environment["PYTEST_ADDOPTS"] = example.picks
    pinned = VERSION.search((images_folder() / "hello-amd64/builddir/go.mod").read_text())
    assert pinned is not None
    typed = command.replace("VERSION", pinned[1])
    process = subprocess.Popen(
        ["bash", "-c", f"exec {typed}"],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    said = ""
    assert process.stdout is not None
    limit = threading.Timer(ENDS, process.kill)
    limit.start()
    try:
        for line in process.stdout:
            said += line
            if 130 in example.status and re.search(example.says, said):
                # Its reader has seen enough.
                process.send_signal(signal.SIGINT)
                said += process.communicate(timeout=ENDS)[0]
                break
        status = process.wait(timeout=ENDS)
    finally:
        limit.cancel()
        process.kill()
    assert status in example.status, said
    assert re.search(example.says, said), said
