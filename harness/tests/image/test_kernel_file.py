import gzip

import pytest

from harness.image.kernel_file import kernel_architecture, kernel_release
from harness.tests.image.synthetic import arm64_image, bzimage, zboot


@pytest.mark.parametrize(
    ("kernel", "release", "arch"),
    [
        (bzimage("7.1.2"), "7.1.2", "amd64"),
        (arm64_image("6.12.47-v8"), "6.12.47-v8", "arm64"),
        (gzip.compress(arm64_image("7.1.3"), mtime=0), "7.1.3", "arm64"),
        (zboot(arm64_image("7.1.3")), "7.1.3", "arm64"),
    ],
    ids=["bzImage", "Image", "Image.gz", "zboot"],
)
def test_releases(kernel: bytes, release: str, arch: str) -> None:
    assert kernel_release(kernel) == release
    assert kernel_architecture(kernel) == arch


@pytest.mark.parametrize(
    "kernel",
    [
        b"",
        b"no kernel",
        gzip.compress(arm64_image(), mtime=0)[:40],
        zboot(arm64_image())[:70],
        bzimage()[:0x210],
        b"MZ\0\0zimg",
    ],
    ids=["empty", "no kernel", "cut gzip", "cut zboot", "cut bzImage", "magic alone"],
)
def test_damaged_ones_say_nothing(kernel: bytes) -> None:
    assert kernel_release(kernel) == ""
