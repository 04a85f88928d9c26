"""The identity of a machine: what must be the same for it to be restored from a snapshot of another one.

It is derived from the Spec. Each field of the Spec and of the records in it counts, unless ``UNSEEN`` says why it
does not: a new field cannot be forgotten. The content of files is not here: a snapshot has what its machine read.
It counts, by its digest, where a run looks for a snapshot that fits (``lab/snapshots.py``).
"""

from __future__ import annotations

import platform
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from harness.boards import Board
from harness.boards.workarounds import Workaround, Workarounds
from harness.errors import InternalError
from harness.machine.accelerator import Accelerator
from harness.machine.equipment import Equipment
from harness.machine.qemu import QemuProgram
from harness.machine.spec import Spec

PROCESSORS = Path("/proc/cpuinfo")
READERS = "for readers"
THREADS = "gives QEMU another number of threads, which the guest does not see"
CHOICE = "says which tests and images it gets, not what it is"
UNSEEN: Mapping[type, Mapping[str, str]] = {
    Spec: {
        "reboots": THREADS,
        "record_in": "is None for every machine of which a snapshot is taken; a replay has the same devices",
        "memory_file": "is a matter of where QEMU keeps the memory, which the guest does not see",
    },
    Board: {
        "title": READERS,
        "proves": READERS,
        "cannot": READERS,
        "has": CHOICE,
        "images": CHOICE,
        "boot_files": CHOICE,
        "slow_upload": CHOICE,
        "default": CHOICE,
        "unrecorded": CHOICE,
        "min_qemu": "the digest of the program stands for it",
        "budget": "is about those who wait for it",
    },
    Workarounds: {
        "one_thread_at_boot": THREADS,
        "waiting_processors": THREADS,
        "no_snapshots": "is None on every board of which a snapshot is taken",
    },
    Workaround: {
        "does": READERS,
        "reason": READERS,
        "price": READERS,
        "qemu": READERS,
    },
    Accelerator: {
        "reason": READERS,
        "factor": "is about those who wait for it",
    },
}
"""Record -> field -> why it is no part of the identity; it holds for records that derive from this one, too."""


def machine_identity(spec: Spec) -> dict[str, Any]:
    """The identity of a machine as plain JSON; reads the program of QEMU once a run for its digest."""
    # Under KVM the guest sees this host's processor, and its kernel has adapted itself to it.
    return {**_facts(spec), "host": processor() if spec.accelerator.name == "kvm" else ""}


def is_seen(record: type, name: str) -> bool:
    """Whether a field of a record belongs to the identity."""
    return not any(name in UNSEEN.get(one, {}) for one in record.__mro__)


def _facts(record: Any) -> dict[str, Any]:
    seen = (one.name for one in fields(record) if is_seen(type(record), one.name))
    return {name: _plain(getattr(record, name)) for name in seen}


def _plain(value: Any) -> Any:
    """A value as JSON has it; raises InternalError for one that nobody has thought of."""
    if isinstance(value, QemuProgram):
        return value.digest
    if isinstance(value, Equipment):
        return value.as_json()
    if is_dataclass(value):
        return _facts(value)
    if isinstance(value, Enum):
        return _plain(value.value)
    if isinstance(value, Mapping):
        return {str(name): _plain(one) for name, one in value.items()}
    if isinstance(value, set | frozenset):
        return sorted(map(_plain, value))
    if isinstance(value, tuple | list):
        return [_plain(one) for one in value]
    if isinstance(value, Path):
        return str(value)
    if value is None or isinstance(value, str | int | float):
        return value
    raise InternalError(f"a {type(value).__name__} in the identity of a machine")


def processor() -> str:
    """This host's kernel and processor, as far as a guest under KVM sees them."""
    seen = ("model name", "flags", "Features", "CPU part")
    lines = {line for line in PROCESSORS.read_text().splitlines() if line.startswith(seen)}
    return "\n".join([platform.release(), *sorted(lines)])
