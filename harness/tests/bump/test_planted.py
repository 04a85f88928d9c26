"""Real comparisons on ``virt`` and ``pc-bios``: the same kernel is the same, and each planted regression is worse.

A kernel is made worse by its own package, a folder with vmlinuz, cmdline.txt and modules: a copy of it is changed.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from harness.package_data import images_folder
from harness.tests.bump.kernels import copy_of_kernel, fitting_modules, other_modules, says
from harness.tests.outside import clean_environment

pytestmark = pytest.mark.gk_tier("nightly")


def large(folder: Path) -> None:
    """A kernel file of nearly the whole boot partition."""
    with (folder / "vmlinuz").open("ab") as file:
        file.write(os.urandom(38 << 20))


def oopsing_module(folder: Path) -> None:
    """A module of which each function begins with an instruction that no processor has.

    The pinned kernel.amd64 loads none of its modules: they are of another version (docs/found.md). Here they fit.
    """
    fitting_modules(folder)
    (path,) = folder.rglob("xen-gntalloc.ko")
    content = path.read_bytes()
    begins, undefined = b"\x90" * 16 + b"\xf3\x0f\x1e\xfa", b"\x90" * 16 + b"\x0f\x0b\x90\x90"
    assert begins in content
    path.write_bytes(content.replace(begins, undefined))


@dataclass(frozen=True)
class Planted:
    """What is done to the new kernel, and which row names it."""

    name: str
    change: Callable[[Path], None]
    row: str
    why: str
    board: str = "virt"


PLANTED = (
    Planted("modules", other_modules, "kernel and modules are of one version", "the modules are of 6.0.0"),
    Planted("large", large, "boot file system", "the partition has 100"),
    Planted("no-network-driver", says("initcall_blacklist=virtio_net_driver_init"), "boots", "address"),
    Planted("no-clock", says("initcall_blacklist=pl031_driver_init"), "clock by rtc-pl031", "it is gone"),
    Planted(
        "no-rng",
        says("initcall_blacklist=virtio_rng_driver_init"),
        "random number generator virtio_rng.0",
        "it is gone",
    ),
    Planted("no-ext4", says("initcall_blacklist=ext4_init_fs"), "console: warnings and errors", "perm"),
    Planted("one-processor", says("maxcpus=1"), "processors 0-1", "it is gone"),
    Planted("less-memory", says("mem=320M"), "memory that the kernel leaves", "was 4"),
    Planted("warning", says("printk.time=maybe"), "console: warnings and errors", "invalid for parameter"),
    Planted("slow", says("rootdelay=3"), "seconds to the first answer", "most of it until"),
    Planted("panics", says("init=/nothing"), "boots", "init"),
    Planted("stays-after-a-panic", says("panic=0"), "kernel panic, and back", "boot"),
    Planted(
        "no-watchdog",
        says("initcall_blacklist=esb_driver_init"),
        "reset by the watchdog",
        "init found no watchdog",
        board="virt:i6300esb",
    ),
    Planted("no-kexec", says("sysctl.kernel.kexec_load_disabled=1"), "reboot by kexec", "", board="pc-bios"),
    Planted("no-disk-driver", says("initcall_blacklist=virtio_blk_init"), "boots", "", board="pc-bios"),
    Planted("oops", oopsing_module, "asking the device", "invalid opcode", board="pc-bios"),
    Planted("no-igb", says("initcall_blacklist=igb_init_module"), "boots", "address", board="pc-bios:nvme+igb"),
    Planted(
        "no-e1000e", says("initcall_blacklist=e1000_init_module"), "boots", "address", board="pc-bios:ahci+e1000e"
    ),
)


@pytest.fixture
def kernel(tmp_path: Path) -> Callable[[str], Path]:
    """The kernel package that the own instance of an architecture has, as a folder that may be changed."""
    return lambda arch: copy_of_kernel(arch, tmp_path / "kernel" / arch)


def compare(kernel: Path, board: str, folder: Path, *options: str) -> tuple[int, list[dict[str, str]]]:
    """The exit status and the rows of a comparison with the kernel of the instance."""
    arch = kernel.name
    command = [sys.executable, "-m", "harness", "bump", str(images_folder() / f"hello-{arch}"), *options]
    began = time.monotonic()
    done = subprocess.run(
        [*command, "--kernel", str(kernel), "--board", board, "--artifacts", str(folder / "logs"), "--json"],
        cwd=folder,
        env=clean_environment(),
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    assert done.stdout, done
    rows = json.loads(done.stdout)["rows"]
    print(f"{board}: {time.monotonic() - began:.0f} s for {len(rows)} rows")
    return done.returncode, rows


@pytest.mark.parametrize("planted", PLANTED, ids=lambda one: one.name)
def test_a_planted_regression_is_worse_by_its_name(
    planted: Planted, kernel: Callable[[str], Path], tmp_path: Path
) -> None:
    folder = kernel("arm64" if planted.board.startswith("virt") else "amd64")
    planted.change(folder)
    status, rows = compare(folder, planted.board, tmp_path, "--row", planted.row)
    worse = [row for row in rows if row["verdict"] == "worse"]
    print(worse)
    assert status == 1
    assert any(row["what"] == planted.row and planted.why in row["why"] for row in worse), rows


def test_among_all_rows_a_planted_regression_is_the_only_one(
    kernel: Callable[[str], Path], tmp_path: Path
) -> None:
    (planted,) = (one for one in PLANTED if one.name == "no-clock")
    folder = kernel("arm64")
    planted.change(folder)
    status, rows = compare(folder, planted.board, tmp_path)
    print([row for row in rows if row["verdict"] != "same"])
    assert status == 1
    assert [row["what"] for row in rows if row["verdict"] == "worse"] == [planted.row]


IN_A_ROW = 3
EQUAL = [("arm64", "virt", IN_A_ROW), ("amd64", "pc-bios", 1), ("amd64", "pc-uefi", 1)]


@pytest.mark.parametrize(
    ("arch", "board"),
    [
        pytest.param(arch, board, id=f"{board}-{number + 1}")
        for arch, board, times in EQUAL
        for number in range(times)
    ],
)
def test_the_same_kernel_is_the_same(arch: str, board: str, kernel: Callable[[str], Path], tmp_path: Path) -> None:
    status, rows = compare(kernel(arch), board, tmp_path)
    assert [row for row in rows if row["verdict"] not in ("same", "not seen")] == []
    assert status == 0
    assert len(rows) >= 20
