"""Where a file has data: what lies between is holes, zeros that nobody need read, hash or copy."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator


def data_of(file: int, size: int) -> Iterator[tuple[int, int]]:
    """The stretches of an open file that are no holes, from start to end; without the system's help, all of it.

    It moves the place where the file is read next.
    """
    offset = 0
    while offset < size:
        try:
            start = os.lseek(file, offset, os.SEEK_DATA)
            end = os.lseek(file, start, os.SEEK_HOLE)
        except OSError as error:
            if error.errno == errno.ENXIO:  # nothing but a hole up to the end
                return
            yield offset, size
            return
        yield start, min(end, size)
        offset = end
