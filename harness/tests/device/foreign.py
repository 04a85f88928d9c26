"""A machine of this host, given what a real device has: an address, a serial line, and a switch for its power."""

from __future__ import annotations

import contextlib
import os
import re
import select
import shlex
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from harness.appliance.appliance import Appliance
from harness.appliance.wanted import Wanted
from harness.boards import board
from harness.errors import HarnessError
from harness.image.model import Image
from harness.lab.lab import Lab
from harness.options import settings_from

_ASKED = re.compile(rb"^([A-Z]+) (/\S*) HTTP/1", re.MULTILINE)
SWITCH = """
import socket, sys

with socket.socket(socket.AF_UNIX) as line:
    line.connect(sys.argv[1])
    line.sendall(sys.argv[2].encode())
    sys.exit(line.recv(99).decode() or 0)
"""


class Wire:
    """A port of this host that passes all on to another one, and keeps which requests went over it."""

    def __init__(self, port: Callable[[], int]) -> None:
        self._port = port
        self.asked: list[tuple[str, str]] = []
        """Method and path."""
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._socket.getsockname()[1])
        threading.Thread(target=self._serve, daemon=True).start()

    @property
    def changing(self) -> list[tuple[str, str]]:
        """The requests that did not only look."""
        return [one for one in self.asked if one[0] != "GET"]

    def close(self) -> None:
        """Take no more connections."""
        self._socket.close()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                here, _ = self._socket.accept()
                threading.Thread(target=self._carry, args=(here,), daemon=True).start()

    def _carry(self, here: socket.socket) -> None:
        with here, contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self._port())) as there:
            ends = {here: there, there: here}
            while True:
                for end in select.select(list(ends), [], [])[0]:
                    data = end.recv(1 << 16)
                    if not data:
                        return
                    if end is here:
                        self.asked += [(one[0].decode(), one[1].decode()) for one in _ASKED.findall(data)]
                    ends[end].sendall(data)


class Foreign:
    """The machine, and all ways to it that a device has."""

    def __init__(self, appliance: Appliance, lab: Lab, folder: Path) -> None:
        self.appliance = appliance
        keys = lab.starts.keys
        self.key = keys.private_for(lab.starts.targets.of(appliance.board, appliance.image).key)
        self._lab = lab
        self.web = Wire(lambda: appliance.port(appliance.image.http_port))
        self.ssh = Wire(lambda: appliance.port(22))
        self._line, self._other_end = os.openpty()
        os.set_blocking(self._line, False)
        self.serial = os.ttyname(self._other_end)
        self._folder = folder
        (folder / "switch.py").write_text(SWITCH)
        self._switch = socket.socket(socket.AF_UNIX)
        self._switch.bind(str(folder / "switch"))
        self._switch.listen()
        self.switched: list[str] = []
        self._over = threading.Event()
        self.password_file = folder / "password"
        self.password_file.write_text(appliance.image.password or "")
        self._threads = [threading.Thread(target=one, daemon=True) for one in (self._speak, self._serve)]
        for thread in self._threads:
            thread.start()

    @property
    def next_image(self) -> Image:
        """What it can be updated to."""
        return self._lab.next_image(self.appliance.board, "hello")

    @property
    def power(self) -> str:
        """The command that switches it."""
        return shlex.join([sys.executable, str(self._folder / "switch.py"), str(self._folder / "switch"), "{}"])

    @property
    def options(self) -> list[str]:
        """How it is reached, and entered."""
        return [
            f"--gk-device=http://127.0.0.1:{self.web.port}",
            f"--gk-device-serial={self.serial}",
            f"--gk-device-ssh=127.0.0.1:{self.ssh.port}",
            f"--gk-password-file={self.password_file}",
            f"--gk-ssh-key={self.key}",
        ]

    def close(self) -> None:
        """Let go of all ways to it."""
        self._over.set()
        self._switch.close()
        self.web.close()
        self.ssh.close()
        for thread in self._threads[:1]:
            thread.join(10)
        os.close(self._line)
        os.close(self._other_end)

    def _speak(self) -> None:
        """Carry between the machine's console and the serial line, which drops what nobody reads."""
        console = self.appliance.console
        mark = console.mark()
        while not self._over.is_set():
            console.wait_for_more(mark, at_most=0.2)
            data = console.recording.read(mark.offset)
            mark = type(mark)(mark.offset + len(data))
            while data and select.select([], [self._line], [], 0.5)[1]:
                data = data[os.write(self._line, data) :]
            with contextlib.suppress(BlockingIOError, HarnessError):
                console.send(os.read(self._line, 1 << 16))

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                caller, _ = self._switch.accept()
                with caller:
                    word = caller.recv(99).decode()
                    self.switched.append(word)
                    self.appliance.cut_power() if word == "off" else self.appliance.power_on()
                    # An empty answer is exit status 0.
                    caller.shutdown(socket.SHUT_WR)


@contextlib.contextmanager
def foreign(folder: Path) -> Iterator[Foreign]:
    """The project's own image on ``virt``, ready, and from then on only what the tests make of it."""
    settings = settings_from({"gk_board": ["virt"], "gk_warm": "off", "gk_artifacts": str(folder / "its-own")})
    with Lab(settings) as lab:
        wanted = Wanted(board("virt"), "foreign", cold=True)
        with lab.appliance(wanted) as appliance:
            made = Foreign(appliance, lab, folder)
            try:
                yield made
            finally:
                made.close()
