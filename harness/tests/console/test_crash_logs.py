"""The measure of the crash table: which logs count as known, and what it prints of the others."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

from harness.tests.outside import ROOT

SCRIPT = ROOT / "ci" / "crash_logs.py"
pytestmark = pytest.mark.skipif(not SCRIPT.is_file(), reason="not a clone: there is no ci/")
STAMP = "[   12.345678][    C0] "
DEATH = (
    f"{STAMP}BUG: KASAN: slab-use-after-free in f+0x1/0x2\n"
    f"{STAMP}CPU: 0 PID: 1 Comm: a Not tainted 6.13.0-rc5 #0\n"
)


@pytest.fixture(scope="module")
def crash_logs() -> ModuleType:
    spec = importlib.util.spec_from_file_location("crash_logs", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def measure(crash_logs: ModuleType, folder: Path, **logs: str) -> tuple[list[str], bool]:
    for name, text in logs.items():
        (folder / name).write_text(text)
    lines, good = crash_logs.measure([crash_logs.read(folder / name) for name in logs])
    return [" ".join(line.split()) for line in lines], good


def test_a_death_of_the_right_kind_and_a_clean_log_are_good(crash_logs: ModuleType, tmp_path: Path) -> None:
    lines, good = measure(
        crash_logs,
        tmp_path,
        death=f"TITLE: KASAN: slab-use-after-free Read in f\nTYPE: KASAN\n\n{DEATH}",
        clean=f"\n{STAMP}fuse: Unknown parameter 'Booting the kernel.'\n",
        program="TITLE: SYZFAIL: failed to recv rpc\n\nSYZFAIL: failed to recv rpc\n",
    )
    assert good
    assert "since 6.12 1 logs, recognised 100.00%, right kind 100.00%" in lines
    assert "clean 1 logs, with a finding 0" in lines
    assert "left out 1 logs, whose title is not the kernel's word" in lines


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (f"TITLE: INFO: task hung in f\n\n{DEATH}", "missed: log: INFO: task hung in f: found kernel-bug"),
        ("TITLE: KASAN: x in f\n\nnothing\n", "missed: log: KASAN: x in f: not recognised"),
        (f"KIND: hung-task oom-kill\n\n{DEATH}", "missed: log: : found kernel-bug"),
        (f"\n{DEATH}", "false alarm: log: kernel-bug"),
    ],
)
def test_what_is_missed_is_named(crash_logs: ModuleType, tmp_path: Path, text: str, line: str) -> None:
    lines, good = measure(crash_logs, tmp_path, log=text)
    assert lines[-1] == line
    assert not good


def test_an_old_kernel_is_named_and_harms_nothing(crash_logs: ModuleType, tmp_path: Path) -> None:
    old = f"TITLE: WARNING in f\n\n{STAMP}CPU: 0 PID: 1 Comm: a Not tainted 4.14.67 #3\n"
    lines, good = measure(crash_logs, tmp_path, log=old)
    assert lines[-1] == "old: log: WARNING in f: not recognised"
    assert good


def test_what_follows_the_log_is_none_of_it(crash_logs: ModuleType, tmp_path: Path) -> None:
    lines, _ = measure(crash_logs, tmp_path, log=f"TITLE: KASAN: x in f\n\nnothing\n\nREPORT:\n{DEATH}")
    assert lines[-1] == "missed: log: KASAN: x in f: not recognised"


def test_a_kernel_without_times_is_heard_as_one(crash_logs: ModuleType, tmp_path: Path) -> None:
    log = f"TITLE: KASAN: x in f\n\n{DEATH.replace(STAMP, '')}"
    assert measure(crash_logs, tmp_path, log=log)[1]
