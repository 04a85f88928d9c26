"""A leash for the programs that build images: they, and what they started, end with the process that wanted them.

``leashed(argv)`` is a command that runs ``argv`` in a process group of its own, and kills that group when its
owner dies or the command itself is killed: a compiler would otherwise work on for a run that is over. Exit status,
signal, standard streams and environment are the program's own.

It imports the standard library only, and nothing of the harness: it runs as a program of its own, too.
"""

from __future__ import annotations

import ctypes
import os
import resource
import select
import shutil
import signal
import sys
from collections.abc import Mapping, Sequence
from typing import NoReturn

PR_SET_PDEATHSIG = 1
ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
NOT_STARTED = 127


def leashed(argv: Sequence[str], env: Mapping[str, str] | None = None) -> list[str]:
    """The command that runs ``argv`` on a leash; raises FileNotFoundError when the program is not on PATH."""
    path = (os.environ if env is None else env).get("PATH")
    if shutil.which(argv[0], path=path) is None:
        raise FileNotFoundError(argv[0])
    return [sys.executable, "-I", "-S", __file__, str(os.getpid()), *argv]


def main(owner: int, argv: list[str]) -> NoReturn:
    """What the owner sees of it: a process that ends as the program does, and may be killed at any time."""
    me = os.getpid()
    for number in ENDING:
        signal.signal(number, signal.SIG_DFL)
    keeper = os.fork()
    if keeper == 0:
        keep((owner, me), argv)
    end_as(os.waitstatus_to_exitcode(os.waitpid(keeper, 0)[1]))


def keep(masters: tuple[int, int], argv: list[str]) -> NoReturn:
    """Run the program until it ends, or one of its masters does; nobody knows of this process to kill it."""
    for number in ENDING:
        signal.signal(number, signal.SIG_IGN)
    os.setpgid(0, 0)
    try:
        watched = [os.pidfd_open(pid) for pid in masters]
    except ProcessLookupError:
        os._exit(NOT_STARTED)
    me = os.getpid()
    child = os.fork()
    if child == 0:
        become(argv, me)
    ended = os.pidfd_open(child)
    poll = select.poll()
    for fd in (*watched, ended):
        poll.register(fd, select.POLLIN)
    if ended not in dict(poll.poll()):
        kill_group(child)
    end_as(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))


def end_as(code: int) -> NoReturn:
    """End with this status, or by this signal if it is negative; a core is the program's to dump."""
    if code < 0:
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        if -code != signal.SIGKILL:
            signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    os._exit(code)


def become(argv: list[str], keeper: int) -> NoReturn:
    """In the child: a group of its own, its life tied to the keeper's, then the program."""
    try:
        os.setpgid(0, 0)
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() == keeper:
            signal.signal(signal.SIGPIPE, signal.SIG_DFL)
            for number in ENDING:
                signal.signal(number, signal.SIG_DFL)
            os.execvp(argv[0], argv)  # noqa: S606
    except BaseException as error:  # the child must never return
        os.write(2, f"cannot start {argv[0]}: {error}\n".encode())
    finally:
        os._exit(NOT_STARTED)


def kill_group(child: int) -> None:
    """End the program and what it started."""
    for kill in (os.killpg, os.kill):
        try:
            kill(child, signal.SIGKILL)
        except ProcessLookupError:
            # It has no group of its own yet, or has ended.
            continue


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
