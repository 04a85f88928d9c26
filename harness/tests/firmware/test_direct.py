from __future__ import annotations

from pathlib import Path

import pytest

from harness.errors import FirmwareFailure
from harness.firmware.direct import DirectStage
from harness.tests.firmware.raspberry.pi import START, disk

CMDLINE = "console=tty1 console=ttyAMA0,115200 root=PARTUUID=60c24cc1/PARTNROFF=1 ro rootdelay=10 panic=10"
HEAD = bytes(56) + b"ARM\x64"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "firmware"
    path.mkdir()
    return path


def test_kernel_and_command_line_are_those_of_the_image(tmp_path: Path, folder: Path) -> None:
    source, boot = disk(tmp_path, {"vmlinuz": HEAD + b"kernel", "cmdline.txt": CMDLINE.encode() + b" " * 64})
    loaded = DirectStage(boot, folder).prepare(source)
    assert loaded.kernel is not None
    assert loaded.kernel.read_bytes() == HEAD + b"kernel"
    assert loaded.append == CMDLINE
    assert "no boot loader is tested" in loaded.notes[0]
    assert [path.name for path in folder.iterdir()] == ["vmlinuz"]


def test_it_reads_again_at_every_power_on(tmp_path: Path, folder: Path) -> None:
    source, boot = disk(tmp_path, {"vmlinuz": HEAD + b"kernel", "cmdline.txt": CMDLINE.encode()})
    stage = DirectStage(boot, folder)
    stage.prepare(source)
    source, _ = disk(
        tmp_path, {"vmlinuz": HEAD + b"other!", "cmdline.txt": CMDLINE.replace("=1 ro", "=2 ro").encode()}
    )
    loaded = stage.prepare(source)
    assert loaded.kernel is not None
    assert loaded.kernel.read_bytes() == HEAD + b"other!"
    assert loaded.append is not None
    assert "PARTNROFF=2" in loaded.append


def test_fast_boot_drops_rootdelay_and_nothing_else_and_says_so(tmp_path: Path, folder: Path) -> None:
    source, boot = disk(tmp_path, {"vmlinuz": HEAD + b"kernel", "cmdline.txt": CMDLINE.encode()})
    loaded = DirectStage(boot, folder, fast_boot=True).prepare(source)
    assert loaded.append == CMDLINE.replace(" rootdelay=10", "")
    assert "rootdelay was dropped" in loaded.notes[1]


def test_fast_boot_is_silent_where_there_is_nothing_to_drop(tmp_path: Path, folder: Path) -> None:
    plain = CMDLINE.replace(" rootdelay=10", "")
    source, boot = disk(tmp_path, {"vmlinuz": HEAD + b"kernel", "cmdline.txt": plain.encode()})
    loaded = DirectStage(boot, folder, fast_boot=True).prepare(source)
    assert loaded.append == plain
    assert len(loaded.notes) == 1


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"cmdline.txt": CMDLINE.encode()}, "there is no vmlinuz"),
        ({"vmlinuz": HEAD + b"kernel"}, "there is no cmdline.txt"),
        ({"vmlinuz": HEAD + b"kernel", "cmdline.txt": b"   \n"}, "cmdline.txt in the boot partition is empty"),
        ({"vmlinuz": bytes(9000), "cmdline.txt": CMDLINE.encode()}, "vmlinuz in the boot partition is empty"),
        ({"vmlinuz": HEAD + b"kernel", "cmdline.txt": b"console=ttyAMA0 ro"}, "names no root file system"),
    ],
)
def test_what_cannot_be_started_is_said(tmp_path: Path, folder: Path, files: dict[str, bytes], said: str) -> None:
    source, boot = disk(tmp_path, files)
    with pytest.raises(FirmwareFailure) as caught:
        DirectStage(boot, folder).prepare(source)
    assert said in caught.value.what
    assert "partition 1" in caught.value.where


def test_a_missing_kernel_shows_what_is_there(tmp_path: Path, folder: Path) -> None:
    source, boot = disk(tmp_path, {"cmdline.txt": CMDLINE.encode(), "config.txt": b"x"})
    with pytest.raises(FirmwareFailure) as caught:
        DirectStage(boot, folder).prepare(source)
    assert caught.value.evidence == "the boot partition holds: cmdline.txt, config.txt"


def test_a_damaged_file_system_is_said(tmp_path: Path, folder: Path) -> None:
    source, boot = disk(tmp_path, {"vmlinuz": HEAD + b"kernel", "cmdline.txt": CMDLINE.encode()})
    content = bytearray(source.path.read_bytes())
    content[START : START + 512] = b"\xa5" * 512
    source.path.write_bytes(content)
    with pytest.raises(FirmwareFailure, match="damaged"):
        DirectStage(boot, folder).prepare(source)
    assert list(folder.iterdir()) == []


def test_a_restored_machine_is_given_no_kernel_but_the_next_reset_is(tmp_path: Path, folder: Path) -> None:
    source, boot = disk(tmp_path, {"vmlinuz": HEAD + b"kernel", "cmdline.txt": CMDLINE.encode()})
    stage = DirectStage(boot, folder)
    assert stage.adopt(stage.keep(stage.prepare(source), tmp_path)).kernel is None
    kernel = stage.prepare(source).kernel
    assert kernel is not None
    assert kernel.read_bytes().startswith(HEAD + b"kernel")


@pytest.mark.parametrize("kernel", [b"nonsense" * 100, bytes(4096), HEAD[:57]])
def test_what_does_not_begin_like_a_kernel_is_not_started(tmp_path: Path, folder: Path, kernel: bytes) -> None:
    source, boot = disk(tmp_path, {"vmlinuz": kernel + b"x", "cmdline.txt": CMDLINE.encode()})
    with pytest.raises(FirmwareFailure, match="is no Linux kernel"):
        DirectStage(boot, folder).prepare(source)
