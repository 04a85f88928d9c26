"""An SSH server that behaves as breakglass does (ssh.go): keys only, a shell per command, SFTP in its folder."""

from __future__ import annotations

import os
import socket
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import paramiko
from paramiko.common import AUTH_FAILED, AUTH_SUCCESSFUL, OPEN_SUCCEEDED
from paramiko.sftp import SFTP_OK

SLOW_COPY = 0.15
"""Seconds before the server looks at a command's output; what ends sooner loses it, as with breakglass."""


class FakeBreakglass:
    """The server and its switches."""

    def __init__(self, folder: Path, authorized: paramiko.PKey) -> None:
        self.folder = folder
        self.authorized = authorized
        self.host_key = paramiko.ECDSAKey.generate()
        self.loses_output = False
        self.has_shell = True
        self.mute = False
        """Accept, and drop before the greeting: a forwarded port with nobody behind it."""
        self.last_greetings: int | None = None
        """So many more greetings, and it is mute."""
        self.at_command: Callable[[str], None] = lambda command: None
        """Called with each command, once it runs."""
        self.hangs_at_exec = threading.Event()
        self.stuck = False
        self.commands: list[str] = []
        self.transports: list[paramiko.Transport] = []
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self.hangs_at_exec.set()
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self.drop_connections()
        self._thread.join(5)

    def drop_connections(self) -> None:
        for transport in self.transports:
            transport.close()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            if self.last_greetings is not None:
                self.mute = self.last_greetings == 0
                self.last_greetings -= 1
            if self.mute:
                connection.close()
                continue
            transport = paramiko.Transport(connection)
            transport.set_log_channel("harness.ssh")
            transport.add_server_key(self.host_key)
            transport.set_subsystem_handler("sftp", paramiko.SFTPServer, _Files, self.folder)
            self.transports.append(transport)
            try:
                transport.start_server(event=threading.Event(), server=_Session(self))
            except (paramiko.SSHException, EOFError):
                continue


class _Session(paramiko.ServerInterface):
    def __init__(self, fake: FakeBreakglass) -> None:
        self.fake = fake

    def get_allowed_auths(self, username: str) -> str:
        return "publickey"

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
        known = key.asbytes() == self.fake.authorized.asbytes()
        return AUTH_SUCCESSFUL if known else AUTH_FAILED

    def check_channel_request(self, kind: str, chanid: int) -> int:
        return OPEN_SUCCEEDED if kind == "session" else 1

    def check_channel_pty_request(self, channel: paramiko.Channel, *_: Any) -> bool:
        return True

    def check_channel_shell_request(self, channel: paramiko.Channel) -> bool:
        threading.Thread(target=_shell, args=(channel,), daemon=True).start()
        return True

    def check_channel_exec_request(self, channel: paramiko.Channel, command: bytes) -> bool:
        text = command.decode()
        self.fake.commands.append(text)
        if self.fake.stuck:
            self.fake.hangs_at_exec.wait(30)
            return False
        if not self.fake.has_shell:
            words = text.split()
            if words[0] not in ("echo", "true"):
                return False
        threading.Thread(target=_run, args=(self.fake, channel, text), daemon=True).start()
        return True


def _run(fake: FakeBreakglass, channel: paramiko.Channel, command: str) -> None:
    process = subprocess.Popen(
        ["/bin/sh", "-c", command],
        cwd=fake.folder,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    fake.at_command(command)
    stdin, stdout, stderr = process.stdin, process.stdout, process.stderr
    assert stdin
    assert stdout
    assert stderr

    def feed() -> None:
        try:
            while data := channel.recv(4096):
                os.write(stdin.fileno(), data)
        except OSError:
            pass
        finally:
            stdin.close()

    lost = threading.Event()

    def copy(source: int, send: Any) -> None:
        if fake.loses_output and lost.wait(SLOW_COPY):
            return
        try:
            while data := os.read(source, 4096):
                send(data)
        except (OSError, EOFError):
            pass  # the other side has hung up

    threads = [
        threading.Thread(target=copy, args=(stdout.fileno(), channel.sendall), daemon=True),
        threading.Thread(target=copy, args=(stderr.fileno(), channel.sendall_stderr), daemon=True),
    ]
    threading.Thread(target=feed, daemon=True).start()
    for thread in threads:
        thread.start()
    status = process.wait()
    lost.set()
    for thread in threads:
        thread.join(5)
    stdout.close()
    stderr.close()
    try:
        channel.send_exit_status(status if status >= 0 else 0xFFFFFFFF)
        channel.close()
    except (OSError, paramiko.SSHException, EOFError):
        pass


def _shell(channel: paramiko.Channel) -> None:
    """Echoes as a terminal does and knows four commands."""
    answers = {"echo hi": ("hi\r\n", 0), "false": ("", 1), "true": ("", 0)}
    line = ""
    channel.sendall(b"/ # ")
    while data := channel.recv(100):
        for char in data.decode():
            if char != "\r":
                line += char
                channel.sendall(char.encode())
                continue
            channel.sendall(b"\r\n")
            if line == "exit":
                channel.close()
                return
            command, _, mark = line.partition("; echo ")
            said, status = answers.get(command, ("?\r\n", 127))
            mark = mark.replace("''", "").replace("$?", str(status))
            channel.sendall(f"{said}{mark}\r\n/ # ".encode())
            line = ""


class _Handle(paramiko.SFTPHandle):
    def __init__(self, file: Any, flags: int) -> None:
        super().__init__(flags)
        self.readfile = self.writefile = file

    def stat(self) -> paramiko.SFTPAttributes:
        return paramiko.SFTPAttributes.from_stat(os.fstat(self.readfile.fileno()))


class _Files(paramiko.SFTPServerInterface):
    def __init__(self, server: paramiko.ServerInterface, folder: Path) -> None:
        super().__init__(server)
        self.folder = folder

    def _path(self, path: str) -> Path:
        return self.folder / path.removeprefix("/")

    def canonicalize(self, path: str) -> str:
        return path

    def open(self, path: str, flags: int, attr: paramiko.SFTPAttributes) -> paramiko.SFTPHandle | int:
        try:
            descriptor = os.open(self._path(path), flags, 0o644)
        except OSError as error:
            return paramiko.SFTPServer.convert_errno(error.errno or 0)
        mode = "wb" if flags & os.O_WRONLY else "rb"
        return _Handle(os.fdopen(descriptor, mode), flags)

    def stat(self, path: str) -> paramiko.SFTPAttributes | int:
        try:
            return paramiko.SFTPAttributes.from_stat(self._path(path).stat())
        except OSError as error:
            return paramiko.SFTPServer.convert_errno(error.errno or 0)

    def chattr(self, path: str, attr: paramiko.SFTPAttributes) -> int:
        if attr.st_mode is not None:
            self._path(path).chmod(attr.st_mode)
        return SFTP_OK
