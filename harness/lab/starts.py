"""Starts: makes each appliance of a run, as it is planned, and ends it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from harness.appliance.appliance import Appliance
from harness.appliance.assembly import Access, Assembly
from harness.appliance.checkpoints import CheckpointState
from harness.appliance.failed_starts import FailedStarts, Start
from harness.appliance.wanted import Wanted
from harness.boards import Board, Budget
from harness.boards.variants import needs_kvm
from harness.errors import AcceleratorFailed, HarnessError, OptionError, caused_by
from harness.firmware.choice import stage_for
from harness.lab.accelerators import Accelerators
from harness.lab.folders import Folders, fresh, slug
from harness.lab.images import Images
from harness.lab.journal import Journal, Life
from harness.lab.plan import How, Plan, late_network
from harness.lab.qemus import Qemus
from harness.lab.room import Room
from harness.lab.snapshots import Booted, Snapshots, identity
from harness.lab.ssh_keys import SshKeys
from harness.lab.targets import Target, Targets
from harness.machine.disk_overlay import DiskOverlay
from harness.machine.ending import Rung
from harness.machine.equipment import Equipment
from harness.machine.identity import machine_identity
from harness.machine.power import Power
from harness.machine.snapshot import RAM, Snapshot, SnapshotDisk
from harness.machine.spec import Nursed, Spec
from harness.options import Settings


class Starts:
    """Makes the appliances of one process, and ends them.

    ``shared`` is a folder of the process that this one works for: snapshots, and which starts failed, are kept
    there for all who do.
    """

    def __init__(
        self, settings: Settings, folders: Folders, images: Images, journal: Journal, *, shared: Path | None
    ) -> None:
        self.settings = settings
        self.folders = folders
        self.images = images
        self.journal = journal
        self.qemus = Qemus()
        self.accelerators = Accelerators(settings, folders, images, self.qemus, journal)
        self.snapshots = Snapshots(settings, folders, journal, shared=shared)
        self.keys = SshKeys(settings, folders, self.snapshots)
        self.targets = Targets(settings, self.keys)
        self.live: dict[str, Appliance] = {}
        """The last appliance that was made under each name, also after its end."""
        self.failed_start: Callable[[Appliance, HarnessError], None] = lambda *_: None
        """Called with an appliance that does not come up, before it ends; not where it is tried again."""
        self._shared = shared

    @cached_property
    def room(self) -> Room:
        """The memory and processors of this host that machines are given."""
        return Room(self.folders.run_dir, say=self.journal.say, waited=self.journal.waited)

    @cached_property
    def failed(self) -> FailedStarts:
        """Which starts failed in this run."""
        # Who repeats tests, or wants each start, looks for one that goes otherwise: nothing is shared then.
        alone = self.settings.boot_again or self.settings.repeat > 1
        folder = None if alone else self._shared or self.folders.folder("starts")
        return FailedStarts(folder, note=self.journal.note)

    def close(self) -> None:
        """Let others remove the snapshots that were used here."""
        self.snapshots.close()

    # -- an appliance

    @contextmanager
    def appliance(self, wanted: Wanted) -> Iterator[Appliance]:
        """An appliance of its own for whoever asks, gone when the ``with`` block ends.

        It waits until this host has room for it. Where KVM breaks while it starts, it starts once more under TCG.
        """
        board = wanted.board
        self.check_parts(board)
        plan = self._plan(wanted)
        known = self._start_of(plan) if wanted.running else None
        if known is not None:
            known.check()
        with ExitStack() as stack:
            # Before the snapshot is asked for: whoever makes one for others must not be kept waiting by them.
            needed = plan.equipment.memory, plan.equipment.cpus
            if wanted.machines > 1:
                # For all at once: two tests that have one machine each then cannot wait for each other's second.
                stack.enter_context(self.room.kept(*needed, machines=wanted.machines))
            stack.enter_context(self.room.reserve(*needed))
            if known is not None:
                # While it waited, another test may have learned that it does not come up.
                known.check()
            chosen = self.accelerators.of(board)
            try:
                appliance = stack.enter_context(self._started(plan))
            except AcceleratorFailed as error:
                if self.accelerators.of(board) is chosen:
                    self.accelerators.fall_back(board, error)
                appliance = stack.enter_context(self._started(plan))
            yield appliance

    def room_kept(self, wanted: Wanted) -> AbstractContextManager[None]:
        """Room for appliances such as this one, one after the other, until the ``with`` block ends."""
        equipment = self._plan(wanted).equipment
        return self.room.kept(equipment.memory, equipment.cpus)

    def check_parts(self, board: Board) -> None:
        """Raise OptionError for a board with parts that nothing on this host can play."""
        if (why := needs_kvm(board)) and self.accelerators.of(board).name != "kvm":
            raise OptionError(why, where=board.name, hint="take other parts, or a host with KVM")

    def is_warm(self, wanted: Wanted) -> bool:
        """Whether what is wanted starts from a snapshot."""
        return self._plan(wanted).how is How.WARM

    def _plan(self, wanted: Wanted) -> Plan:
        image = wanted.image or self.images.image(wanted.board, wanted.family)
        return Plan.of(wanted, self.targets.of(wanted.board, image), self.settings)

    @contextmanager
    def _started(self, plan: Plan) -> Iterator[Appliance]:
        """The appliance, started as planned, in room that is reserved already."""
        booted = self._booted(plan) if plan.how is How.WARM else None
        with self._made(plan, disks=booted.snapshot.disks if booted is not None else ()) as appliance:
            if booted is not None:
                appliance.restore(booted.snapshot, booted.start)
            elif plan.how is How.COLD:
                with self._start_of(plan).watched(appliance.folder), appliance.explained():
                    appliance.power_on()
                    appliance.wait_until_ready()
            yield appliance

    @contextmanager
    def resumed(
        self, wanted: Wanted, snapshot: Snapshot, state: CheckpointState, equipment: Equipment
    ) -> Iterator[Appliance]:
        """An appliance that goes on where another was left; its machine must have ``identity_of``."""
        with self.begun(wanted, snapshot.disks, equipment) as appliance:
            appliance.resume(snapshot, state)
            yield appliance

    @contextmanager
    def begun(self, wanted: Wanted, disks: Sequence[SnapshotDisk], equipment: Equipment) -> Iterator[Appliance]:
        """An appliance that is off, over the disks with which another one began."""
        plan = self._plan_of(wanted, equipment)
        with (
            self.room.reserve(plan.equipment.memory, plan.equipment.cpus),
            self._made(plan, disks=disks) as appliance,
        ):
            yield appliance

    def identity_of(self, wanted: Wanted, equipment: Equipment) -> dict[str, Any]:
        """The identity that a machine of this equipment has here."""
        return machine_identity(self.spec_of(wanted, equipment))

    def spec_of(self, wanted: Wanted, equipment: Equipment) -> Spec:
        """What a machine of this equipment is to be here."""
        return self._spec(self._plan_of(wanted, equipment))

    def _plan_of(self, wanted: Wanted, equipment: Equipment) -> Plan:
        return replace(self._plan(wanted), equipment=equipment)

    # -- a snapshot

    def _booted(self, plan: Plan) -> Booted:
        """The snapshot for this appliance; whoever asks for one that did not come up is shown what that did."""
        name = _captured(plan.target)
        before = self.live.get(name)
        try:
            return self.snapshot(plan.target)
        except HarnessError:
            if (made := self.live.get(name)) is not None and made is not before:
                self.live[plan.wanted.name] = made
            raise

    def snapshot(self, target: Target) -> Booted:
        """The snapshot of this target, taken now if the run has none yet; and how the machine had come up."""
        board, image = target.board, target.image
        name = _captured(target)
        wanted = Wanted(board, name, cold=True, image=image)
        plan = Plan.of(wanted, target, self.settings)
        # Apart from cold starts: one that comes up, but not to rest, says nothing about those.
        known = self._start_of(plan, captured=True)
        known.check()

        def boot(folder: Path, base: Path) -> Booted:
            known.check()
            with known.watched(self._logs(name)), self._made(plan, memory_file=folder / RAM) as appliance:
                _boot_to_rest(appliance, self._start_of(plan))
                return Booted(*appliance.take_snapshot(folder, base=base))

        facts = identity(
            self._spec(plan),
            image,
            firmware=self.snapshots.firmware(board, self.qemus.of(board)),
            key=self.keys.public_line if target.key.is_put_on else "",
            clock=self.settings.clock,
        )
        return self.snapshots.get(facts, image, boot)

    # -- what both are made of

    @contextmanager
    def _made(
        self, plan: Plan, *, disks: Sequence[SnapshotDisk] = (), memory_file: Path | None = None
    ) -> Iterator[Appliance]:
        """An appliance that is off, with its disk, over ``disks`` if there are any.

        ``memory_file`` is for one whose snapshot will be taken.
        """
        name = plan.wanted.name
        firmware = self.folders.folder("firmware")
        appliance = self._assemble(plan, self._spec(plan, memory_file), firmware, disks)
        self.live[name] = appliance
        try:
            if plan.sets_clock:
                if not disks:
                    appliance.set_clock(datetime.now(UTC))
                    # It still starts as the image does, and may stand for others: they get the time as well.
                    appliance.power.overlay.written.clear()
                appliance.knows_time = True
            yield appliance
        except HarnessError as error:
            appliance.look_at_screen()
            if not caused_by(error, AcceleratorFailed):
                self.failed_start(appliance, error)
            raise
        finally:
            self.journal.lived(Life.of(appliance))
            appliance.close()
            self._conclude(appliance, name)
            shutil.rmtree(firmware, ignore_errors=True)

    def _spec(self, plan: Plan, memory_file: Path | None = None) -> Spec:
        """What the machine of this appliance is to be."""
        board, settings = plan.target.board, self.settings
        nursed: Nursed = "no"
        if late_network(board) and not settings.no_quirks:
            nursed = "console" if plan.target.voice.init else "disk"
        return Spec(
            board=board,
            qemu=self.qemus.of(board),
            accelerator=self.accelerators.of(board),
            equipment=plan.equipment,
            reboots=plan.wanted.reboots,
            nurse_network=nursed,
            memory_file=memory_file,
            record_in=self.folders.folder("recorded", bulky=True) if settings.record else None,
            fast_boot=settings.fast_boot,
            quirks=not settings.no_quirks,
        )

    def _budget(self, spec: Spec) -> Budget:
        """The board's time limits for the accelerator and factor of this run."""
        return spec.board.budget.scaled(self.settings.time_factor * spec.accelerator.factor)

    def _assemble(self, plan: Plan, spec: Spec, firmware: Path, disks: Sequence[SnapshotDisk]) -> Appliance:
        """The appliance with a disk of its own: over the image, or over those that another one left."""
        board, target = spec.board, plan.target
        folder = self.folders.folder("disk", bulky=True)
        if not disks:
            base, base_format = self.keys.base(target.image, target.key)
            beside = spec.equipment.make_disks(folder)
            overlay = DiskOverlay.create(base, folder, base_format=base_format, beside=beside)
        else:
            first, *others = disks
            # Further disks may not be among them, then each begins as it is asked for.
            beside = [disk.overlay(folder) for disk in others] or spec.equipment.make_disks(folder)
            overlay = first.overlay(folder, beside=beside)
        if board.has_card:
            overlay.resize_to_power_of_two()
        if spec.nurse_network != "no":
            self.journal.firmware(board.name, *(f"network: {one.note}" for one in late_network(board)))
        settings, run_dir = self.settings, self.folders.run_dir
        stage = stage_for(board, target.image.layout, firmware, fast_boot=spec.fast_boot, quirks=spec.quirks)
        made = Assembly(
            board=board,
            equipment=spec.equipment,
            power=lambda link: Power(
                spec, overlay, stage, run_dir, on_console=link.on_console, listener=link.listener
            ),
            image=target.image,
            budget=self._budget(spec),
            disks=folder,
            folder=fresh(self._logs(plan.wanted.name)),
            access=Access(self.keys.private_for(target.key), target.key.refusal),
            files_of=self.images.update_files,
            gok_config=self.images.gok_config,
            voice_of=partial(self.targets.voice, board),
            expected=settings.expected,
            table=settings.table,
            allow=plan.wanted.allow,
            first_start=self._start_of(plan),
            quirks=spec.quirks,
        )
        return Appliance(made)

    def _start_of(self, plan: Plan, *, captured: bool = False) -> Start:
        """A start of this image as it is, for what became of it in this run."""
        board, image = plan.target.board, plan.target.image
        return self.failed.of(
            f"{image.hostname} on {board.name}{', for a snapshot,' if captured else ''}",
            image=image.digest,
            perm=image.perm,
            board=board.name,
            accelerator=self.accelerators.of(board).name,
            equipment=plan.equipment.as_json(),
            clock="" if board.knows_time else plan.clock,
            captured=captured,
        )

    def _conclude(self, appliance: Appliance, name: str) -> None:
        """Note what its QEMU may have done wrong and how it was ended; give up an accelerator that broke."""
        power = appliance.power
        for rung in power.rungs:
            if rung in (Rung.TERM, Rung.KILL):
                self.journal.note(f"{name}: QEMU did not quit when it was asked to: it took {rung.value}")
        if appliance.booted_again and power.board.workarounds.one_thread_at_boot and power.in_many_threads:
            self.journal.note(
                f"{name}: it booted again after it was restored with a thread for each processor, "
                "which QEMU can get wrong: mark the test gk_reboots"
            )
        try:
            power.check()
        except AcceleratorFailed as error:
            with suppress(AcceleratorFailed):
                self.accelerators.fall_back(appliance.board, error)
        except HarnessError:
            pass

    def _logs(self, name: str) -> Path:
        return self.settings.artifacts / slug(name)


def _boot_to_rest(appliance: Appliance, start: Start) -> None:
    """Switch on an appliance of which a snapshot will be taken, and wait until it is at rest.

    One that gets its network card later comes only as far as it can without the card.
    """
    late = appliance.board.workarounds.nic_after_restore is not None
    with appliance.explained():
        with start.watched(appliance.folder):
            appliance.power_on()
            if late:
                appliance.wait_until_it_runs()
            else:
                appliance.wait_until_ready()
        if late:
            appliance.wait_until_quiet()
        else:
            appliance.wait_until_at_rest()


def _captured(target: Target) -> str:
    """How the appliance is called of which a snapshot is taken."""
    return f"captured-{target.board.name}-{target.image.hostname}"
