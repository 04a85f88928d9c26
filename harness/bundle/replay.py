"""What ``gokharness replay`` does: it runs a recorded appliance again, exactly, with nobody at the other end.

What the machine says must be what it said then, byte for byte: that is looked at all the way.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from harness.bundle.manifest import Began
from harness.bundle.playback import LOOK, Heard, Playback, keep_place
from harness.bundle.unpacked import Say, Source, Unpacked, unpacked
from harness.console.recording import INDEX, LOG
from harness.errors import OptionError, QemuFailed
from harness.firmware.choice import stage_for
from harness.machine.execution_log import DISK, VARS, ExecutionLog, member
from harness.machine.execution_log import LOG as EXECUTION
from harness.machine.launch import Launch
from harness.machine.machine import Machine
from harness.machine.moment import opened_disks

Show = Callable[[bytes], None]
NAME = "replay"
BEGIN = "begin"
FAILED = "here the test failed"
CANNOT = "this recording cannot be replayed"
SAME = "use the QEMU and the firmware that it was made with"
_SECONDS = re.compile(r"\d+(?:\.\d+)?")


@dataclass(frozen=True)
class Said:
    """The console of then, from the logs in the bundle."""

    data: bytes
    index: tuple[dict[str, object], ...] = ()

    @classmethod
    def of(cls, folder: Path) -> Said:
        """Read it from the folder of the logs; raises OptionError where it is not there."""
        try:
            lines = (folder / INDEX).read_text().splitlines()
            return cls((folder / LOG).read_bytes(), tuple(map(json.loads, lines)))
        except (OSError, ValueError) as error:
            raise OptionError("this bundle lacks the console of its appliance", where=str(folder)) from error

    def place(self, until: str) -> int:
        """Where in the console that is, in bytes; raises OptionError where the console never came so far."""
        if _SECONDS.fullmatch(until):
            later = (int(str(one["at"])) for one in self.index if float(str(one["t"])) >= float(until))
            return self._there(next(later, None), f"the console ends before second {until}")
        try:
            found = re.search(until.encode(), self.data, re.MULTILINE)
        except re.error as error:
            raise OptionError(f"--until {until!r} is no pattern: {error}") from error
        return self._there(found.end() if found is not None else None, f"the console never says {until!r}")

    def _there(self, place: int | None, why: str) -> int:
        if place is None:
            last = next((one["t"] for one in reversed(self.index)), 0)
            raise OptionError(
                f"--until: {why}", hint=f"its last word came at second {last}: {LOG} among the logs has all of it"
            )
        return place


def replay(source: Source, *, until: str, gdb: bool, say: Say, show: Show) -> None:
    """Run the executions of a bundle again; ``show`` gets what they say.

    ``until`` says where to stop: a second of the console's clock, or a pattern of what it says. "" is the end, or
    with ``gdb`` the moment at which the test failed. With ``gdb`` it returns when the machine is gone. Raises
    OptionError for a bundle in which nothing is recorded, QemuFailed where the machine goes another way than then.
    """
    manifest = source.read()
    if manifest.replay is None:
        raise OptionError(
            "nothing was recorded in this bundle",
            where=str(source.bundle),
            hint="run the test with --gk-record; gokharness repro opens this bundle",
            evidence="\n".join(manifest.notes),
        )
    with unpacked(source, manifest, NAME, say=say) as found:
        found.must_fit(NAME, manifest.replay.identity, CANNOT, hint=SAME)
        said = Said.of(found.folder / "logs")
        stop = said.place(until) if until else (manifest.case.console_at if gdb else None)
        for began in manifest.replay.executions:
            if stop is not None and not began.at <= stop <= began.end:
                continue
            heard = Heard(said.data[began.at : began.end], _marked(show, say, manifest.case.console_at, began.at))
            with _ready(found, began, heard, steps_back=gdb) as playback:
                say(f"gokrazy: start {began.number} runs again, with nobody at the other end")
                if playback.run(None if stop is None else stop - began.at):
                    _stands(playback, say, found.lab.folders.run_dir.path / "gdb" if gdb else None)
                    return
                say(f"gokrazy: its console says the same {len(heard.then)} bytes as then")
        if stop is not None:
            raise OptionError("what happened there is not in the recording", evidence="\n".join(manifest.notes))


def _marked(show: Show, say: Say, place: int | None, at: int) -> Show:
    """What shows the console from byte ``at`` on, with a line at the place where the test failed."""
    shown = at

    def shows(data: bytes) -> None:
        nonlocal shown
        if place is not None and shown < place <= shown + len(data):
            show(data[: place - shown])
            say(f"\ngokrazy: {FAILED}")
            show(data[place - shown :])
        else:
            show(data)
        shown += len(data)

    return shows


@contextmanager
def _ready(found: Unpacked, began: Began, heard: Heard, *, steps_back: bool) -> Iterator[Playback]:
    """The machine of one execution as it was when that began; it ends with the block."""
    manifest, lab, image = found.manifest, found.lab, found.image
    starts, folders = lab.starts, lab.folders
    # Who could be at the other end is no part of the machine.
    equipment = replace(manifest.equipment_again, forwards=())
    spec = starts.spec_of(manifest.wanted_again(NAME), equipment)
    if starts.snapshots.firmware(spec.board, spec.qemu) != manifest.firmware:
        raise QemuFailed(f"{CANNOT} here: the firmware is another one", where=spec.board.name, hint=SAME)
    (disk,) = opened_disks(found.folder, (member(began.number, DISK),), image.path)
    overlay = disk.overlay(folders.folder("disk", bulky=True))
    firmware = folders.folder("firmware")
    loaded = stage_for(spec.board, image.layout, firmware, fast_boot=spec.fast_boot, quirks=spec.quirks).prepare(
        overlay
    )
    kept = found.folder / member(began.number, VARS) if began.has_vars else None
    loaded = replace(loaded, append=began.append, vars=kept)
    log = ExecutionLog(found.folder / member(began.number, EXECUTION), "replay")
    launch = Launch(loaded=loaded, threads="single", log=log)
    with starts.room.reserve(spec.equipment.memory, spec.equipment.cpus):
        if steps_back and not began.has_vars:
            before = Machine(spec, overlay, folders.run_dir, launch)
            launch = replace(launch, log=replace(log, begin=_begun(before)))
        playback = Playback(Machine(spec, overlay, folders.run_dir, launch, on_console=heard.listen), heard)
        try:
            yield playback
        finally:
            playback.close()


def _begun(machine: Machine) -> str:
    """Keep the machine as it is before its first instruction; the name of that place. Raises QemuFailed."""
    machine.start_paused()
    try:
        if said := keep_place(machine, BEGIN):
            raise QemuFailed("QEMU cannot save what it replays", where=machine.board.name, evidence=said)
    finally:
        machine.stop()
    return BEGIN


def _stands(playback: Playback, say: Say, gdb: Path | None) -> None:
    """Say where it stands; with a socket for gdb, until the machine is gone."""
    size, place = len(playback.heard.data), playback.instruction()
    say(f"gokrazy: it stands at instruction {place}; its console says the same {size} bytes as then")
    if gdb is None:
        return
    playback.let_gdb_in(gdb)
    say(f"gokrazy: gdb-multiarch -ex 'target remote {gdb}'")
    if not playback.steps_back:
        say("gokrazy: gdb cannot step back here: QEMU cannot save the variables of UEFI with the machine")
    say("gokrazy: Ctrl-C ends it")
    while playback.machine.wait_exit(LOOK) is None:
        pass
