"""Which accelerator runs each board here: tried once a run, and given up for the rest of it when KVM broke."""

from __future__ import annotations

from pathlib import Path

from harness.boards import Board
from harness.errors import AcceleratorFailed
from harness.image.fat import FatVolume
from harness.lab.folders import Folders
from harness.lab.images import Images
from harness.lab.journal import Journal
from harness.lab.qemus import Qemus
from harness.machine.accelerator import RECORDING, Accelerator, choose, forget
from harness.options import Settings


class Accelerators:
    """The accelerators of a run, tried with the kernel of the image under test."""

    def __init__(
        self, settings: Settings, folders: Folders, images: Images, qemus: Qemus, journal: Journal
    ) -> None:
        self._settings = settings
        self._folders = folders
        self._images = images
        self._qemus = qemus
        self._journal = journal
        self._chosen: dict[str, Accelerator] = {}

    def of(self, board: Board) -> Accelerator:
        """What runs this board's processors."""
        if self._settings.record:
            return RECORDING
        if board.name not in self._chosen:
            self._chosen[board.name] = choose(
                self._settings.accel,
                board,
                qemu=self._qemus.of(board),
                run_dir=self._folders.run_dir,
                kernel=lambda: self._kernel(board),
                cache=self._settings.cache_root,
            )
        return self._chosen[board.name]

    def so_far(self, name: str) -> str:
        """The name of the accelerator of a board, "" when it was not asked for yet."""
        return self._chosen[name].name if name in self._chosen else ""

    def fall_back(self, board: Board, error: AcceleratorFailed) -> None:
        """Go on with TCG, in this run and until this host boots again; raises ``error`` when KVM was asked for."""
        if self._settings.accel != "auto" or self.of(board).name == "tcg":
            raise error
        seen = f"{error.what}: {(error.evidence.splitlines() or ['it said nothing'])[-1]}"
        forget(board, self._qemus.of(board), self._settings.cache_root, seen)
        self._chosen[board.name] = Accelerator("tcg", f"KVM broke: {seen}")
        self._journal.note(f"{board.name}: KVM BROKE, from now on TCG runs it, and all takes longer: {seen}")

    def _kernel(self, board: Board) -> Path:
        image = self._images.image(board, "hello")
        boot = image.layout.boot
        kernel = self._folders.folder("probe", bulky=True) / "vmlinuz"
        kernel.write_bytes(FatVolume.open(image.path, offset=boot.offset, size=boot.size).read("vmlinuz"))
        return kernel
