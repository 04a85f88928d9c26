"""The snapshots of a run: each machine boots once, and every process of the run restores its snapshot.

With ``--gk-warm session`` they live in a folder of the run: the controller's, where there are workers. With
``persist`` they live in the cache, within ``MOST`` bytes, and later runs find them there.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.appliance.cold_start import ColdStart
from harness.appliance.wanted import Clock
from harness.boards import Board
from harness.firmware.own_digest import own_digest
from harness.gokrazy.keys import generate_key
from harness.image.copying import copy_sparse, link_or_copy
from harness.image.model import Image
from harness.lab.folders import Folders
from harness.lab.journal import Journal
from harness.machine.firmware_digest import firmware_digest
from harness.machine.identity import machine_identity
from harness.machine.qemu import QemuProgram
from harness.machine.snapshot import IMAGE, Snapshot
from harness.machine.spec import Spec
from harness.options import Settings
from harness.store.store import Store

FORMAT = 7
"""To be raised when a snapshot contains something else, or otherwise. The harness's own firmware has a digest."""
MOST = 4 * 10**9
"""Bytes that snapshots may take up in the cache: some twenty of them."""
FOLDER = "captures"
KEY = "id_ed25519"


@dataclass(frozen=True)
class Booted:
    """A snapshot, and how the cold start went that led to it."""

    snapshot: Snapshot
    start: ColdStart


def snapshot_root(settings: Settings) -> Path:
    """Where snapshots persist."""
    return settings.cache_root / FOLDER


class Snapshots:
    """The snapshots that this process may use, and the SSH key of their machines.

    ``shared`` is the folder of the run's controller, None where there is none.
    """

    def __init__(self, settings: Settings, folders: Folders, journal: Journal, *, shared: Path | None) -> None:
        self._settings = settings
        self._folders = folders
        self._journal = journal
        self._shared = shared
        self._lasting = settings.warm == "persist"
        self._opened: Store | None = None
        self._booted: dict[str, Booted] = {}
        self._firmware: dict[str, str] = {}

    @property
    def _store(self) -> Store:
        if self._opened is None:
            root = snapshot_root(self._settings) if self._lasting else self._shared
            self._opened = Store(
                root or self._folders.folder(FOLDER, bulky=True),
                durable=self._lasting,
                say=lambda line: self._journal.say(f"gokrazy: {line}"),
            )
        return self._opened

    def key(self) -> Path:
        """The private key of all processes that share these snapshots: the public half is on their disks."""
        return self._store.get("ssh-key", _make_key).folder / KEY

    def get(self, identity: Mapping[str, Any], image: Image, boot: Callable[[Path, Path], Booted]) -> Booted:
        """The snapshot of this identity; if there is none, ``boot(folder, image)`` takes it."""

        def make(folder: Path) -> dict[str, Any]:
            booted = boot(folder, self._own(image, folder))
            title = f"{identity['board']['name']} {image.hostname} {image.build}"
            return {"title": title, "capture": booted.snapshot.as_json(), "start": booted.start.as_json()}

        key = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()
        if key not in self._booted:
            entry = self._store.get(key, make)
            snapshot = Snapshot.from_json(entry.folder, entry.about["capture"])
            self._booted[key] = Booted(snapshot, ColdStart.from_json(entry.about["start"]))
        return self._booted[key]

    def firmware(self, board: Board, qemu: QemuProgram) -> str:
        """The digest of the board's firmware, read once a run: 128 MiB on arm64 take longer than a warm start."""
        if board.name not in self._firmware:
            self._firmware[board.name] = firmware_digest(board, qemu)
        return self._firmware[board.name]

    def close(self) -> None:
        """Let others remove what was used here, and keep what persists within its bounds."""
        if self._opened is not None:
            self._opened.close()
            if self._lasting:
                self._opened.prune(MOST)

    def _own(self, image: Image, folder: Path) -> Path:
        """The image under the disk of a snapshot: a link or copy where the file might be gone before it."""
        unpacked_here = image.path.is_relative_to(self._folders.run_dir.work)
        if not (self._lasting or unpacked_here):
            return image.path
        own = folder / IMAGE
        cached = image.path.is_relative_to(self._settings.cache_root)
        # A file of the user's is copied: its owner may write to it later.
        return link_or_copy(image.path, own) if unpacked_here or cached else copy_sparse(image.path, own)


def identity(spec: Spec, image: Image, *, firmware: str, key: str, clock: Clock) -> dict[str, Any]:
    """The identity of a snapshot: all that must be the same for it to stand for a machine that boots now.

    ``firmware`` is the digest of this host's files (``Snapshots.firmware``), ``key`` the public line that was put
    onto its disk ("" where none was), ``clock`` what it knows of the time when it is switched on.
    """
    return {
        **machine_identity(spec),
        "format": FORMAT,
        "image": image.digest,
        "perm": image.perm,
        "further_disks": [disk.digest for disk in spec.equipment.disks],
        "firmware": firmware,
        "own_firmware": own_digest(),
        # Of a board with a clock, the setting changes nothing.
        "clock": "" if spec.board.knows_time else clock,
        "key": key,
    }


def _make_key(folder: Path) -> dict[str, Any]:
    generate_key(folder, name=KEY)
    return {"title": "the key of the snapshots"}
