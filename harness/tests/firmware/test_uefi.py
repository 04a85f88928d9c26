from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import pytest

from harness.errors import FirmwareFileMissing
from harness.firmware import uefi
from harness.firmware.uefi import UefiStage, find_edk2
from harness.image.arch import Edk2, architecture_of
from harness.image.copying import copy_sparse
from harness.image.model import Extent
from harness.image.source import ByteSource


class NoDisk:
    """edk2 reads the disk itself: the stage must not."""

    def source(self, extent: Extent) -> ByteSource:
        raise AssertionError


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Edk2:
    pair = Edk2(tmp_path / "code.fd", tmp_path / "vars.fd")
    pair.code.write_bytes(b"code")
    pair.vars.write_bytes(b"fresh" + bytes(200_000))
    pair.vars.chmod(0o444)
    row = replace(architecture_of("amd64"), edk2=(Edk2(tmp_path / "no", tmp_path / "no"), pair))
    monkeypatch.setattr(uefi, "architecture_of", lambda _arch: row)
    return pair


def test_missing_firmware_names_the_package(tmp_path: Path) -> None:
    with pytest.raises(FirmwareFileMissing) as caught:
        find_edk2("arm64", (Edk2(tmp_path / "code", tmp_path / "vars"),))
    assert "qemu-efi-aarch64" in caught.value.hint
    assert str(tmp_path / "code") in caught.value.where


def test_code_without_variables_is_no_firmware(files: Edk2) -> None:
    files.vars.unlink()
    with pytest.raises(FirmwareFileMissing, match="amd64"):
        find_edk2("amd64")


def test_variables_are_private_and_live_over_power_cycles(files: Edk2, tmp_path: Path) -> None:
    folder = tmp_path / "machine"
    folder.mkdir()
    stage = UefiStage("amd64", folder)
    loaded = stage.prepare(NoDisk())
    assert loaded.code == files.code
    assert loaded.vars is not None
    assert loaded.vars.parent == folder
    loaded.vars.write_bytes(b"set by the guest")
    again = stage.prepare(NoDisk())
    assert again.vars is not None
    assert again.vars.read_bytes() == b"set by the guest"
    assert files.vars.read_bytes().startswith(b"fresh")


def test_a_restored_machine_has_its_own_copy_of_what_was_kept(files: Edk2, tmp_path: Path) -> None:
    folders = [tmp_path / name for name in ("one", "capture", "two")]
    for folder in folders:
        folder.mkdir()
    first = UefiStage("amd64", folders[0])
    loaded = first.prepare(NoDisk())
    assert loaded.vars is not None
    loaded.vars.write_bytes(b"set by the guest")
    kept = first.keep(loaded, folders[1])
    copy = UefiStage("amd64", folders[2]).adopt(kept)
    assert copy.vars is not None
    assert copy.vars.parent == folders[2]
    copy.vars.write_bytes(b"changed")
    assert kept.vars is not None
    assert kept.vars.read_bytes() == b"set by the guest"


def test_what_is_kept_has_holes_where_the_code_has_zeroes(files: Edk2, tmp_path: Path) -> None:
    files.code.write_bytes(b"code" + bytes(1 << 20))
    for name in ("machine", "capture"):
        (tmp_path / name).mkdir()
    stage = UefiStage("amd64", tmp_path / "machine")
    kept = stage.keep(stage.prepare(NoDisk()), tmp_path / "capture")
    assert kept.code is not None
    assert kept.code.parent == tmp_path / "capture"
    assert kept.code.read_bytes() == files.code.read_bytes()
    assert kept.code.stat().st_blocks < files.code.stat().st_blocks


def test_a_sparse_copy_has_the_same_bytes_and_size(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(b"a" + bytes(300_000) + b"b" + bytes(100_000))
    dest = copy_sparse(source, tmp_path / "dest")
    assert dest.read_bytes() == source.read_bytes()
    assert dest.stat().st_blocks < source.stat().st_blocks


def test_a_sparse_copy_does_not_read_what_is_not_there(tmp_path: Path) -> None:
    source, size = tmp_path / "source", 16 << 30
    with source.open("wb") as file:
        file.write(b"first")
        file.seek(size // 2)
        file.write(b"middle")
        file.truncate(size)
    began = time.process_time()
    dest = copy_sparse(source, tmp_path / "dest")
    assert time.process_time() - began < 1.0
    assert dest.stat().st_size == size
    with dest.open("rb") as file:
        assert file.read(6) == b"first\0"
        file.seek(size // 2)
        assert file.read(7) == b"middle\0"


def test_a_sparse_copy_of_nothing_is_empty(tmp_path: Path) -> None:
    (tmp_path / "source").touch()
    assert copy_sparse(tmp_path / "source", tmp_path / "dest").read_bytes() == b""
