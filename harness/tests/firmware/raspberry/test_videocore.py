"""What is loaded in the place of a Raspberry Pi's firmware, from the files of its boot partition."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.errors import InternalError
from harness.firmware.raspberry.flat_tree import parse
from harness.firmware.raspberry.models import model
from harness.firmware.raspberry.videocore import RaspberryStage
from harness.tests.firmware.raspberry.pi import (
    CONFIG,
    KERNEL,
    LINE,
    PI3_TREE,
    PI4_TREE,
    SEEDS,
    boot_files,
    disk,
    property_of,
    real,
    seeds_of,
    start,
    tree_of,
)

ROOT = "root=PARTUUID=60c24cc1/PARTNROFF=1 init=/gokrazy/init"
BASE_ARGUMENTS = "coherent_pool=1M 8250.nr_uarts=1 snd_bcm2835.enable_headphones=0 cgroup_disable=memory"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "firmware"
    path.mkdir()
    return path


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
    stage.prepare(source)
    others = {"vmlinuz": KERNEL + b"!", "cmdline.txt": LINE.replace("FF=1", "FF=2").encode()}
    source, boot = disk(tmp_path, boot_files(CONFIG + "dtparam=spi=on", **others))
    again = stage.prepare(source)
    assert again.append is not None
    assert "PARTNROFF=2" in again.append
    assert property_of(again, "/soc/spi@7e204000") == "okay"
    assert again.kernel is not None
    assert again.kernel.read_bytes() == KERNEL + b"!"


def test_a_restored_machine_is_given_no_kernel_which_would_replace_the_one_that_runs(
    tmp_path: Path, folder: Path
) -> None:
    source, boot = disk(tmp_path, boot_files())
    stage = RaspberryStage(boot, folder, model("pi3"))
    adopted = stage.adopt(stage.keep(stage.prepare(source), tmp_path))
    assert not adopted.files
    assert adopted.append is None
    assert adopted.notes


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
        ("enable_uart=1", "ttyAMA0", "ttyS0", "replaces ttyAMA0 on the command line by ttyS0"),
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
    notes = [one for one in loaded.notes if "tty" in one]
    assert [note in one for one in notes] == ([True] if note else [])


# -- overlays and parameters


def test_an_overlay_s_change_is_in_the_tree(tmp_path: Path) -> None:
    loaded = start(tmp_path, boot_files(CONFIG + "dtoverlay=disable-bt"))
    assert "device tree overlays: disable-bt" in loaded.notes
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
        ("dtoverlay=lirc-rpi", "dtoverlay=lirc-rpi is skipped: it was removed: use gpio-ir"),
        ("dtoverlay=pi3-disable-bt", "dtoverlay=pi3-disable-bt: the device tree overlay is called disable-bt now"),
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


def test_a_model_that_is_not_in_the_table_is_an_error_of_the_harness() -> None:
    with pytest.raises(InternalError, match="no Raspberry Pi model 'pi9'"):
        model("pi9")
