"""breakglass: the SSH server that a gokrazy device starts on request."""

from __future__ import annotations

import contextlib
import errno
import posixpath
import shlex
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import paramiko

from harness.errors import ApplianceFault, CommandFailed, InternalError, OptionError
from harness.gokrazy.client import Device
from harness.gokrazy.command import Result, Running, Wrapped
from harness.gokrazy.endings import attempts
from harness.gokrazy.keys import load_key
from harness.gokrazy.shell import Shell
from harness.gokrazy.ssh import STEP, Address, Connection, SshReach, connect, hang_up, probe
from harness.gokrazy.transport import excerpt
from harness.gokrazy.waiting import Deadline, Done, NotYet, poll

LISTENS = "listening on "
UP = "host key fingerprint: "
SETTLES = "cannot assign requested address"
"""What it says until the device's IPv6 address has settled."""
PROCESSES = 6
"""As so many processes breakglass may be seen while it comes up."""
LONGEST = 200
"""Characters of what a command said in the first line of an error."""
COMMAND = 60.0
"""Seconds that a command may take, where the caller gives no limit."""
Seen = TypeVar("Seen")


@dataclass(frozen=True)
class Talk:
    """What was done over SSH, and what came of it."""

    what: str
    began: float
    """``time.monotonic()``."""
    outcome: str
    well: bool


