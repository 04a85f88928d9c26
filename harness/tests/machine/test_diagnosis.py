"""What QEMU's own words come to, as QEMU 10 and libslirp print them."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from harness.errors import QemuFailed
from harness.machine.diagnosis import connections, diagnose, processors, used

X86 = """\r
CPU#0\r
RAX=0000000000000000 RBX=ffffffff8240f480 RCX=0000000000000001 RDX=0000000000000000\r
RIP=ffffffff81c8a71b RFL=00000246 [---Z-P-] CPL=0 II=0 A20=1 SMM=0 HLT=1\r
ES =0000 0000000000000000 ffffffff 00000000\r
\r
CPU#1\r
RAX=0000000000000000 RBX=000000c000102000 RCX=0000000000000001 RDX=0000000000000000\r
RIP=000000000046cf01 RFL=00000246 [---Z-P-] CPL=3 II=0 A20=1 SMM=0 HLT=0\r
\r
CPU#2\r
EAX=00000000 EBX=00000000 ECX=00000000 EDX=00060fb1\r
EIP=0000fff0 EFL=00000002 [-------] CPL=0 II=0 A20=1 SMM=0 HLT=0\r
"""
ARM = """\r
CPU#0\r
 PC=ffff800080a5c1f8 X00=0000000000000000 X01=0000000000000000\r
X29=ffff8000817f3da0 X30=ffff8000800a1c10  SP=ffff8000817f3da0\r
PSTATE=600000c5 -ZC- NS EL1h    FPU disabled\r
\r
CPU#1\r
 PC=000000000007d0a4 X00=0000000000000000 X01=0000000000000000\r
PSTATE=60000000 -ZC- NS EL0t    FPCR=00000000 FPSR=00000000\r
"""
USERNET = """Hub -1 (net0):\r
  Protocol[State]    FD  Source Address  Port   Dest. Address  Port RecvQ SendQ\r
  TCP[SYN_SENT]      10       127.0.0.1 46017       10.0.2.15    80     0     0\r
  TCP[SYN_SENT]      12       127.0.0.1 46018       10.0.2.15    80     0     0\r
  TCP[ESTABLISHED]   11       127.0.0.1 46020       10.0.2.15    22     0     0\r
  TCP[HOST_FORWARD]   9       127.0.0.1 46017       10.0.2.15    80     0     0\r
"""


def test_where_the_processors_of_a_pc_are() -> None:
    assert processors(X86) == [
        "processor 0: in the kernel at 0xffffffff81c8a71b, waits for an interrupt",
        "processor 1: in a program at 0x46cf01",
        "processor 2: in firmware, or a kernel that has just begun at 0xfff0",
    ]


def test_where_those_of_an_arm_machine_are() -> None:
    assert processors(ARM) == [
        "processor 0: in the kernel at 0xffff800080a5c1f8",
        "processor 1: in a program at 0x7d0a4",
    ]


def test_connections_that_the_guest_leaves_unanswered() -> None:
    assert connections(USERNET) == [
        "network: 1x to port 22 of the guest: open",
        "network: 2x to port 80 of the guest: it does not answer",
    ]
    assert connections("") == []


def test_what_was_asked_of_a_disk() -> None:
    stats = {"rd_bytes": 1536, "wr_bytes": 0, "idle_time_ns": 12_400_000_000, "failed_wr_operations": 2}
    assert used(stats) == "1.5 KiB read, 0.0 KiB written, idle for 12 s, 2 operations failed"
    assert used({"rd_bytes": 0, "wr_bytes": 2048}) == "0.0 KiB read, 2.0 KiB written"


def test_a_qemu_that_says_nothing_is_said_to_say_nothing() -> None:
    def gone(*_: object, **__: object) -> Any:
        raise QemuFailed("QEMU hung up", hint="see its log")

    machine: Any = SimpleNamespace(execute=gone, hmp=gone)
    assert diagnose(machine) == [
        f"{what}: QEMU does not say: QEMU hung up" for what in ("state", "processors", "disks", "connections")
    ]
