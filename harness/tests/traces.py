"""What a run leaves on this machine: processes that came of it, and files in the folders it was given."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import signal
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Self

TOKEN = "GK_TEST_TRACE"


class Traces:
    """Folders and an environment for a run to be watched; every process it starts inherits the token in it.

    ``bytecode`` is a folder where several runs keep their compiled modules.
    """

    def __init__(self, bytecode: Path | None = None) -> None:
        self._mark = f"{TOKEN}={secrets.token_hex(8)}".encode()
        # Not below pytest's folder: a long path is not used for small files.
        self._folder = Path(tempfile.mkdtemp(prefix="gk-"))
        self.places = [self._folder / "runtime", self._folder / "work"]
        for place in self.places:
            place.mkdir(mode=0o700)
        name, _, value = self._mark.decode().partition("=")
        self.environment = {
            **os.environ,
            name: value,
            "XDG_RUNTIME_DIR": str(self.places[0]),
            "TMPDIR": str(self.places[1]),
        }
        self.environment.pop("PYTEST_ADDOPTS", None)
        if bytecode is not None:
            # Many short runs would else spend most of their time compiling the same modules.
            self.environment.pop("PYTHONDONTWRITEBYTECODE", None)
            self.environment["PYTHONPYCACHEPREFIX"] = str(bytecode)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for pid in self.processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        shutil.rmtree(self._folder, ignore_errors=True)

    def processes(self) -> list[int]:
        """Everything that was started with this token in its environment and still lives."""
        found = []
        for folder in Path("/proc").iterdir():
            try:
                if folder.name.isdigit() and self._mark in (folder / "environ").read_bytes().split(b"\0"):
                    found.append(int(folder.name))
            except OSError:
                continue
        return found

    def files(self) -> list[Path]:
        """All that is in the folders of runs: overlays, sockets, firmware, keys."""
        found = []
        for folder in (path for place in self.places for path in place.glob("gokharness*")):
            # Not Path.rglob, which raises when something goes away meanwhile.
            for top, _, names in os.walk(folder):
                if Path(top) != folder:
                    found += [Path(top), *(Path(top) / name for name in names)]
        return found

    def left(self) -> list[str]:
        """What is left, for a reader: empty when nothing is."""
        commands = []
        for pid in self.processes():
            try:
                command = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            except OSError:
                continue
            commands.append(f"{pid}: {command[:120]}")
        return [*commands, *map(str, self.files())]


def wait_until(limit: float, done: Callable[[], bool]) -> bool:
    """Wait at most ``limit`` seconds until ``done``; False when it never was."""
    deadline = time.monotonic() + limit
    pause = threading.Event()
    while not done():
        if time.monotonic() > deadline:
            return False
        pause.wait(0.05)
    return True
