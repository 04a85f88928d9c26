"""The console's wire: pipes that hold a whole boot on QEMU's side, a socket on ours.

QEMU hands the console's bytes out one by one, and a Unix socket counts some hundred bytes of overhead for each:
after about 280 unread bytes it is full. The kernel's 8250 driver then waits 10 ms for the port and writes on
regardless, so a reader that this host does not schedule in time loses output. A pipe merges small writes and holds
1 MiB.
"""

from __future__ import annotations

import contextlib
import fcntl
import io
import os
import select
import socket
import threading

PIPE_SIZE = 1 << 20
"""What an unprivileged process may ask for by default (/proc/sys/fs/pipe-max-size)."""
CHUNK = 1 << 16
MOST_HELD = 1 << 24
"""Bytes kept for a reader that does not read; beyond that the pipe fills up, and then the guest waits."""


class Wire:
    """One serial line: ``for_qemu`` are the ends QEMU inherits (output, input), ``ours`` is a connected socket."""

    def __init__(self) -> None:
        output, qemu_writes = os.pipe2(os.O_CLOEXEC)
        qemu_reads, input_ = os.pipe2(os.O_CLOEXEC)
        with contextlib.suppress(OSError):
            # Refused when this user has many large pipes already: the default of 64 KiB is still far better.
            fcntl.fcntl(output, fcntl.F_SETPIPE_SZ, PIPE_SIZE)
        os.set_blocking(output, False)
        os.set_blocking(input_, False)
        self.for_qemu = (io.FileIO(qemu_writes, "wb"), io.FileIO(qemu_reads, "rb"))
        self.ours, self._socket = socket.socketpair()
        self._socket.setblocking(False)
        self._output = io.FileIO(output, "rb")
        self._input = io.FileIO(input_, "wb")
        self._to_us = bytearray()
        self._to_guest = b""

    def start(self) -> None:
        """Begin to carry bytes, in a thread that ends when QEMU does."""
        threading.Thread(target=self._carry, name="console-wire", daemon=True).start()

    def close(self) -> None:
        """Drop a line that was never started."""
        for end in (*self.for_qemu, self._output, self._input, self._socket, self.ours):
            end.close()

    def _carry(self) -> None:
        listening = True
        with self._output, self._input, self._socket:
            while True:
                poll = select.poll()
                if len(self._to_us) < MOST_HELD or not listening:
                    poll.register(self._output, select.POLLIN)
                if listening:
                    wanted = (select.POLLOUT if self._to_us else 0) | (0 if self._to_guest else select.POLLIN)
                    poll.register(self._socket, wanted)
                if self._to_guest:
                    poll.register(self._input, select.POLLOUT)
                ready = dict(poll.poll())
                if self._output.fileno() in ready and not self._take_output():
                    break
                if (event := ready.get(self._socket.fileno(), 0)) and not self._serve_socket(event):
                    # The reader has gone, and the guest must not be held up by that.
                    listening = False
                if not listening:
                    self._to_us.clear()
                if self._to_guest:
                    self._give_input()
            self._flush()

    def _take_output(self) -> bool:
        data = self._output.read(CHUNK)
        if data == b"":
            return False
        self._to_us += data or b""
        return True

    def _serve_socket(self, event: int) -> bool:
        """Pass on what is there in both directions; False when our end was closed."""
        try:
            with contextlib.suppress(BlockingIOError):
                if self._to_us:
                    del self._to_us[: self._socket.send(self._to_us[:CHUNK])]
            if not self._to_guest:
                self._to_guest = self._socket.recv(CHUNK)
                return bool(self._to_guest)
        except BlockingIOError:
            return True
        except OSError:
            return False
        return not event & select.POLLHUP

    def _give_input(self) -> None:
        try:
            self._to_guest = self._to_guest[self._input.write(self._to_guest) or 0 :]
        except OSError:
            # QEMU is gone: the end of its output follows.
            self._to_guest = b""

    def _flush(self) -> None:
        """Hand over what is left after QEMU's end, as long as the reader takes it."""
        self._socket.settimeout(5.0)
        with contextlib.suppress(OSError):
            self._socket.sendall(self._to_us)
