"""With a real QEMU that runs no guest: the machine stands still or has an empty disk."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.boards import board, names
from harness.errors import HostMemoryShort, ImageLocked, InternalError, QemuFailed
from harness.firmware.bios import BiosStage
from harness.machine.accelerator import Accelerator, choose
from harness.machine.diagnosis import diagnose
from harness.machine.disk_overlay import DiskOverlay
from harness.machine.ending import Ended, Rung
from harness.machine.equipment import Equipment
from harness.machine.machine import Machine
from harness.machine.ports import Port
from harness.machine.power import Power
from harness.machine.qemu import find_qemu
from harness.machine.qmp import Event, QmpRefused
from harness.machine.run_dir import RunDir
from harness.machine.snapshot import restore, take
from harness.tests.machine.guests import IDLES, OBEYS_THE_POWER_BUTTON, boot_sector, wait_for_r
from harness.tests.machine.specs import Heard, machine_of, spec_of

pytestmark = pytest.mark.skipif(shutil.which("qemu-system-x86_64") is None, reason="QEMU is not installed")

BOARD = board("pc-bios")
LIMIT = 30.0
SMALL = Equipment(memory=64, cpus=1)
HTTP = Port(80)
REACHED = replace(SMALL, forwards=(HTTP,))
Make = Callable[..., Machine]


@pytest.fixture
def golden(tmp_path: Path) -> Path:
    path = tmp_path / "golden.img"
    path.write_bytes(bytes(1 << 20))
    path.chmod(0o444)
    return path


@pytest.fixture
def make(run_dir: RunDir, golden: Path) -> Make:
    def made(**given: Any) -> Machine:
        options: dict[str, Any] = {"equipment": SMALL, **given}
        overlay = options.pop("overlay", None) or DiskOverlay.create(golden, run_dir.folder("disk", bulky=True))
        return machine_of(options.pop("board", BOARD), overlay, run_dir, **options)

    return made


def test_it_starts_paused_with_ports_of_its_own_choice_and_quits(make: Make) -> None:
    forwards = (HTTP, Port(22), HTTP, Port(53, "udp"))
    machine = make(equipment=replace(SMALL, forwards=forwards, network="open"))
    machine.start_paused()
    assert machine.execute("query-status")["status"] == "prelaunch"
    assert set(machine.ports) == set(forwards)
    assert len({*machine.ports.values()}) == 3
    socket.create_connection(("127.0.0.1", machine.ports[HTTP]), timeout=5).close()
    assert Path(f"/proc/{machine.pid}").exists()
    assert machine.stop() is Rung.QUIT
    assert machine.stop() is Rung.GONE
    assert machine.ended is not None
    assert machine.ended.reason == "host-qmp-quit"
    assert machine.ended.failure is None
    assert not Path(f"/proc/{machine.pid}").exists()
    machine.check()


@pytest.mark.parametrize("name", names())
def test_udp_to_a_guest_that_may_reach_nothing_has_a_port_on_every_board(
    make: Make, run_dir: RunDir, name: str
) -> None:
    if shutil.which(board(name).qemu) is None:
        pytest.skip(f"{board(name).qemu} is not installed")
    overlay = DiskOverlay.empty(run_dir.folder("disk", bulky=True), 64 << 20, name="disk.qcow2")
    consoles: list[socket.socket] = []
    forwards = (HTTP, Port(53, "udp"))
    made = make(
        board=board(name),
        overlay=overlay,
        equipment=Equipment(forwards=forwards),
        on_console=consoles.append,
    )
    made.start_paused()
    assert set(made.ports) == set(forwards)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken, pytest.raises(OSError, match="in use"):
        taken.bind(("127.0.0.1", made.ports[Port(53, "udp")]))
    assert "filter-mirror" in made.hmp("info network")
    made.stop()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", made.ports[Port(53, "udp")]))
    consoles[0].close()


def test_the_console_is_handed_over_before_the_first_instruction(make: Make) -> None:
    sockets: list[socket.socket] = []
    status: list[str] = []

    def sink(console: socket.socket) -> None:
        sockets.append(console)
        status.append(machine.execute("query-status")["status"])

    machine = make(on_console=sink)
    machine.start()
    assert status == ["prelaunch"]
    machine.stop()
    sockets[0].settimeout(LIMIT)
    while sockets[0].recv(4096):
        pass
    sockets[0].close()


def test_a_reset_is_an_event(make: Make) -> None:
    heard: list[Event | Ended] = []
    machine = make(listener=heard.append)
    machine.start()
    machine.reset()
    event = machine.wait_event(lambda event: event.name == "RESET", LIMIT)
    assert event is not None
    assert event.data["reason"] == "host-qmp-system-reset"
    assert event in heard
    machine.stop()
    assert machine.wait_event(lambda event: event.name == "NEVER", LIMIT) is None


def test_a_qemu_that_hangs_is_silent_and_falls_to_the_last_rung(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harness.machine.machine.QUIT_LIMIT", 0.5)
    monkeypatch.setattr("harness.machine.machine.TERM_LIMIT", 0.5)
    machine = make()
    machine.start()
    os.kill(machine.pid, signal.SIGSTOP)
    with pytest.raises(QemuFailed, match="did not answer the QMP command query-status"):
        machine.execute("query-status", timeout=0.3)
    assert machine.stop() is Rung.KILL


def test_a_qemu_that_is_on_its_way_out_needs_no_signal(make: Make) -> None:
    machine = make()
    machine.start()
    machine.execute("quit")
    assert machine.stop() in (Rung.GONE, Rung.QUIT)


def test_a_guest_that_obeys_the_power_button_takes_the_first_rung(make: Make, tmp_path: Path) -> None:
    machine, heard = guest(make, tmp_path, OBEYS_THE_POWER_BUTTON)
    assert machine.stop(power_off=LIMIT) is Rung.POWER_OFF
    assert machine.ended is not None
    assert machine.ended.reason == "guest-shutdown"
    assert machine.ended.failure is None
    heard.close()


def test_a_guest_that_ignores_it_costs_its_rungs_limit_and_no_more(make: Make, tmp_path: Path) -> None:
    machine, heard = guest(make, tmp_path, IDLES)
    began = time.monotonic()
    assert machine.stop(power_off=0.5) is Rung.QUIT
    assert 0.5 <= time.monotonic() - began < 5
    heard.close()


def test_qemu_says_what_a_silent_guest_does(make: Make, tmp_path: Path) -> None:
    machine, heard = guest(make, tmp_path, IDLES, equipment=REACHED)
    with socket.create_connection(("127.0.0.1", machine.ports[HTTP]), timeout=5):
        said = diagnose(machine)
    machine.stop()
    heard.close()
    assert said[0] == "QEMU: running"
    assert re.match(r"processor 0: in firmware, .* at 0x[0-9a-f]+", said[1])
    assert re.match(r"disk: 0.5 KiB read, 0.0 KiB written", said[2])
    assert said[3:] == ["network: 1x to port 80 of the guest: it does not answer"]


def test_a_qemu_without_qmp_is_ended_by_term(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    machine = make()
    machine.start()

    def gone(*_: object, **__: object) -> None:
        raise QemuFailed("no answer")

    monkeypatch.setattr(machine, "execute", gone)
    assert machine.stop() is Rung.TERM
    assert machine.ended is not None
    assert machine.ended.failure is None


def guest(make: Make, tmp_path: Path, program: bytes, **given: Any) -> tuple[Machine, socket.socket]:
    """A machine whose guest has said that it runs."""
    (tmp_path / "golden.img").chmod(0o600)
    (tmp_path / "golden.img").write_bytes(boot_sector(program).ljust(1 << 20, b"\0"))
    consoles: list[socket.socket] = []
    machine = make(on_console=consoles.append, **given)
    machine.start()
    wait_for_r(consoles[0])
    return machine, consoles[0]


def test_more_memory_than_there_is(make: Make) -> None:
    with pytest.raises(HostMemoryShort) as caught:
        make(equipment=replace(SMALL, memory=1 << 27)).start()
    assert "exit status 1" in caught.value.what
    assert "qemu-system-x86_64" in caught.value.evidence


def test_an_overlay_that_another_qemu_has(make: Make, golden: Path, run_dir: RunDir) -> None:
    first = make()
    first.start_paused()
    stranger = DiskOverlay(first.overlay.path, golden, first.overlay.size, first.overlay.chain)
    with pytest.raises(ImageLocked):
        make(overlay=stranger).start()
    with pytest.raises(InternalError):
        make(overlay=first.overlay).start()
    assert stranger.attached is None
    first.stop()
    assert first.overlay.attached is None


def test_the_sandbox_and_the_private_connections_are_real(make: Make, run_dir: RunDir) -> None:
    machine = make(equipment=REACHED)
    machine.start()
    status = Path(f"/proc/{machine.pid}/status").read_text()
    assert machine.spec.qemu.sandbox is bool(re.search(r"^Seccomp:\t2$", status, re.MULTILINE))
    mine = {os.readlink(path) for path in Path(f"/proc/{machine.pid}/fd").iterdir() if path.is_symlink()}
    inodes = {found[1] for link in mine if (found := re.match(r"socket:\[(\d+)\]", link))}
    listening = [line.split() for line in Path(f"/proc/{machine.pid}/net/tcp").read_text().splitlines()[1:]]
    ports = {line[1] for line in listening if line[3] == "0A" and line[9] in inodes}
    assert ports == {f"0100007F:{machine.ports[HTTP]:04X}"}
    unix = [line.split() for line in Path(f"/proc/{machine.pid}/net/unix").read_text().splitlines()[1:]]
    # Unix sockets without a name: there is nothing that another process could connect to.
    assert all(len(line) == 7 for line in unix if line[6] in inodes)
    assert not any(path.is_socket() for folder in (run_dir.path, run_dir.work) for path in folder.rglob("*"))
    machine.stop()


def test_a_refused_command_says_why(make: Make) -> None:
    machine = make()
    machine.start_paused()
    with pytest.raises(QmpRefused) as caught:
        machine.execute("device_del", {"id": "nothing"})
    assert "nothing" in caught.value.reason
    machine.stop()


def test_the_guests_memory_and_disk_go_on_from_a_capture(make: Make, run_dir: RunDir) -> None:
    machine = make(equipment=REACHED)
    machine.start()
    machine.hmp("p 1")
    snapshot = take(machine, BiosStage(), run_dir.folder("snapshot", bulky=True))
    assert machine.ended is not None
    assert snapshot.state.stat().st_mode & 0o777 == 0o600
    copies = []
    for _ in range(2):
        overlay = snapshot.overlay(run_dir.folder("disk", bulky=True))
        copy = make(overlay=overlay, equipment=REACHED)
        restore(copy, snapshot)
        copies.append(copy)
    assert copies[0].ports != copies[1].ports
    for copy in copies:
        copy.resume()
        assert copy.execute("query-status")["status"] == "running"
        copy.stop()
    larger = make(
        overlay=snapshot.overlay(run_dir.folder("disk", bulky=True)), equipment=replace(REACHED, memory=96)
    )
    with pytest.raises(InternalError, match="does not fit"):
        restore(larger, snapshot)


def test_power_on_the_pc_goes_through_resets_and_new_processes(run_dir: RunDir, golden: Path) -> None:
    overlay = DiskOverlay.create(golden, run_dir.folder("disk", bulky=True))
    heard = Heard()
    power = Power(spec_of(BOARD, equipment=REACHED), overlay, BiosStage(), run_dir, listener=heard)
    power.on()
    first = power.machine.pid
    port = power.ports[HTTP]
    power.reset()
    assert heard.power_on(2, LIMIT) is not None
    assert power.machine.pid == first
    power.cycle()
    assert power.machine.pid != first
    assert power.ports[HTTP] == port
    assert [on.cause for on in power.power_ons] == ["power-on", "host-qmp-system-reset", "power-cycle"]
    assert [on.new_process for on in power.power_ons] == [True, False, True]
    with pytest.raises(InternalError):
        power.on()
    assert power.is_on
    assert power.off() is Rung.QUIT
    assert power.wait_off(0)


def test_power_says_when_qemu_died(run_dir: RunDir, golden: Path) -> None:
    overlay = DiskOverlay.create(golden, run_dir.folder("disk", bulky=True))
    heard = Heard()
    power = Power(spec_of(BOARD, equipment=SMALL), overlay, BiosStage(), run_dir, listener=heard)
    power.on()
    os.kill(power.machine.pid, signal.SIGKILL)
    assert isinstance(heard.failure(LIMIT), QemuFailed)
    with pytest.raises(QemuFailed, match="SIGKILL"):
        power.check()


def test_closing_the_run_is_no_failure_of_qemu(make: Make, run_dir: RunDir) -> None:
    machine = make()
    machine.start()
    began = time.monotonic()
    run_dir.close()
    assert time.monotonic() - began < 10
    ended = machine.wait_exit(LIMIT)
    assert ended is not None
    assert ended.failure is None


def test_kvm_needs_more_than_a_device_node(run_dir: RunDir, tmp_path: Path) -> None:
    qemu = find_qemu(BOARD)
    chosen = choose("auto", board("virt"), qemu=qemu, run_dir=run_dir, device=tmp_path / "kvm")
    assert isinstance(chosen, Accelerator)
    assert chosen.name == "tcg"
    missing = choose("auto", BOARD, qemu=qemu, run_dir=run_dir, device=tmp_path / "kvm")
    assert missing.reason.startswith("no KVM: ")
    (tmp_path / "kvm").touch()
    untried = choose("auto", BOARD, qemu=qemu, run_dir=run_dir, device=tmp_path / "kvm")
    assert "no KVM: " in untried.reason
