from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from harness.boards import Boot
from harness.boards.board import Board
from harness.errors import FirmwareFailure, InternalError
from harness.firmware.flat_tree import Tree, parse
from harness.firmware.models import MODELS, model
from harness.firmware.quirks import QUIRKS
from harness.firmware.raspberry import RaspberryStage
from harness.firmware.stage import Loaded, stage_for
from harness.image.model import Extent, Layout
from harness.tests.firmware.pi import KERNEL, LINE, PI3_TREE, PI4_TREE, FileDisk, boot_files, disk, real

ROOT = "root=PARTUUID=60c24cc1/PARTNROFF=1 init=/gokrazy/init"
BASE_ARGUMENTS = "coherent_pool=1M 8250.nr_uarts=1 snd_bcm2835.enable_headphones=0 cgroup_disable=memory"
CONFIG = "arm_64bit=1\nkernel=vmlinuz\nenable_uart=1\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "firmware"
    path.mkdir()
    return path


SEEDS = ("kaslr-seed", "rng-seed")


def start(tmp_path: Path, files: dict[str, bytes], name: str = "pi3", *, quirks: bool = False) -> Loaded:
    folder = tmp_path / "firmware"
    folder.mkdir(exist_ok=True)
    source, boot = disk(tmp_path, files)
    return RaspberryStage(boot, folder, model(name), quirks=quirks).prepare(source)


def tree_of(loaded: Loaded) -> Tree:
    assert loaded.dtb is not None
    tree = parse(loaded.dtb.read_bytes())
    for name in SEEDS:
        # They are new at each start, and would make every tree another one.
        chosen = tree.root.find("/chosen")
        assert chosen is not None
        del chosen.properties[name]
    return tree


def seeds_of(loaded: Loaded) -> dict[str, bytes]:
    assert loaded.dtb is not None
    chosen = parse(loaded.dtb.read_bytes()).root.find("/chosen")
    assert chosen is not None
    return {name: chosen.properties[name] for name in SEEDS}


def property_of(loaded: Loaded, path: str, name: str = "status") -> str:
    node = tree_of(loaded).root.find(path)
    assert node is not None, path
    return node.text(name)


def refused(tmp_path: Path, files: dict[str, bytes], name: str = "pi3") -> FirmwareFailure:
    with pytest.raises(FirmwareFailure) as caught:
        start(tmp_path, files, name)
    assert "partition 1" in caught.value.where
    return caught.value


# -- what is loaded


@pytest.mark.parametrize(("name", "tree"), [("pi3", PI3_TREE), ("pi4", PI4_TREE)])
def test_a_model_gets_its_own_tree_the_kernel_and_a_command_line(tmp_path: Path, name: str, tree: str) -> None:
    loaded = start(tmp_path, boot_files(), name)
    assert loaded.kernel is not None
    assert loaded.kernel.read_bytes() == KERNEL
    assert tree_of(loaded) == parse(real(tree))
    assert loaded.append is not None
    assert loaded.append.startswith(BASE_ARGUMENTS)
    assert loaded.append.endswith(f" console=tty1 console=ttyS0,115200 {ROOT}")
    assert f"kernel: vmlinuz, device tree: {tree}" in loaded.notes
    assert not [note for note in loaded.notes if note.startswith("quirk")]


def test_the_kernel_gets_random_seeds_that_are_new_at_each_start(tmp_path: Path, folder: Path) -> None:
    source, boot = disk(tmp_path, boot_files())
    stage = RaspberryStage(boot, folder, model("pi3"))
    first, second = seeds_of(stage.prepare(source)), seeds_of(stage.prepare(source))
    assert {name: len(seed) for name, seed in first.items()} == {"kaslr-seed": 8, "rng-seed": 64}
    assert all(first[name] != second[name] for name in SEEDS)


def test_it_reads_again_at_every_power_on(tmp_path: Path, folder: Path) -> None:
    source, boot = disk(tmp_path, boot_files())
    stage = RaspberryStage(boot, folder, model("pi3"))
    kept = stage.keep(stage.prepare(source), tmp_path)
    others = {"vmlinuz": KERNEL + b"!", "cmdline.txt": LINE.replace("FF=1", "FF=2").encode()}
    source, boot = disk(tmp_path, boot_files(CONFIG + "dtparam=spi=on", **others))
    again = RaspberryStage(boot, folder, model("pi3")).prepare(source)
    assert again.append is not None
    assert "PARTNROFF=2" in again.append
    assert property_of(again, "/soc/spi@7e204000") == "okay"
    assert stage.adopt(kept).dtb == tmp_path / "board.dtb"
    assert property_of(kept, "/soc/spi@7e204000") == "disabled"
    assert kept.kernel is not None
    assert kept.kernel.read_bytes() == KERNEL


