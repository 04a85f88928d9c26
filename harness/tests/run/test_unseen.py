"""A test that passes while its appliance dies is not passed."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from harness.errors import KernelPanic
from harness.plugin import LAB, pytest_runtest_call


def run(check: Any, error: BaseException | None = None, *, qemu: Any = lambda: None) -> None:
    """Run a test's body around which the plugin stands; the body raises ``error``."""
    appliance = SimpleNamespace(
        console=SimpleNamespace(check_unseen=check), power=SimpleNamespace(check_unseen=qemu)
    )
    lab: Any = SimpleNamespace(live=lambda name: appliance if name == "test_it" else None)
    stash = pytest.Stash()
    stash[LAB] = lab
    item: Any = SimpleNamespace(nodeid="test_it", config=SimpleNamespace(stash=stash))
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
        run(lambda: None, qemu=die)


def test_a_test_that_failed_by_itself_keeps_its_error() -> None:
    with pytest.raises(AssertionError, match="its own"):
        run(die, AssertionError("its own"))


def test_a_test_whose_appliance_lives_passes() -> None:
    run(lambda: None)
