"""The file of a bundle: what goes in comes out, holes stay holes, and what a stranger made does no harm."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest

from harness.bundle.archive import FIRST, first, pack, unpack
from harness.errors import HostDiskFull, OptionError
from harness.image.zstd import zstd_writer


def sparse(path: Path) -> Path:
    """A file of 64 MiB with two pieces of data, and a hole at its end."""
    with path.open("wb") as file:
        file.seek(8 << 20)
        file.write(b"first piece")
        file.seek(40 << 20)
        file.write(b"second piece" * 1000)
        file.truncate(64 << 20)
    return path


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    path = tmp_path / "bundle.tar.zst"
    pack(path, {FIRST: b"{}", "logs/console.log": b"booted"}, {"state": sparse(tmp_path / "state")})
    return path


def packed(path: Path, *members: tuple[tarfile.TarInfo, bytes]) -> Path:
    """An archive as anybody might make it."""
    with path.open("wb") as file:
        packer = zstd_writer(file, level=1)
        with tarfile.open(fileobj=packer, mode="w|") as tar:
            for member, content in members:
                member.size = len(content)
                tar.addfile(member, io.BytesIO(content))
        packer.close()
    return path


def folder(tmp_path: Path) -> Path:
    path = tmp_path / "unpacked"
    path.mkdir()
    return path


def test_what_goes_in_comes_out_and_holes_stay_holes(bundle: Path, tmp_path: Path) -> None:
    out = folder(tmp_path)
    unpack(bundle, out)
    assert (out / FIRST).read_bytes() == b"{}"
    assert (out / "logs/console.log").read_bytes() == b"booted"
    assert (out / "state").read_bytes() == (tmp_path / "state").read_bytes()
    assert (out / "state").stat().st_blocks * 512 < 1 << 20


def test_it_is_small_and_only_its_owner_reads_it(bundle: Path) -> None:
    assert bundle.stat().st_size < 4096
    assert bundle.stat().st_mode & 0o777 == 0o600


def test_an_empty_file_and_one_that_is_a_hole_come_out(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    with (tmp_path / "hole").open("wb") as file:
        file.truncate(1 << 20)
    pack(tmp_path / "b", {FIRST: b"{}"}, {name: tmp_path / name for name in ("empty", "hole")})
    out = folder(tmp_path)
    unpack(tmp_path / "b", out)
    assert (out / "empty").read_bytes() == b""
    assert (out / "hole").read_bytes() == bytes(1 << 20)


@pytest.mark.skipif(shutil.which("zstd") is None, reason="zstd is not installed")
def test_any_tar_unpacks_it(bundle: Path, tmp_path: Path) -> None:
    out = folder(tmp_path)
    subprocess.run(["tar", "--zstd", "-xf", str(bundle)], cwd=out, check=True)
    assert (out / "state").read_bytes() == (tmp_path / "state").read_bytes()


def test_the_first_member_is_read_alone(bundle: Path) -> None:
    assert first(bundle) == b"{}"


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9, 0.97])
def test_a_bundle_that_is_cut_off_is_damaged(bundle: Path, tmp_path: Path, share: float) -> None:
    os.truncate(bundle, int(bundle.stat().st_size * share))
    with pytest.raises(OptionError, match="this bundle is damaged"):
        unpack(bundle, folder(tmp_path))


def test_a_bundle_with_a_wrong_byte_is_damaged(tmp_path: Path) -> None:
    path = tmp_path / "b"
    pack(path, {FIRST: os.urandom(1 << 16)}, {})
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(OptionError, match="damaged"):
        unpack(path, folder(tmp_path))


def test_what_is_no_archive_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("hello")
    for path, what in ((tmp_path / "text", "damaged"), (tmp_path / "nothing", "cannot be read: No such file")):
        with pytest.raises(OptionError, match=what):
            first(path)
    other = packed(tmp_path / "other", (tarfile.TarInfo("hello.txt"), b"hello"))
    with pytest.raises(OptionError, match="no bundle"):
        first(other)


def link(name: str, target: str, kind: bytes = tarfile.SYMTYPE) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, target
    return member


@pytest.mark.parametrize(
    "member",
    [
        tarfile.TarInfo("../outside"),
        tarfile.TarInfo("/tmp/outside"),
        tarfile.TarInfo("logs/../../outside"),
        tarfile.TarInfo("logs/deep/file"),
        tarfile.TarInfo(".."),
        link("state", "/etc/passwd"),
        link("state", "/etc/passwd", tarfile.LNKTYPE),
        link("state", "", tarfile.FIFOTYPE),
        link("logs", "", tarfile.DIRTYPE),
    ],
    ids=lambda member: f"{member.name}-{member.type.decode()}",
)
def test_no_member_leads_out_of_the_folder(tmp_path: Path, member: tarfile.TarInfo) -> None:
    path = packed(tmp_path / "b", (tarfile.TarInfo(FIRST), b"{}"), (member, b""))
    out = folder(tmp_path)
    with pytest.raises(OptionError, match="which none of ours has"):
        unpack(path, out)
    assert sorted(one.name for one in out.iterdir()) == [FIRST, "logs"]
    assert not (tmp_path / "outside").exists()


def test_no_member_is_written_twice(tmp_path: Path) -> None:
    twice = [(tarfile.TarInfo("state"), text) for text in (b"one", b"two")]
    with pytest.raises(OptionError, match="which none of ours has"):
        unpack(packed(tmp_path / "b", (tarfile.TarInfo(FIRST), b"{}"), *twice), folder(tmp_path))


def test_a_bundle_that_finds_no_room_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(HostDiskFull, match="cannot be written"):
        pack(tmp_path / "b", {FIRST: b"{}"}, {"state": tmp_path / "is not there"})
    assert list(tmp_path.iterdir()) == []
