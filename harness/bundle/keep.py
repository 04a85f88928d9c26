"""Keeps a bundle of a test: what its appliance is at this moment, packed into the folder of its logs.

It never makes anything fail: what cannot be kept is a note, in the bundle and in the report.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from harness.bundle.archive import FIRST, NAME, pack
from harness.bundle.manifest import Case, Left, Manifest, Qemu, Subject, wanted_facts
from harness.bundle.secret import Secrets, own_name, secrets_of
from harness.errors import HarnessError
from harness.machine.moment import Moment

if TYPE_CHECKING:
    from harness.appliance.appliance import Appliance
    from harness.appliance.wanted import Wanted
    from harness.lab.lab import Lab

LARGEST_LOG = 64 << 20
"""Bytes of a log that goes in."""
KEY = "ssh-key"


@dataclass(frozen=True)
class Kept:
    """A bundle that was made."""

    path: Path
    size: int
    """Bytes."""
    notes: tuple[str, ...]

    def __str__(self) -> str:
        """The line to copy, and how large it is."""
        return f"gokharness repro {self.path}  ({self.size / 1e6:.1f} MB)"

    @property
    def section(self) -> tuple[str, str]:
        """What the report of the test says."""
        return "gokrazy bundle", "\n".join([str(self), *(f"not in it: {note}" for note in self.notes)])


@dataclass(frozen=True)
class Held:
    """The machine of an appliance at one moment, as far as it may go into a bundle."""

    appliance: Appliance
    secrets: Secrets
    moment: Moment
    """Without disks where they may not go in, or could not be kept."""
    notes: tuple[str, ...]

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
    if secrets.reason and not lab.settings.bundle_disk:
        notes.append(f"disk and memory: {secrets.reason} (--gk-bundle-disk puts them in)")
    else:
        try:
            moment = _moment(appliance, moment, notes)
        except BaseException:
            shutil.rmtree(moment.folder, ignore_errors=True)
            raise
    return Held(appliance, secrets, moment, tuple(notes))


def keep(lab: Lab, held: Held, case: Case, wanted: Wanted, options: Mapping[str, object]) -> Kept:
    """Make the bundle of this test; raises HostDiskFull where not even the logs find room."""
    appliance, secrets, moment = held.appliance, held.secrets, held.moment
    notes = list(held.notes)
    files = moment.files
    key = _key(lab, appliance, secrets, notes) if moment.disks else None
    texts = {KEY: key} if key is not None else {}
    texts |= _logs(appliance.folder, secrets, notes)
    manifest = replace(
        _manifest(lab, appliance, case, wanted, options),
        disks=moment.disks,
        start_disks=moment.start,
        state=moment.state,
        key=KEY if key is not None else "",
        members=(*texts, *files),
        notes=tuple(notes),
    )
    dest = appliance.folder / NAME
    size = pack(dest, {FIRST: manifest.to_json(secrets.hide).encode(), **texts}, files)
    return Kept(dest, size, tuple(notes))


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


def _logs(folder: Path, secrets: Secrets, notes: list[str]) -> dict[str, bytes]:
    texts = {}
    for path in sorted(folder.iterdir()):
        if not path.is_file() or path.name.startswith(NAME) or path.is_symlink():
            continue
        if path.stat().st_size > LARGEST_LOG:
            notes.append(f"{path.name}: it has {path.stat().st_size / 1e6:.0f} MB")
            continue
        texts[f"logs/{path.name}"] = secrets.hide(path.read_bytes())
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
