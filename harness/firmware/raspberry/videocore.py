"""The VideoCore firmware of a Raspberry Pi, which QEMU does not run; here the harness plays it."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from pathlib import Path

from harness.errors import FirmwareFailure
from harness.firmware.boot_partition import CUT_SHORT, BootPartition, boot_partition, write_anew
from harness.firmware.command_line import without_rootdelay
from harness.firmware.raspberry.config_txt import ConfigTxt, NotText, TreeChange, read_config_txt
from harness.firmware.raspberry.device_tree import TreeBuilder, load
from harness.firmware.raspberry.flat_tree import DeviceTree, Node, dump
from harness.firmware.raspberry.models import Model
from harness.firmware.raspberry.quirks import quirks_of
from harness.firmware.stage import Disk, Loaded
from harness.image.kernel_file import kernel_arch
from harness.image.model import Extent

CONFIG = "config.txt"
ARM_64BIT_CONTROL = 0x200
"""The bit of the old property arm_control that stands for arm_64bit."""


@dataclass(frozen=True)
class _Names:
    """The files that the firmware chose."""

    prefix: str
    """``os_prefix``, "" where it is ignored."""
    kernel: str
    device_tree: str
    command_line: str
    dt_overlay_folder: str


class RaspberryStage:
    """Reads the boot partition before every start as the firmware of ``model`` does, so a flip takes effect.

    The image stays as it is. ``quirks`` says whether the device tree in memory is changed to fit QEMU.
    """

    def __init__(
        self, boot: Extent, folder: Path, model: Model, *, fast_boot: bool = False, quirks: bool = True
    ) -> None:
        self._boot = boot
        self._folder = folder
        self._model = model
        self._fast_boot = fast_boot
        self._quirks = quirks

    def prepare(self, disk: Disk) -> Loaded:
        """Do what the firmware does; raises FirmwareFailure where a real board would not start."""
        with boot_partition(disk, self._boot) as files:
            config = self._config(files)
            notes = [f"the harness plays the firmware of a {self._model.title}", *config.warnings]
            names = self._names(files, config, notes)
            kernel = self._kernel(files, config, names.kernel)
            line = files.command_line(names.command_line)
            initrd = b"".join(files.read(_prefixed(names.prefix, name)) for name in config.initramfs)
            builder, moved = self._device_tree(files, config, names)
        if self._fast_boot:
            line, dropped = without_rootdelay(line)
            notes += dropped
        notes += [f"kernel: {names.kernel}, device tree: {names.device_tree}", *builder.notes]
        if merged := ", ".join(builder.merged):
            notes.append(f"device tree overlays: {merged}")
        return Loaded(
            kernel=write_anew(self._folder / "kernel", kernel),
            append=_command_line(line, builder, config, notes, moved=moved),
            dtb=write_anew(self._folder / "board.dtb", dump(builder.tree)),
            initrd=write_anew(self._folder / "initrd", initrd) if initrd else None,
            notes=tuple(notes),
        )

    def command_line(self, disk: Disk) -> str:
        """The command line that the kernel would get; raises FirmwareFailure."""
        with boot_partition(disk, self._boot) as files:
            config = self._config(files)
            names = self._names(files, config, [])
            builder, moved = self._device_tree(files, config, names)
            return _command_line(files.command_line(names.command_line), builder, config, [], moved=moved)

    def keep(self, loaded: Loaded, folder: Path) -> Loaded:  # noqa: ARG002
        """Keep the notes only: a snapshot has the kernel in its memory, and a reset ends QEMU.

        QEMU would load a kernel over the memory of the restored machine, in which the running one has changed.
        """
        return Loaded(notes=loaded.notes)

    def adopt(self, kept: Loaded) -> Loaded:
        """There is nothing to take over."""
        return kept

    def _config(self, files: BootPartition) -> ConfigTxt:
        try:
            return read_config_txt(files.find, self._model, CONFIG)
        except NotText as error:
            raise FirmwareFailure(
                f"{CONFIG} in the boot partition is damaged: {error}", where=files.where, hint=CUT_SHORT
            ) from error

    def _names(self, files: BootPartition, config: ConfigTxt, notes: list[str]) -> _Names:
        upstream = bool(config.number("upstream_kernel", 0))
        prefix = config.values.get("os_prefix", "upstream/" if upstream else "")
        trees = (*self._model.upstream_dtbs, *self._model.dtbs) if upstream else self._model.dtbs
        given = config.values.get("device_tree")
        if given == "":
            raise FirmwareFailure(
                f"{CONFIG} asks for no device tree (device_tree=), and Linux on arm64 needs one",
                where=files.where,
                hint="remove the line, or name a file in it",
            )
        if given is not None:
            trees = (given,)
        kernels = (config.values["kernel"],) if config.values.get("kernel") else self._kernels(config)
        kernel, tree = _first(files, prefix, kernels), _first(files, prefix, trees)
        if prefix and not (files.exists(kernel) and files.exists(tree)):
            notes.append(f"os_prefix={prefix} is ignored: {kernel} and {tree} do not both exist")
            prefix, kernel, tree = "", _first(files, "", kernels), _first(files, "", trees)
        folder = config.values.get("overlay_prefix", "overlays/")
        if prefix and files.exists(f"{prefix}{folder}README"):
            folder = prefix + folder
        line = _prefixed(prefix, config.values.get("cmdline") or "cmdline.txt")
        return _Names(prefix, kernel, tree, line, folder)

    def _kernels(self, config: ConfigTxt) -> tuple[str, ...]:
        """The names that the firmware looks for when config.txt names no kernel."""
        return ("kernel8.img",) if self._is_64bit(config) else (*self._model.kernels32, "kernel.img")

    def _is_64bit(self, config: ConfigTxt) -> bool:
        default = bool(config.number("arm_control", 0) & ARM_64BIT_CONTROL) or self._model.arm_64bit
        return bool(config.number("arm_64bit", int(default)))

    def _kernel(self, files: BootPartition, config: ConfigTxt, name: str) -> bytes:
        """The kernel; raises FirmwareFailure when the firmware would start the processors in another mode."""
        why = "config.txt names no kernel, so the firmware looks for this one"
        hint = f"config.txt says kernel={name}" if "kernel" in config.values else why
        kernel = files.kernel(name, arch="arm64", hint=hint)
        if (
            kernel_arch(kernel[:1024]) == "arm64"
            and not self._is_64bit(config)
            and not name.endswith("kernel8.img")
        ):
            raise FirmwareFailure(
                f"{name} is a 64-bit kernel, which the firmware would start in 32-bit mode: it would not boot",
                where=f"{CONFIG} in {files.where}",
                hint="put arm_64bit=1 into config.txt",
            )
        return kernel

    def _device_tree(self, files: BootPartition, config: ConfigTxt, names: _Names) -> tuple[TreeBuilder, bool]:
        """The device tree, and whether a quirk has moved the console from ttyS0 to ttyAMA0."""
        hint = f"a {self._model.title} needs one of: {', '.join(self._model.dtbs)}"
        tree = load(files, names.device_tree, hint=hint)
        _give_seeds(tree)
        builder = TreeBuilder(files, tree, dt_overlay_folder=names.dt_overlay_folder, soc=self._model.soc)
        for change in config.changes:
            builder.apply(change)
        console = builder.serial_devices.get("serial0")
        for quirk in quirks_of(self._model.name) if self._quirks else ():
            if quirk.needless_with & set(builder.merged):
                continue
            merged = not quirk.dt_overlay or builder.apply(TreeChange(quirk.dt_overlay))
            if merged and (quirk.edit is None or quirk.edit(builder.tree)):
                builder.notes.append(quirk.note)
        return builder, (console, builder.serial_devices.get("serial0")) == ("ttyS0", "ttyAMA0")


def _give_seeds(tree: DeviceTree) -> None:
    """Give the kernel random seeds, new at each start; the firmware has them from the hardware's generator.

    Source: raspberrypi/firmware issues 694 and 1595. The kernel finds no such generator in QEMU. Without seeds it
    has no random numbers for 20 to 30 seconds, and DHCP waits for them.
    """
    chosen = tree.root.child("chosen")
    if chosen is None:
        chosen = Node("chosen")
        tree.root.children.append(chosen)
    chosen.properties["kaslr-seed"] = secrets.token_bytes(8)
    chosen.properties["rng-seed"] = secrets.token_bytes(64)


def _prefixed(prefix: str, name: str) -> str:
    """The name with ``os_prefix`` in front, unless it begins with a slash."""
    return name.lstrip("/") if name.startswith("/") else prefix + name


def _first(files: BootPartition, prefix: str, names: tuple[str, ...]) -> str:
    """The first of the names that exists, else the first of them."""
    prefixed = [_prefixed(prefix, name) for name in names]
    return next((name for name in prefixed if files.exists(name)), prefixed[0])


def _command_line(line: str, builder: TreeBuilder, config: ConfigTxt, notes: list[str], *, moved: bool) -> str:
    """The bootargs of the device tree, then cmdline.txt, with the names that the serial ports have here.

    Source: raspberrypi-sys-mods issue 18: serial0 and serial1 are always replaced, and ttyAMA0 where the console
    is ttyS0. The bootargs are needed because QEMU's ``-append`` replaces them. ``moved`` says that a quirk has
    moved the console, which a real board has on ttyS0, to ttyAMA0.
    """
    devices = builder.serial_devices
    replaced = dict(devices)
    if devices.get("serial0") == "ttyS0" and re.search(r"=ttyAMA0\b", line):
        replaced["ttyAMA0"] = "ttyS0"
        notes.append("the firmware replaces ttyAMA0 on the command line by ttyS0: Bluetooth has ttyAMA0")
    if moved and re.search(r"=ttyS0\b", line):
        replaced["ttyS0"] = "ttyAMA0"
        notes.append("ttyS0 on the command line is ttyAMA0 here: a quirk has moved the console there")
    line = re.sub(r"(?<==)(serial[01]|ttyAMA0|ttyS0)\b", lambda found: replaced.get(found[0], found[0]), line)
    console = devices.get("serial0", "")
    enabled = config.number("enable_uart", int(console == "ttyAMA0"))
    if console and f"console={console}" in line and not enabled:
        notes.append(f"the console is {console}, but enable_uart is not 1: on a real board it may say nothing")
    return f"{builder.bootargs} {line}".strip()
