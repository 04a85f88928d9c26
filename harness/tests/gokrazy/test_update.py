from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.errors import DeviceUnreachable, ImageError, KernelPanic, OptionError, RequestRefused, UpdateMismatch
from harness.gokrazy.client import Device
from harness.gokrazy.update import Updater
from harness.tests.gokrazy.fake_device import PASSWORD, FakeDevice

ROOT = bytes(range(256)) * 4000  # 1 MB
BOOT = b"boot" * 50_000
MBR = b"\xeb" * 446


def test_upload_from_a_file_with_each_hash(fake: FakeDevice, device: Device, tmp_path: Path) -> None:
    file = tmp_path / "root.img"
    file.write_bytes(ROOT)
    crc = Updater(device).put_root(file)
    assert fake.received["/update/root"] == ROOT
    assert (crc.hash, crc.digest, crc.size) == ("crc32", f"{zlib.crc32(ROOT):08x}", len(ROOT))
    sha = Updater(device, hash="sha256").put_root(file)
    assert sha.digest == hashlib.sha256(ROOT).hexdigest()
    assert "MB/s" in str(sha)


def test_a_crc_with_leading_zeros(fake: FakeDevice, device: Device) -> None:
    payload = next(data for i in range(10000) if zlib.crc32(data := b"%d" % i) < 1 << 24)
    assert Updater(device).put_root(payload).digest.startswith("00")


def test_everything_in_order(fake: FakeDevice, device: Device) -> None:
    Updater(device).update(root=ROOT, boot=BOOT, mbr=MBR, device_specific={"u-boot": b"x"})
    assert [(method, path) for method, path, _ in fake.requests if path != "/update/features"] == [
        ("PUT", "/update/root"),
        ("PUT", "/update/device-specific/u-boot"),
        ("PUT", "/update/boot"),
        ("PUT", "/update/mbr"),
        ("POST", "/update/switch"),
    ]
    assert fake.received["/update/boot"] == BOOT
    assert fake.received["/update/mbr"] == MBR


def test_a_test_boot_does_not_switch(fake: FakeDevice, device: Device) -> None:
    Updater(device).update(root=ROOT, boot=BOOT, testboot=True)
    assert [path for path, _ in fake.posts()] == ["/update/testboot"]


def test_nothing_is_switched_after_a_failure(fake: FakeDevice, device: Device) -> None:
    fake.fail_update = "/update/boot"
    with pytest.raises(RequestRefused, match="/update/boot answered 500") as caught:
        Updater(device).update(root=ROOT, boot=BOOT, mbr=MBR)
    assert "no space left" in caught.value.evidence
    assert fake.posts() == []


def test_boot_only(fake: FakeDevice, device: Device) -> None:
    Updater(device).put_boot_only(BOOT)
    assert fake.received["/update/bootonly"] == BOOT


def test_a_failed_switch(fake: FakeDevice, device: Device) -> None:
    fake.fail_update = "/update/switch"
    with pytest.raises(RequestRefused, match="500"):
        Updater(device).switch()


def damaged(chunks: Iterator[bytes]) -> Iterator[bytes]:
    for number, chunk in enumerate(chunks):
        yield b"\xff\xff" + chunk[2:] if number == 2 else chunk


def ended(chunks: Iterator[bytes]) -> Iterator[bytes]:
    yield next(chunks)
    yield next(chunks)


def longer(chunks: Iterator[bytes]) -> Iterator[bytes]:
    yield b"in front"
    yield from chunks


def test_damaged_on_the_way(fake: FakeDevice, device: Device) -> None:
    with pytest.raises(UpdateMismatch) as caught:
        Updater(device, mangle=damaged).put_root(ROOT)
    arrived = fake.received["/update/root"]
    assert arrived != ROOT
    assert f"{zlib.crc32(ROOT):08x}" in caught.value.what
    assert f"{zlib.crc32(arrived):08x}" in caught.value.what
    assert len(arrived) == len(ROOT)
    with pytest.raises(UpdateMismatch):
        Updater(device, mangle=longer, hash="sha256").put_root(ROOT)


def test_truncated_on_the_way(device: Device) -> None:
    with pytest.raises(DeviceUnreachable, match=rf"after 131072 of {len(ROOT)} bytes"):
        Updater(device, mangle=ended).put_root(ROOT)


def test_the_device_goes_away_midway(fake: FakeDevice, device: Device) -> None:
    fake.break_after = 200_000
    with pytest.raises(DeviceUnreachable, match=r"broke off after \d+ of 30000000 bytes"):
        Updater(device).put_root(b"x" * 30_000_000)


def test_the_device_does_not_confirm(fake: FakeDevice, device: Device) -> None:
    fake.hang = True
    with pytest.raises(DeviceUnreachable, match=r"all 446 bytes went to /update/mbr, but .* in 0.3 s"):
        Updater(device, hash="crc32", stall=0.3).put_mbr(MBR)


def test_a_crash_wins(fake: FakeDevice) -> None:
    def check() -> None:
        raise KernelPanic("it is dead")

    fake.break_after = 1
    with pytest.raises(KernelPanic):
        Updater(Device(fake.url, password=PASSWORD, check=check), hash="crc32").put_root(ROOT)


def test_an_old_device_is_sent_sha256(fake: FakeDevice, device: Device) -> None:
    fake.knows_hash = False
    assert Updater(device).put_root(ROOT).hash == "sha256"
    with pytest.raises(UpdateMismatch, match="something else than a crc32 digest"):
        Updater(device, hash="crc32").put_root(ROOT)


@pytest.mark.parametrize("size", [0, 445, 447, 512])
def test_boot_code_of_another_length_never_leaves(fake: FakeDevice, device: Device, size: int) -> None:
    with pytest.raises(ImageError, match=str(size)):
        Updater(device).put_mbr(b"x" * size)
    assert "/update/mbr" not in fake.received


def test_files_of_no_use(device: Device, tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="No such file"):
        Updater(device).put_root(tmp_path / "none")
    with pytest.raises(ImageError, match="empty"):
        Updater(device).put_root(b"")
    with pytest.raises(OptionError):
        Updater(device, hash="md5")  # type: ignore[arg-type]


def test_progress(device: Device) -> None:
    seen: list[tuple[str, int, int]] = []
    Updater(device, progress=lambda *step: seen.append(step)).put_root(ROOT)
    assert seen[-1] == ("/update/root", len(ROOT), len(ROOT))
    assert [sent for _, sent, _ in seen] == sorted(sent for _, sent, _ in seen)
    assert len(seen) > 3
