"""One invariant after each of several events, and a note that says at which of them it failed."""

import pytest

from harness.errors import ApplianceFault
from harness.faults.events import Act, after_each


def never() -> None:
    raise AssertionError("not reached")


def fail(error: BaseException) -> Act:
    def raising() -> None:
        raise error

    return raising


def test_the_check_comes_after_each_event_in_their_order() -> None:
    seen: list[str] = []
    after_each(
        {"cut": lambda: seen.append("cut"), "reset": lambda: seen.append("reset")}, lambda: seen.append("check")
    )
    assert seen == ["cut", "check", "reset", "check"]


def test_a_check_that_fails_says_after_which_event_and_is_the_last() -> None:
    seen: list[str] = []

    def check() -> None:
        assert seen == ["cut"]

    events = {"cut": lambda: seen.append("cut"), "reset": lambda: seen.append("reset"), "pause": never}
    with pytest.raises(AssertionError) as caught:
        after_each(events, check)
    assert caught.value.__notes__ == ["after event 2 of 3, 'reset'"]
    # What pytest prints of an error has its notes.
    assert "after event 2 of 3, 'reset'" in caught.exconly()


def test_an_event_that_fails_says_so_and_nothing_is_checked() -> None:
    error = ApplianceFault("it did not switch itself off")
    with pytest.raises(ApplianceFault) as caught:
        after_each({"power off": fail(error)}, never)
    assert caught.value is error
    assert error.__notes__ == ["during event 1 of 1, 'power off'"]


def test_what_pytest_raises_itself_gets_the_note_as_well() -> None:
    with pytest.raises(pytest.fail.Exception) as caught:
        after_each({"cut": lambda: None}, lambda: pytest.fail("gone"))
    assert caught.value.__notes__ == ["after event 1 of 1, 'cut'"]


def test_no_events_are_an_error() -> None:
    with pytest.raises(ValueError, match="nothing would be checked"):
        after_each({}, never)
