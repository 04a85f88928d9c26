"""What ``gokharness repro`` does: it brings somebody back to the moment at which a test failed."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import TYPE_CHECKING

from harness.appliance.checkpoints import CheckpointState
from harness.appliance.cold_start import ColdStart, boot_from_json
from harness.bundle.unpacked import Say, Source, Unpacked, unpacked
from harness.errors import OptionError
from harness.lab.lab import Lab
from harness.machine.moment import Moment, opened, opened_disks

if TYPE_CHECKING:
    from harness.appliance.appliance import Appliance

Show = Callable[[Lab, "Appliance"], None]
NAME = "repro"
STANDS = "it goes on where it stood when the test failed"
LEFT = "--from-start boots it from power-on, --rerun runs the test"


def repro(source: Source, *, from_start: bool, say: Say, show: Show) -> None:
    """Stand where the test failed, or boot its image, and ``show`` the appliance until it ends.

    Raises OptionError for what is not here, or is not as it was when the test failed.
    """
    manifest = source.read()
    if not from_start and manifest.state is None:
        raise OptionError(
            "this bundle has no memory of the machine",
            where=str(source.bundle),
            hint=f"gokharness replay runs it again; {LEFT}" if manifest.replay is not None else LEFT,
            evidence="\n".join(manifest.notes),
        )
    with unpacked(source, manifest, NAME, say=say) as found:
        moment = Moment(found.folder, manifest.disks, manifest.state, manifest.start_disks)
        act = _from_start if from_start else _where_it_stood
        act(found, moment, say, show)


def _from_start(found: Unpacked, moment: Moment, say: Say, show: Show) -> None:
    manifest, lab = found.manifest, found.lab
    wanted = replace(manifest.wanted_again(NAME), running=False)
    off: AbstractContextManager[Appliance]
    if moment.start:
        disks = opened_disks(moment.folder, moment.start, found.image.path)
        off = lab.starts.begun(wanted, disks, manifest.equipment_again)
        what = "with the disk that it had at its last start"
    else:
        off, what = lab.appliance(wanted), "with the disk that its image has: no other one is in the bundle"
    with off as appliance:
        say(f"gokrazy: it starts from power-on, {what}")
        appliance.power_on()
        show(lab, appliance)


def _where_it_stood(found: Unpacked, moment: Moment, say: Say, show: Show) -> None:
    manifest, lab = found.manifest, found.lab
    if manifest.state is not None:
        found.must_fit(NAME, manifest.state.identity, "the memory of this machine cannot be restored", hint=LEFT)
    left = manifest.left
    state = CheckpointState(
        start=ColdStart.from_json(left.start) if left.start is not None else None,
        boot=boot_from_json(left.boot) if left.boot is not None else None,
        image=found.image,
    )
    snapshot = opened(moment, found.image.path)
    with lab.starts.resumed(manifest.wanted_again(NAME), snapshot, state, manifest.equipment_again) as appliance:
        say(f"gokrazy: {STANDS}")
        show(lab, appliance)
