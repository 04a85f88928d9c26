from __future__ import annotations

import os
import queue
import subprocess
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from harness.boards import board, boards
from harness.errors import HarnessError, QemuFailed
from harness.firmware.stage import Loaded, Stage
from harness.lifetime.process import Exit
from harness.machine import late_network
from harness.machine import power as power_module
from harness.machine.disk_overlay import DiskOverlay
from harness.machine.ending import Ended, Rung
from harness.machine.execution_log import Recorder
from harness.machine.late_network import READ_BY_INIT
from harness.machine.launch import Launch
from harness.machine.machine import Machine
from harness.machine.power import Power, PowerOn
from harness.machine.qmp import Event, QmpRefused
from harness.machine.run_dir import RunDir
from harness.machine.seabios_echo import SeaBiosEcho
from harness.machine.spec import Nursed, Spec
from harness.tests.machine.specs import NO_QEMU, Heard, spec_of


def count(*resets: tuple[str, float]) -> int:
    """How many of these resets (reason, seconds) somebody wanted."""
    echo = SeaBiosEcho()
    return sum(not echo.is_echo(Event("RESET", {"reason": reason}, at)) for reason, at in resets)


def test_a_reset_button_and_its_echo_are_one_reset() -> None:
    assert count(("host-qmp-system-reset", 100.0), ("guest-reset", 100.2)) == 1


def test_a_reboot_and_its_echo_are_one_reset() -> None:
    assert (
        count(("guest-reset", 100.0), ("guest-reset", 100.2), ("guest-reset", 160.0), ("guest-reset", 160.2)) == 2
    )


def test_a_kernel_that_crashes_at_once_is_counted_each_time() -> None:
    resets = [("guest-reset", at + echo) for at in (100.0, 101.0, 102.0) for echo in (0.0, 0.2)]
    assert count(*resets) == 3


def test_a_reset_without_an_echo_does_not_swallow_a_later_one() -> None:
    assert count(("host-qmp-system-reset", 100.0), ("guest-reset", 130.0), ("guest-reset", 130.2)) == 2


def test_the_reset_button_is_never_an_echo() -> None:
    assert count(("host-qmp-system-reset", 100.0), ("host-qmp-system-reset", 100.1)) == 2


class Played:
    """A machine that only starts and stops."""

    def __init__(self, trouble: HarnessError | None = None) -> None:
        self.stopped = threading.Event()
        self.late: queue.Queue[str] = queue.Queue()
        """Each time answers to the guest were made late (on) or not."""
        self.plugged: queue.Queue[bool] = queue.Queue()
        self.refusal: QemuFailed | None = None
        """What comes of plugging the network card in, or of letting answers through."""
        self.failure: HarnessError | None = None
        self.trouble = trouble
        self.ended: object = None
        self.pid = 0
        self.ports: dict[str, int] = {}

    def start_paused(self) -> None:
        pass

    def resume(self) -> None:
        pass

    def execute(self, name: str, arguments: dict[str, object]) -> None:
        assert (name, arguments["path"], arguments["property"]) == ("qom-set", "/objects/late", "status")
        self.late.put(str(arguments["value"]))
        if self.refusal is not None:
            raise self.refusal

    def wait_exit(self, _: float) -> object:
        return self.ended

    def go_on_from(self, _: object) -> None:
        pass

    def plug_in(self) -> None:
        self.plugged.put(True)
        if self.refusal is not None:
            raise self.refusal

    def stop(self, *, power_off: float = 0.0) -> Rung:
        assert power_off == 0.0
        self.stopped.set()
        if self.trouble is not None:
            raise self.trouble
        return Rung.QUIT

    def check(self) -> None:
        if self.failure is not None:
            raise self.failure


class PlayedPower(Power):
    """A power supply of played machines, switched on."""

    def __init__(self, name: str, trouble: HarnessError | None = None, *, nurse_network: Nursed = "no") -> None:
        class Nothing:
            closing = False
            guard = None
            path = Path("/there is no such folder/disk.qcow2")

            def prepare(self, _: object) -> Loaded:
                return Loaded()

        nothing = Nothing()
        nothing.guard = nothing  # type: ignore[assignment]
        self.heard = Heard()
        super().__init__(
            spec_of(name, qemu=NO_QEMU, nurse_network=nurse_network),
            cast(DiskOverlay, nothing),
            cast(Stage, nothing),
            cast(RunDir, nothing),
            listener=self.heard,
        )
        self.trouble = trouble
        self.machines: list[Played] = []
        self.logs: list[object] = []
        self.on()

    def _new_machine(self, launch: Launch, *, silent: bool = False) -> Machine:
        self.machines.append(Played(self.trouble))
        self.logs.append(launch.log)
        return cast(Machine, self.machines[-1])


