"""Which accelerator runs each board here: tried once a run, and given up for the rest of it when KVM broke."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from harness.boards import Board
from harness.errors import AcceleratorFailed
from harness.options import Settings

if TYPE_CHECKING:
    from harness.image.model import Image
    from harness.machine.accelerator import Accelerator
    from harness.machine.qemu import QemuProgram
    from harness.machine.run_dir import RunDir


class Accelerators:
    """The accelerators of a run; ``image`` and ``qemu`` say what a board runs, ``note`` is for the report."""

    def __init__(
        self,
        settings: Settings,
        *,
        run_dir: Callable[[], RunDir],
        image: Callable[[Board], Image],
        qemu: Callable[[Board], QemuProgram],
        note: Callable[[str], None],
    ) -> None:
        self._settings = settings
        self._run_dir = run_dir
        self._image = image
        self._qemu = qemu
        self._note = note
        self._chosen: dict[str, Accelerator] = {}

    def of(self, board: Board) -> Accelerator:
        """What runs this board's processors."""
        if board.name not in self._chosen:
            from harness.machine.accelerator import choose

            run_dir = self._run_dir()
            self._chosen[board.name] = choose(
                self._settings.accel,
                board,
                qemu=self._qemu(board),
                run_dir=run_dir,
                kernel=lambda: self._kernel(board, run_dir),
                cache=self._settings.cache_root,
            )
        return self._chosen[board.name]

    def so_far(self, name: str) -> str:
        """The name of the accelerator of a board, "" when it was not asked for yet."""
        return self._chosen[name].name if name in self._chosen else ""

    def fall_back(self, board: Board, error: AcceleratorFailed) -> None:
        """Go on with TCG, in this run and until this host boots again; raises ``error`` when KVM was asked for."""
        from harness.machine.accelerator import Accelerator, forget

        if self._settings.accel != "auto" or self.of(board).name == "tcg":
            raise error
        seen = f"{error.what}: {(error.evidence.splitlines() or ['it said nothing'])[-1]}"
        forget(board, self._qemu(board), self._settings.cache_root, seen)
        self._chosen[board.name] = Accelerator("tcg", f"KVM broke: {seen}")
        self._note(f"{board.name}: KVM BROKE, from now on TCG runs it, and everything takes longer: {seen}")

    def _kernel(self, board: Board, run_dir: RunDir) -> Path:
        from harness.image.fat import FatVolume

        image = self._image(board)
        boot = image.layout.boot
        kernel = run_dir.folder("probe", bulky=True) / "vmlinuz"
        kernel.write_bytes(FatVolume.open(image.path, offset=boot.offset, size=boot.size).read("vmlinuz"))
        return kernel
