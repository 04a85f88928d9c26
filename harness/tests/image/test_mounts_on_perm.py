"""Whether an image has init mount another disk on /perm."""

from __future__ import annotations

import pytest

from harness.image import load


@pytest.mark.parametrize(
    ("text", "is_elsewhere"),
    [
        ("", False),
        ("null", False),
        ('[{"Source": "/dev/sdb1", "Type": "ext4", "Target": "/perm", "Options": ""}]', True),
        ('[{"Target": "/mnt/a"}, {"Target": "/perm/"}]', True),
        ('[{"Target": "/perm/media"}]', False),
        ("[1]", False),
        ("no JSON", False),
    ],
)
def test_a_disk_that_is_mounted_on_perm_is_known(text: str, is_elsewhere: bool) -> None:
    assert load._mounts_on_perm(text) is is_elsewhere
