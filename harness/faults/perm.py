"""What a scenario does to the /perm of an appliance that runs and has breakglass with a shell."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

from harness.appliance.time_line import Lane

if TYPE_CHECKING:
    from paramiko import SFTPClient

    from harness.appliance.appliance import Appliance

FILLER = "/perm/gokharness-filler"
LEFT = 1 << 20
"""Bytes of which a full /perm has fewer left."""
LIMIT = 300.0
"""Seconds for filling it, on a slow and busy host."""


@contextlib.contextmanager
def full(appliance: Appliance) -> Iterator[None]:
    """Take all of its room, also that which only root may use, and give it back at the end of the block.

    Raises CommandFailed where it cannot be filled.
    """
    with appliance.breakglass() as rescue, appliance.time_line.during(Lane.FAULTS, "/perm is full"):
        # Allocated, not written, as far as that goes; the rest in blocks, until there is no room.
        left = appliance.status().perm_available
        rescue.run(f"fallocate -l {left} {FILLER} || true; sync", timeout=LIMIT)
        size = -1
        # What a file system held back for its tables is free again after a sync: until nothing more goes in.
        while (now := rescue.look("how far /perm is full", _size_of_filler)) != size:
            size = now
            rescue.run(f"dd if=/dev/zero bs=4k >> {FILLER} 2>/dev/null; sync; test -s {FILLER}", timeout=LIMIT)
    try:
        yield
    finally:
        with appliance.breakglass() as rescue:
            rescue.run(f"rm -f {FILLER} && sync", timeout=LIMIT)


def _size_of_filler(sftp: SFTPClient) -> int:
    return sftp.stat(FILLER).st_size or 0
