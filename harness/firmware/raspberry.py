"""The VideoCore firmware of a Raspberry Pi, which QEMU does not run: config.txt, kernel, device tree, overlays."""

from __future__ import annotations

import re
from pathlib import Path

from harness.errors import FirmwareFailure
from harness.firmware.boot_partition import BootPartition, boot_partition, write_anew
from harness.firmware.device_tree import load, merged
from harness.firmware.direct import keep_files
from harness.firmware.flat_tree import Tree, TreeError, dump
from harness.firmware.models import Model
from harness.firmware.quirks import quirks_of
from harness.firmware.stage import Disk, Loaded
from harness.image.model import Extent

DTB = "board.dtb"


class RaspberryStage:
    """Reads the boot partition before every start as the firmware of ``model`` would, so that a flip shows.

    It changes nothing of the image; what QEMU needs beyond it is done to the device tree in memory, unless
    ``quirks`` is False.
    """

    def __init__(self, boot: Extent, folder: Path, model: Model, *, quirks: bool = True) -> None:
        self._boot = boot
        self._folder = folder
        self._model = model
        self._quirks = quirks

    def prepare(self, disk: Disk) -> Loaded:
        """Do what the firmware does; raises FirmwareFailure where a real board would stay dark."""
        notes = [f"the harness plays the firmware of a {self._model.title}"]
        with boot_partition(disk, self._boot) as files:
            config = files.read("config.txt").decode("ascii", errors="replace")
            found = re.findall(r"^kernel=(\S+)", config, re.MULTILINE)
            kernel = files.kernel(found[-1] if found else "kernel8.img")
            append = files.command_line("cmdline.txt")
            tree = self._device_tree(files, notes)
        return Loaded(
            kernel=write_anew(self._folder / "kernel", kernel),
            append=append,
            dtb=write_anew(self._folder / DTB, dump(tree)),
            notes=tuple(notes),
        )

    def keep(self, loaded: Loaded, folder: Path) -> Loaded:
        """Keep kernel and device tree: by links where the file systems allow, else by copies."""
        return keep_files(loaded, folder)

    def adopt(self, kept: Loaded) -> Loaded:
        """QEMU wants the files at a restore too, but only reads them: no copy is needed."""
        return kept

    def _device_tree(self, files: BootPartition, notes: list[str]) -> Tree:
        name = next((name for name in self._model.dtbs if files.exists(name)), self._model.dtbs[0])
        tree = load(files, name)
        notes.append(f"device tree: {name}")
        if not self._quirks:
            return tree
        for quirk in quirks_of(self._model.name):
            if quirk.overlay:
                path = f"overlays/{quirk.overlay}.dtbo"
                if not files.exists(path):
                    notes.append(f"quirk {quirk.name} left out: there is no {path} in the boot partition")
                    continue
                try:
                    tree = merged(tree, load(files, path))
                except TreeError as error:
                    raise FirmwareFailure(f"{path} cannot be applied: {error}", where=files.where) from error
            if quirk.edit is not None and not quirk.edit(tree):
                continue
            notes.append(quirk.note)
        return tree
