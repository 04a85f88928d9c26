"""Journal: what a run is made of and what happened in it, written down where it happens.

What it holds travels with each test's report, from a worker process too, to the Recorder that collects all of it.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from harness.image.model import Image

if TYPE_CHECKING:
    from harness.appliance.appliance import Appliance

BootTimes = tuple[str, str, dict[str, float]]
"""Board, "cold" or "warm", and the seconds since power-on of each phase."""

UPLOADED = "uploaded"
"""Beside the causes of starts, what the update handlers were sent, in bytes."""


@dataclass(frozen=True)
class Life:
    """What an appliance went through from its first power-on to its end."""

    board: str
    boots: Sequence[BootTimes] = ()
    """Each time that it became ready."""
    firmware: Sequence[str] = ()
    """What its firmware stage noted at each power-on."""
    halts: int = 0
    """How often its kernel halted where it wanted to restart."""
    work: Mapping[str, int] = field(default_factory=dict)
    """What it cost: how often it started, by cause, and ``uploaded`` bytes.

    The machine counts; of a reboot by kexec its console alone knows.
    """

    @classmethod
    def of(cls, appliance: Appliance) -> Life:
        """What this one went through so far."""
        # Imported here: a run that only collects tests has a journal as well.
        from harness.console.phases import Cause
        from harness.machine.power import HALTED

        power_ons = appliance.power.power_ons
        starts = Counter(
            str(Cause.POWER_ON if one.switched_on else Cause.RESTORED if one.restored else Cause.RESET)
            for one in power_ons
        )
        starts[str(Cause.KEXEC)] = sum(boot.cause is Cause.KEXEC for boot in appliance.console.boots)
        return cls(
            board=appliance.board.name,
            boots=appliance.boot_times(),
            firmware=[note for power_on in power_ons for note in power_on.loaded.notes],
            halts=sum(power_on.cause == HALTED for power_on in power_ons),
            work=starts + Counter({UPLOADED: appliance.uploaded}),
        )


class Journal:
    """What one process reports of a run; ``say`` prints a line at once, for whoever watches."""

    def __init__(self, say: Callable[[str], None] = lambda _: None) -> None:
        self.say = say
        self._boots: list[BootTimes] = []
        self._notes: list[str] = []
        self._waits: list[float] = []
        self._facts: dict[str, str] = {}
        self._said: set[str] = set()
        """Lines that are printed only once, however many images or boards they are about."""
        self._firmware: dict[str, dict[str, None]] = {}
        """The firmware stages' notes by board, each once."""
        self._halts: Counter[str] = Counter()
        self._work: defaultdict[str, Counter[str]] = defaultdict(Counter)
        """What the appliances of each board cost."""
        self._built: dict[str, float] = {}
        self._images: list[dict[str, Any]] = []

    def note(self, line: str) -> None:
        """Print what went otherwise than usual, and keep it for the report."""
        self.say(f"gokrazy: {line}")
        self._notes.append(line)

    def note_once(self, line: str) -> None:
        """The same, unless this line was printed before."""
        if self._is_new(line):
            self.note(line)

    def _is_new(self, line: str) -> bool:
        """Whether nobody has printed this line yet; from now on, somebody has."""
        known = line in self._said
        self._said.add(line)
        return not known

    def fact(self, name: str, line: str) -> None:
        """Keep what the report must say of the whole run."""
        self._facts[name] = line

    def board(self, name: str, line: str) -> None:
        """Report what plays a board."""
        if self._facts.setdefault(name, line) is line:
            self.say(f"gokrazy: {name}: {line}")

    def image(self, title: str, image: Image) -> None:
        """Report which image is used, and what is in it."""
        text = (
            f"{image.hostname} ({image.arch}) build {image.build} by {image.builder}, digest {image.digest[:16]}"
        )
        if self._facts.setdefault(f"{title} {image.hostname}", text) is text:
            self.say(f"gokrazy: {title}: {text}")
            self._images.append(contents(title, image))
            for note in image.notes:
                line = f"{image.hostname}: {note}"
                if self._is_new(line):
                    self.say(f"gokrazy: {line}")
            if image.notes:
                self._facts[f"notes on {image.hostname}"] = "; ".join(image.notes)

    def built(self, name: str, seconds: float) -> None:
        """Keep how long a build took, or taking its image from the cache."""
        self._built[name] = seconds

    def firmware(self, board: str, *notes: str) -> None:
        """Keep what was done in the firmware's place to start a board."""
        self._firmware.setdefault(board, {}).update(dict.fromkeys(notes))

    def waited(self, seconds: float) -> None:
        """Keep how long a machine waited for room on this host."""
        self._waits.append(seconds)

    def lived(self, life: Life) -> None:
        """Keep what an appliance went through that has ended."""
        self._boots.extend(life.boots)
        self.firmware(life.board, *life.firmware)
        self._halts[life.board] += life.halts
        self._work[life.board].update(life.work)

    def take(self) -> dict[str, object]:
        """What happened since this was last called, and all facts so far, as JSON has them."""
        facts = {
            **self._facts,
            **{f"firmware {name}": "; ".join(notes) for name, notes in self._firmware.items() if notes},
            **{
                f"power-cycled {name}": f"{count} times: the kernel could only halt where it was to restart"
                for name, count in self._halts.items()
                if count
            },
            **{f"build {name}": f"{took:.1f} s" for name, took in self._built.items()},
        }
        boots, self._boots = self._boots, []
        notes, self._notes = self._notes, []
        waits, self._waits = self._waits, []
        images, self._images = self._images, []
        work = {board: dict(done) for board, done in self._work.items() if done}
        self._work.clear()
        return {"boots": boots, "facts": facts, "notes": notes, "waits": waits, "images": images, "work": work}


def contents(title: str, image: Image) -> dict[str, Any]:
    """What an image is and what it was made of, for the report: nothing of what is secret in it."""
    kernel = image.kernel
    plain = ("digest", "hostname", "arch", "build", "builder", "boot_loader", "boot_sector", "sbom_hash")
    return {
        "title": title,
        **{name: getattr(image, name) for name in plain},
        "kernel": {name: getattr(kernel, name) for name in ("release", "package", "version", "sha256")},
        "modules": dict(image.modules),
        "notes": list(image.notes),
    }
