"""Boot phases, read from the console: one Boot for each kernel that started."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import StrEnum

from harness.console.lines import Line, names_caller
from harness.console.slot import Slot, slot_of


class Phase(StrEnum):
    """A moment of a boot that the console shows."""

    FIRMWARE = "firmware"
    LOADER = "boot loader"
    KERNEL = "kernel"
    ROOT = "root mounted"
    INIT = "init"
    BUILD = "build timestamp"
    HOSTNAME = "hostname"
    UPDATER = "update handler"
    SOCKET = "web socket"
    """The web interface listens on its Unix socket: the only one that an image without a password has."""
    HTTP = "http"
    SHUTDOWN = "shutdown"
    KEXEC = "kexec"
    RESTART = "restart"
    POWER_DOWN = "power down"
    HALTED = "halted"
    PANIC = "panic"


class Cause(StrEnum):
    """Why a kernel started."""

    POWER_ON = "power-on"
    RESET = "reset"
    KEXEC = "kexec"
    RESTORED = "restored"
    """It did not: the machine continues from a snapshot."""


@dataclass
class Boot:
    """One start of a kernel, and how far it came. Times are seconds from power-on."""

    number: int
    cause: Cause
    started: float
    """When it began: power-on, the reset, or the kernel that started the next one."""
    at: dict[Phase, float] = field(default_factory=dict)
    kernel: str = ""
    """Its release, as ``uname -r`` says it."""
    cmdline: str = ""
    """The running kernel's own command line, not what cmdline.txt says."""
    root_device: str = ""
    build: str = ""
    """The build timestamp that init printed."""
    hostname: str = ""
    model: str = ""
    inactive: int | None = None
    """The root partition that an update would be written to: 3 while slot A runs, 2 while B does."""
    http: tuple[str, ...] = ()
    """Addresses that the web interface listens on, without loopback and link-local ones."""
    served: bool = False
    """Whether it is known to have come up, by its answer, whatever the console shows."""
    asked: bool = False
    """Whether the reboot that led to it was asked for (init shut the services down first)."""
    bare: bool = False
    """Whether its kernel prints nothing before its lines, so that these look like a program's."""
    timed: bool = False
    """Whether its kernel was heard to print the time, or who prints, before its lines."""

    @property
    def slot(self) -> Slot | None:
        """The slot that runs, by the kernel's command line, else by init's word."""
        return slot_of(self.cmdline) or ({3: "A", 2: "B"}.get(self.inactive or 0))  # type: ignore[return-value]

    @property
    def in_init(self) -> bool:
        """Whether init has been started: by the kernel's word, or by the first of init's own (``quiet``)."""
        return Phase.INIT in self.at or Phase.BUILD in self.at

    @property
    def ready(self) -> bool:
        """Whether the web interface listens on an address that others reach."""
        return Phase.HTTP in self.at

    @property
    def ends(self) -> bool:
        """Whether its kernel, or init, has said that it goes."""
        return not _ENDS.isdisjoint(self.at)

    @property
    def is_over(self) -> bool:
        """Whether its kernel has said that it goes or gives up, or init that it wants to."""
        return Phase.PANIC in self.at or self.ends

    @property
    def last_phase(self) -> Phase | None:
        """The phase reached last; of those that one piece of the console showed, the last one."""
        return max(reversed(self.at), key=self.at.__getitem__, default=None)

    def took(self, phase: Phase) -> float | None:
        """Seconds from the beginning of this boot to the phase, None if it was not reached."""
        return self.at[phase] - self.started if phase in self.at else None

    def __str__(self) -> str:
        phases = ", ".join(f"{phase.value} {at - self.started:.1f} s" for phase, at in self.at.items())
        parts = [f"boot {self.number} ({self.cause.value})"]
        parts += [f"Linux {self.kernel}"] if self.kernel else []
        parts += [f"slot {self.slot}"] if self.slot else []
        return ", ".join(parts) + (f": {phases}" if phases else "")


