import os
from pathlib import Path

import pytest

from harness.errors import ImageError
from harness.image.hosttool import run_tool
from harness.image.layout import read_layout
from harness.image.model import Extent
from harness.image.perm import format_perm, read_file, write_files
from harness.tests.image.synthetic import MTIME

SIZE = 16 << 20


@pytest.fixture
def ext4(tmp_path: Path) -> Path:
    path = tmp_path / "perm.ext4"
    path.touch()
    os.truncate(path, SIZE)
    format_perm(path, Extent(0, SIZE), seed="amd", mtime=MTIME)
    return path


def check(path: Path) -> None:
    done = run_tool(["e2fsck", "-f", "-n", path])
    assert done.returncode == 0, done.stdout.decode()


def test_a_disk_has_a_clean_perm_that_leaves_the_backup_table_alone(small_image: Path, tmp_path: Path) -> None:
    perm = read_layout(small_image).perm
    assert perm is not None
    with small_image.open("rb") as disk, (tmp_path / "perm").open("wb") as out:
        disk.seek(perm.offset)
        out.write(disk.read(perm.size))
        disk.seek(-512, 2)
        assert disk.read(8) == b"EFI PART"
    check(tmp_path / "perm")


def test_same_seed_same_bytes(ext4: Path, tmp_path: Path) -> None:
    again, other = tmp_path / "again", tmp_path / "other"
    for path, seed in ((again, "amd"), (other, "arm")):
        path.touch()
        os.truncate(path, SIZE)
        format_perm(path, Extent(0, SIZE), seed=seed, mtime=MTIME)
    assert again.read_bytes() == ext4.read_bytes()
    assert other.read_bytes() != ext4.read_bytes()


def test_files_go_in_and_come_out(ext4: Path) -> None:
    write_files(ext4, {"breakglass.authorized_keys": b"key\n", "/home/a b/one": b"1", "/home/a b/two": b""})
    check(ext4)
    assert read_file(ext4, "/breakglass.authorized_keys") == b"key\n"
    assert read_file(ext4, "home/a b/one") == b"1"
    assert read_file(ext4, "/home/a b/two") == b""
    assert read_file(ext4, "/home/nope") is None
    write_files(ext4, {"breakglass.authorized_keys": b"another key, which is longer\n"})
    check(ext4)
    assert read_file(ext4, "breakglass.authorized_keys") == b"another key, which is longer\n"


def test_files_belong_to_root_and_are_private(ext4: Path) -> None:
    write_files(ext4, {"d/key": b"x"})
    told = run_tool(["debugfs", "-R", "stat /d/key", ext4]).stdout.decode()
    assert "Mode:  0600" in told
    assert "User:     0   Group:     0" in told
    assert "Mode:  0755" in run_tool(["debugfs", "-R", "stat /d", ext4]).stdout.decode()


@pytest.mark.parametrize("name", ["", "/", "a/../b", 'a"b', "a\nb"])
def test_odd_names_are_refused(ext4: Path, name: str) -> None:
    with pytest.raises(ImageError):
        write_files(ext4, {name: b""})


def test_too_much_is_an_error(ext4: Path) -> None:
    with pytest.raises(ImageError, match="could not be written"):
        write_files(ext4, {"big": bytes(range(256)) * (SIZE // 256)})


@pytest.mark.parametrize("content", [b"", b"no file system" * 1000])
def test_what_is_no_ext4_is_an_error(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "perm"
    path.write_bytes(content)
    with pytest.raises(ImageError, match="no ext4"):
        write_files(path, {"a": b""})
    with pytest.raises(ImageError, match="no ext4"):
        read_file(path, "a")
    with pytest.raises(ImageError, match="no ext4"):
        read_file(tmp_path / "nope", "a")


def test_nothing_is_left_in_the_temporary_folder(
    ext4: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = tmp_path / "tmp"
    own.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(own))
    write_files(ext4, {"a": b"1"})
    assert list(own.iterdir()) == []
