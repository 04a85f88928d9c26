"""Two appliances of one image on one segment: what they send each other goes from card to card.

To a guest that only talks to its host, QEMU's user network is the peer, and that may hide what a driver gets
wrong. Here both ends are Linux, with large windows. The two guests have the same card and the same address. So
each gets a second address, and finds the other under a hardware address that is translated on the way.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Sequence

from harness.appliance.appliance import Appliance
from harness.bump.facts import Facts, Programs, parsed
from harness.bump.traffic import PORT, listening
from harness.gokrazy.breakglass import Breakglass
from harness.machine.tap import Tap, tapped

ADDRESSES = ("10.0.3.1", "10.0.3.2")
HARDWARE = (bytes.fromhex("52 54 00 67 00 01"), bytes.fromhex("52 54 00 67 00 02"))
"""Under which each of the two is found by the other."""
SIZE = 16 << 20
"""Bytes of one transfer."""
STALL = 30.0
"""Seconds without a byte after which a transfer stalls."""
LONGEST = 900.0
OUT = "carried.txt"
BLOCKS = (1 << 20, 1400)
"""Bytes that are written at a time."""


@contextlib.contextmanager
def joined(pair: Sequence[Appliance]) -> Iterator[None]:
    """Put both machines, which run, onto one segment beside their way to the host."""
    with contextlib.ExitStack() as ends:
        taps = [ends.enter_context(tapped(one.power.machine)) for one in pair]
        real: dict[int, bytes] = {}
        for number in (0, 1):
            threading.Thread(target=_carry, args=(number, taps, real), daemon=True).start()
        yield


def _carry(number: int, taps: Sequence[Tap], real: dict[int, bytes]) -> None:
    other = 1 - number
    for frame in taps[number].frames():
        real[number] = frame[6:12]
        if frame[:6] != HARDWARE[other]:
            taps[number].pass_on(frame)
        elif other in real:
            taps[other].give(real[other] + HARDWARE[number] + frame[12:])


def between(pair: Sequence[Appliance], programs: Programs) -> Facts:
    """Carry bytes from each to the other; both are ready. Raises what the devices do wrong otherwise."""
    with contextlib.ExitStack() as ends:
        ends.enter_context(joined(pair))
        rescues = [ends.enter_context(one.breakglass()) for one in pair]
        for number, rescue in enumerate(rescues):
            rescue.put(programs.agent, "agent", mode=0o755)
            peer = HARDWARE[1 - number].hex(":")
            rescue.run(["./agent", "join", ADDRESSES[number], ADDRESSES[1 - number], peer])
        ends.enter_context(listening(rescues[0], pair[0].port(PORT), STALL))
        facts = Facts()
        for direction, title in (("in", "to the first"), ("out", "from the first")):
            for block in BLOCKS:
                for fact in _carried(rescues[1], direction, block, title):
                    facts = facts.with_more(*fact)
        return facts


def _carried(rescue: Breakglass, direction: str, block: int, title: str) -> Iterator[tuple[str, str, str]]:
    carry = ["./agent", "carry", f"{ADDRESSES[0]}:{PORT}", direction, str(SIZE), str(block)]
    rescue.run(["./agent", "run", OUT, *carry], timeout=LONGEST)
    lines = rescue.get_bytes(OUT).decode("utf-8", "replace").splitlines()
    for kind, _, value in parsed("carry", lines):
        yield kind, f"{title}, {block} bytes a write", value