class Breakglass:
    """breakglass on one device; its connection is made when first needed and closed by ``close`` or ``with``.

    Commands run as root in breakglass's own temporary folder, through a shell where the image has one. Files named
    without a folder land there too, and are gone when breakglass ends.
    """

    def __init__(
        self,
        host: str,
        port: int,
        key: paramiko.PKey | Path,
        *,
        device: Device | None = None,
        user: str = "root",
        service: str = "breakglass",
        check: Callable[[], None] | None = None,
    ) -> None:
        self.address = Address(host, port)
        self.user = user
        self._key = load_key(key) if isinstance(key, Path) else key
        self._device = device
        self._service = service
        self._owner_check = check or (device.check if device else None)
        self._connection: Connection | None = None
        self._has_shell = True  # until the device refuses a command that needs one
        self.fingerprints: list[str] = []
        """Of each server key seen so far: with /perm mounted there should be one, else one for each start."""
        self.listener: Callable[[Talk], None] = lambda _: None
        """Gets what was done over SSH, when it is over."""

    def __repr__(self) -> str:
        return f"Breakglass({self.address})"

    def __enter__(self) -> Breakglass:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection, if there is one."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    # the service

    def probe(self, *, timeout: float = 2.0) -> SshReach:
        """Whether an SSH server greets at the port."""
        return probe(self.address, timeout)

    def start(self, *, timeout: float = STEP) -> None:
        """Have the device start breakglass, and wait until it greets.

        It exits by itself at boot, and may fail at its first start while the device's IPv6 address settles
        (``bind: cannot assign requested address``); the device then starts it again, or it is asked to here.
        """
        device = self._needed_device()
        processes: set[int] = set()

        def attempt(deadline: Deadline) -> Done[None] | NotYet:
            reach = self.probe(timeout=deadline.slice(2.0))
            if reach is SshReach.READY:
                half = self._half_up(device)
                return NotYet(f"it greets, but {half}") if half else Done(None)
            service = device.service(self._service)
            if service.pid not in processes:
                processes.add(service.pid)
                if len(processes) > PROCESSES:
                    self._must_not_fall(device)
            if service.stopped:
                device.start(self._service)
            return NotYet(f"{reach.value} at the port; {service}")

        poll(
            "breakglass to greet",
            timeout,
            attempt,
            where=str(self.address),
            check=self._check,
            hint="its log says why it does not start; are authorized keys in the image?",
            evidence=lambda: "\n".join(map(str, device.recent_log(self._service)[-10:])),
        )

    def _must_not_fall(self, device: Device) -> None:
        """Raise ApplianceFault with the last words of one that does not stay up, unless they are of an address."""
        log = device.recent_log(self._service)
        said = [one.last_words for one in attempts(log) if one.ended and one.last_words]
        if not said or SETTLES in said[-1]:
            return
        raise ApplianceFault(
            f"{self._service} does not stay up: {said[-1]}",
            where=str(self.address),
            hint="it needs the file of authorized keys, in the image or on /perm",
            evidence="\n".join(map(str, log[-10:])),
        )

    def _half_up(self, device: Device) -> str:
        """What breakglass still waits for although it greets, "" when it is up.

        It accepts connections on its first address before it has tried the others, and ends when one of them is
        not ready (breakglass.go, main): whoever connects in between is dropped. Its last word when it is up is its
        key's fingerprint.
        """
        said = [
            line.text
            for line in device.recent_log(self._service, "stdout", quiet=0.2, first=2.0)
            if line.text.startswith((LISTENS, UP))
        ]
        return f"its last word is {said[-1]!r}" if said and not said[-1].startswith(UP) else ""

    def stop(self, *, timeout: float = STEP) -> None:
        """Have the device stop breakglass, and wait until nobody greets any more."""
        device = self._needed_device()
        self.close()
        device.stop(self._service)

        def attempt(deadline: Deadline) -> Done[None] | NotYet:
            reach = self.probe(timeout=deadline.slice(2.0))
            return NotYet(reach.value) if reach in (SshReach.READY, SshReach.SILENT) else Done(None)

        poll("breakglass to end", timeout, attempt, where=str(self.address), check=self._check)

    def connect(self) -> str:
        """Connect with the key; returns the server key's fingerprint.

        Raises DeviceUnreachable, or AuthenticationRefused where the device does not take the key.
        """
        self.close()
        who = f"the key {self._key.fingerprint} of user {self.user!r}"
        with self._reported("connect"):
            self._connection = connect(
                self.address, lambda it: it.auth_publickey(self.user, self._key), who, self._check
            )
        self.fingerprints.append(self._connection.fingerprint)
        return self._connection.fingerprint

    def try_password(self, password: str) -> None:
        """Log in with a password, which breakglass is to refuse: raises AuthenticationRefused then."""
        who = f"user {self.user!r} with a password"
        with self._reported("connect with a password"):
            connect(
                self.address,
                lambda it: it.auth_password(self.user, password, fallback=False),
                who,
                self._check,
            ).close()

    # commands

    def run(
        self,
        command: str | Sequence[str],
        *,
        check: bool = True,
        timeout: float = COMMAND,
        stdin: bytes = b"",
        plain: bool = False,
    ) -> Result:
        """Run a command to its end; a sequence is quoted for the shell.

        breakglass drops what it has not passed on when the command ends. So the command is wrapped in a few words
        of shell that stay until all output has arrived. ``plain`` sends it as it is, as does an image without a
        shell; then ``Result.complete`` is False.

        Raises CommandFailed for another status than 0 (unless ``check`` is off), WaitTimeout with what it said so
        far, DeviceUnreachable when the connection is lost.
        """
        text = command if isinstance(command, str) else shlex.join(command)
        with self._reported(f"run {text}") as ended:
            result = self._run(text, timeout, stdin, plain=plain)
            ended.append(f"status {result.status}")
        if check and result.status != 0:
            how = f"ended with status {result.status}" if result.status >= 0 else "was ended by a signal"
            said = (result.error_text or result.text).splitlines()
            raise CommandFailed(
                f"{text!r} {how}{f': {said[0][:LONGEST]}' if said else ''}",
                status=result.status,
                where=str(self.address),
                hint="look at what it said; where it may fail, give check=False and look at its status",
                evidence=excerpt("\n".join(filter(None, (result.text, result.error_text)))),
            )
        return result

    def _run(self, text: str, timeout: float, stdin: bytes, *, plain: bool) -> Result:
        deadline = Deadline(timeout)
        wrapped = None if plain or not self._has_shell else Wrapped(text, len(stdin))
        running = self._start(text, wrapped.line if wrapped else text, deadline)
        if running is None and wrapped:
            self._has_shell, wrapped = False, None
            running = self._start(text, text, deadline)
        if running is None:
            raise CommandFailed(
                f"the device did not start {text!r}",
                status=127,
                where=str(self.address),
                hint="without a shell in the image, the command's first word must be a program there",
            )
        try:
            return running.finish(stdin, wrapped)
        finally:
            hang_up(running.channel)

    def _start(self, text: str, line: str, deadline: Deadline) -> Running | None:
        """The started command, or None where the device refused to start it."""
        connection = self._connected()
        channel = connection.open_channel(deadline.slice(STEP))
        try:
            with connection.limited(f"start {text!r}", deadline.slice(deadline.limit)):
                try:
                    channel.exec_command(line)
                except paramiko.SSHException:
                    if not connection.alive:
                        raise
                    hang_up(channel)
                    return None
        except BaseException:
            hang_up(channel)
            raise
        return Running(text, connection, channel, deadline, self._check)

    def shell(self, *, timeout: float = STEP, width: int = 250, height: int = 50) -> Shell:
        """A shell on a terminal; close it after use."""
        connection = self._connected()
        channel = connection.open_channel(timeout)
        try:
            with connection.limited("start a shell", timeout):
                channel.get_pty("vt100", width, height)
                channel.invoke_shell()
        except BaseException:
            hang_up(channel)
            raise
        return Shell(channel, str(self.address), self._check)

    # files

    def put(self, local: Path | str, remote: str, *, mode: int | None = None, timeout: float = COMMAND) -> None:
        """Copy a file to the device; ``mode`` as in chmod. Raises CommandFailed where the device refuses."""
        local = Path(local)
        if not local.is_file():
            raise OptionError("there is no such file to copy to the device", where=str(local))
        with self._files(f"take {remote}", timeout) as sftp:
            sftp.put(str(local), remote)
            if mode is not None:
                sftp.chmod(remote, mode)

    def put_bytes(self, content: bytes, remote: str, *, mode: int | None = None, timeout: float = COMMAND) -> None:
        """Write a file on the device; raises CommandFailed where the device refuses."""
        with self._files(f"take {remote}", timeout) as sftp:
            with sftp.open(remote, "wb") as file:
                # paramiko drops the answers to what is written so: the size is asked for instead. What fits into
                # one request is answered; it may go to a file in /proc, which has no size.
                file.set_pipelined(len(content) > file.MAX_REQUEST_SIZE)
                file.write(content)
            if len(content) > file.MAX_REQUEST_SIZE and (got := sftp.stat(remote).st_size) != len(content):
                raise OSError(errno.EIO, f"it has {got} of its {len(content)} bytes")
            if mode is not None:
                sftp.chmod(remote, mode)

    def get(self, remote: str, local: Path | str, *, timeout: float = COMMAND) -> None:
        """Copy a file from the device; raises CommandFailed where the device refuses."""
        Path(local).write_bytes(self.get_bytes(remote, timeout=timeout))

    def get_bytes(self, remote: str, *, timeout: float = COMMAND) -> bytes:
        """A file's content, also of files in /proc, which have no size; raises CommandFailed as ``put``."""
        with self._files(f"give {remote}", timeout) as sftp, sftp.open(remote, "rb") as file:
            if size := file.stat().st_size:
                file.prefetch(size)
            return file.read()

    def run_binary(
        self, path: Path | str, *args: str, check: bool = True, timeout: float = COMMAND, stdin: bytes = b""
    ) -> Result:
        """Copy a static program into breakglass's folder and run it there."""
        path = Path(path)
        if not path.is_file():
            raise OptionError("there is no such program to copy to the device", where=str(path))
        self.put(path, path.name, mode=0o755, timeout=timeout)
        command = [posixpath.join(".", path.name), *args]
        return self.run(command, check=check, timeout=timeout, stdin=stdin)

    def look(self, what: str, at: Callable[[paramiko.SFTPClient], Seen]) -> Seen:
        """What ``at`` finds out over SFTP, which needs no shell; raises CommandFailed as ``put``."""
        with self._files(f"show {what}", COMMAND) as sftp:
            return at(sftp)

    @contextlib.contextmanager
    def _files(self, what: str, timeout: float) -> Iterator[paramiko.SFTPClient]:
        connection = self._connected()
        client = connection.sftp(timeout)
        try:
            with self._reported(what), connection.limited(what, timeout):
                try:
                    yield client
                except TimeoutError:
                    raise
                except OSError as error:
                    if not connection.alive:
                        raise
                    reason = error.strerror or str(error)
                    raise CommandFailed(
                        f"the device did not {what}: {reason}",
                        status=error.errno or errno.EIO,
                        where=str(self.address),
                        hint="is it there, is there room left (df), and is that file system writable?",
                    ) from None
        finally:
            client.close()

    # below

    @contextlib.contextmanager
    def _reported(self, what: str) -> Iterator[list[str]]:
        """Have the listener get to know of this; the body may add how it ended."""
        began, said = time.monotonic(), list[str]()
        try:
            yield said
        except BaseException as error:
            self.listener(Talk(what, began, str(getattr(error, "what", error)), well=False))
            raise
        self.listener(Talk(what, began, ", ".join(said) or "done", well=True))

    def _connected(self) -> Connection:
        if self._connection is None or not self._connection.alive:
            self.connect()
        if self._connection is None:
            raise InternalError("connected, yet without a connection")
        return self._connection

    def _check(self) -> None:
        if self._owner_check:
            self._owner_check()

    def _needed_device(self) -> Device:
        if self._device is None:
            raise OptionError(
                "breakglass is started and stopped through the device's web interface, which is not known here",
                where=str(self.address),
                hint="pass device=Device(...)",
            )
        return self._device
