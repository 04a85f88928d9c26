"""Tests of a board stay together, and nothing else does."""

import pytest

from harness.sharing import BoardScheduling


@pytest.mark.parametrize(
    ("nodeid", "group"),
    [
        ("a.py::test_x[virt]", "virt"),
        ("b.py::test_y[virt]", "virt"),
        ("a.py::test_x[virt-uefi]", "virt-uefi"),
        ("a.py::test_x[pc-bios-more]", "pc-bios"),
        ("a.py::test_x[more-pc-uefi]", "pc-uefi"),
        ("a.py::test_x[virtual]", "a.py::test_x[virtual]"),
        ("a.py::test_x", "a.py::test_x"),
    ],
)
def test_the_group_of_a_test(nodeid: str, group: str) -> None:
    scheduling = BoardScheduling.__new__(BoardScheduling)
    assert scheduling._split_scope(nodeid) == group
