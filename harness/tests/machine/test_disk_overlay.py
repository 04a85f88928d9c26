from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.errors import HostDiskFull, ImageLocked, InternalError, QemuFailed, ToolMissing
from harness.image.model import Extent
from harness.machine import disk_overlay as overlay_module
from harness.machine.disk_overlay import DiskOverlay, run_tool

SIZE = 3 << 20
CONTENT = bytes(range(256)) * (SIZE // 256)

pytestmark = pytest.mark.skipif(
    not any(os.access(Path(folder) / "qemu-img", os.X_OK) for folder in os.environ["PATH"].split(":")),
    reason="qemu-img is not installed",
)


@pytest.fixture
def golden(tmp_path: Path) -> Path:
    path = tmp_path / "golden, with a comma.img"
    path.write_bytes(CONTENT)
    path.chmod(0o444)
    return path


@pytest.fixture
def overlay(golden: Path, tmp_path: Path) -> DiskOverlay:
    folder = tmp_path / "o,v"
    folder.mkdir()
    return DiskOverlay.create(golden, folder)


def test_it_shows_the_image_and_never_writes_to_it(overlay: DiskOverlay, golden: Path) -> None:
    before = hashlib.sha256(golden.read_bytes()).hexdigest()
    assert overlay.size == SIZE
    assert overlay.read(700, 1000) == CONTENT[700:1700]
    overlay.write(512, b"new" * 1000)
    assert overlay.read(512, 3000) == b"new" * 1000
    assert hashlib.sha256(golden.read_bytes()).hexdigest() == before


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(offset=st.integers(0, SIZE - 3000), data=st.binary(min_size=1, max_size=3000))
def test_what_is_written_is_read_and_the_neighbours_stay(overlay: DiskOverlay, offset: int, data: bytes) -> None:
    start, end = max(0, offset - 600), min(SIZE, offset + len(data) + 600)
    around = overlay.read(start, end - start)
    overlay.write(offset, data)
    expected = around[: offset - start] + data + around[offset - start + len(data) :]
    assert overlay.read(start, end - start) == expected


def test_layers_over_layers_are_read_where_their_bytes_lie(overlay: DiskOverlay, tmp_path: Path) -> None:
    overlay.write(1 << 20, b"middle" * 20000)
    (tmp_path / "top").mkdir()
    top = DiskOverlay.create(overlay.path, tmp_path / "top", base_format="qcow2")
    top.write((1 << 20) + 70000, bytes(70000))
    assert top.chain == (top.path, overlay.path, overlay.base)
    expected = bytearray(CONTENT)
    expected[1 << 20 : (1 << 20) + 120000] = b"middle" * 20000
    expected[(1 << 20) + 70000 : (1 << 20) + 140000] = bytes(70000)
    source = top.source(Extent(700, SIZE - 700))
    assert source.read_at(0, SIZE) == expected[700:]
    for offset in (0, (1 << 20) + 69_000, SIZE - 1000):
        assert source.read_at(offset, 5000) == expected[700 + offset : 5700 + offset]
    assert source.read_at(SIZE - 700, 1) == b""


def test_the_files_under_it_are_named_absolutely_whoever_calls(
    golden: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(golden.parent)
    near = Path(golden.name)
    for name in ("lower", "upper"):
        (tmp_path / name).mkdir()
    overlay = DiskOverlay.create(near, tmp_path / "lower")
    upper = DiskOverlay.create(overlay.path, tmp_path / "upper", base_format="qcow2")
    upper.settle_on(near)
    for disk in (overlay, upper):
        data = json.loads(run_tool("qemu-img", ["info", "--output=json", str(disk.path)]))
        assert data["backing-filename"] == str(golden.resolve())
    assert upper.chain == (upper.path, golden.resolve())


def test_a_source_is_shut_once_a_machine_has_the_disk(overlay: DiskOverlay) -> None:
    source = overlay.source(Extent(0, 4096))
    overlay.attach("virt")
    with pytest.raises(InternalError, match="cannot read"):
        source.read_at(0, 1)


def test_an_image_that_ends_within_a_sector_goes_on_with_zeroes(tmp_path: Path) -> None:
    image = tmp_path / "odd.img"
    image.write_bytes(b"x" * 700)
    odd = DiskOverlay.create(image, tmp_path)
    assert odd.size == 1024
    assert odd.read(512, 512) == b"x" * 188 + bytes(324)


def test_zeroes_overwrite_what_was_there(overlay: DiskOverlay) -> None:
    overlay.write(1 << 20, bytes(1 << 20))
    assert overlay.read(1 << 20, 1 << 20) == bytes(1 << 20)


def test_of_a_large_disk_only_what_was_written_is_read(tmp_path: Path) -> None:
    image = tmp_path / "large.img"
    with image.open("wb") as file:
        file.truncate(16 << 30)
        file.seek(9 << 30)
        file.write(b"x" * 4096)
    large = DiskOverlay.create(image, tmp_path)
    large.write(10 << 30, b"y" * 4096)
    before = bytes_read()
    out = large.extract(Extent(1 << 30, 15 << 30), tmp_path / "out")
    assert bytes_read() - before < 4 << 20
    assert (out.stat().st_size, out.stat().st_blocks * 512 < 1 << 20) == (15 << 30, True)
    with out.open("rb") as file:
        for offset, byte in ((8 << 30, b"x"), (9 << 30, b"y")):
            file.seek(offset)
            assert file.read(4097) == byte * 4096 + b"\0"


def test_what_is_put_back_is_all_that_is_written_and_later_read(tmp_path: Path) -> None:
    image = tmp_path / "large.img"
    with image.open("wb") as file:
        file.truncate(16 << 30)
        for offset in (1 << 30, 9 << 30):
            file.seek(offset)
            file.write(b"x" * 300_000)
    layer = DiskOverlay.create(image, tmp_path, name="layer.qcow2")
    place = Extent(1 << 30, 15 << 30)
    part = layer.extract(place, tmp_path / "part")
    with part.open("r+b") as file:
        file.seek(100_000)
        file.write(b"new")
        file.seek(8 << 30)
        file.write(bytes(1000))
        file.seek(10 << 30)
        file.write(b"more")
    layer.put_back(place, part)
    assert layer.allocated() < 4 << 20
    assert layer.read((1 << 30) + 99_999, 5) == b"xnewx"
    assert layer.read(9 << 30, 1001) == bytes(1000) + b"x"
    assert layer.read(11 << 30, 5) == b"more\0"
    (tmp_path / "upper").mkdir()
    upper = DiskOverlay.create(layer.path, tmp_path / "upper", base_format="qcow2")
    before = bytes_read()
    upper.settle_on(image)
    assert bytes_read() - before < 64 << 20
    assert upper.read(11 << 30, 5) == b"more\0"


def test_what_became_zero_is_zero_on_the_disk(overlay: DiskOverlay, tmp_path: Path) -> None:
    place = Extent(1 << 20, 1 << 20)
    empty = tmp_path / "empty"
    with empty.open("wb") as file:
        file.truncate(1 << 20)
    overlay.put_back(place, empty)
    assert overlay.read(0, SIZE) == CONTENT[: 1 << 20] + bytes(1 << 20) + CONTENT[2 << 20 :]


def bytes_read() -> int:
    """Bytes that this process, and those that it waited for, have asked the system for so far."""
    return int(Path("/proc/self/io").read_text().split("rchar: ")[1].split()[0])


def test_a_file_is_written_and_an_extent_extracted_with_its_holes(overlay: DiskOverlay, tmp_path: Path) -> None:
    source = tmp_path / "source"
    with source.open("wb") as file:
        file.write(b"begin")
        file.truncate(2 << 20)
    overlay.write(1 << 20, source)
    out = overlay.extract(Extent(1 << 20, 2 << 20), tmp_path / "out")
    assert out.read_bytes() == source.read_bytes()
    assert out.stat().st_blocks * 512 < 1 << 20


def test_a_disk_of_a_running_machine_is_not_touched(overlay: DiskOverlay) -> None:
    overlay.attach("virt")
    for action in (
        lambda: overlay.read(0, 512),
        lambda: overlay.write(0, b"x"),
        lambda: overlay.extract(Extent(0, 512), Path("/nowhere")),
        overlay.resize_to_power_of_two,
        lambda: overlay.attach("pc-bios"),
    ):
        with pytest.raises(InternalError):
            action()
    overlay.detach()
    assert overlay.read(0, 4) == CONTENT[:4]


@pytest.mark.parametrize(("offset", "size"), [(-1, 4), (SIZE - 2, 4), (SIZE, 1)])
def test_beyond_the_disk_is_our_mistake(overlay: DiskOverlay, offset: int, size: int) -> None:
    with pytest.raises(InternalError, match="not on the disk"):
        overlay.read(offset, size)
    with pytest.raises(InternalError, match="not on the disk"):
        overlay.write(offset, b"x" * size)


def test_it_grows_to_a_power_of_two_once(overlay: DiskOverlay) -> None:
    assert overlay.resize_to_power_of_two() == 4 << 20
    assert overlay.resize_to_power_of_two() == 4 << 20
    assert overlay.read(SIZE, 512) == bytes(512)


def test_an_image_that_another_qemu_writes_to_is_locked(overlay: DiskOverlay) -> None:
    with subprocess.Popen(
        ["qemu-io", "-f", "qcow2", str(overlay.path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdin is not None
        assert other.stdout is not None
        other.stdin.write("read 0 512\n")
        other.stdin.flush()
        other.stdout.readline()
        with pytest.raises(ImageLocked) as caught:
            overlay.write(0, b"x")
        other.stdin.close()
    assert "another process" in caught.value.what


@pytest.mark.parametrize("why", ["No space left on device", "Disk quota exceeded"])
def test_a_full_disk_is_the_hosts_fault(why: str) -> None:
    with pytest.raises(HostDiskFull) as caught:
        run_tool("sh", ["-c", f"echo 'error while writing at byte 0: {why}' >&2; exit 1"])
    assert caught.value.hint


FULL = """
import sys
from pathlib import Path
from harness.errors import HostDiskFull
from harness.machine.disk_overlay import DiskOverlay
overlay = DiskOverlay.create(Path(sys.argv[1]), Path(sys.argv[2]))
try:
    overlay.write(0, bytes(range(256)) * 8192)
except HostDiskFull as error:
    print("full:", error.what)
"""


def test_a_file_system_that_runs_full_is_the_hosts_fault(golden: Path, tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    script = 'mount -t tmpfs -o size=1m none "$1" && exec "$2" -c "$3" "$4" "$1"'
    done = subprocess.run(
        [
            "unshare",
            "--user",
            "--map-root-user",
            "--mount",
            "sh",
            "-c",
            script,
            "sh",
            small,
            sys.executable,
            FULL,
            golden,
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0 and "full" not in done.stdout and "Operation not permitted" in done.stderr:
        pytest.skip("this host does not let a user mount in a namespace of its own")
    assert done.stdout.startswith("full: "), done.stderr


def test_a_missing_tool_names_its_package() -> None:
    with pytest.raises(ToolMissing, match="no-such-tool") as caught:
        run_tool("no-such-tool", [])
    assert overlay_module.PACKAGE in caught.value.hint


def test_any_other_failure_shows_what_the_tool_said(tmp_path: Path) -> None:
    with pytest.raises(QemuFailed) as caught:
        DiskOverlay.create(tmp_path / "missing.img", tmp_path)
    assert "No such file" in caught.value.evidence


def test_what_is_beside_a_disk_goes_where_it_goes(golden: Path, tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    for folder in (here, there):
        folder.mkdir()
    data = DiskOverlay.create(golden, here, name="disk2.qcow2")
    empty = DiskOverlay.empty(here, 1 << 30, name="disk3.qcow2")
    disk = DiskOverlay.create(golden, here, beside=[data, empty])
    data.write(0, b"mine")
    assert (empty.size, empty.chain, empty.read(1 << 20, 4)) == (1 << 30, (empty.path,), bytes(4))
    disk.attach("a machine")
    assert (data.attached, empty.attached) == ("a machine", "a machine")
    with pytest.raises(InternalError, match="machine that runs"):
        data.read(0, 4)
    disk.detach()
    moved = disk.moved(there)
    assert [one.path.name for one in moved.beside] == ["disk2.qcow2", "disk3.qcow2"]
    assert moved.beside[0].read(0, 8) == b"mine" + CONTENT[4:8]
    assert list(here.iterdir()) == []
    moved.remove()
    assert list(there.iterdir()) == []
    assert golden.read_bytes() == CONTENT


def test_only_its_user_may_read_an_empty_disk(tmp_path: Path) -> None:
    assert DiskOverlay.empty(tmp_path, 1 << 20, name="disk2.qcow2").path.stat().st_mode & 0o777 == 0o600
