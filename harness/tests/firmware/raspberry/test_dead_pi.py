"""Boot partitions that leave a Raspberry Pi dark: whatever is wrong is one error."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from harness.errors import FirmwareFailure
from harness.firmware.raspberry.flat_tree import parse
from harness.firmware.raspberry.models import model
from harness.firmware.raspberry.videocore import RaspberryStage
from harness.image.model import Extent
from harness.tests.firmware.raspberry.pi import (
    CONFIG,
    PI3_TREE,
    PI4_TREE,
    FileDisk,
    boot_files,
    disk,
    real,
    start,
)


def refused(tmp_path: Path, files: dict[str, bytes], name: str = "pi3") -> FirmwareFailure:
    with pytest.raises(FirmwareFailure) as caught:
        start(tmp_path, files, name)
    assert "partition 1" in caught.value.where
    return caught.value


@pytest.mark.parametrize(
    ("config", "others", "said", "hint"),
    [
        (None, {"vmlinuz": None}, "there is no vmlinuz in the boot partition", "config.txt says kernel=vmlinuz"),
        ("", {}, "there is no kernel7.img in the boot partition", "config.txt names no kernel"),
        (None, {"config.txt": None}, "there is no kernel7.img", "config.txt names no kernel"),
        (None, {PI3_TREE: None}, "there is no bcm2710-rpi-3-b.dtb", "a Raspberry Pi 3 Model B needs one of"),
        (CONFIG + "device_tree=my.dtb", {}, "there is no my.dtb", ""),
        (CONFIG + "device_tree=", {}, "asks for no device tree", "remove the line"),
        (None, {PI3_TREE: b"\xd0\r\xfe\xed" * 9}, "is no device tree: it has only 36 bytes", "cut short"),
        (
            None,
            {PI3_TREE: real(PI3_TREE)[:9000]},
            "is no device tree: it is cut off: it has 9000 bytes",
            "cut short",
        ),
        (None, {"vmlinuz": b"nonsense" * 100}, "vmlinuz in the boot partition is no Linux kernel", "cut short"),
        (None, {"vmlinuz": bytes(9000)}, "vmlinuz in the boot partition is empty", "cut short"),
        (
            None,
            {"vmlinuz": bytes(36) + b"\x18\x28\x6f\x01" * 9},
            "vmlinuz in the boot partition is a 32-bit",
            "64-bit",
        ),
        ("kernel=vmlinuz", {}, "would start in 32-bit mode", "put arm_64bit=1 into config.txt"),
        (None, {"cmdline.txt": None}, "there is no cmdline.txt", ""),
        (None, {"cmdline.txt": b"quiet"}, "names no root file system", ""),
        (
            b"kernel=vm\0\0\0",
            {},
            "config.txt in the boot partition is damaged: config.txt is no text",
            "cut short",
        ),
        (CONFIG + "initramfs gone.img", {}, "there is no gone.img", ""),
        (CONFIG + "dtoverlay=bad", {"overlays/bad.dtbo": b"x" * 50}, "overlays/bad.dtbo in the boot", "cut short"),
        (None, {"overlays/overlay_map.dtb": b"x" * 50}, "overlays/overlay_map.dtb in the boot", "cut short"),
    ],
)
def test_what_leaves_the_board_dark_is_said(
    tmp_path: Path, config: str | bytes | None, others: dict[str, bytes | None], said: str, hint: str
) -> None:
    error = refused(tmp_path, boot_files(config, **others))
    assert said in error.what
    assert hint in error.hint


def test_a_64_bit_kernel_needs_no_word_on_a_pi_4(tmp_path: Path) -> None:
    assert start(tmp_path, boot_files("kernel=vmlinuz"), "pi4").kernel is not None


def test_a_damaged_reference_is_an_overlay_s_fault(tmp_path: Path) -> None:
    bad = real("overlays/disable-bt.dtbo").replace(b":target:0\0", b":tarGet:0\0")
    error = refused(tmp_path, boot_files(CONFIG + "dtoverlay=bad", **{"overlays/bad.dtbo": bad}))
    assert "overlays/bad.dtbo in the boot partition is damaged: its references point at" in error.what


def test_a_missing_kernel_shows_what_is_there(tmp_path: Path) -> None:
    error = refused(tmp_path, boot_files(**{"vmlinuz": None}))
    assert error.evidence.startswith(
        f"the boot partition holds: {PI3_TREE}, {PI4_TREE}, cmdline.txt, config.txt, "
    )


def is_one_error_or_starts(tmp_path: Path, files: dict[str, bytes], name: str) -> None:
    """Whatever the files say: a machine that could start, or the one error that a person wants to see."""
    source, boot = disk(tmp_path, files)
    starts_or_is_one_error(tmp_path, source, boot, name)


def starts_or_is_one_error(tmp_path: Path, source: FileDisk, boot: Extent, name: str) -> None:
    folder = tmp_path / "firmware"
    folder.mkdir(exist_ok=True)
    loaded = failure = None
    try:
        loaded = RaspberryStage(boot, folder, model(name)).prepare(source)
    except FirmwareFailure as error:
        failure = error
    if loaded is None:
        assert failure is not None
        assert "partition 1" in failure.where
        event("one error")
        return
    event("starts")
    assert loaded.append is not None
    assert "root=" in loaded.append
    assert "\n" not in loaded.append
    assert loaded.kernel is not None
    assert loaded.dtb is not None
    parse(loaded.dtb.read_bytes())


PIS = st.sampled_from(["pi3", "pi4"])
FUZZ = settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@FUZZ
@given(
    st.lists(
        # Most of what can confuse a reader stands in the boot sector, then in the table and the directories.
        st.tuples(
            st.integers(0, 90) | st.integers(0, 4096) | st.integers(0, 60_000),
            st.binary(min_size=1, max_size=4) | st.binary(min_size=1, max_size=600),
        ),
        min_size=1,
        max_size=4,
    ),
    st.none() | st.integers(0, 200_000),
    PIS,
)
def test_whatever_is_wrong_with_the_file_system_is_one_error(
    tmp_path: Path, damage: list[tuple[int, bytes]], cut: int | None, name: str
) -> None:
    source, boot = disk(tmp_path, boot_files(CONFIG + "dtoverlay=i2c-rtc,ds3231"))
    content = bytearray(source.path.read_bytes())
    for at, junk in damage:
        content[boot.offset + at : boot.offset + at + len(junk)] = junk
    source.path.write_bytes(content[: None if cut is None else boot.offset + cut])
    starts_or_is_one_error(tmp_path, source, boot, name)


CONFIG_LINES = """\
arm_64bit=0|arm_64bit=1|kernel=|kernel=config.txt|kernel=../vmlinuz|kernel=/vmlinuz|kernel=overlays|os_prefix=/
os_prefix=overlays/|os_prefix=x|upstream_kernel=1|device_tree=|device_tree=cmdline.txt|device_tree=overlays/i2c0.dtbo
device_tree=bcm2711-rpi-4-b.dtb|cmdline=|cmdline=config.txt|cmdline=vmlinuz|overlay_prefix=|overlay_prefix=/x
include config.txt|include vmlinuz|include overlays|initramfs cmdline.txt|initramfs cmdline.txt,config.txt 0x1000
initramfs overlays|enable_uart=0|enable_uart=x|dtoverlay=|dtoverlay=overlay_map|dtoverlay=../config.txt
dtoverlay=i2c-rtc,ds3231|dtoverlay=i2c-rtc,addr=zz|dtoverlay=i2c-gpio,bus=-1|dtoverlay=gpio-hog,gpio=999999999999
dtoverlay=mcp23017,addr=|dtoverlay=uart1|dtoverlay=miniuart-bt|dtoverlay=disable-bt|dtoverlay=w1-gpio,gpiopin=4,pullup
dtparam=i2c_arm=on|dtparam=i2c_arm=maybe|dtparam=spi|dtparam=,=,|dtparam=act_led_trigger=|dtparam=uart0=off|dtparam=audio
[pi3]|[pi4]|[all]|[none]|[|[cm4]|gpu_mem=16|total_mem=1|dtdebug=1|=|kernel=vmlinuz"""
LIKELY = [line for row in CONFIG_LINES.splitlines() for line in row.split("|")]


@FUZZ
@given(st.lists(st.sampled_from(LIKELY) | st.text(max_size=120), max_size=12), st.booleans(), PIS)
def test_whatever_config_txt_says_is_one_error(tmp_path: Path, lines: list[str], last: bool, name: str) -> None:
    config = "\n".join(lines).encode(errors="replace")
    is_one_error_or_starts(tmp_path, boot_files(config + b"\n" + CONFIG.encode() * last), name)


@FUZZ
@given(
    st.sampled_from([PI3_TREE, PI4_TREE, "overlays/disable-bt.dtbo", "overlays/i2c-rtc.dtbo", "cmdline.txt"]),
    st.lists(st.tuples(st.integers(0, 60) | st.integers(0, 60_000), st.binary(max_size=40)), max_size=5),
    st.none() | st.integers(0, 60_000),
    PIS,
)
def test_whatever_is_wrong_with_a_file_is_one_error(
    tmp_path: Path, victim: str, damage: list[tuple[int, bytes]], cut: int | None, name: str
) -> None:
    files = boot_files(CONFIG + "dtparam=i2c_arm=on\ndtoverlay=i2c-rtc,ds3231")
    content = bytearray(files[victim])
    for at, junk in damage:
        at %= len(content)
        content[at : at + len(junk)] = junk
    files[victim] = bytes(content[:cut])
    is_one_error_or_starts(tmp_path, files, name)
