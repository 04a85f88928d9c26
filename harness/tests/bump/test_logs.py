"""Two consoles compared: what differs in every start counts, and nothing else does."""

from __future__ import annotations

from harness.bump.logs import difference, is_alarm, said
from harness.console.lines import Line


def start(*texts: str) -> dict[str, str]:
    return said(Line(0.1, number, text, kernel=True) for number, text in enumerate(texts))


def test_times_addresses_and_numbers_are_no_difference() -> None:
    old = start(
        "[    0.100000] virtio_net virtio0 eth0: 1024 queues at 0xffff800080123456",
        "2026/11/26 18:00:01 gokrazy: up after 3.2 s",
        "[    0.200000] e1000e 0000:00:02.0 eth0: (Width x1) 52:54:00:67:6f:6b",
    )
    new = start(
        "[    0.300000][    T1] virtio_net virtio0 eth0: 512 queues at 0xffff800080999999",
        "2026/11/27 09:30:59.123 gokrazy: up after 11 s",
        "[    0.200000] e1000e 0000:00:05.0 eth0: (Width x1) 52:54:00:67:6f:6c",
    )
    found = difference([old], [new])
    assert (found.new, found.gone, found.new_alarms, found.gone_alarms) == ((), (), (), ())


def test_a_warning_that_every_new_start_has_is_new_and_an_alarm() -> None:
    quiet, loud = start("a", "b"), start("a", "b", "[    1.000000] igb 0000:00:02.0: link lost, failed to read")
    found = difference([quiet, quiet], [loud, loud])
    assert found.new_alarms == ("igb 0000:00:02.0: link lost, failed to read",)
    assert found.new == ()
    assert difference([loud], [quiet]).gone_alarms == found.new_alarms


def test_what_only_some_starts_say_is_no_difference() -> None:
    quiet, loud = start("a"), start("a", "random: late")
    assert difference([quiet, quiet], [loud, quiet]).new == ()
    assert difference([quiet, loud], [loud, loud]).new == ()


def test_the_name_of_the_kernel_and_its_measurements_do_not_count() -> None:
    old = start("[    0.000000] Linux version 7.0.8 (a@b)", "Memory: 456M/512M available", "tsc: Detected 3 MHz")
    new = start("[    0.000000] Linux version 7.1.3 (c@d)", "Memory: 400M/512M free", "tsc: 4 processors")
    assert difference([old], [new]).new == ()
    assert difference([], [new]).new == ()


def test_another_command_line_is_no_warning_whatever_it_says() -> None:
    line = "2026/11/27 01:20:00 gokrazy.go:181: cmdline: console=tty1 root=PARTUUID=1/PARTNROFF=1 panic=10"
    kernel = "[    0.000000] Kernel command line: root=PARTUUID=1/PARTNROFF=1 panic=10"
    # A PC's kernel says it a second time, in other words.
    of_pc = "[    0.000000] Command line: root=PARTUUID=1/PARTNROFF=1 panic=10"
    said_of = (line, kernel, of_pc)
    found = difference([start(*said_of)], [start(*(f"{one} oops=panic" for one in said_of))])
    assert (found.new, found.new_alarms, found.gone_alarms) == ((), (), ())
    assert not start(line)


def test_an_address_that_is_not_ready_in_time_is_no_warning() -> None:
    refused = "listen tcp [fe80::1%eth0]:80: bind: cannot assign requested address"
    assert not start(f"2026/11/22 00:07:45 listeners.go:115: listen: {refused}")


def test_what_the_crash_table_excuses_is_no_warning_in_its_new_words_either() -> None:
    old = start("[    0.100000] WARNING: CPU: 0 PID: 1 at arch/arm64/mm/ioremap.c:28 ioremap_prot+0x98/0xd8")
    new = start("[    0.100000] WARNING: arch/arm64/mm/ioremap.c:28 at ioremap_prot+0x98/0xd8, CPU#0: swapper/0/1")
    found = difference([old], [new])
    assert (found.new_alarms, found.gone_alarms) == ((), ())


def test_alarms_are_words_and_not_parts_of_words() -> None:
    assert is_alarm("mmc0: error -110 whilst initialising SD card")
    assert is_alarm("ata1: COMRESET failed (errno=-16)")
    assert not is_alarm("EXT4-fs (vda4): mounted filesystem with ordered data mode")
    assert not is_alarm("usbcore: registered new interface driver debug_terror")
