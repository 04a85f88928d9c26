import re
import shutil
import struct
import subprocess
from pathlib import Path

import pytest

from harness.errors import ImageError
from harness.image.arch import Arch
from harness.image.digest import sha256_of
from harness.image.disk import (
    BOOT_FIRST,
    SMALLEST_DISK,
    DiskParts,
    boot_sector,
    disk_signature,
    layout_of,
    partuuid,
    write_disk_with,
)
from harness.image.layout import read_layout, read_table, root_in_use
from harness.image.model import Extent
from harness.tests.image import synthetic

SIZES = {"amd": SMALLEST_DISK, "arm": 1 << 31, "rpi": 1 << 31}


@pytest.mark.parametrize(
    ("hostname", "guid"),
    [
        ("amd", "60c24cc1-f3f9-427a-8199-3127b9950001"),
        ("arm", "60c24cc1-f3f9-427a-8199-386f27b50001"),
        ("rpi", "60c24cc1-f3f9-427a-8199-51d8c5220001"),
    ],
)
def test_identities_are_the_real_packers(hostname: str, guid: str) -> None:
    assert partuuid(hostname, 1) == guid
    assert f"{disk_signature(hostname):08x}" in guid


@pytest.fixture(params=["amd", "arm", "rpi"])
def written(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, Path]:
    """A disk with almost nothing in its partitions."""
    instance: str = request.param
    arch: Arch = "amd64" if instance == "amd" else "arm64"
    (tmp_path / "boot").write_bytes(b"boot")
    (tmp_path / "root").write_bytes(b"root")
    out = tmp_path / f"{instance}.img"
    signature = disk_signature(instance)
    write_disk_with(
        out,
        DiskParts(
            arch=arch,
            boot=tmp_path / "boot",
            root=tmp_path / "root",
            size=SIZES[instance],
            perm="blank",
            perm_seed="",
            mtime=0,
        ),
        first_sector=boot_sector(signature, None, None, None),
        signature=signature,
    )
    return instance, out


def test_the_partition_table_is_that_of_a_real_image(written: tuple[str, Path], reference: Path) -> None:
    instance, disk = written
    sfdisk = shutil.which("sfdisk", path="/usr/sbin:/sbin:/usr/bin")
    if sfdisk is None:
        pytest.skip("sfdisk is not installed")
    dumped = subprocess.run([sfdisk, "-d", disk.name], cwd=disk.parent, capture_output=True, text=True, check=True)
    assert dumped.stdout.split() == (reference / f"{instance}-gpt.txt").read_text().split()
    checked = subprocess.run([sfdisk, "--verify", disk], capture_output=True, text=True, check=True)
    assert "No errors detected" in checked.stdout, checked.stdout