def test_a_pi_that_halts_instead_of_restarting_is_power_cycled_and_it_is_recorded() -> None:
    power = PlayedPower("raspi4b")
    power.halted(wants_restart=True)
    again = power.heard.power_on(2, 5.0)
    assert isinstance(again, PowerOn)
    assert (again.cause, again.new_process) == ("halted", True)
    assert power.machines[0].stopped.is_set()
    assert power.is_on


def test_a_pi_that_halts_instead_of_powering_off_is_off() -> None:
    power = PlayedPower("raspi4b")
    power.halted(wants_restart=False)
    assert power.wait_off(5.0)
    assert len(power.power_ons) == 1
    power.check()


def test_a_board_that_can_restart_stays_halted() -> None:
    power = PlayedPower("virt")
    power.halted(wants_restart=True)
    assert power.heard.power_on(2, 0.2) is None
    assert not power.machines[0].stopped.is_set()


def test_a_qemu_that_cannot_be_ended_is_what_the_check_raises() -> None:
    power = PlayedPower("raspi4b", QemuFailed("it does not end"))
    power.halted(wants_restart=True)
    assert power.heard.failure(5.0) is not None
    with pytest.raises(QemuFailed, match="it does not end"):
        power.check()


def test_a_failure_that_no_check_has_raised_is_raised_in_the_end() -> None:
    power = PlayedPower("virt")
    power.check_unseen()
    power.machines[0].failure = QemuFailed("it died")
    with pytest.raises(QemuFailed, match="it died"):
        power.check_unseen()
    with pytest.raises(QemuFailed, match="it died"):
        power.check()
    power.check_unseen()


def test_a_recorded_pc_is_a_new_machine_after_a_reset_as_qemu_records_none() -> None:
    power = PlayedPower("pc-bios")
    power.recorder = cast(Recorder, SimpleNamespace(begin=lambda *_: "a log", executions=[]))
    power._heard(power.machine, Ended(Exit(0, None, ""), "guest-reset", None, 0.0))
    again = power.heard.power_on(2, 5.0)
    assert isinstance(again, PowerOn)
    assert (again.cause, again.new_process) == ("guest-reset", True)
    assert power.logs == [None, "a log"]


def test_the_disk_at_the_start_is_that_of_the_last_power_on_and_no_reset_changes_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    copies = iter(["first copy", "second copy"])
    monkeypatch.setattr(power_module, "disk_at_start", lambda *_: next(copies))
    power = PlayedPower("raspi4b")
    power.halted(wants_restart=True)
    assert power.heard.power_on(2, 5.0) is not None
    assert str(power.start) == "first copy"
    power.cycle()
    assert str(power.start) == "second copy"


def test_answers_come_late_until_the_guest_has_an_address_and_again_after_a_reset() -> None:
    power = PlayedPower("raspi4b", nurse_network="console")
    first = power.machines[0]
    assert first.late.get(timeout=5) == "on"
    power.listens()
    assert first.late.get(timeout=5) == "off"
    power.halted(wants_restart=True)
    assert power.heard.power_on(2, 5.0) is not None
    assert power.machines[1].late.get(timeout=5) == "on"


def test_answers_that_qemu_does_not_let_through_are_what_the_check_raises() -> None:
    power = PlayedPower("raspi3b", nurse_network="console")
    power.machines[0].refusal = QmpRefused("qom-set was refused", reason="no such object")
    power.listens()
    join("listens")
    with pytest.raises(QmpRefused, match="was refused"):
        power.check()


def test_answers_are_left_alone_unless_asked_for() -> None:
    power = PlayedPower("raspi4b")
    power.listens()
    assert power.machines[0].late.empty()


def test_a_network_card_that_waits_is_plugged_in_when_init_runs_and_again_after_a_reset() -> None:
    power = PlayedPower("raspi4b", nurse_network="console")
    assert power.machines[0].plugged.empty()
    power.init_runs()
    assert power.machines[0].plugged.get(timeout=5)
    power.halted(wants_restart=True)
    assert power.heard.power_on(2, 5.0) is not None
    power.init_runs()
    assert power.machines[1].plugged.get(timeout=5)


@pytest.mark.parametrize(("name", "nurse"), [("raspi3b", "console"), ("raspi4b", "no")])
def test_a_network_card_waits_only_where_the_board_says_why_and_quirks_are_allowed(
    name: str, nurse: Nursed
) -> None:
    power = PlayedPower(name, nurse_network=nurse)
    power.init_runs()
    assert power.machines[0].plugged.empty()


def test_without_a_console_the_card_comes_when_init_is_read_from_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    reads: queue.Queue[int] = queue.Queue()
    monkeypatch.setattr(late_network, "_read", lambda _: reads.get(timeout=5))
    power = PlayedPower("raspi4b", nurse_network="disk")
    machine = power.machines[0]
    for count in (1000, 1000, 999 + READ_BY_INIT):
        reads.put(count)
    while not reads.empty():
        assert machine.plugged.empty()
    reads.put(1000 + READ_BY_INIT)
    assert machine.plugged.get(timeout=5)


