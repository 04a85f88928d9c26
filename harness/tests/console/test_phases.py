from __future__ import annotations

import pytest

from harness.console.lines import LineSplitter
from harness.console.loops import LoopRule, reboot_loop
from harness.console.phases import Boot, Cause, Phase, PhaseWatcher

CMDLINE = "console=ttyAMA0 root=PARTUUID=60c24cc1-f3f9-427a-8199-386f27b50001/PARTNROFF={} ro init=/gokrazy/init"


class Machine:
    """Feeds lines to a watcher, a second apart."""

    def __init__(self) -> None:
        self.watcher = PhaseWatcher()
        self.now = 0.0
        self.watcher.machine_started(Cause.POWER_ON, 0.0)

    def say(self, *texts: str) -> Machine:
        splitter = LineSplitter()
        for text in texts:
            self.now += 1.0
            for line in splitter.feed(text.encode() + b"\r\n", offset=0, at=self.now):
                self.watcher.see(line)
        return self

    @property
    def last(self) -> Boot:
        return self.watcher.boots[-1]


K = "[    1.000000] "
LINUX = "[    0.000000] Linux version 7.1.3 (gokrazy@docker) #1"
UP = "2026/11/22 now listening on 10.0.2.15:80"


def test_a_power_on_counts_from_second_0() -> None:
    machine = Machine().say(
        "SeaBIOS (version 1.16.3)", "Booting from Hard Disk...", LINUX, K + "Run /gokrazy/init as init process"
    )
    assert machine.last.cause is Cause.POWER_ON
    assert machine.last.at == {Phase.FIRMWARE: 1.0, Phase.LOADER: 2.0, Phase.KERNEL: 3.0, Phase.INIT: 4.0}
    assert machine.last.took(Phase.INIT) == 4.0
    assert machine.last.took(Phase.HTTP) is None


def test_a_reset_that_nobody_announced_begins_with_the_firmware() -> None:
    machine = Machine().say(
        LINUX, UP, "UEFI firmware (version  built at 13:10:49)", "BdsDxe: starting Boot0001", LINUX
    )
    assert [boot.cause for boot in machine.watcher.boots] == [Cause.POWER_ON, Cause.RESET]
    assert machine.last.started == 3.0
    assert machine.last.took(Phase.KERNEL) == 2.0
    assert machine.last.at[Phase.LOADER] == 4.0


def test_a_reset_without_firmware_begins_with_the_restart() -> None:
    machine = Machine().say(LINUX, UP, K + "reboot: Restarting system", LINUX)
    assert (machine.last.cause, machine.last.started, machine.last.asked) == (Cause.RESET, 3.0, False)


def test_a_reboot_that_was_asked_for_is_told_apart() -> None:
    machine = Machine().say(
        LINUX, UP, "2026/11/22 sending sigterm to all services", K + "kexec_core: Starting new kernel", LINUX
    )
    assert (machine.last.cause, machine.last.started, machine.last.asked) == (Cause.KEXEC, 4.0, True)


def test_a_power_on_after_a_power_off_is_no_reboot_that_was_asked_for() -> None:
    machine = Machine().say(LINUX, UP, "2026/11/22 sending sigterm to all services", K + "reboot: Power down")
    machine.watcher.machine_started(Cause.POWER_ON, 0.0)
    machine.say(LINUX)
    assert (machine.last.cause, machine.last.asked) == (Cause.POWER_ON, False)


def test_while_the_machine_starts_no_boot_is_current() -> None:
    machine = Machine().say(LINUX, UP)
    assert not machine.watcher.in_firmware
    machine.watcher.machine_started(Cause.RESET, 5.0)
    assert machine.watcher.current is None
    machine.say(LINUX)
    assert (machine.last.number, machine.last.cause, machine.last.started) == (2, Cause.RESET, 5.0)


