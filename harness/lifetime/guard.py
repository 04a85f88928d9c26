"""The guard: a small process that owns every QEMU of a run and ends them when the run's process dies.

Run as ``python -I -S guard.py CONTROL_FD OWNER_PID FOLDER...`` in a session of its own, so that a Ctrl-C at the
terminal does not reach it. The owner speaks to it over a SEQPACKET socket pair (see ``process.py``). End of file
there, or the death of the owner (a child that it forked may hold a copy of the socket, so both are watched), ends
every QEMU and removes the folders. Each QEMU dies with the guard (PR_SET_PDEATHSIG): no order of kills leaves one.

It imports the standard library only, and nothing of the harness: it must work when that is half-deleted.
"""

from __future__ import annotations

import array
import ctypes
import fcntl
import json
import os
import select
import shutil
import signal
import socket
import sys
import time
import traceback
from typing import NoReturn

PR_SET_PDEATHSIG = 1
TERM_LIMIT = 1.0
"""Seconds between TERM and KILL: the disks are thrown away, so there is nothing worth waiting for."""
PACKET = 1 << 18
FIRST_FD = 3
"""The first of the file descriptors that a child finds its sockets at."""


class OwnerGone(Exception):
    """The owner closed the control socket, died, or asked by SIGTERM to end."""


class Guard:
    """Children by the number their owner gave them, watched through one poll object."""

    def __init__(self, control: socket.socket, owner: int, folders: list[str]) -> None:
        self.control = control
        self.folders = folders
        self.libc = ctypes.CDLL(None, use_errno=True)
        self.pids: dict[int, int] = {}
        self.exits: dict[int, int] = {}
        self.poll = select.poll()
        self.poll.register(control, select.POLLIN)
        self.owner = os.pidfd_open(owner)
        self.poll.register(self.owner, select.POLLIN)
        if os.getppid() != owner:
            raise OwnerGone

    def serve(self) -> None:
        """Carry out orders until the owner is gone."""
        while True:
            for fd, _ in self.poll.poll():
                if fd == self.owner:
                    raise OwnerGone
                if fd == self.control.fileno():
                    self.obey()
                elif fd in self.exits:
                    self.reap(fd)

    def obey(self) -> None:
        """Read one order and carry it out."""
        data, ancillary, _, _ = self.control.recvmsg(PACKET, socket.CMSG_SPACE(16 * 4))
        if not data:
            raise OwnerGone
        fds = array.array("i")
        for _, kind, payload in ancillary:
            if kind == socket.SCM_RIGHTS:
                fds.frombytes(payload[: len(payload) // fds.itemsize * fds.itemsize])
        order = json.loads(data)
        number = order["id"]
        if order["do"] == "start":
            pid = self.start(order["argv"], list(fds))
            self.pids[number] = pid
            pidfd = os.pidfd_open(pid)
            self.exits[pidfd] = number
            self.poll.register(pidfd, select.POLLIN)
            self.report({"id": number, "pid": pid})
        elif order["do"] == "signal" and number in self.pids:
            os.kill(self.pids[number], order["signal"])
        for fd in fds:
            os.close(fd)

    def start(self, argv: list[str], fds: list[int]) -> int:
        """Fork a child: ``fds[0]`` becomes its standard output and error, the others its descriptors 3, 4, ..."""
        me = os.getpid()
        pid = os.fork()
        if pid == 0:
            self.become(argv, fds, me)
        return pid

    def become(self, argv: list[str], fds: list[int], guard: int) -> NoReturn:
        """In the child: tie its life to the guard's, arrange its descriptors, become the program."""
        try:
            self.libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
            if os.getppid() != guard:
                os._exit(127)
            for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM, signal.SIGPIPE):
                signal.signal(number, signal.SIG_DFL)
            # Out of the way first: a descriptor may sit where another one has to go.
            moved = [fcntl.fcntl(fd, fcntl.F_DUPFD, FIRST_FD + len(fds)) for fd in fds]
            null = os.open(os.devnull, os.O_RDONLY)
            os.dup2(null, 0)
            os.dup2(moved[0], 1)
            os.dup2(moved[0], 2)
            for place, fd in enumerate(moved[1:], FIRST_FD):
                os.dup2(fd, place)
            os.closerange(FIRST_FD + len(fds) - 1, 1024)
            os.execvp(argv[0], argv)  # noqa: S606
        except BaseException as error:  # the child must never return into the guard's loop
            os.write(2, f"cannot start {argv[0]}: {error}\n".encode())
        finally:
            os._exit(127)

    def reap(self, pidfd: int) -> None:
        """Collect a child that ended and report to the owner how."""
        number = self.exits.pop(pidfd)
        self.poll.unregister(pidfd)
        os.close(pidfd)
        _, status = os.waitpid(self.pids.pop(number), 0)
        self.report({"id": number, "exit": os.waitstatus_to_exitcode(status)})

    def report(self, message: dict[str, object]) -> None:
        """Send the owner one packet; an owner that is gone shows at the next poll."""
        try:
            self.control.send(json.dumps(message).encode())
        except OSError as error:
            raise OwnerGone from error

    def end(self) -> None:
        """End every child (TERM, then KILL) and remove the folders."""
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        for pid in self.pids.values():
            os.kill(pid, signal.SIGTERM)
        waiting = select.poll()
        for pidfd in self.exits:
            waiting.register(pidfd, select.POLLIN)
        left = dict(self.exits)
        deadline = time.monotonic() + TERM_LIMIT
        while left and (rest := deadline - time.monotonic()) > 0:
            for pidfd, _ in waiting.poll(rest * 1000):
                waiting.unregister(pidfd)
                del left[pidfd]
        for number in left.values():
            os.kill(self.pids[number], signal.SIGKILL)
        for pid in self.pids.values():
            os.waitpid(pid, 0)
        for folder in self.folders:
            shutil.rmtree(folder, ignore_errors=True)


def main(arguments: list[str]) -> None:
    """Serve the owner until it is gone, then leave nothing behind."""
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGPIPE):
        signal.signal(number, signal.SIG_IGN)

    def asked_to_end(*_: object) -> NoReturn:
        raise OwnerGone

    signal.signal(signal.SIGTERM, asked_to_end)
    control = socket.socket(fileno=int(arguments[0]))
    # Children must not inherit it: they would keep the owner's end from seeing the guard's death.
    control.set_inheritable(False)
    folders = arguments[2:]
    guard = None
    try:
        guard = Guard(control, int(arguments[1]), folders)
        guard.serve()
    except (OwnerGone, ProcessLookupError):
        pass
    except Exception:
        control.send(json.dumps({"error": traceback.format_exc()}).encode())
    finally:
        if guard is not None:
            guard.end()
        else:
            for folder in folders:
                shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main(sys.argv[1:])