_LINUX = re.compile(r"\] Linux version (\S+)")
_BANNER_OF_LINUX = "Linux version "
_BARE_LINUX = re.compile(r"^Linux version (\S+) \(")
_INIT_SPEAKS = "gokrazy build timestamp "
_KERNEL: tuple[tuple[str, re.Pattern[str], Phase], ...] = (
    ("VFS: Mounted root", re.compile(r"VFS: Mounted root .* on device (\S+?)\.?$"), Phase.ROOT),
    (" as init process", re.compile(r"Run (\S+) as init process"), Phase.INIT),
    ("Starting new kernel", re.compile(r"kexec_core: Starting new kernel"), Phase.KEXEC),
    ("reboot: ", re.compile(r"reboot: Power down"), Phase.POWER_DOWN),
    ("System halted", re.compile(r"(?:reboot: |Reboot failed -- )System halted"), Phase.HALTED),
    ("reboot: ", re.compile(r"reboot: Restarting system"), Phase.RESTART),
    ("Kernel panic", re.compile(r"Kernel panic - not syncing"), Phase.PANIC),
)
_HALTED = re.compile(r"(?:^|\] )(?:reboot: |Reboot failed -- )System halted$")
_PRINTS_TIMES = re.compile(r"\bprintk\.time(?:=(\w+))?(?!\S)")
_OFF = frozenset({"0", "n", "N", "no", "off"})
_OF_KERNEL = frozenset(phase for _, _, phase in _KERNEL)
_ENDS = frozenset({Phase.KEXEC, Phase.RESTART, Phase.SHUTDOWN, Phase.HALTED, Phase.POWER_DOWN})
# init's lines; gokrazy's own init logs with "file.go:line:" before the text, another one may not.
_USER: tuple[tuple[str, re.Pattern[str], Phase], ...] = (
    ("gokrazy build timestamp ", re.compile(r"gokrazy build timestamp (\S+)"), Phase.BUILD),
    ("hostname ", re.compile(r"^hostname \"([^\"]*)\""), Phase.HOSTNAME),
    ("inactiveRootPartition", re.compile(r"inactiveRootPartition = (\d+)"), Phase.UPDATER),
    ("now listening on ", re.compile(r"now listening on (\S+)"), Phase.HTTP),
    ("sending sigterm", re.compile(r"sending sigterm to all services"), Phase.SHUTDOWN),
    (
        " requested",
        re.compile(r"(?:Synchronous|Asynchronous) (?:reboot|power ?off|\S+) requested"),
        Phase.SHUTDOWN,
    ),
)
_LOCAL = ("/", "127.", "[::1]", "[fe80:", "localhost:")
"""Beginnings of addresses that prove nothing: the web interface listens there with no network at all."""
_LOADER = re.compile(r"BdsDxe: starting Boot|Booting from Hard Disk|systemd-boot|EFI stub: ")
_SHORTEST_LOADER = len("EFI stub: ")
_FIRST_WORDS = ("SeaBIOS (version", "UEFI firmware (version")
_OF_UEFI = "BdsDxe: "


def says_halted(line: Line, *, bare: bool) -> bool:
    """Whether a kernel says that it has halted; ``bare`` says whether it prints no times."""
    # Each line is asked, and few end so: the pattern alone takes seven times as long.
    return line.kernel != bare and line.text.endswith("System halted") and _HALTED.search(line.text) is not None


def _begins(line: Line, start: int, *, bare: bool) -> bool:
    """Whether a kernel's words begin the line, or follow its time; what stands elsewhere, a program quotes."""
    return not start or (line.kernel and not bare and line.text.endswith("] ", 0, start))


_MOST_BOOTS = 10_000
"""Boots that are kept from one power-on to the next; the last stands for all after it."""


