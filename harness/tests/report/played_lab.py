"""A lab whose appliances are played: enough for a whole run of pytest with a report, without QEMU."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from harness import plugin
from harness.appliance.appliance import Appliance
from harness.appliance.wanted import Wanted
from harness.boards import Board, board
from harness.console.phases import Cause
from harness.errors import HostDiskFull
from harness.image.model import Extent, Image, Kernel, Layout
from harness.lab.journal import Journal
from harness.options import settings_from
from harness.run import workers
from harness.tests.appliance.played import appliance

PASSWORD = "geheim-geheim"
BOOT = (
    "[    0.000000] Linux version 7.1.2 (x) #1",
    "[    0.500000] Run /gokrazy/init as init process",
    "2026/01/01 00:00:00 gokrazy.go:1: gokrazy build timestamp 2026",
    f"2026/01/01 00:00:01 hello.go:2: my password is {PASSWORD} </script><script>alert(1)</script>",
)
PANIC = "[    1.000000] Kernel panic - not syncing: Fatal exception in interrupt"

IMAGE = Image(
    path=Path("disk.img"),
    digest="digest",
    size=0,
    arch="arm64",
    hostname="hello",
    build="2026",
    builder="own",
    layout=Layout(Extent(0, 0), Extent(0, 0), Extent(0, 0), None),
    kernel=Kernel("7.1.2"),
    cmdline="",
    services=(),
    perm="blank",
    password=PASSWORD,
    modules={"std": "go1.26", "example.test/own": "(local)"},
)


def dies(wanted: Wanted) -> bool:
    """Whether an appliance dies while it boots: that of a test named after a panic, or its second one."""
    return "panics" in wanted.name and ("second" not in wanted.name or wanted.name.endswith(" second"))


class PlayedLab:
    """What the plugin uses of a lab. The appliance of a test named after a panic dies while it boots.

    For one that is named after a lack of room, this host has none.
    """

    def __init__(self, folder: Path) -> None:
        self.journal = Journal()
        self.settings = settings_from({"gk_bundle": "off"})
        self.boards = (board("virt"),)
        self.images: Any = SimpleNamespace(kind=lambda board: board.arch)
        self._folder = folder
        self._live: dict[str, Appliance] = {}

    def board(self, name: str) -> Board:
        return board(name)

    def prepare(self, needed: object) -> None:
        """There is nothing to build, but something to tell of it."""
        self.journal.image("image hello", IMAGE)

    def skip_reason(self, wanted: Wanted) -> str:
        return "not applicable: so it is" if "skipped" in wanted.name else ""

    def live(self, name: str) -> Appliance | None:
        return self._live.get(name)

    def accelerator_so_far(self, name: str) -> str:
        return "tcg"

    @contextmanager
    def appliance(self, wanted: Wanted) -> Iterator[Appliance]:
        if "no_room" in wanted.name:
            raise HostDiskFull("no room for a disk")
        made = appliance(self._folder / str(len(self._live)), wanted.board.name, no_quirks=False)
        for name in ("digest", "build", "builder"):
            object.__setattr__(made.image, name, name)
        object.__setattr__(made.image, "password", PASSWORD)
        made._now_runs(made.image)
        self._live[wanted.name] = made
        intake = made.console._intake
        with made.console._changed:
            intake.machine_started(Cause.POWER_ON, None)
        for line in (*BOOT, *([PANIC] if dies(wanted) else ())):
            intake.data(line.encode() + b"\r\n")
        try:
            with made.console._changed:
                intake.crashes.tick(0.0, settle=True)
            made.console.check()
            yield made
        finally:
            made.console.close()

    def close(self) -> None:
        """Nothing runs."""


@pytest.hookimpl(tryfirst=True)
def pytest_sessionstart(session: pytest.Session) -> None:
    """Put it in the place of a worker's own: the controller's makes no appliance."""
    if workers.is_worker(session.config):
        session.config.stash[plugin.LAB] = PlayedLab(session.config.rootpath / "logs")  # type: ignore[misc]
