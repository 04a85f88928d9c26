"""Whether one side is slower: decided by pairs, and never by the noise of a host."""

from __future__ import annotations

import random

import pytest

from harness.bump.times import LEAST, MOST, Judgement, ratio


@pytest.mark.parametrize(
    ("old", "new", "judgement"),
    [
        ([5.0] * 8, [6.5] * 8, "slower"),
        ([6.5] * 8, [5.0] * 8, "faster"),
        ([5.0] * 7, [6.5] * 7, "open"),
        ([5.0] * 4, [5.1] * 4, "same"),
        ([5.0] * 3, [9.0] * 3, "open"),
        ([5.0] * 4, [9.0] * 4, "open"),
        # Close to the edge: more pairs are asked for, and in the end it is the same.
        ([5.0] * 5, [5.4] * 5, "open"),
        ([5.0] * 9, [5.4] * 9, "same"),
        # The median is 1.3, but the pairs do not agree.
        ([5.0] * 9, [6.5, 6.5, 6.5, 6.5, 6.5, 6.5, 4.0, 4.0, 4.0], "same"),
        # One pair that was disturbed does not hide it.
        ([5.0] * 9, [*[6.5] * 8, 4.0], "slower"),
    ],
)
def test_the_judgement(old: list[float], new: list[float], judgement: Judgement) -> None:
    assert ratio(old, new).judgement == judgement


def _series(rng: random.Random, slower: float) -> Judgement:
    """A series as the comparison makes it: pair after pair until it is decided."""
    old: list[float] = []
    new: list[float] = []
    while True:
        load = rng.uniform(1, 2)
        old.append(5 * load * rng.uniform(0.85, 1.15))
        new.append(5 * load * rng.uniform(0.85, 1.15) * slower)
        found = ratio(old, new)
        assert len(old) <= MOST
        if found.judgement != "open" and len(old) >= LEAST:
            return found.judgement


def test_of_two_equal_sides_on_a_noisy_host_hardly_one_is_called_slower() -> None:
    rng = random.Random(7)
    judged = [_series(rng, 1.0) for _ in range(2000)]
    assert judged.count("slower") / len(judged) < 0.01
    assert judged.count("faster") / len(judged) < 0.01


def test_a_boot_that_is_thirty_percent_slower_is_found_on_that_host() -> None:
    rng = random.Random(7)
    judged = [_series(rng, 1.3) for _ in range(2000)]
    assert judged.count("slower") / len(judged) > 0.95
