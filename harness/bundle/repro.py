"""What ``gokharness repro`` does: it brings somebody back to the moment at which a test failed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from harness import boards
from harness.appliance.checkpoints import CheckpointState
from harness.appliance.cold_start import ColdStart, boot_from_json
from harness.bundle.archive import damaged, first, unpack
from harness.bundle.manifest import Manifest
from harness.bundle.source import must_be_the_image, options_for
from harness.errors import OptionError, QemuFailed
from harness.image.model import Image
from harness.lab.folders import Folders
from harness.lab.journal import Journal
from harness.lab.lab import Lab
from harness.machine.moment import Moment, opened, opened_disks
from harness.options import ARTIFACTS, settings_from

if TYPE_CHECKING:
    from harness.appliance.appliance import Appliance
    from harness.appliance.wanted import Wanted

Say = Callable[[str], None]
Show = Callable[[Lab, "Appliance"], None]
NAME = "repro"
LAST_WORDS = 20
"""Lines of the console that are shown of what it said before."""
STANDS = "it goes on where it stood when the test failed"
LEFT = "--from-start boots it from power-on, --rerun runs the test"


@dataclass(frozen=True)
class Asked:
    """What somebody wants of a bundle."""

    bundle: Path
    image: str = ""
    """The image or instance that was given, "" for that which the bundle names."""
    from_start: bool = False
    said: Mapping[str, object] = field(default_factory=dict)
    """Options of the command by their ini names."""


def beside(bundle: Path) -> str:
    """Where logs go unless somebody says so: never over those that the bundle lies among."""
    folder = Path.cwd() / ARTIFACTS / NAME
    while bundle.is_relative_to(folder):
        folder /= "again"
    return str(folder)


def read(asked: Asked) -> Manifest:
    """What the bundle says; raises OptionError."""
    return Manifest.of_json(first(asked.bundle), asked.bundle)


def repro(asked: Asked, *, say: Say, show: Show) -> None:
    """Stand where the test failed, or boot its image, and ``show`` the appliance until it ends.

    Raises OptionError for what is not here, or is not as it was when the test failed.
    """
    manifest = read(asked)
    if not asked.from_start and manifest.state is None:
        raise OptionError(
            "this bundle has no memory of the machine",
            where=str(asked.bundle),
            hint=LEFT,
            evidence="\n".join(manifest.notes),
        )
    for line in introduction(manifest):
        say(line)
    folders = Folders(Journal(say))
    try:
        folder = folders.folder("bundle", bulky=True)
        unpack(asked.bundle, folder)
        _must_be_whole(manifest, folder, asked.bundle)
        values = options_for(manifest, asked.image, asked.said)
        if manifest.key and not asked.said.get("gk_ssh_key"):
            values["gk_ssh_key"] = str(folder / manifest.key)
        with Lab(settings_from(values), say=say) as lab:
            image = lab.images.image(boards.board(manifest.board), manifest.wanted_again(NAME).family)
            must_be_the_image(manifest, image)
            moment = Moment(folder, manifest.disks, manifest.state, manifest.start_disks)
            act = _from_start if asked.from_start else _where_it_stood
            act(lab, manifest, moment, image, say, show)
    finally:
        folders.close()


def introduction(manifest: Manifest) -> list[str]:
    """What somebody reads who opens a bundle: which test, what it said, and the console's last words."""
    case, left = manifest.case, manifest.left
    return [
        f"gokrazy: the test: {case.id}",
        f"gokrazy: it ran on {manifest.board} with {manifest.subject}",
        *([f"gokrazy: not in the bundle: {note}" for note in manifest.notes]),
        "gokrazy: what the test said:",
        *(f"  {line}" for line in (case.error or "it passed").splitlines()),
        "gokrazy: the last lines of its console:",
        *(f"  {line}" for line in left.last_words[-LAST_WORDS:]),
    ]


def _must_be_whole(manifest: Manifest, folder: Path, where: Path) -> None:
    missing = [name for name in manifest.members if not (folder / name).is_file()]
    if missing:
        raise damaged(where, f"it lacks {', '.join(missing)}")


def _from_start(lab: Lab, manifest: Manifest, moment: Moment, image: Image, say: Say, show: Show) -> None:
    wanted = replace(manifest.wanted_again(NAME), running=False)
    off: AbstractContextManager[Appliance]
    if moment.start:
        disks = opened_disks(moment.folder, moment.start, image.path)
        off = lab.starts.begun(wanted, disks, manifest.equipment_again)
        what = "with the disk that it had at its last start"
    else:
        off, what = lab.appliance(wanted), "with the disk that its image has: no other one is in the bundle"
    with off as appliance:
        say(f"gokrazy: it starts from power-on, {what}")
        appliance.power_on()
        show(lab, appliance)


def _where_it_stood(lab: Lab, manifest: Manifest, moment: Moment, image: Image, say: Say, show: Show) -> None:
    wanted, equipment = manifest.wanted_again(NAME), manifest.equipment_again
    _must_fit(lab, manifest, wanted)
    left = manifest.left
    state = CheckpointState(
        start=ColdStart.from_json(left.start) if left.start is not None else None,
        boot=boot_from_json(left.boot) if left.boot is not None else None,
        image=image,
    )
    with lab.starts.resumed(wanted, opened(moment, image.path), state, equipment) as appliance:
        say(f"gokrazy: {STANDS}")
        show(lab, appliance)


def _must_fit(lab: Lab, manifest: Manifest, wanted: Wanted) -> None:
    """Raise QemuFailed where this host's machine is not the one whose memory the bundle has."""
    state = manifest.state
    here = lab.starts.identity_of(wanted, manifest.equipment_again)
    then = dict(state.identity) if state is not None else {}
    if here == then:
        return
    qemu = lab.starts.qemus.of(wanted.board)
    parts = sorted(name for name in {*here, *then} if here.get(name) != then.get(name))
    why = f"this machine differs in: {', '.join(parts)}"
    if "qemu" in parts:
        why = f"it was saved by QEMU {manifest.qemu.version}, and this host has another build: {qemu.version}"
    elif "host" in parts:
        why = "it ran under KVM, on another processor or kernel than this host has"
    raise QemuFailed(
        f"the memory of this machine cannot be restored here: {why}",
        where=wanted.board.name,
        hint=LEFT,
        evidence=f"then: QEMU {manifest.qemu.version}, {manifest.qemu.digest[:16]}, {manifest.qemu.accelerator}\n"
        f"here: QEMU {qemu.version}, {qemu.digest[:16]}, {lab.starts.accelerators.of(wanted.board).name}",
    )
