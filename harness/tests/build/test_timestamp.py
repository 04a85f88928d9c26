"""The timestamp of an image follows from what goes in, is never in the future, and has an order."""

import hashlib
from datetime import UTC, datetime, timedelta

import pytest

from harness.build.carried import INTERNAL
from harness.build.gomod import GoMod, parse_gomod
from harness.build.timestamp import HALF, derived, given, newest, version_time
from harness.errors import OptionError

OLD, NEW = "v0.0.0-20260705070735-de680abf072b", "v0.0.0-20260801000000-0123456789ab"


def mod(*lines: str) -> GoMod:
    return parse_gomod("module x\n\n" + "\n".join(lines) + "\n", "go.mod")


def key(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


@pytest.mark.parametrize(
    ("version", "time"),
    [
        (OLD, datetime(2026, 7, 5, 7, 7, 35, tzinfo=UTC)),
        ("v1.2.4-0.20191109021931-daa7c04131f5", datetime(2019, 11, 9, 2, 19, 31, tzinfo=UTC)),
        ("v2.0.0-20191109021931-daa7c04131f5+incompatible", datetime(2019, 11, 9, 2, 19, 31, tzinfo=UTC)),
        ("v0.0.0-20261309021931-daa7c04131f5", None),
        ("v1.2.3", None),
        ("(local)", None),
    ],
)
def test_a_pseudo_version_tells_its_time(version: str, time: datetime | None) -> None:
    assert version_time(version) == time


def test_the_newest_pinned_module_counts_and_a_replaced_one_does_not() -> None:
    assert newest([]) == version_time(INTERNAL.version)
    assert newest([mod(f"require a/b {OLD}"), mod("require c/d v1.0.0")]) == version_time(OLD)
    assert newest([mod(f"require a/b {OLD}"), mod(f"require c/d {NEW}")]) == version_time(NEW)
    assert newest([mod(f"require c/d {NEW}", f"replace c/d => c/d {OLD}")]) == version_time(OLD)
    assert newest([mod(f"require c/d {NEW}", "replace c/d => ../d", f"require a/b {OLD}")]) == version_time(OLD)


def test_what_an_update_installs_is_later_and_neither_is_in_the_future() -> None:
    mods = [mod(f"require a/b {OLD}")]
    limit = version_time(OLD)
    assert limit is not None
    for number in range(200):
        first = datetime.fromisoformat(derived(mods, key(f"first {number}"), later=False))
        following = datetime.fromisoformat(derived(mods, key(f"next {number}"), later=True))
        assert limit - timedelta(seconds=2 * HALF) <= first < following < limit


def test_the_same_inputs_have_one_timestamp_and_others_another() -> None:
    mods = [mod(f"require a/b {OLD}")]
    assert derived(mods, key("x"), later=False) == derived(mods, key("x"), later=False)
    assert len({derived(mods, key(str(number)), later=False) for number in range(20)}) > 15


def test_a_newer_module_makes_a_later_image() -> None:
    for number in range(50):
        before = derived([mod(f"require a/b {OLD}")], key(f"a {number}"), later=True)
        after = derived([mod(f"require a/b {NEW}")], key(f"b {number}"), later=False)
        assert before < after


def test_the_user_may_say_it() -> None:
    assert given(None, {}) is None
    assert given(None, {"SOURCE_DATE_EPOCH": "1770000000"}) == "2026-02-02T02:40:00Z"
    assert given("2026-01-31T12:00:00+01:00", {"SOURCE_DATE_EPOCH": "1"}) == "2026-01-31T12:00:00+01:00"
    assert given(None, {"SOURCE_DATE_EPOCH": "1770000000"}, later=True) == "2026-02-02T02:40:01Z"
    assert given("2026-01-31T12:00:00+01:00", {}, later=True) == "2026-01-31T11:00:01Z"
    for wrong in ("yesterday", "2026-01-31T12:00:00"):
        with pytest.raises(OptionError, match="not RFC 3339"):
            given(wrong, {})
    with pytest.raises(OptionError, match="no number of seconds"):
        given(None, {"SOURCE_DATE_EPOCH": "today"})