@pytest.mark.parametrize("name", ["raspi3b", "raspi4b"])
def test_answers_to_a_guest_that_is_not_heard_come_at_once_in_the_end(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads: queue.Queue[int] = queue.Queue()
    monkeypatch.setattr(late_network, "_read", lambda _: reads.get(timeout=5))
    machine = PlayedPower(name, nurse_network="disk").machines[0]
    assert machine.late.get(timeout=5) == "on"
    reads.put(0)
    assert machine.late.empty()
    reads.put(READ_BY_INIT)
    assert machine.late.get(timeout=5) == "off"


def test_where_reads_are_not_counted_the_card_comes_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(late_network, "_read", lambda _: None)
    assert PlayedPower("raspi4b", nurse_network="disk").machines[0].plugged.get(timeout=5)


@pytest.mark.parametrize("refusal", [PermissionError, FileNotFoundError, ProcessLookupError])
def test_a_host_that_does_not_say_what_was_read_is_no_error(
    monkeypatch: pytest.MonkeyPatch, refusal: type[OSError]
) -> None:
    def refuse(*_: object) -> str:
        raise refusal

    monkeypatch.setattr(Path, "read_text", refuse)
    assert late_network._read(os.getpid()) is None


def test_what_a_process_has_read_is_counted(tmp_path: Path) -> None:
    before = late_network._read(os.getpid()) or 0
    file = tmp_path / "disk"
    file.write_bytes(bytes(READ_BY_INIT))
    file.read_bytes()
    assert (late_network._read(os.getpid()) or 0) - before >= READ_BY_INIT
    with subprocess.Popen(["true"]) as gone:
        pass
    assert late_network._read(gone.pid) is None


def test_a_machine_that_ended_before_it_read_anything_is_not_looked_at_any_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(late_network, "_read", lambda _: 0)
    power = PlayedPower("raspi4b", nurse_network="disk")
    power.machines[0].ended = "for good"
    join("reads")
    assert power.machines[0].plugged.empty()
    power.check()


def test_a_network_card_that_qemu_refuses_is_what_the_check_raises() -> None:
    power = PlayedPower("raspi4b", nurse_network="console")
    power.machines[0].refusal = QmpRefused("device_add was refused", reason="no such bus")
    power.init_runs()
    assert power.machines[0].plugged.get(timeout=5)
    join("plug-in")
    with pytest.raises(QmpRefused, match="was refused"):
        power.check()


def test_a_machine_that_ended_before_its_network_card_came_is_no_news() -> None:
    power = PlayedPower("raspi4b", nurse_network="console")
    power.machines[0].refusal = QemuFailed("it hung up")
    power.init_runs()
    assert power.machines[0].plugged.get(timeout=5)
    join("plug-in")
    power.check()


def join(name: str) -> None:
    for thread in threading.enumerate():
        if thread.name == name:
            thread.join(5)


def test_a_network_card_that_waits_has_a_bus_to_be_plugged_into() -> None:
    late = [one for one in boards() if one.workarounds.late_nic]
    assert board("raspi4b") in late
    assert all(one.workarounds.nic_after_restore for one in late)
    assert all(one.nic_bus for one in boards() if one.workarounds.nic_after_restore)


@pytest.mark.parametrize(
    ("name", "reboots", "on", "restored"),
    [
        ("pc-bios", False, "single", "multi"),
        ("pc-uefi", True, "single", "single"),
        ("virt", False, "multi", "multi"),
        ("virt", True, "multi", "multi"),
    ],
)
def test_a_pc_has_one_thread_while_it_boots_and_a_copy_of_one_if_it_is_to_boot(
    monkeypatch: pytest.MonkeyPatch, name: str, reboots: bool, on: str, restored: str
) -> None:
    asked: list[str] = []

    def machine(_: Spec, __: DiskOverlay, ___: RunDir, launch: Launch, **____: object) -> Machine:
        asked.append(launch.threads)
        played: Any = Played()
        played.launch = launch
        return cast(Machine, played)

    monkeypatch.setattr(power_module, "Machine", machine)
    monkeypatch.setattr(power_module, "restore", lambda *_: None)
    nothing: Any = SimpleNamespace(
        path=Path("/there is no such folder/disk.qcow2"), prepare=lambda _: Loaded(), adopt=lambda loaded: loaded
    )
    power = Power(spec_of(name, qemu=NO_QEMU, reboots=reboots), nothing, nothing, nothing)
    power.on()
    power.off()
    cast(Any, power).machine.ended = True
    power.restore(cast(Any, SimpleNamespace(loaded=Loaded(), ram=None, own_disk=nothing)))
    assert asked == [on, restored]
    assert power.in_many_threads is (restored == "multi")
