import gzip

import pytest

from harness.image.kernel_file import begins_like_a_kernel, kernel_arch, kernel_release
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
    assert begins_like_a_kernel(kernel[:1024])
    assert kernel_arch(kernel) == arch


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


@pytest.mark.parametrize(
    ("kernel", "arch"),
    [
        (bzimage(), "amd64"),
        (arm64_image(), "arm64"),
        (gzip.compress(arm64_image(), mtime=0), "arm64"),
        (bzimage().replace(b"\1", b"\0", 1), "386"),
        (bytes(0x24) + b"\x18\x28\x6f\x01" + bytes(1024), "arm"),
        (b"", ""),
        (b"MZ" * 512, ""),
        (bytes(0x1FE) + b"\x55\xaa" + bytes(0x200), ""),
    ],
    ids=["bzImage", "Image", "Image.gz", "bzImage for 386", "zImage", "empty", "no kernel", "boot sector"],
)
def test_the_architecture_is_read_from_the_first_bytes(kernel: bytes, arch: str) -> None:
    assert kernel_arch(kernel[:1024]) == arch
    assert begins_like_a_kernel(kernel[:1024]) == (arch in ("amd64", "arm64", "386"))