@pytest.mark.parametrize(
    ("config", "others", "files"),
    [
        ("", {"kernel8.img": KERNEL}, "kernel: kernel8.img, device tree: bcm2711-rpi-4-b.dtb"),
        ("kernel=a.img", {"a.img": KERNEL}, "kernel: a.img, device tree: bcm2711-rpi-4-b.dtb"),
        ("[pi3]\nkernel=a.img\n[pi4]\nkernel=vmlinuz", {}, "kernel: vmlinuz, device tree: bcm2711-rpi-4-b.dtb"),
        (
            "kernel=vmlinuz\ndevice_tree=bcm2710-rpi-3-b.dtb",
            {},
            "kernel: vmlinuz, device tree: bcm2710-rpi-3-b.dtb",
        ),
        (
            "kernel=vmlinuz\nos_prefix=new/",
            {"new/vmlinuz": KERNEL, f"new/{PI4_TREE}": real(PI4_TREE), "new/cmdline.txt": LINE.encode()},
            "kernel: new/vmlinuz, device tree: new/bcm2711-rpi-4-b.dtb",
        ),
        (
            "kernel=/vmlinuz\nos_prefix=new/",
            {f"new/{PI4_TREE}": real(PI4_TREE), "new/cmdline.txt": LINE.encode()},
            "kernel: vmlinuz, device tree: new/bcm2711-rpi-4-b.dtb",
        ),
        (
            "kernel=vmlinuz\nos_prefix=new/",
            {"new/vmlinuz": KERNEL},
            "kernel: vmlinuz, device tree: bcm2711-rpi-4-b.dtb",
        ),
    ],
)
def test_config_txt_chooses_the_files(tmp_path: Path, config: str, others: dict[str, bytes], files: str) -> None:
    loaded = start(tmp_path, boot_files(config, **others), "pi4")
    assert files in loaded.notes
    ignored = [note for note in loaded.notes if "os_prefix=new/ is ignored" in note]
    assert bool(ignored) == (others == {"new/vmlinuz": KERNEL})


def test_upstream_names_come_first_when_config_txt_wants_them(tmp_path: Path) -> None:
    files = boot_files(CONFIG + "upstream_kernel=1", **{"bcm2837-rpi-3-b.dtb": real(PI3_TREE)})
    loaded = start(tmp_path, files)
    assert "kernel: vmlinuz, device tree: bcm2837-rpi-3-b.dtb" in loaded.notes
    assert "os_prefix=upstream/ is ignored" in " ".join(loaded.notes)


def test_the_command_line_may_lie_elsewhere(tmp_path: Path) -> None:
    loaded = start(tmp_path, boot_files(CONFIG + "cmdline=other.txt", **{"other.txt": b"root=/dev/x quiet\n"}))
    assert loaded.append == f"{BASE_ARGUMENTS} root=/dev/x quiet"


def test_initramfs_files_are_joined(tmp_path: Path) -> None:
    files = boot_files(CONFIG + "initramfs a.img,b.img followkernel", **{"a.img": b"first", "b.img": b"second"})
    loaded = start(tmp_path, files)
    assert loaded.initrd is not None
    assert loaded.initrd.read_bytes() == b"firstsecond"


# -- the serial console


@pytest.mark.parametrize(
    ("config", "console", "result", "note"),
    [
        ("enable_uart=1", "serial0", "ttyS0", ""),
        ("enable_uart=1", "serial1", "ttyAMA0", ""),
        ("enable_uart=1", "ttyAMA0", "ttyS0", "makes ttyS0 of ttyAMA0"),
        ("enable_uart=0", "serial0", "ttyS0", "enable_uart is not 1"),
        ("dtoverlay=disable-bt", "serial0", "ttyAMA0", ""),
        ("dtoverlay=miniuart-bt", "ttyAMA0", "ttyAMA0", ""),
    ],
)
def test_the_console_is_the_port_on_the_header(
    tmp_path: Path, config: str, console: str, result: str, note: str
) -> None:
    line = LINE.replace("serial0", console).encode()
    loaded = start(tmp_path, boot_files(f"arm_64bit=1\nkernel=vmlinuz\n{config}\n", **{"cmdline.txt": line}))
    assert loaded.append is not None
    assert f"console=tty1 console={result},115200 root=" in loaded.append
    told = [one for one in loaded.notes if "tty" in one]
    assert [note in one for one in told] == ([True] if note else [])


