"""A test that passes while its appliance dies is not passed."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from harness.appliance.wanted import Wanted
from harness.boards import board
from harness.errors import KernelPanic
from harness.plugin import LAB, pytest_runtest_call
from harness.run.second import IS_UP, SECOND


def lives() -> None:
    """Nothing is wrong with it."""


def played(check: Any, qemu: Any) -> Any:
    return SimpleNamespace(console=SimpleNamespace(check_unseen=check), power=SimpleNamespace(check_unseen=qemu))


def run(
    check: Any,
    error: BaseException | None = None,
    *,
    qemu: Any = lives,
    second: Any = None,
    second_qemu: Any = lives,
) -> None:
    """Run a test's body around which the plugin stands; the body raises ``error``."""
    made = {"test_it": played(check, qemu)}
    item: Any = SimpleNamespace(
        nodeid="test_it", stash=pytest.Stash(), config=SimpleNamespace(stash=pytest.Stash())
    )
    if second is not None:
        wanted = Wanted(board("virt"), "test_it").of_second("hello")
        item.stash[SECOND], item.stash[IS_UP] = wanted, True
        made[wanted.name] = played(second, second_qemu)
    item.config.stash[LAB] = SimpleNamespace(live=made.get)
    wrapper = pytest_runtest_call(item)
    next(wrapper)
    with pytest.raises(StopIteration):
        wrapper.throw(error) if error else wrapper.send(None)


def die() -> None:
    raise KernelPanic("it died while nobody looked")


def test_a_death_that_nobody_saw_fails_the_test() -> None:
    with pytest.raises(KernelPanic, match="while nobody looked"):
        run(die)


def test_a_qemu_that_ended_while_nobody_looked_fails_the_test() -> None:
    with pytest.raises(KernelPanic, match="while nobody looked"):
        run(lives, qemu=die)


def test_a_death_of_the_second_appliance_fails_the_test_as_well() -> None:
    with pytest.raises(KernelPanic, match="while nobody looked"):
        run(lives, second=die)
    with pytest.raises(KernelPanic, match="while nobody looked"):
        run(lives, second=lives, second_qemu=die)
    run(lives, second=lives)


def test_a_test_that_failed_by_itself_keeps_its_error() -> None:
    with pytest.raises(AssertionError, match="its own"):
        run(die, AssertionError("its own"))


def test_a_test_whose_appliance_lives_passes() -> None:
    run(lives)