def test_addresses_that_need_no_network_are_not_ready() -> None:
    machine = Machine().say(
        LINUX,
        "now listening on /run/gokrazy-http.sock",
        "now listening on 127.0.0.1:80",
        "now listening on [::1]:80",
        "now listening on [fe80::5054:ff:fe12:3456%eth0]:80",
    )
    assert Phase.HTTP not in machine.last.at
    machine.say(UP)
    assert machine.last.http == ("10.0.2.15:80",)


@pytest.mark.parametrize(
    ("text", "phase"),
    [
        (K + "reboot: Power down", Phase.POWER_DOWN),
        (K + "reboot: System halted", Phase.HALTED),
        (K + "Reboot failed -- System halted", Phase.HALTED),
        (K + "Kernel panic - not syncing: x", Phase.PANIC),
        ("2026/11/22 update.go:375: Synchronous reboot requested", Phase.SHUTDOWN),
    ],
)
def test_how_a_system_ends(text: str, phase: Phase) -> None:
    assert Machine().say(LINUX, text).last.last_phase is phase


def test_a_restored_machine_goes_on_in_its_boot() -> None:
    captured = Machine().say(LINUX, K + "Kernel command line: " + CMDLINE.format(2), UP).last
    watcher = PhaseWatcher()
    boot = watcher.adopt(captured, 0.5)
    assert watcher.current is boot
    assert (boot.cause, boot.slot, boot.ready, boot.started) == (Cause.RESTORED, "B", True, 0.5)


def test_the_slot_without_command_line_is_what_init_says() -> None:
    machine = Machine().say(LINUX, "update handler will be called with inactiveRootPartition = 2")
    assert machine.last.slot == "B"


def test_a_boot_says_what_it_was() -> None:
    machine = Machine().say(LINUX, K + "Kernel command line: " + CMDLINE.format(1))
    assert str(machine.last) == "boot 1 (power-on), Linux 7.1.3, slot A: kernel 1.0 s"


RULE = LoopRule(starts=3, window=100.0)


def boots(*causes: tuple[Cause, float, bool, bool]) -> list[Boot]:
    made = []
    for number, (cause, started, ready, asked) in enumerate(causes, 1):
        boot = Boot(number, cause, started, at={Phase.HTTP: started} if ready else {})
        boot.asked = asked
        made.append(boot)
    return made


ON, RESET = Cause.POWER_ON, Cause.RESET


@pytest.mark.parametrize(
    ("history", "loop"),
    [
        ([(ON, 0, False, False), (RESET, 20, False, False), (RESET, 40, False, False)], [1, 2, 3]),
        ([(ON, 0, False, False), (RESET, 20, False, False)], []),
        ([(ON, 0, False, False), (RESET, 20, True, False), (RESET, 40, False, False)], []),
        ([(ON, 0, False, False), (RESET, 20, False, True), (RESET, 40, False, False)], []),
        ([(ON, 0, False, False), (ON, 20, False, False), (ON, 40, False, False)], []),
        ([(ON, 0, False, False), (RESET, 90, False, False), (RESET, 180, False, False)], []),
        ([(ON, 0, True, False), *[(RESET, t, False, False) for t in (20, 40, 60)]], [2, 3, 4]),
    ],
)
def test_a_reboot_loop(history: list[tuple[Cause, float, bool, bool]], loop: list[int]) -> None:
    assert [boot.number for boot in reboot_loop(boots(*history), RULE)] == loop


INIT = "gokrazy build timestamp 2026-11-21T23:22:48Z"


def test_a_quiet_kernel_s_boot_begins_with_init() -> None:
    machine = Machine().say(INIT, UP)
    assert [(boot.number, boot.cause, boot.kernel, boot.build) for boot in machine.watcher.boots] == [
        (1, Cause.POWER_ON, "", "2026-11-21T23:22:48Z")
    ]
    assert list(machine.last.at) == [Phase.BUILD, Phase.HTTP]
    machine.say("[   99.000000] reboot: Restarting system", INIT)
    machine.say("[   99.000000] kexec_core: Starting new kernel", INIT)
    machine.watcher.machine_started(Cause.RESET, machine.now)
    machine.say(INIT)
    assert [boot.number for boot in machine.watcher.boots] == [1, 2, 3, 4]
    assert [boot.cause for boot in machine.watcher.boots] == [
        Cause.POWER_ON,
        Cause.RESET,
        Cause.KEXEC,
        Cause.RESET,
    ]