# -- overlays and parameters


def test_an_overlay_s_change_is_in_the_tree(tmp_path: Path) -> None:
    loaded = start(tmp_path, boot_files(CONFIG + "dtoverlay=disable-bt"))
    assert "overlays: disable-bt" in loaded.notes
    assert property_of(loaded, "/aliases", "serial0") == "/soc/serial@7e201000"
    assert property_of(loaded, "/soc/serial@7e215040") == "disabled"


def test_parameters_reach_the_overlay_or_the_tree_below_it(tmp_path: Path) -> None:
    loaded = start(
        tmp_path,
        boot_files(CONFIG + "dtparam=i2c_arm=on\ndtoverlay=i2c-rtc,ds3231\ndtparam=addr=0x69\ndtparam=spi=on\n"),
    )
    assert property_of(loaded, "/soc/i2c@7e804000") == "okay"
    assert property_of(loaded, "/soc/i2c@7e804000/ds3231@69", "compatible") == "maxim,ds3231"
    assert property_of(loaded, "/soc/spi@7e204000") == "okay", (
        "spi is no parameter of the overlay, but of the tree"
    )


def test_a_literal_label_moves_an_overlay_to_another_bus(tmp_path: Path) -> None:
    loaded = start(tmp_path, boot_files(CONFIG + "dtoverlay=i2c-rtc,ds3231,i2c_csi_dsi"))
    label = tree_of(loaded).symbols["i2c_csi_dsi"]
    assert property_of(loaded, f"{label}/ds3231@68", "compatible") == "maxim,ds3231"


def test_bootargs_of_overlays_and_parameters_reach_the_kernel(tmp_path: Path) -> None:
    loaded = start(tmp_path, boot_files(CONFIG + "dtparam=strict_gpiod\ndtoverlay=uart1"))
    assert loaded.append is not None
    assert " pinctrl_bcm2835.persist_gpio_outputs=n 8250.nr_uarts=1 console=tty1 " in loaded.append


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("dtoverlay=gone", "dtoverlay=gone is skipped: there is no overlays/gone.dtbo in the boot partition"),
        ("dtoverlay=disable-bt,fast", "dtoverlay=disable-bt,fast is skipped: there is no such parameter"),
        ("dtparam=unheard", "dtparam=unheard is skipped: there is no such parameter"),
        ("dtparam=i2c_arm_baudrate=fast", "dtparam=i2c_arm_baudrate is skipped: 'fast' is no number"),
        ("dtoverlay=disable-emmc2", "dtoverlay=disable-emmc2 is skipped: it is not for bcm2835"),
        ("dtoverlay=lirc-rpi", "dtoverlay=lirc-rpi is skipped: it is gone: use gpio-ir"),
        ("dtoverlay=pi3-disable-bt", "dtoverlay=pi3-disable-bt: the overlay is called disable-bt now"),
        (
            "dtoverlay=broken",
            "dtoverlay=broken is skipped: it refers to 'uart7', which the device tree does not have",
        ),
        ("total_mem=512", "config.txt line 4: total_mem has no effect here: the memory is the board's in QEMU"),
    ],
)
def test_what_the_firmware_skips_is_named(tmp_path: Path, line: str, said: str) -> None:
    broken = real("overlays/disable-bt.dtbo").replace(b"uart0\0", b"uart7\0")
    assert said in start(tmp_path, boot_files(CONFIG + line, **{"overlays/broken.dtbo": broken})).notes


def test_a_skipped_overlay_leaves_the_tree_as_it_was(tmp_path: Path) -> None:
    broken = real("overlays/disable-bt.dtbo").replace(b"uart1\0", b"uart7\0")
    loaded = start(tmp_path, boot_files(CONFIG + "dtoverlay=broken", **{"overlays/broken.dtbo": broken}))
    assert tree_of(loaded) == parse(real(PI3_TREE))


# -- what QEMU needs beyond it


