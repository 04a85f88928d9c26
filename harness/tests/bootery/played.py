"""A lab whose appliances are played: they note what they are to install, and say what a test has them say."""

from __future__ import annotations

import hashlib
import itertools
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from harness.appliance.wanted import Wanted
from harness.boards.board import Budget
from harness.console.console import Console
from harness.console.match import Mark
from harness.errors import HarnessError
from harness.image.load import load_raw
from harness.image.model import Image, UpdateFiles
from harness.image.update_files import update_files
from harness.options import Settings
from harness.tests.console.replay import FakeMachine
from harness.tests.image import synthetic

BOOTS = """\
[    0.000000] Linux version {release} (gokrazy@docker) #1 SMP\r
[    0.000000] Kernel command line: {cmdline}\r
[    1.000000] Run /gokrazy/init as init process\r
"""


class PlayedAppliance:
    """Installs nothing, and boots by its word alone."""

    def __init__(self, lab: PlayedLab, wanted: Wanted, folder: Path) -> None:
        folder.mkdir(parents=True)
        self.lab = lab
        self.image = self.running = wanted.image
        self.console = Console(folder, name=f"{wanted.name}, played")
        self.guest = FakeMachine()
        self.console.attach(self.guest.theirs)
        self.first_slot = "A"
        self.voice = SimpleNamespace(any=True, kernel=True)
        self.budget = Budget(reboot=lab.limit)

    def explained(self) -> Any:
        """It knows no more."""
        return nullcontext()

    def check(self) -> None:
        """Raise what the console showed."""
        self.console.check()

    def wait_until_at_rest(self) -> None:
        """It rests."""

    def install(self, image: Image, files: UpdateFiles, *, root: bool) -> None:
        """Note what came, and boot it."""
        sent = {name: digest(getattr(files, name)) for name in (("root", "boot") if root else ("boot",))}
        self.lab.installed.append((image, sent))
        self.lab.arrived.set()
        if self.lab.refuses:
            raise self.lab.refuses.pop()
        self.running = image
        if self.lab.fails:
            raise self.lab.fails.pop()
        if self.lab.holds:
            self.console.wait(self.lab.limit)
        cmdline = synthetic.cmdline(image.hostname, slot=2 if root else 1)
        self.guest.say(BOOTS.format(release=image.kernel.release, cmdline=cmdline) + self.lab.says)
        self.console.wait_for_boot(after=0, timeout=self.lab.limit)
        if self.lab.says:
            self.console.wait_for_line(self.lab.says.splitlines()[-1], timeout=self.lab.limit, since=START)

    def close(self) -> None:
        """It ends."""
        self.guest.end()
        self.console.close()


START = Mark(-1)


class PlayedLab:
    """Its images are small, and what it makes is below one folder."""

    def __init__(self, folder: Path, disk: Path, *, limit: float = 20.0) -> None:
        self.folder = folder
        self.settings = Settings(artifacts=folder / "artifacts")
        self.limit = limit
        self.image = load_raw(disk)
        self.installed: list[tuple[Image, dict[str, str]]] = []
        self.arrived = threading.Event()
        """Set once something is installed."""
        self.stays_off: list[HarnessError] = []
        """Why an appliance does not come up; each is used once, as those below."""
        self.refuses: list[HarnessError] = []
        """Why it does not take what is sent."""
        self.fails: list[HarnessError] = []
        """What becomes of what was sent."""
        self.holds = False
        """Whether a boot lasts until it is ended."""
        self.says = ""
        """What a device says after its kernel."""
        self.open = 0
        self.abandoned = 0
        self._numbers = itertools.count(1)
        self._live: dict[str, PlayedAppliance] = {}
        self._files: dict[str, UpdateFiles] = {}
        self._changing = threading.Lock()
        self.folders: Any = SimpleNamespace(folder=self._folder)
        self.images: Any = SimpleNamespace(
            image=lambda board, family: self.image,
            update_files=self._update_files,
            given=lambda name: load_raw(Path(name)),
        )
        self.starts: Any = SimpleNamespace(qemus=SimpleNamespace(of=lambda board: None))

    def with_settings(self, settings: Settings) -> Any:
        """The lab of one test, which writes its logs where these settings say."""
        return nullcontext(PlayedTest(self, settings))

    def live(self, name: str) -> Any:
        """The appliance of this name."""
        return self._live.get(name)

    @contextmanager
    def appliance(self, wanted: Wanted, artifacts: Path) -> Iterator[Any]:
        """One that is up, with its logs among the artifacts of a test."""
        if self.stays_off:
            raise self.stays_off.pop()
        appliance = self._live[wanted.name] = PlayedAppliance(self, wanted, artifacts / wanted.name)
        with self._changing:
            self.open += 1
        try:
            yield appliance
        finally:
            with self._changing:
                self.open -= 1
            appliance.close()

    def left(self) -> list[str]:
        """What lies in its folders that no request needs any more."""
        kept = ("carrier", "snapshots", "files", "before")
        return sorted(
            path.name for path in self.folder.iterdir() if not path.name.startswith((*kept, "artifacts"))
        )

    def _folder(self, name: str, *, bulky: bool = False) -> Path:
        path = self.folder / f"{name}-{next(self._numbers)}"
        path.mkdir()
        return path

    def _update_files(self, image: Image) -> UpdateFiles:
        """Cut out once, as the real ones are: whoever has them reads them while another test begins."""
        with self._changing:
            if image.digest not in self._files:
                self._files[image.digest] = update_files(image, self.folder / "files")
            return self._files[image.digest]


@dataclass(frozen=True)
class PlayedTest:
    """The lab of one test: that of all, with settings of its own."""

    lab: PlayedLab
    settings: Settings

    @property
    def images(self) -> Any:
        """Those of all."""
        return self.lab.images

    def abandon(self) -> None:
        """No machine is left."""
        self.lab.abandoned += 1

    def live(self, name: str) -> Any:
        """The appliance of this name."""
        return self.lab.live(name)

    def appliance(self, wanted: Wanted) -> Any:
        """One that is up."""
        return self.lab.appliance(wanted, self.settings.artifacts)


def digest(path: Path) -> str:
    """What is in a file, in short."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
