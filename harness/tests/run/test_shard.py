"""Shares of a run: disjoint, complete, the same each time, and about as long as each other."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import OptionError
from harness.options import settings_from
from harness.run.shard import Shard, digest

NAMES = st.lists(st.text("abcde", min_size=1, max_size=4), unique=True, max_size=40)
SECONDS = st.dictionaries(st.text("abcde", min_size=1, max_size=4), st.floats(0, 500))


@given(NAMES, SECONDS, st.integers(1, 9))
def test_each_test_is_in_exactly_one_share(names: list[str], known: dict[str, float], of: int) -> None:
    shares = [Shard(number, of).take(names, known) for number in range(1, of + 1)]
    assert sorted(name for share in shares for name in share) == sorted(names)


@given(NAMES, SECONDS, st.randoms())
def test_the_order_of_collection_does_not_matter(
    names: list[str], known: dict[str, float], chance: random.Random
) -> None:
    shuffled = list(names)
    chance.shuffle(shuffled)
    assert Shard(1, 3).take(names, known) == Shard(1, 3).take(shuffled, known)


@given(st.dictionaries(st.text("abcde", min_size=1, max_size=4), st.floats(1, 500), min_size=1), st.integers(1, 5))
def test_no_share_is_longer_than_its_part_by_more_than_the_longest_test(known: dict[str, float], of: int) -> None:
    for number in range(1, of + 1):
        load = sum(known[name] for name in Shard(number, of).take(list(known), known))
        assert load <= sum(known.values()) / of + max(known.values()) + 1e-6


def test_long_tests_are_kept_apart() -> None:
    known = {"long": 100.0, "other long": 90.0, **{f"short {number}": 10.0 for number in range(9)}}
    loads = [sum(known[name] for name in Shard(number, 2).take(list(known), known)) for number in (1, 2)]
    assert loads == [140.0, 140.0]


def test_tests_that_took_no_time_are_dealt_out_too() -> None:
    names = [f"t{number}" for number in range(10)]
    assert [len(Shard(number, 5).take(names, dict.fromkeys(names, 0.0))) for number in range(1, 6)] == [2] * 5


def test_the_digest_tells_other_durations_and_nothing_else() -> None:
    assert digest({"a": 1.0, "b": 2.0}) == digest({"b": 2.0, "a": 1.0})
    assert digest({"a": 1.0}) != digest({"a": 1.1})
    assert digest({}) == "none"


@pytest.mark.parametrize("text", ["", "2", "0/3", "4/3", "1/0", "a/b", "1/2/3", "-1/2"])
def test_what_is_no_share(text: str) -> None:
    with pytest.raises(OptionError, match="--gk-shard"):
        settings_from({"gk_shard": text})


def test_it_is_read_and_written_alike() -> None:
    asked = settings_from({"gk_shard": " 2/3 "}).shard
    assert asked is not None
    assert str(Shard(*asked)) == "2/3"


def collected(pytester: pytest.Pytester, *options: str) -> list[str]:
    result = pytester.runpytest("--collect-only", "-q", "-p", "no:cacheprovider", *options)
    return [line for line in result.outlines if "::" in line]


def test_pytest_runs_each_test_in_one_shard(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("import pytest\n@pytest.mark.parametrize('n', range(11))\ndef test_n(n): pass")
    everything = collected(pytester)
    assert len(everything) == 11
    folder = Path(pytester.path / ".gokharness")
    folder.mkdir()
    (folder / "durations.json").write_text(json.dumps(dict.fromkeys(everything[:3], 100.0)))
    shares = [collected(pytester, f"--gk-shard={number}/3") for number in (1, 2, 3)]
    assert sorted(name for share in shares for name in share) == sorted(everything)
    # One of the long ones each.
    assert [len(set(share) & set(everything[:3])) for share in shares] == [1, 1, 1]
    result = pytester.runpytest("-p", "no:cacheprovider", "--gk-shard=2/3")
    result.stdout.fnmatch_lines("gokrazy: shard 2/3, by durations ???????? (the same in every shard)")
    result.assert_outcomes(passed=len(shares[1]), deselected=11 - len(shares[1]))
    assert pytester.runpytest("--gk-shard=4/3").ret == pytest.ExitCode.USAGE_ERROR
