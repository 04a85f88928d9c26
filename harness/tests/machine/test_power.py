from __future__ import annotations

from harness.machine.power import SeaBiosEcho
from harness.machine.qmp import Event


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
