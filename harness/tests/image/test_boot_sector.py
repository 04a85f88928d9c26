"""Which kernels a boot sector loads is read from its code."""

import os
import struct
from pathlib import Path

import pytest

from harness.build.carried import BOOT_SECTOR_SHA256, INTERNAL, boot_sector
from harness.build.go import GoToolchain
from harness.image.boot_sector import CODE_BYTES, Fit, boot_sector_title, fit_of, fit_on, most_loaded
from harness.image.source import BytesSource
from harness.tests.image.synthetic import loader_code, pc_kernel


def test_code_that_counts_in_24_bits_ends_at_its_first_step_beyond_16_mib() -> None:
    steps = -(-(15 << 20) // 0xFE00)
    assert most_loaded(loader_code(carries=1)) == steps * 0xFE00 == 15735808


def test_code_that_carries_into_the_last_byte_reaches_4_gib() -> None:
    most = most_loaded(loader_code(carries=2))
    assert most is not None
    assert most > (4 << 30) - (2 << 20)


@pytest.mark.parametrize(
    "code",
    [b"", bytes(440), bytes(range(256)) + bytes(184), loader_code(carries=0)],
    ids=["nothing", "zeroes", "something else", "cut off"],
)
def test_nothing_is_said_of_other_code(code: bytes) -> None:
    assert most_loaded(code) is None
    assert fit_of(code, pc_kernel(20 << 20)) is None


@pytest.mark.parametrize(("setup", "real_mode"), [(39, 40 * 512), (0, 5 * 512)])
def test_a_kernel_of_the_largest_size_fits_and_one_of_16_bytes_more_does_not(setup: int, real_mode: int) -> None:
    code = loader_code(carries=1)
    fitting = fit_of(code, pc_kernel(15735808, setup=setup))
    assert fitting == Fit(kernel=15735808 + real_mode, most=15735808 + real_mode)
    assert fitting.fits
    larger = fit_of(code, pc_kernel(15735808 + 16, setup=setup))
    assert larger is not None
    assert not larger.fits
    assert larger.sizes == (
        f"vmlinuz has {15735824 + real_mode} bytes, and the boot sector loads at most {15735808 + real_mode}"
    )


def test_the_kernel_is_the_one_that_the_sector_names() -> None:
    disk = bytearray(64 * 512)
    disk[:440] = loader_code(carries=1)
    struct.pack_into("<I", disk, CODE_BYTES, 20)
    disk[20 * 512 : 22 * 512] = pc_kernel(16 << 20)[:1024]
    found = fit_on(BytesSource(disk))
    assert found is not None
    assert found.kernel == (16 << 20) + 40 * 512
    struct.pack_into("<I", disk, CODE_BYTES, 21)
    assert fit_on(BytesSource(disk)) is None, "what is there is no kernel"
    struct.pack_into("<I", disk, CODE_BYTES, 1 << 30)
    assert fit_on(BytesSource(disk)) is None, "beyond the disk"


def test_a_title_tells_what_it_loads() -> None:
    assert boot_sector_title(BytesSource(bytes(512))) == ""
    assert boot_sector_title(BytesSource(loader_code(carries=1))).startswith(
        "loads kernels up to 15735808 bytes (sha256:"
    )
    assert boot_sector_title(BytesSource(b"x" * 512)).startswith("unknown code (sha256:")


def test_the_real_one_loads_large_kernels_and_did_not_always(tmp_path: Path) -> None:
    go = GoToolchain.find(arch="amd64", build_env={}, environ={**os.environ, "GOPROXY": "off"})
    found = boot_sector(go, tmp_path)
    assert INTERNAL.version in found.title
    assert BOOT_SECTOR_SHA256 in found.title
    most = most_loaded(found.content)
    assert most is not None
    assert most > 100 << 20, "more than a boot partition holds"
    # What was added on 2024-08-27 is one instruction: without it this is the boot sector from before, in effect.
    table = found.content.index(b"\x81\x06") + 2
    (destination,) = struct.unpack_from("<H", found.content, table)
    added = b"\x80\x16" + struct.pack("<H", destination + 5) + b"\0"
    assert found.content.count(added) == 1
    assert most_loaded(found.content.replace(added, b"\x90" * 5)) == 15735808
