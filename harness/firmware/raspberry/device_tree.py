"""The device tree that a Raspberry Pi's firmware gives the kernel: the board's own, with parameters and overlays.

The firmware skips a device tree overlay that is missing or for other hardware, and a bad parameter ("Device Trees,
Overlays, and Parameters", part 5.1 of the Raspberry Pi documentation). So does this module; ``notes`` names each.
FirmwareFailure is raised where a real board would have no device tree, and would not start.
"""

from __future__ import annotations

from harness.errors import FirmwareFailure
from harness.firmware.boot_partition import CUT_SHORT, BootPartition
from harness.firmware.raspberry.config_txt import TreeChange
from harness.firmware.raspberry.dt_overlay import MissingNode, merge, resolve
from harness.firmware.raspberry.dt_overlay_parameters import ParameterError, has_parameter, set_parameter
from harness.firmware.raspberry.flat_tree import DeviceTree, TreeError, dump, parse

OVERLAY_MAP = "overlay_map.dtb"
"""Which device tree overlay a name stands for on each chip."""


def load(files: BootPartition, name: str, *, hint: str = "") -> DeviceTree:
    """Read a device tree or device tree overlay of the boot partition; raises FirmwareFailure for other files."""
    try:
        return parse(files.read(name, hint=hint))
    except TreeError as error:
        raise FirmwareFailure(
            f"{name} in the boot partition is no device tree: {error}", where=files.where, hint=CUT_SHORT
        ) from error


class TreeBuilder:
    """One device tree on its way from the board's file to the kernel."""

    def __init__(self, files: BootPartition, tree: DeviceTree, *, dt_overlay_folder: str, soc: str) -> None:
        self.tree = tree
        self.notes: list[str] = []
        self.merged: list[str] = []
        """The device tree overlays that were merged, by the names of their files."""
        self._files = files
        self._folder = dt_overlay_folder
        self._soc = soc
        path = dt_overlay_folder + OVERLAY_MAP
        self._map = load(files, path) if files.exists(path) else None

    def apply(self, change: TreeChange) -> bool:
        """Set parameters of the tree, or merge a device tree overlay; returns False if that needs a note."""
        before = len(self.notes)
        if change.dt_overlay:
            self._merge(change)
        else:
            for name, value in change.parameters:
                self._set(self.tree, self.tree, name, value, f"dtparam={name}")
        return len(self.notes) == before

    @property
    def bootargs(self) -> str:
        """The tree's part of the kernel's command line; the firmware puts it before cmdline.txt."""
        chosen = self.tree.root.child("chosen")
        return "" if chosen is None else chosen.text("bootargs").strip()

    @property
    def serial_devices(self) -> dict[str, str]:
        """What Linux calls the first and the second serial port, such as serial0 -> ttyAMA0."""
        aliases = self.tree.root.child("aliases")
        devices = {}
        for name in ("serial0", "serial1"):
            node = self.tree.root.find(aliases.text(name)) if aliases is not None and aliases.text(name) else None
            compatible = node.properties.get("compatible", b"") if node is not None else b""
            if b"pl011" in compatible:
                devices[name] = "ttyAMA0"
            elif b"aux-uart" in compatible:
                devices[name] = "ttyS0"
        return devices

    def _merge(self, change: TreeChange) -> None:
        mapped = self._mapped(change.dt_overlay)
        if mapped is None:
            return
        name, *built_in = mapped.split(",")
        asked, path = f"dtoverlay={change.dt_overlay}", f"{self._folder}{name}.dtbo"
        if not self._files.exists(path):
            self.notes.append(f"{asked} is skipped: there is no {path} in the boot partition")
            return
        dt_overlay = load(self._files, path)
        tree = parse(dump(self.tree))
        first = [(one.partition("=")[0], one.partition("=")[2] if "=" in one else None) for one in built_in if one]
        try:
            resolve(tree, dt_overlay)
            for parameter, value in (*first, *change.parameters):
                self._set(dt_overlay, tree, parameter, value, f"{asked},{parameter}")
            merge(tree, dt_overlay)
        except MissingNode as error:
            self.notes.append(f"{asked} is skipped: {error}")
        except TreeError as error:
            raise FirmwareFailure(
                f"{path} in the boot partition is damaged: {error}", where=self._files.where, hint=CUT_SHORT
            ) from error
        else:
            self.tree = tree
            self.merged.append(name)

    def _mapped(self, name: str) -> str | None:
        """The name that the device tree overlay has for this chip, with parameters; None when there is none."""
        row = self._map.root.child(name) if self._map is not None else None
        if row is None:
            return name
        if self._soc in row.properties:
            return row.text(self._soc) or name
        if renamed := row.text("renamed"):
            self.notes.append(f"dtoverlay={name}: the device tree overlay is called {renamed} now")
            return renamed
        why = row.text("deprecated")
        reason = f"it was removed: {why}" if why else f"it is not for {self._soc}"
        self.notes.append(f"dtoverlay={name} is skipped: {reason}")
        return None

    def _set(self, tree: DeviceTree, base: DeviceTree, name: str, value: str | None, where: str) -> None:
        """Set a parameter of ``tree``, or of ``base`` if only that has it."""
        known = next((one for one in (tree, base) if has_parameter(one, name)), None)
        if known is None:
            self.notes.append(f"{where} is skipped: there is no such parameter")
            return
        try:
            set_parameter(known, name, value)
        except ParameterError as error:
            self.notes.append(f"{where} is skipped: {error}")
