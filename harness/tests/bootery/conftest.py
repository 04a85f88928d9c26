"""What the tests of the bootery begin with."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from harness.boards import board
from harness.bootery.bootery import Bootery
from harness.bootery.config import Bakery, Comparison, Config
from harness.bootery.server import Server
from harness.image.load import load_raw
from harness.image.update_files import update_files
from harness.tests.bootery.client import Client
from harness.tests.bootery.played import PlayedLab
from harness.tests.image import synthetic

RELEASE = "7.1.3"
"""Of the kernel that is packed, which the modules of the small image fit."""
SLUG, TWO, BOTH = "gokrazy/kernel.amd64", "gokrazy/two", "gokrazy/both"


@dataclass
class Served:
    """A bootery that is served, with a played lab."""

    server: Server
    bootery: Bootery
    lab: PlayedLab
    said: list[str]

    @property
    def client(self) -> Client:
        """Somebody who knows the password."""
        return Client(self.server.url, self.server.password)


Serve = Callable[..., Served]


@pytest.fixture(scope="session")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for each bakery, with the root.img and boot.img that a client packed; do not write to it."""
    folder = tmp_path_factory.mktemp("packed")
    for bakery in ("pc-bios", "pc-uefi", "apu"):
        work = folder / f"{bakery}.work"
        kernel = synthetic.bzimage(RELEASE)
        disk = synthetic.write_image(folder / f"{bakery}.raw", work, hostname=bakery, kernel=kernel)
        files = update_files(load_raw(disk), folder / bakery)
        assert files.root == folder / bakery / "root.img"
        shutil.rmtree(work)
    return folder


@pytest.fixture
def serve(tmp_path: Path, small_image: Path) -> Iterator[Serve]:
    """Serves one bootery, whose bakeries are two boards of PCs, and a third is both; it ends with the test."""
    running: list[Server] = []

    def start(*, password: str = "", comparison: Comparison | None = None, **asked: Any) -> Served:
        pcs = [Bakery(name, (board(name),), comparison) for name in ("pc-bios", "pc-uefi")]
        both = Bakery("apu", (board("pc-bios"), board("pc-uefi")), comparison)
        config = Config({SLUG: (pcs[0],), TWO: tuple(pcs), BOTH: (both,)})
        folder = tmp_path / f"served-{len(running)}"
        folder.mkdir()
        lab: Any = PlayedLab(folder, small_image, **asked)
        said: list[str] = []
        bootery = Bootery(config, lab, lab_of=lab.with_settings, say=said.append)
        server = Server(("127.0.0.1", 0), bootery, password=password, say=said.append)
        running.append(server)
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        return Served(server, bootery, lab, said)

    yield start
    for server in running:
        server.shutdown()
        server.server_close()
        server.bootery.end()
