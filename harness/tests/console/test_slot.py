from __future__ import annotations

import pytest

from harness.console.slot import slot_of

CMDLINE = "console=ttyAMA0 root=PARTUUID=60c24cc1-f3f9-427a-8199-386f27b50001/PARTNROFF={} ro init=/gokrazy/init"


@pytest.mark.parametrize(
    ("cmdline", "slot"),
    [
        (CMDLINE.format(1), "A"),
        (CMDLINE.format(2), "B"),
        (CMDLINE.format(3), None),
        ("root=PARTUUID=2e18c40c-02 ro", "A"),
        ("root=PARTUUID=2e18c40c-03 ro", "B"),
        ("root=/dev/mmcblk0p2", "A"),
        ("root=/dev/sda3 quiet", "B"),
        ("root=/dev/nvme0n1p3", "B"),
        ("root=/dev/sda2 root=PARTUUID=60c24cc1-f3f9-427a-8199-386f27b50001/PARTNROFF=2", "B"),
        ("xroot=/dev/sda2", None),
        ("root=/dev/vda", None),
        ("", None),
    ],
)
def test_the_slot_is_what_root_says(cmdline: str, slot: str | None) -> None:
    assert slot_of(cmdline) == slot
