"""Updates: how what runs on an appliance is replaced, over its web interface or on its disk."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeAlias

from harness.appliance.assembly import Assembly
from harness.appliance.life import Life
from harness.appliance.offline_update import install_offline, put_back_offline
from harness.appliance.time_line import Lane
from harness.console.slot import Slot
from harness.errors import BoardMismatch
from harness.gokrazy.client import Device
from harness.gokrazy.update import Mangle, Updater, Upload
from harness.image.model import Image, UpdateFiles


@dataclass(frozen=True)
class Order:
    """What somebody else's client is to do, and where."""

    url: str
    """Of the web interface, without user and password."""
    password: str = field(repr=False)
    files: UpdateFiles


Client: TypeAlias = Callable[[Order], object]
"""Updates a device as ``gok update`` does, up to the request to reboot."""


class Updates(Life):
    """The part of an appliance that is about replacing what runs on it."""

    def __init__(self, made: Assembly) -> None:
        super().__init__(made)
        self.downtimes: list[float] = []
        """Of each update: seconds from the request to reboot to the first answer of what was installed."""
        self._files_of = made.files_of

    @property
    def uploaded(self) -> int:
        """Bytes that its update handlers were sent so far, damaged uploads included."""
        return self._witness.uploaded

    def update(self, image: Image, *, force: bool = False, over: Device | None = None) -> list[Upload]:
        """Update to ``image`` as gok does: root, boot, MBR, switch, reboot; waits until the device runs it.

        Raises BoardMismatch, before anything is sent, for an image of another architecture; ``force`` sends it.
        ``over`` is its web interface as it is reached another way, such as ``tailnet.device(...)``: all of the
        update goes that way.
        """
        files = self._fitting(image, force=force)
        updater = self._updater(over=over)
        uploads = updater.update(root=files.root, boot=files.boot, mbr=files.mbr)
        # The other way may be one of the services that end before a device answers.
        self._reboot_into(image, over.begin_reboot if over is not None else None)
        return uploads

    def update_with(self, image: Image, client: Client) -> None:
        """Have somebody else's client update to ``image``: it sends the files, switches and asks for the reboot.

        Waits until the device runs the image. What the client raises goes on.
        """
        self.time_line.add(Lane.UPDATE, "another client updates")
        order = Order(self.device.url, self.running.password or "", self._files_of(image))
        self._reboot_into(image, lambda: client(order))

    def seed_inactive(self, image: Image, *, force: bool = False) -> Slot:
        """Put ``image`` onto the inactive slot, as an update does before it switches; only while off."""
        files = self._fitting(image, force=force)
        return install_offline(self.power.overlay, self.image.layout, image, files)

    def put_back(self, image: Image) -> Slot:
        """Have it start ``image`` again, of which a slot still has the root file system; only while off.

        That is the way back from an update that does not start: boot files and MBR are written anew, as with the
        card or disk in another computer. Returns the slot; raises ApplianceFault where none has it.
        """
        self.time_line.add(Lane.UPDATE, "boot files and MBR of what ran before are put back")
        slot = put_back_offline(self.power.overlay, self.image.layout, image, self._files_of(image))
        self._now_runs(image)
        return slot

    def flip(self, image: Image) -> None:
        """Have it switch to the inactive slot, which holds ``image``, and reboot; waits until it runs that."""
        self.time_line.add(Lane.UPDATE, "the other slot is to run")
        Updater(self.device).switch()
        self._reboot_into(image)

    def install(self, image: Image, files: UpdateFiles, *, root: bool) -> None:
        """Have its own handlers install these files, which make ``image``, and reboot through its firmware.

        Without ``root`` the boot file system alone is sent, for the active slot. Waits until the device runs it.
        """
        updater = self._updater()
        if root:
            updater.update(root=files.root, boot=files.boot, mbr=files.mbr)
        else:
            updater.put_boot_only(files.boot)
            updater.put_mbr(files.mbr)
        self._reboot_into(image, kexec=False)

    def _reboot_into(self, image: Image, ask: Callable[[], object] | None = None, *, kexec: bool = True) -> None:
        """Have it reboot, by ``ask`` where somebody else asks for that, and wait until it runs the image."""
        before = self.status()
        boots = len(self.console.boots)
        began = time.monotonic()
        (ask or (lambda: self.device.reboot(kexec=kexec)))()
        self._now_runs(image)
        self._comes_back(boots)
        if not self.can("http"):
            # It has no password, so nobody can ask it: the console said that it is up.
            pass
        elif image.build and image.build != before.build_timestamp:
            self.device.wait_for_build(image.build, self.budget.reboot)
        else:
            self.device.wait_for_reboot(before, self.budget.reboot)
        self._serves()
        self.downtimes.append(time.monotonic() - began)

    def update_boot_only(self, image: Image, *, force: bool = False) -> None:
        """Install the boot file system of ``image`` for the active slot, then the MBR that fits it."""
        files = self._fitting(image, force=force)
        updater = self._updater()
        updater.put_boot_only(files.boot)
        updater.put_mbr(files.mbr)

    def send_root(self, image: Image, *, mangle: Mangle | None = None, force: bool = False) -> Upload:
        """Send the root file system of ``image`` to the inactive slot; ``mangle`` damages it on its way."""
        root = self._fitting(image, force=force).root
        sends = self._updater(mangle)
        if mangle is None:
            return sends.put_root(root)
        with self.time_line.during(Lane.FAULTS, f"the upload is damaged: {getattr(mangle, '__name__', 'mangle')}"):
            return sends.put_root(root)

    def _fitting(self, image: Image, *, force: bool) -> UpdateFiles:
        """The files of an update, unless the image is for another architecture than the device."""
        if not force and (why := self.board.other_than(image.arch)):
            raise BoardMismatch(
                f"the update was not sent: {why}",
                where=str(image.path),
                hint=f"build it with GOARCH={self.board.arch}, and the KernelPackage that goes with it; "
                "update(image, force=True) sends it all the same",
            )
        return self._files_of(image)

    def _updater(self, mangle: Mangle | None = None, *, over: Device | None = None) -> Updater:
        return Updater(over or self.device, stall=self.budget.upload, progress=self._witness.sent, mangle=mangle)
