"""Rows of a comparison: each kind of regression is worse with its reason, and two equal sides are the same."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.bump.compare import Row, Starts, Verdict, compared, size_row
from harness.bump.facts import Facts
from harness.bump.measured import Measured

SAID = {
    "device": {"network card by virtio_net": "1", "disk by virtio_blk": "1", "clock by rtc-pl031": "1"},
    "ok": {"seek in /proc/net/tcp": "", "traffic to the device": ""},
    "rate": {"traffic to the device": "30.0"},
    "size": {"memory available": str(400 << 20)},
    "option": {"CONFIG_A": "y", "CONFIG_B": "m"},
    "setting": {"TCP segmentation of eth0, igb": "on"},
}
GOOD = Measured(
    ready=5.0,
    phases={"kernel": 1.0, "init": 3.0, "http": 5.0},
    log={"a": "a"},
    facts=Facts(SAID),
    deeds={"reboot by kexec": "", "power off": ""},
)


def but(kind: str, name: str, value: str | None) -> Measured:
    """The good one, with one fact changed, added, or taken away."""
    of = {**SAID.get(kind, {}), **({name: value} if value is not None else {})}
    if value is None:
        del of[name]
    return replace(GOOD, facts=Facts({**SAID, kind: of}))


def rows(new: Measured, old: Measured = GOOD) -> dict[str, Row]:
    return {row.what: row for row in compared(Starts("virt", [old] * 8, [new] * 8))}


def test_two_equal_sides_are_the_same_in_every_row() -> None:
    assert {row.verdict for row in rows(GOOD).values()} == {Verdict.SAME}
    assert len(rows(GOOD)) >= 10


SLOW = replace(GOOD, ready=6.5, phases={"kernel": 1.0, "init": 4.5, "http": 6.5})


@pytest.mark.parametrize(
    ("new", "what", "why"),
    [
        (Measured(failed="kernel panic: no root"), "boots", "kernel panic: no root (8 of 8 starts)"),
        (SLOW, "seconds to the first answer", "most of it until: init (+1.5 s)"),
        (
            replace(GOOD, log={"a": "a", "x": "igb: it failed"}),
            "console: warnings and errors",
            "new: igb: it failed",
        ),
        (replace(GOOD, findings={"kernel-oops": "an oops"}), "console checks", "kernel-oops: an oops"),
        (but("device", "clock by rtc-pl031", None), "clock by rtc-pl031", "it is gone"),
        (but("device", "disk by virtio_blk", "0"), "disk by virtio_blk", "0, was 1"),
        (but("bad", "seek in /proc/net/tcp", "EINVAL"), "seek in /proc/net/tcp", "EINVAL"),
        (but("rate", "traffic to the device", "12.0"), "traffic to the device", "12.0 MiB/s, was 30.0"),
        (but("size", "memory available", str(300 << 20)), "memory available", "300.0 MiB, was 400.0"),
        (replace(GOOD, deeds={"reboot by kexec": "it fell silent"}), "reboot by kexec", "it fell silent"),
    ],
)
def test_a_regression_is_worse_with_its_reason(new: Measured, what: str, why: str) -> None:
    found = [row for row in compared(Starts("virt", [GOOD] * 8, [new] * 8)) if row.is_regression]
    assert [row.what for row in found] == [what]
    assert why in found[0].why


def test_what_was_broken_before_is_no_regression() -> None:
    broken = Measured(failed="silent")
    assert rows(broken, broken)["boots"].verdict is Verdict.SAME
    assert rows(GOOD, broken)["boots"].verdict is Verdict.BETTER
    stalls = but("bad", "more traffic", "it stalls")
    assert rows(stalls, stalls)["more traffic"].verdict is Verdict.SAME
    assert rows(GOOD, replace(GOOD, deeds={"power off": "silent"}))["power off"].verdict is Verdict.BETTER


def test_a_start_that_fails_once_of_many_is_a_regression() -> None:
    found = compared(Starts("virt", [GOOD] * 8, [*[GOOD] * 7, Measured(failed="panic")]))
    assert [(row.what, row.why) for row in found if row.is_regression] == [("boots", "panic (1 of 8 starts)")]


@pytest.mark.parametrize("old", [[Measured(failed="silent"), GOOD], [GOOD, Measured(failed="silent")]])
def test_a_new_side_that_never_comes_up_is_worse_than_an_old_one_that_once_did_not(old: list[Measured]) -> None:
    failed = Measured(failed="panic")
    [found] = compared(Starts("virt", old, [failed, failed]))
    assert (found.verdict, found.why) == (Verdict.WORSE, "panic (2 of 2 starts; of the old one 1 of 2)")
    assert compared(Starts("virt", old, [failed, GOOD]))[0].verdict is Verdict.SAME


def test_what_never_works_is_worse_than_what_once_did_not() -> None:
    broken = replace(GOOD, facts=Facts({**SAID, "ok": {}, "bad": {"seek in /proc/net/tcp": "EINVAL"}}))
    found = {row.what: row for row in compared(Starts("virt", [GOOD, broken, GOOD], [broken] * 3))}
    assert found["seek in /proc/net/tcp"].verdict is Verdict.WORSE
    found = {row.what: row for row in compared(Starts("virt", [GOOD, broken, GOOD], [broken, GOOD, broken]))}
    assert found["seek in /proc/net/tcp"].verdict is Verdict.SAME


def test_what_a_busy_host_may_do_to_one_start_is_shown_and_no_verdict() -> None:
    stalled = replace(GOOD, findings={"rcu-stall": "a processor did not come back"})
    found = {row.what: row for row in compared(Starts("virt", [GOOD] * 4, [GOOD, stalled, GOOD, GOOD]))}
    assert found["console checks"].verdict is Verdict.OTHER
    assert "rcu-stall: a processor did not come back (1 of 4 starts)" in found["console checks"].why
    assert not any(row.is_regression for row in found.values())


def test_what_a_busy_host_may_do_counts_where_each_start_of_the_new_side_does_it() -> None:
    stalled = replace(GOOD, findings={"rcu-stall": "a processor did not come back"})
    assert rows(stalled)["console checks"].verdict is Verdict.WORSE
    both = replace(GOOD, findings={"rcu-stall": "a stall", "kernel-warning": "a warning"})
    found = compared(Starts("virt", [GOOD] * 4, [GOOD, both, GOOD, GOOD]))
    assert [row.why for row in found if row.is_regression] == ["kernel-warning: a warning"]


def test_a_device_that_one_start_lacks_is_not_gone() -> None:
    late = but("device", "clock by rtc-pl031", None)
    found = compared(Starts("virt", [GOOD] * 4, [GOOD, late, GOOD, GOOD]))
    assert not any(row.is_regression for row in found)


def test_options_that_are_lost_are_shown_and_no_verdict() -> None:
    options = {"CONFIG_C": "y", "CONFIG_A": "m"}
    new = replace(GOOD, facts=Facts({**SAID, "option": options}))
    found = rows(new)["configuration of the kernel"]
    assert found.verdict is Verdict.OTHER
    assert found.why == "lost: CONFIG_B; won: CONFIG_C; changed: CONFIG_A=m (was y)"


def test_an_offload_that_is_switched_off_is_shown_and_no_verdict() -> None:
    found = rows(but("setting", "TCP segmentation of eth0, igb", "off"))["offloads of the network cards"]
    assert found.verdict is Verdict.OTHER
    assert found.why == "changed: TCP segmentation of eth0, igb=off (was on)"


def test_a_device_that_cannot_be_asked_is_not_seen_and_never_the_same() -> None:
    found = rows(replace(GOOD, facts=None, unasked="no breakglass"))["what the device says of itself"]
    assert (found.verdict, found.why) == (Verdict.UNSEEN, "no breakglass")


def test_a_stage_after_a_fall_was_not_seen() -> None:
    found = rows(replace(GOOD, deeds={"reboot by kexec": "it fell silent"}))["power off"]
    assert (found.verdict, found.why) == (Verdict.UNSEEN, "what came before it went wrong")


@pytest.mark.parametrize(
    ("old", "new", "verdict"),
    [(57, 58, Verdict.SAME), (57, 70, Verdict.OTHER), (57, 91, Verdict.WORSE), (95, 96, Verdict.SAME)],
)
def test_a_partition_that_is_soon_full_is_worse(old: int, new: int, verdict: Verdict) -> None:
    row = size_row("virt", "boot file system", old << 20, new << 20, 100 << 20)
    assert (row.verdict, row.why.partition(";")[0]) == (verdict, f"{new}.0 MiB, was {old}.0")