class PhaseWatcher:
    """Makes Boots out of lines. No threads, no clock."""

    def __init__(self) -> None:
        self.boots: list[Boot] = []
        self._mark: tuple[Cause, float] | None = None
        self._began: float | None = None
        self._early: dict[Phase, float] = {}
        self._announced = self._banners = 0
        self._before = 0
        """Boots before the last power-on."""
        self._doubtful: Boot | None = None
        """A start that may be a quotation."""

    @property
    def false_starts(self) -> int:
        """How often the machine has started since the last kernel, announced or seen by the firmware's words."""
        return max(self._announced, self._banners)

    @property
    def current(self) -> Boot | None:
        """The boot that runs, None before the first kernel (and after a power-on until its kernel)."""
        return self.boots[-1] if self.boots and self._mark is None else None

    @property
    def in_firmware(self) -> bool:
        """Whether no kernel runs, so that what is said comes from firmware or boot loader."""
        return self.is_firmware(self.current)

    def is_firmware(self, boot: Boot | None) -> bool:
        """The same, for who knows which boot runs."""
        return boot is None or self._began is not None or Phase.RESTART in boot.at or Phase.PANIC in boot.at

    def machine_started(self, cause: Cause, at: float) -> None:
        """The machine starts from its firmware (or its kernel, on boards without one)."""
        if cause is not Cause.RESET:
            self._announced = self._banners = 0
            self._before = len(self.boots)
        self._announced += 1
        self._mark = cause, at
        self._began = at
        self._early = {}
        self._doubtful = None

    def runs_now(self, at: float) -> None:
        """The machine that was announced, and held, begins at this moment."""
        if self._mark is not None:
            self._mark, self._began = (self._mark[0], at), at

    def adopt(self, boot: Boot, at: float) -> Boot:
        """The machine continues in this boot of a snapshot, whose phases all lie before now."""
        adopted = Boot(
            number=len(self.boots) + 1,
            cause=Cause.RESTORED,
            started=at,
            at=dict.fromkeys(boot.at, at),
            kernel=boot.kernel,
            cmdline=boot.cmdline,
            root_device=boot.root_device,
            build=boot.build,
            hostname=boot.hostname,
            model=boot.model,
            inactive=boot.inactive,
            http=boot.http,
            bare=boot.bare,
            timed=boot.timed,
        )
        self._mark, self._began, self._early, self._doubtful = None, None, {}, None
        self.boots.append(adopted)
        return adopted

    def see(self, line: Line) -> Boot | None:
        """Take in the next line; returns the boot that it begins, if it does."""
        if line.mark:
            return None
        text = line.text
        boot = self.current
        match = (
            (_LINUX.search(text) if line.kernel else _BARE_LINUX.match(text)) if _BANNER_OF_LINUX in text else None
        )
        if match is not None and self._may_start(boot, bare=not line.kernel):
            begun = self._kernel_started(match[1], line.at)
            begun.bare, begun.timed = not line.kernel, line.kernel
            return begun
        if match is not None and line.kernel and boot is not None and not boot.bare:
            # `dmesg` typed by hand, or a start that nobody announced: the first word of an init will tell.
            self._doubtful = Boot(0, Cause.RESET, line.at, {Phase.KERNEL: line.at}, kernel=match[1])
        elif self._doubtful is not None and line.kernel:
            self._see_system(self._doubtful, line)
        if not line.kernel and text.startswith(_INIT_SPEAKS):
            by_init = self._init_started(boot, line)
            if by_init is not None:
                return by_init
        if not line.kernel and (self.is_firmware(boot) or _OF_UEFI in text or text.startswith(_FIRST_WORDS)):
            self._see_firmware(line)
        if boot is not None:
            self._see_system(boot, line)
        return None

    def serves(self) -> None:
        """What runs has answered, so it has come up: the starts until now do not count towards a loop."""
        self._announced = self._banners = 0
        if self.current is not None:
            self.current.served = True

    def _may_start(self, boot: Boot | None, *, bare: bool) -> bool:
        """Whether a kernel that names itself may be a new one; if not, a program quotes it.

        Before init runs nobody can quote, but a bare line may be anybody's.
        """
        if boot is None or self.is_firmware(boot) or boot.ends:
            return True
        return not bare and not boot.in_init

    def _init_started(self, boot: Boot | None, line: Line) -> Boot | None:
        """The boot that init's first word begins: where the kernel was not heard, or was taken for a quotation."""
        heard, self._doubtful = self._doubtful, None
        if boot is None or boot.ends:
            # With `quiet` the kernel says nothing of its start: init's first line is all there is.
            begun = self._kernel_started("", line.at, Phase.BUILD)
        elif heard is not None:
            begun = self._kernel_started(heard.kernel, heard.at[Phase.KERNEL])
            begun.at.update(heard.at)
            begun.cmdline, begun.root_device = heard.cmdline, heard.root_device
        else:
            return None
        self._see_system(begun, line)
        return begun

    def _kernel_started(self, release: str, at: float, first: Phase = Phase.KERNEL) -> Boot:
        last = self.boots[-1] if self.boots else None
        if self._mark is not None:
            cause, started = self._mark
        elif last is not None and Phase.KEXEC in last.at:
            cause, started = Cause.KEXEC, last.at[Phase.KEXEC]
        elif last is not None:
            cause = Cause.RESET
            started = self._began if self._began is not None else last.at.get(Phase.RESTART, at)
        else:
            cause, started = Cause.POWER_ON, 0.0
        if len(self.boots) - self._before >= _MOST_BOOTS:
            self.boots.pop()
        boot = Boot(len(self.boots) + 1, cause, started, at={**self._early, first: at}, kernel=release)
        boot.asked = last is not None and cause is not Cause.POWER_ON and Phase.SHUTDOWN in last.at
        self.boots.append(boot)
        self._announced = self._banners = 0
        self._mark, self._began, self._early, self._doubtful = None, None, {}, None
        return boot

    def _see_firmware(self, line: Line) -> None:
        """Note what speaks before a kernel does; its first line is the beginning of a boot nobody announced."""
        text = line.text
        if not text.strip():
            return
        self._banners += text.startswith(_FIRST_WORDS)
        loader = len(text) >= _SHORTEST_LOADER and _LOADER.search(text) is not None
        if text[:4].isdigit() and not loader:
            return
        if self._began is None:
            self._began = line.at
        self._early.setdefault(Phase.LOADER if loader else Phase.FIRMWARE, line.at)

    def _see_system(self, boot: Boot, line: Line) -> None:
        text = line.text
        of_kernel = line.kernel or boot.bare
        for word, pattern, phase in (*(_KERNEL if of_kernel else ()), *(() if line.kernel else _USER)):
            match = pattern.search(text) if word in text else None
            if match is None or (phase in _OF_KERNEL and not _begins(line, match.start(), bare=boot.bare)):
                continue
            if phase is Phase.ROOT:
                boot.root_device = match[1]
            elif phase is Phase.BUILD:
                boot.build = match[1]
            elif phase is Phase.HOSTNAME:
                boot.hostname = match[1]
            elif phase is Phase.UPDATER:
                boot.inactive = int(match[1])
            elif phase is Phase.HTTP:
                if match[1].startswith(_LOCAL):
                    if match[1].startswith("/"):
                        boot.at.setdefault(Phase.SOCKET, line.at)
                    return
                boot.http = (*boot.http, match[1])
            boot.at.setdefault(phase, line.at)
            return
        if of_kernel and not boot.cmdline and "Kernel command line: " in text:
            boot.cmdline = text.split("Kernel command line: ", 1)[1].strip()
            for said in _PRINTS_TIMES.finditer(boot.cmdline):
                # What was printed before it was read (earlycon) may be otherwise.
                boot.bare = (said[1] or "1") in _OFF and not names_caller(line)
                boot.timed = not boot.bare
        elif not line.kernel and text.startswith("gokrazy device model "):
            boot.model = text.removeprefix("gokrazy device model ").strip()