def test_quirks_are_applied_and_told_with_their_price(tmp_path: Path) -> None:
    loaded = start(tmp_path, boot_files(), "pi4", quirks=True)
    assert property_of(loaded, "/soc/watchdog@7e100000") == "disabled"
    assert property_of(loaded, "/soc/restart@7e100000/restart", "compatible") == "syscon-reboot"
    assert property_of(loaded, "/soc/usb@7e980000", "dr_mode") == "host"
    assert property_of(loaded, "/aliases", "serial0") == "/soc/serial@7e201000"
    told = [note for note in loaded.notes if note.startswith("quirk ")]
    names = [quirk.name for quirk in QUIRKS if quirk.name != "sd-card"]  # for which there is nothing to do
    assert [note.split(":")[0] for note in told] == [f"quirk {name}" for name in names]
    assert all("; price: " in note for note in told)


def test_the_power_off_is_marked_before_it_is_done(tmp_path: Path) -> None:
    node = tree_of(start(tmp_path, boot_files(), quirks=True)).root.find("/soc/restart@7e100000")
    assert node is not None
    assert node.properties["reg"] == bytes.fromhex("7e10000000000114")
    writes = [(child.properties["offset"][3], child.properties["value"].hex()) for child in node.children]
    assert writes == [(0x1C, "5a000020"), (0x20, "5a000555"), (0x1C, "5a000020")]


def test_the_sd_card_stays_when_wifi_goes(tmp_path: Path) -> None:
    wifi = "/soc/mmcnr@7e300000"
    disabled = boot_files(CONFIG + "dtoverlay=disable-wifi")
    assert property_of(start(tmp_path, disabled, "pi4"), wifi) == "disabled"
    loaded = start(tmp_path, disabled, "pi4", quirks=True)
    assert property_of(loaded, wifi) == "okay"
    assert "quirk sd-card" in " ".join(loaded.notes)
    assert property_of(start(tmp_path, disabled, "pi3", quirks=True), wifi) == "disabled"


def test_usb_is_left_alone_on_a_model_that_has_it(tmp_path: Path) -> None:
    loaded = start(tmp_path, boot_files(), "pi3", quirks=True)
    assert property_of(loaded, "/soc/usb@7e980000", "compatible") == "brcm,bcm2708-usb"
    assert "usb-host" not in " ".join(loaded.notes)


@pytest.mark.parametrize("overlay", ["disable-bt", "miniuart-bt"])
def test_bluetooth_is_left_to_an_overlay_of_config_txt(tmp_path: Path, overlay: str) -> None:
    loaded = start(tmp_path, boot_files(CONFIG + f"dtoverlay={overlay}"), quirks=True)
    assert "quirk disable-bt" not in " ".join(loaded.notes)
    assert f"overlays: {overlay}" in loaded.notes
    assert property_of(loaded, "/aliases", "serial0") == "/soc/serial@7e201000"


def test_a_quirk_that_cannot_be_applied_is_not_told_as_applied(tmp_path: Path) -> None:
    loaded = start(tmp_path, boot_files(**{"overlays/disable-bt.dtbo": None}), quirks=True)
    assert "dtoverlay=disable-bt is skipped" in " ".join(loaded.notes)
    assert "quirk disable-bt" not in " ".join(loaded.notes)


def test_every_quirk_is_for_models_that_are_there() -> None:
    assert all(quirk.models <= MODELS.keys() for quirk in QUIRKS)


# -- a dead Pi


@pytest.mark.parametrize(
    ("config", "others", "said", "hint"),
    [
        (None, {"vmlinuz": None}, "there is no vmlinuz in the boot partition", "config.txt says kernel=vmlinuz"),
        ("", {}, "there is no kernel7.img in the boot partition", "config.txt names no kernel"),
        (None, {"config.txt": None}, "there is no kernel7.img", "config.txt names no kernel"),
        (None, {PI3_TREE: None}, "there is no bcm2710-rpi-3-b.dtb", "a Raspberry Pi 3 Model B needs one of"),
        (CONFIG + "device_tree=my.dtb", {}, "there is no my.dtb", ""),
        (CONFIG + "device_tree=", {}, "there is to be no device tree", "remove the line"),
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
        ("kernel=vmlinuz", {}, "would start it in 32-bit mode", "put arm_64bit=1 into config.txt"),
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


def test_the_board_decides_the_stage(tmp_path: Path) -> None:
    layout = Layout(Extent(0, 512), Extent(0, 0), Extent(0, 0), None)
    board = Board("pi", "arm64", "a Pi", Boot.RASPBERRY, "qemu", "raspi3b", "cortex-a53", "ttyAMA0", model="pi3")
    assert isinstance(stage_for(board, layout, tmp_path), RaspberryStage)
    with pytest.raises(InternalError, match="no Raspberry Pi model 'pi9'"):
        model("pi9")
