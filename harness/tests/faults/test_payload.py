"""Damaged payloads differ from what they were made of in exactly the way their name says."""

import pytest

from harness.faults.payload import cut_short, flip_one_bit


def chunks(count: int) -> list[bytes]:
    return [bytes([number]) * 8 for number in range(count)]


@pytest.mark.parametrize("count", [1, 3, 4, 5, 9])
def test_one_bit_flips_and_the_length_stays(count: int) -> None:
    before, after = b"".join(chunks(count)), b"".join(flip_one_bit(iter(chunks(count))))
    assert len(after) == len(before)
    assert sum((x ^ y).bit_count() for x, y in zip(before, after, strict=True)) == 1


def test_nothing_stays_nothing() -> None:
    assert list(flip_one_bit(iter([]))) == []


def test_a_cut_leaves_the_beginning() -> None:
    assert list(cut_short(iter(chunks(9)))) == chunks(9)[:4]
