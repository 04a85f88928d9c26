"""Keeps a bundle of a test: what its appliance is at this moment, packed into the folder of its logs.

It never makes anything fail: what cannot be kept is a note, in the bundle and in the report.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from harness.bundle.archive import FIRST, NAME, pack
from harness.bundle.manifest import Began, Case, Left, Manifest, Qemu, Replay, Subject, wanted_facts
from harness.bundle.secret import Secrets, own_name, secrets_of
from harness.errors import HarnessError
from harness.machine.identity import machine_identity
from harness.machine.moment import Moment

if TYPE_CHECKING:
    from harness.appliance.appliance import Appliance
    from harness.appliance.wanted import Wanted
    from harness.lab.lab import Lab
    from harness.machine.execution_log import Recorder

LARGEST_LOG = 64 << 20
"""Bytes of a log that goes in."""
KEY = "ssh-key"
SECTION = "gokrazy bundle"
"""What a report calls its lines about the bundle."""


@dataclass(frozen=True)
class Kept:
    """A bundle that was made."""

    path: Path
    size: int
    """Bytes."""
    notes: tuple[str, ...]
    command: str = "repro"
    """Of gokharness, that opens it."""

    def __str__(self) -> str:
        """The line to copy, and how large it is."""
        return f"gokharness {self.command} {self.path}  ({self.size / 1e6:.1f} MB)"

    @property
    def section(self) -> tuple[str, str]:
        """What the report of the test says."""
        return SECTION, "\n".join([str(self), *(f"not in it: {note}" for note in self.notes)])


@dataclass(frozen=True)
class Held:
    """The machine of an appliance at one moment, as far as it may go into a bundle."""

    appliance: Appliance
    secrets: Secrets
    moment: Moment
    """Without disks where they may not go in, or could not be kept."""
    notes: tuple[str, ...]
    replay: Replay | None = None
    """What was recorded of it, if it was."""
    recorded: Mapping[str, Path] = field(default_factory=dict)
    """The files of that."""
    beside: tuple[Appliance, ...] = ()
    """Further appliances of the same test: their logs go in."""

    def release(self) -> None:
        """Remove its files."""
        shutil.rmtree(self.moment.folder, ignore_errors=True)


def hold(lab: Lab, appliance: Appliance) -> Held:
    """Keep what the machine is at this moment; raises HostDiskFull where no folder can be made.

    One that runs stands still meanwhile, and goes on.
    """
    secrets = secrets_of(appliance.image)
    notes: list[str] = []
    moment = Moment(lab.folders.folder("bundle", bulky=True))
    replay: Replay | None = None
    recorded: dict[str, Path] = {}
    recorder = appliance.power.recorder
    try:
        if secrets.reason and not lab.settings.bundle_disk:
            what = "disk and memory" if recorder is None else "what was recorded"
            notes.append(f"{what}: {secrets.reason} (--gk-bundle-disk puts them in)")
        elif recorder is not None:
            replay, recorded = _replay(appliance, recorder, notes)
        else:
            moment = _moment(appliance, moment, notes)
    except BaseException:
        shutil.rmtree(moment.folder, ignore_errors=True)
        raise
    return Held(appliance, secrets, moment, tuple(notes), replay, recorded)


def keep(lab: Lab, held: Held, case: Case, wanted: Wanted, options: Mapping[str, object]) -> Kept:
    """Make the bundle of this test; raises HostDiskFull where not even the logs find room."""
    appliance, moment = held.appliance, held.moment
    secrets = held.secrets.with_those_of(secrets_of(one.image) for one in held.beside)
    notes = list(held.notes)
    files = {**moment.files, **held.recorded}
    key = _key(lab, appliance, secrets, notes) if moment.disks else None
    texts = {KEY: key} if key is not None else {}
    texts |= _logs(appliance.folder, secrets, notes)
    for other in held.beside:
        notes.append(f"disk and memory of {other.console.name}, the other appliance: a bundle has those of one")
        texts |= _logs(other.folder, secrets, notes, prefix="other-")
    manifest = replace(
        _manifest(lab, appliance, case, wanted, options),
        disks=moment.disks,
        start_disks=moment.start,
        state=moment.state,
        replay=held.replay,
        key=KEY if key is not None else "",
        members=(*texts, *files),
        notes=tuple(notes),
    )
    dest = appliance.folder / NAME
    size = pack(dest, {FIRST: manifest.to_json(secrets.hide).encode(), **texts}, files)
    return Kept(dest, size, tuple(notes), "replay" if held.replay is not None else "repro")


def _moment(appliance: Appliance, empty: Moment, notes: list[str]) -> Moment:
    power = appliance.power
    if not power.overlay.path.exists():
        notes.append("disk and memory: the machine had ended, and its disk is gone")
        return empty
    try:
        moment = power.keep(empty.folder, base=appliance.image.path)
    except HarnessError as error:
        notes.append(f"disk and memory: {error.what}")
        return empty
    if moment.state is None:
        notes.append(f"memory: {moment.why_no_state}")
    if not moment.start:
        notes.append("the disk as it was at the start: this host had no room for a copy")
    return moment


def _replay(appliance: Appliance, recorder: Recorder, notes: list[str]) -> tuple[Replay | None, dict[str, Path]]:
    """What was recorded of an appliance that has ended, and the files of that."""
    began: list[Began] = []
    files: dict[str, Path] = {}
    starts = recorder.began_at
    ends = (*starts[1:], appliance.console.recording.size)
    for one, at, end in zip(recorder.executions, starts, ends, strict=False):
        if not one.is_whole:
            notes.append(
                f"the recording of start {one.number}: QEMU did not end by itself, and left it unfinished"
            )
            continue
        one.disk.settle_on(appliance.image.path)
        began.append(Began(one.number, at, end, one.append, one.vars is not None))
        files |= one.files
    if not began:
        notes.append("a recording: there is none of a whole start")
        return None, {}
    return Replay(machine_identity(appliance.power.spec), tuple(began)), files


def _key(lab: Lab, appliance: Appliance, secrets: Secrets, notes: list[str]) -> bytes | None:
    """The key that breakglass accepts, if the harness made it for this run alone."""
    if appliance.image.breakglass is None or appliance.no_key:
        return None
    starts = lab.starts
    path = starts.keys.throw_away(starts.targets.of(appliance.board, appliance.image).key)
    if path is None or secrets.reason:
        notes.append("the SSH key that opens breakglass: it was not made for this run alone")
        return None
    return path.read_bytes()


def _logs(folder: Path, secrets: Secrets, notes: list[str], *, prefix: str = "") -> dict[str, bytes]:
    texts = {}
    for path in sorted(folder.iterdir()):
        if not path.is_file() or path.name.startswith(NAME) or path.is_symlink():
            continue
        if path.stat().st_size > LARGEST_LOG:
            notes.append(f"{path.name}: it has {path.stat().st_size / 1e6:.0f} MB")
            continue
        texts[f"logs/{prefix}{path.name}"] = secrets.hide(path.read_bytes())
    return texts


def _manifest(
    lab: Lab, appliance: Appliance, case: Case, wanted: Wanted, options: Mapping[str, object]
) -> Manifest:
    spec, image, power = appliance.power.spec, appliance.image, appliance.power
    boot = appliance.console.current if appliance.can("console") else None
    given = lab.settings.from_image if wanted.family == "from" else lab.settings.image
    file = str(given) if given is not None and image.builder == "given" else ""
    return Manifest(
        case=case,
        board=spec.board.name,
        wanted=wanted_facts(wanted),
        options=dict(options),
        subject=Subject.of(image, own=own_name(image), file=file),
        qemu=Qemu(
            version=spec.qemu.version,
            digest=spec.qemu.digest,
            accelerator=spec.accelerator.name,
            command=power.machine.argv if power.power_ons else (),
        ),
        equipment=spec.equipment.as_json(),
        firmware=lab.starts.snapshots.firmware(spec.board, spec.qemu),
        clock=wanted.clock or lab.settings.clock,
        left=Left(
            start=appliance.cold_start.as_json() if appliance.cold_start is not None else None,
            boot=asdict(boot) if boot is not None else None,
            last_words=tuple(appliance.console.excerpt().splitlines()),
        ),
    )
