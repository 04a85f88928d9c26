"""A digest of the firmware that runs before a kernel: a snapshot contains the one that its machine had."""

from __future__ import annotations

import hashlib

from harness.boards import Board, Boot
from harness.firmware.uefi import find_edk2
from harness.image.digest import sha256_of
from harness.machine.qemu import QemuProgram


def firmware_digest(board: Board, qemu: QemuProgram) -> str:
    """SHA-256 over the firmware files of this host that the board starts from, "" where the harness is the loader.

    Raises FirmwareFileMissing.
    """
    if board.boot is Boot.UEFI:
        edk2 = find_edk2(board.arch)
        files = [edk2.code, edk2.vars]
    elif board.boot is Boot.BIOS:
        candidates = [folder / board.bios for folder in qemu.data_folders()]
        files = [path for path in candidates if path.is_file()][:1]
    else:
        return ""
    return hashlib.sha256(b"".join(bytes.fromhex(sha256_of(path)) for path in files)).hexdigest()