def test_the_backup_table_is_there(written: tuple[str, Path]) -> None:
    _, disk = written
    data = disk.open("rb")
    with data:
        data.seek(2 * 512)
        entries = data.read(128 * 128)
        data.seek(-33 * 512, 2)
        assert data.read(128 * 128) == entries
        header = data.read(512)
    assert header[:8] == b"EFI PART"
    here, other, _, _ = struct.unpack_from("<QQQQ", header, 24)
    assert (here, other) == (disk.stat().st_size // 512 - 1, 1)


def test_the_hybrid_mbr(written: tuple[str, Path]) -> None:
    instance, disk = written
    with disk.open("rb") as file:
        sector = file.read(512)
    assert struct.unpack_from("<I", sector, 440)[0] == disk_signature(instance)
    assert [(sector[446 + 16 * n], sector[450 + 16 * n]) for n in range(4)] == [
        (0x80, 0x0C),
        (0, 0xEE),
        (0, 0),
        (0, 0),
    ]
    assert struct.unpack_from("<II", sector, 454) == (8192, 204800)
    assert struct.unpack_from("<II", sector, 470) == (1, 8191)


def test_it_is_sparse_and_read_back(written: tuple[str, Path]) -> None:
    instance, disk = written
    assert disk.stat().st_blocks * 512 < 1 << 20
    layout = read_layout(disk)
    assert layout == layout_of(SIZES[instance])
    assert layout.boot == Extent(4194304, 100 << 20)
    assert layout.root_a.offset == 109051904
    assert layout.root_b.offset == 633339904
    assert layout.perm is not None
    assert layout.perm.offset == 1157627904
    table = read_table(disk)
    assert table.kind == "gpt"
    assert table.signature == disk_signature(instance)
    assert [partition.uuid for partition in table.partitions] == [partuuid(instance, n) for n in (1, 2, 3, 4)]


def test_the_boot_sector_knows_where_kernel_and_command_line_lie(small_image: Path) -> None:
    data = small_image.open("rb")
    with data:
        sector = data.read(512)
        kernel, line = struct.unpack_from("<II", sector, 432)
        data.seek(kernel * 512)
        assert data.read(0x4000) == synthetic.bzimage()
        data.seek(line * 512)
        assert data.read(12) == b"console=tty1"
    assert sector[:256] == bytes(range(256))
    assert sector[444:446] == b"\0\0"


def test_two_disks_of_the_same_input_have_the_same_bytes(tmp_path: Path, small_image: Path) -> None:
    again = synthetic.write_image(tmp_path / "again.raw", tmp_path)
    assert sha256_of(again) == sha256_of(small_image)


@pytest.mark.parametrize("what", ["boot", "root"])
def test_what_does_not_fit_is_refused(tmp_path: Path, what: str) -> None:
    for name in ("boot", "root"):
        with (tmp_path / name).open("wb") as file:
            file.truncate((501 << 20) if name == what else 512)
    with pytest.raises(ImageError, match=f"The {what} file system has 525336576 bytes"):
        write_disk_with(
            tmp_path / "disk",
            DiskParts(
                arch="amd64",
                boot=tmp_path / "boot",
                root=tmp_path / "root",
                size=SMALLEST_DISK,
                perm="blank",
                perm_seed="",
                mtime=0,
            ),
            first_sector=bytes(446),
            signature=1,
        )
    assert not (tmp_path / "disk").exists()


@pytest.mark.parametrize("size", [0, SMALLEST_DISK - 512, SMALLEST_DISK + 1])
def test_a_disk_of_a_wrong_size_is_refused(size: int) -> None:
    with pytest.raises(ImageError, match=f"{size} bytes"):
        layout_of(size)


def test_a_short_boot_sector_is_refused() -> None:
    with pytest.raises(ImageError, match="431 bytes"):
        boot_sector(1, bytes(431), Extent(0, 1), Extent(512, 1))


def mbr_only(path: Path) -> Path:
    """A disk of a device that has no room for a GPT."""
    entries = b""
    for kind, first, count in [
        (0x0C, 8192, 204800),
        (0x83, 212992, 1024000),
        (0x83, 1236992, 1024000),
        (0x83, 2260992, 8),
    ]:
        entries += b"\0" * 4 + bytes([kind]) + b"\0" * 3 + struct.pack("<II", first, count)
    with path.open("wb") as file:
        file.write(bytes(440) + struct.pack("<IH", 0x3127B995, 0) + entries + b"\x55\xaa")
        file.truncate((2260992 + 8) * 512)
    return path


def test_a_disk_without_gpt_is_read(tmp_path: Path) -> None:
    path = mbr_only(tmp_path / "disk")
    assert read_layout(path).root_a == layout_of(SMALLEST_DISK).root_a
    table = read_table(path)
    assert table.kind == "mbr"
    assert [partition.uuid for partition in table.partitions][1] == "3127b995-02"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "empty"),
        (b"hello", "no partition table"),
        (bytes(4096), "no partition table"),
        (b"\x1f\x8b" + bytes(600), "gzip"),
        (b"hsqs" + bytes(600), "root file system alone"),
        (b"\xeb\x3c\x90gokrazy!" + bytes(600), "boot file system alone"),
        (bytes(510) + b"\x55\xaa", "no partition 1"),
        (bytes(450) + b"\xee" + bytes(59) + b"\x55\xaa" + bytes(512), "there is none in sector 1"),
    ],
)
def test_other_files_are_named(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    with pytest.raises(ImageError, match=re.escape(message)) as caught:
        read_layout(path)
    assert str(path) in caught.value.where
    assert caught.value.hint


def copy_of(image: Path, to: Path, *, size: int | None = None) -> Path:
    """The beginning of an image (its tables), made as long as asked for."""
    with image.open("rb") as source, to.open("wb") as copy:
        copy.write(source.read(64 * 512))
        copy.truncate(image.stat().st_size if size is None else size)
    return to


@pytest.mark.parametrize("size", [4096, BOOT_FIRST * 512, SMALLEST_DISK - 512])
def test_a_truncated_image_is_named(tmp_path: Path, small_image: Path, size: int) -> None:
    path = copy_of(small_image, tmp_path / "cut", size=size)
    with pytest.raises(ImageError, match="cut off"):
        read_layout(path)


@pytest.mark.parametrize(
    ("offset", "message"), [(512 + 60, "header"), (1024 + 40, "entries"), (512, "none in sector 1")]
)
def test_a_damaged_table_is_named(tmp_path: Path, small_image: Path, offset: int, message: str) -> None:
    path = copy_of(small_image, tmp_path / "damaged")
    with path.open("r+b") as file:
        file.seek(offset)
        byte = file.read(1)[0]
        file.seek(offset)
        file.write(bytes([byte ^ 0xFF]))
    with pytest.raises(ImageError, match=message):
        read_layout(path)


@pytest.mark.parametrize(
    ("argument", "slot"),
    [
        ("root=PARTUUID=60c24cc1-f3f9-427a-8199-3127b9950001/PARTNROFF=1", "A"),
        ("root=PARTUUID=60c24cc1-f3f9-427a-8199-3127b9950001/PARTNROFF=2 ro", "B"),
        ("root=PARTUUID=3127b995-02", "A"),
        ("root=PARTUUID=3127b995-03 ro", "B"),
        ("console=tty3 root=/dev/sda2 x=3", "A"),
        ("root=/dev/mmcblk0p3", "B"),
        ("", "A"),
    ],
)
def test_which_root_a_command_line_picks(argument: str, slot: str) -> None:
    layout = layout_of(SMALLEST_DISK)
    assert root_in_use(layout, argument) == (layout.root_a if slot == "A" else layout.root_b)