def test_init_s_first_word_belongs_to_the_kernel_that_was_heard() -> None:
    machine = Machine().say(LINUX, INIT, UP, INIT)
    assert len(machine.watcher.boots) == 1
    assert list(machine.last.at) == [Phase.KERNEL, Phase.BUILD, Phase.HTTP]


def test_the_web_interface_s_socket_is_no_address() -> None:
    machine = Machine().say(LINUX, "2026/11/22 listeners.go:99: now listening on /run/gokrazy-http.sock")
    assert list(machine.last.at) == [Phase.KERNEL, Phase.SOCKET]
    assert not machine.last.ready
    machine.say("2026/11/22 now listening on 127.0.0.1:80")
    assert machine.last.http == ()


BARE = (
    "Linux version 6.1.0 (me@here) (gcc) #1 SMP",
    "Kernel command line: console=ttyAMA0 root=PARTUUID=60c24cc1-f3f9-427a-8199-386f27b50001/PARTNROFF=2 ro",
    "VFS: Mounted root (squashfs filesystem) readonly on device 254:3.",
    "Run /gokrazy/init as init process",
    "gokrazy build timestamp 2026-11-21T23:28:07Z",
    "2026/11/22 00:06:45 update.go:311: update handler will be called with inactiveRootPartition = 2",
)


def test_a_kernel_that_prints_no_times_tells_as_much() -> None:
    machine = Machine().say(*BARE, "2026/11/22 00:06:47 listeners.go:118: now listening on 10.0.2.15:80")
    boot = machine.last
    assert (boot.kernel, boot.slot, boot.inactive, boot.root_device) == ("6.1.0", "B", 2, "254:3")
    wanted = [Phase.KERNEL, Phase.ROOT, Phase.INIT, Phase.BUILD, Phase.UPDATER, Phase.HTTP]
    assert [phase for phase in boot.at if phase in wanted] == wanted
    machine.say("reboot: Restarting system", BARE[0])
    assert [one.cause for one in machine.watcher.boots] == [Cause.POWER_ON, Cause.RESET]


def test_what_one_machine_quotes_says_nothing_of_the_next() -> None:
    machine = Machine().say(LINUX, K + "Run /gokrazy/init as init process", LINUX)
    machine.watcher.adopt(machine.last, machine.now)
    machine.say("gokrazy build timestamp 2026-11-21T23:22:48Z")
    assert [boot.cause for boot in machine.watcher.boots] == [Cause.POWER_ON, Cause.RESTORED]


def test_what_a_program_quotes_of_a_kernel_is_no_phase() -> None:
    for start in (BARE, (LINUX,)):
        machine = Machine().say(*start)
        before = dict(machine.last.at)
        machine.say(
            BARE[0],
            "last boot: Kernel panic - not syncing: x",
            "it said reboot: Restarting system",
            "# Run /x as init process",
        )
        assert machine.last.at == before
        assert len(machine.watcher.boots) == 1


def test_what_a_program_writes_to_the_kernel_s_log_is_no_phase() -> None:
    machine = Machine().say(LINUX, K + "Run /gokrazy/init as init process")
    before = dict(machine.last.at)
    machine.say(
        K + "relay: last boot: Kernel panic - not syncing: x",
        K + "relay: reboot: Restarting system",
        K + "relay: kexec_core: Starting new kernel",
    )
    assert machine.last.at == before
    assert not machine.watcher.in_firmware
    machine.say(K + "virtio_blk virtio1: [vd" + K + "Kernel panic - not syncing: x")
    assert Phase.PANIC in machine.last.at
