"""RunNews: what a run is made of and what became of it, gathered where it happens and told piece by piece.

A piece travels with each test's report, from a worker process too, to the Recorder that has all of them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.appliance.appliance import Appliance
    from harness.image.model import Image

BootTimes = tuple[str, str, dict[str, float]]
"""Board, "cold" or "warm", and the seconds since power-on of each phase."""


class RunNews:
    """What one process has to tell; ``say`` is told at once, ``build_seconds`` is read when the news are taken."""

    def __init__(self, *, say: Callable[[str], None], build_seconds: Mapping[str, float]) -> None:
        self._say = say
        self._build_seconds = build_seconds
        self._boots: list[BootTimes] = []
        self._notes: list[str] = []
        self._waits: list[float] = []
        self._facts: dict[str, str] = {}
        self._told: set[str] = set()
        """What several have to tell, each once."""
        self._firmware: dict[str, dict[str, None]] = {}
        """What the firmware stages had to say, by board, each once."""
        self._halts: Counter[str] = Counter()

    def note(self, line: str) -> None:
        """Tell whoever watches the run, and whoever reads its report, what went otherwise than usual."""
        self._say(f"gokrazy: {line}")
        self._notes.append(line)

    def note_once(self, line: str) -> None:
        """The same for what several have to tell."""
        if self._is_new(line):
            self.note(line)

    def _is_new(self, line: str) -> bool:
        """Whether nobody has told this yet; from now on, somebody has."""
        known = line in self._told
        self._told.add(line)
        return not known

    def fact(self, name: str, line: str) -> None:
        """Keep what a reader of the report must know of the whole run."""
        self._facts[name] = line

    def board(self, name: str, line: str) -> None:
        """Tell what plays a board."""
        if self._facts.setdefault(name, line) is line:
            self._say(f"gokrazy: {name}: {line}")

    def image(self, title: str, image: Image) -> None:
        """Tell which image is used, and what is in it."""
        text = (
            f"{image.hostname} ({image.arch}) build {image.build} by {image.builder}, digest {image.digest[:16]}"
        )
        if self._facts.setdefault(f"{title} {image.hostname}", text) is text:
            self._say(f"gokrazy: {title}: {text}")
            for module, version in sorted(image.modules.items()):
                if module.startswith("github.com/gokrazy/"):
                    self._facts.setdefault(module, version)
            for part, of in (("boot sector", image.boot_sector), ("EFI boot loader", image.boot_loader)):
                if of:
                    self._facts.setdefault(f"{part} {image.hostname}", of)
            for note in image.notes:
                line = f"{image.hostname}: {note}"
                if self._is_new(line):
                    self._say(f"gokrazy: {line}")
            if image.notes:
                self._facts[f"notes on {image.hostname}"] = "; ".join(image.notes)

    def firmware(self, board: str, *notes: str) -> None:
        """Keep what was done in the firmware's place to start a board."""
        self._firmware.setdefault(board, {}).update(dict.fromkeys(notes))

    def waited(self, seconds: float) -> None:
        """Keep how long a machine waited for room on this host."""
        self._waits.append(seconds)

    def life_of(self, appliance: Appliance) -> None:
        """Keep what an appliance that is about to be closed went through: its boots, its firmware, its halts."""
        from harness.machine.power import HALTED

        board = appliance.board.name
        self._boots.extend(appliance.boot_times())
        for power_on in appliance.power.power_ons:
            self.firmware(board, *power_on.loaded.notes)
            self._halts[board] += power_on.cause == HALTED

    def take(self) -> dict[str, object]:
        """What happened since this was last asked, and all facts so far, as JSON has them."""
        facts = {
            **self._facts,
            **{f"firmware {name}": "; ".join(notes) for name, notes in self._firmware.items() if notes},
            **{
                f"power-cycled {name}": f"{count} times: the kernel could only halt where it was to restart"
                for name, count in self._halts.items()
                if count
            },
            **{f"build {name}": f"{took:.1f} s" for name, took in self._build_seconds.items()},
        }
        boots, self._boots = self._boots, []
        notes, self._notes = self._notes, []
        waits, self._waits = self._waits, []
        return {"boots": boots, "facts": facts, "notes": notes, "waits": waits}
