"""A lab of appliances that are only asked for: no QEMU, no room on the host, nothing built."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from harness.appliance.wanted import Wanted
from harness.boards import board
from harness.firmware.voice import Voice
from harness.lab.equipment import equipment
from harness.lab.folders import Folders
from harness.lab.journal import Journal
from harness.lab.lab import Lab
from harness.lab.plan import Plan
from harness.lab.ssh_keys import KeyChoice
from harness.lab.starts import Starts
from harness.lab.targets import Target
from harness.machine.accelerator import TCG
from harness.machine.qemu import QemuProgram
from harness.machine.snapshot import SnapshotDisk
from harness.machine.spec import Spec
from harness.options import Settings

HEARD = Voice("ttyAMA0", kernel=True, init=True)
QEMU = QemuProgram(Path("/usr/bin/qemu"), "10.0", frozenset(), sandbox=True)
IMAGE: Any = SimpleNamespace(
    kernel=SimpleNamespace(drivers=()),
    draws=False,
    **{"hostname": "mine", "digest": "d1", "perm": "ext4", "cmdline": "console=ttyAMA0,115200 console=ttyS0"},
    **{"http_port": 80, "https_port": 443, "breakglass": None},
)


class PlayedFolders(Folders):
    """Folders without a guard; ``asked`` names what was asked for."""

    def __init__(self, path: Path) -> None:
        super().__init__(Journal())
        self.path = path
        self.path.mkdir(parents=True, exist_ok=True)
        self.asked: list[str] = []

    @property
    def run_dir(self) -> Any:
        """What has the folder for disks."""
        return SimpleNamespace(work=self.path)

    def folder(self, name: str, *, bulky: bool = False) -> Path:
        """A new folder, wherever it is to be."""
        self.asked.append(name)
        made = self.path / (name if self.asked.count(name) == 1 else f"{name}-{self.asked.count(name)}")
        made.mkdir()
        return made


class PlayedStarts(Starts):
    """Keeps what its appliances were asked for, and lets that fail."""

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self.asked: list[str] = []
        self.fails: Mapping[str, Exception] = {}
        self.specs: list[Spec] = []
        self.qemus: Any = SimpleNamespace(of=lambda _: QEMU, too_old={})
        self.accelerators: Any = SimpleNamespace(of=lambda _: TCG)
        # These machines take up nothing, so they wait for no room that real ones have taken.
        self.room: Any = SimpleNamespace(reserve=lambda *_: nullcontext())
        self.targets: Any = SimpleNamespace(of=self._target)

    def _target(self, on: Any, image: Any) -> Target:
        key = self.keys.choice(image) if image.breakglass is not None else KeyChoice()
        return Target(on.fitted(image), image, equipment(self.settings, image).on(on), HEARD, key)

    def _assemble(self, plan: Plan, spec: Spec, firmware: Path, disks: Sequence[SnapshotDisk]) -> Any:
        self.specs.append(spec)
        power = SimpleNamespace(
            power_ons=[], rungs=[], board=spec.board, in_many_threads=not spec.reboots, check=lambda: None
        )
        names = ("power_on", "wait_until_ready", "wait_until_at_rest", "wait_until_it_runs", "wait_until_quiet")
        each = {
            name: self._noted(name) for name in (*names, "restore", "take_snapshot", "look_at_screen", "close")
        }
        facts = {"booted_again": True, "knows_time": True, "boot_times": list, "uploaded": 0}
        logs = self._logs(plan.wanted.name)
        return SimpleNamespace(
            board=spec.board,
            power=power,
            console=SimpleNamespace(boots=[]),
            folder=logs,
            explained=nullcontext,
            key=plan.target.key,
            **facts,
            **each,
        )

    def _noted(self, name: str) -> Any:
        def noted(*_: Any, **__: Any) -> Any:
            self.asked.append(name)
            if name in self.fails:
                raise self.fails[name]
            return (SimpleNamespace(disks=("that of the snapshot",)), None)

        return noted


class PlayedLab(Lab):
    """A lab with these starts."""

    def __init__(self, settings: Settings, *, shared: Path | None = None, **fails: Exception) -> None:
        super().__init__(settings, shared=shared)
        self.played = PlayedStarts(settings, self.folders, self.images, self.journal, shared=shared)
        self.played.fails = fails
        self._starts = self.played


def wanted(name: str, on: str = "virt", **asked: Any) -> Wanted:
    """What a test of this name asks for, on this board."""
    return Wanted(board(on), name, **{"image": IMAGE, **asked})
