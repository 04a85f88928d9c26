"""What a device says of itself from within, over SFTP, with no shell: its files, its mounts, and who listens."""

from __future__ import annotations

import ipaddress
import posixpath
import re
import stat
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal

import paramiko

INIT = 1
"""The number of init's process."""
_LISTENS = "0A"
_UNCONNECTED = "07"
_NOBODY = re.compile(r"0+:0000")
_OCTAL = re.compile(r"\\([0-7]{3})")
_HOME = re.compile(r"\0HOME=/perm/(?:home/)?([^/\0]+)\0")
_CARRIERS = ipaddress.IPv4Network("100.64.0.0/10")
"""A tailnet's addresses, which gokrazy counts among the private ones (its ifaddr)."""
Protocol = Literal["tcp", "udp"]
FileKind = Literal["dir", "file", "link", "other"]
_KINDS: Mapping[int, FileKind] = {stat.S_IFDIR: "dir", stat.S_IFREG: "file", stat.S_IFLNK: "link"}


@dataclass(frozen=True)
class DeviceFile:
    """A file, folder or link on a device. ``mode`` are the permission bits, ``size`` is in bytes."""

    path: str
    kind: FileKind
    mode: int
    uid: int
    gid: int
    size: int
    target: str = ""
    """Of a link."""

    def __str__(self) -> str:
        return f"{self.path}{f' -> {self.target}' if self.target else ''} ({self.kind}, {self.mode:04o})"


SHOWN = ("ro", "rw", "nosuid", "nodev", "noexec", "sync", "dirsync", "noatime", "nodiratime", "relatime")
"""Options that the kernel lists as they are given (its fs/proc_namespace.c). Others it leaves out, or rewrites."""


@dataclass(frozen=True)
class DeviceMount:
    """A file system that a device has mounted, as its kernel lists it."""

    source: str
    target: str
    kind: str
    """Such as ``squashfs`` or ``tmpfs``."""
    options: tuple[str, ...]

    @property
    def writable(self) -> bool:
        """Whether it takes what is written to it."""
        return "rw" in self.options

    def lacks(self, wanted: DeviceMount) -> list[str]:
        """The options that were asked for and do not hold here, of those that the kernel lists as given."""
        asked = {*wanted.options}
        # The kernel knows one of these at a time, whatever their order.
        if "strictatime" in asked:
            asked -= {"noatime", "relatime"}
        elif "noatime" in asked:
            asked -= {"relatime"}
        return sorted(asked.intersection(SHOWN).difference(self.options))

    def __str__(self) -> str:
        return f"{self.target} ({self.kind} from {self.source}, {'rw' if self.writable else 'ro'})"


@dataclass(frozen=True)
class Listener:
    """A socket of a device that takes connections, or packets from anybody."""

    protocol: Protocol
    address: str
    """Where it listens: ``0.0.0.0`` and ``::`` are all addresses."""
    port: int
    pid: int = 0
    """Of a process that has it; 0 where none was found."""
    program: str = ""
    """The file that this process runs."""
    service: str = ""
    """The service to which this process belongs, such as ``/user/hello``; "" for init, and for none."""

    @property
    def is_private(self) -> bool:
        """Whether only a private network, or the device itself, reaches it."""
        address = ipaddress.ip_address(self.address)
        if address.is_unspecified:
            return False
        return address.is_private or address.is_link_local or (address.version == 4 and address in _CARRIERS)

    def __str__(self) -> str:
        address = f"[{self.address}]" if ":" in self.address else self.address
        who = self.service or self.program or "nobody that was found"
        return f"{self.protocol} {address}:{self.port} by {who}"


def mounts_in(text: str) -> tuple[DeviceMount, ...]:
    """The mounts in the text of /proc/1/mounts."""
    rows = (line.split(" ") for line in text.splitlines() if line.count(" ") >= 3)
    return tuple(DeviceMount(_plain(row[0]), _plain(row[1]), row[2], tuple(row[3].split(","))) for row in rows)


def _plain(text: str) -> str:
    return _OCTAL.sub(lambda match: chr(int(match[1], 8)), text)


def sockets_in(protocol: Protocol, text: str) -> Iterator[tuple[int, Listener]]:
    """Inode and socket of each line that listens in the text of /proc/net/tcp, or another of its kind."""
    wanted = _LISTENS if protocol == "tcp" else _UNCONNECTED
    for line in text.splitlines()[1:]:
        words = line.split()
        if len(words) < 10 or words[3] != wanted or not _NOBODY.fullmatch(words[2]):
            continue
        address, _, port = words[1].partition(":")
        yield int(words[9]), Listener(protocol, _address(address), int(port, 16))


def _address(digits: str) -> str:
    """The kernel prints each four bytes as a number of the processor: all of gokrazy's are little-endian."""
    raw = bytes.fromhex(digits)
    ordered = b"".join(raw[at : at + 4][::-1] for at in range(0, len(raw), 4))
    if len(ordered) == 4:
        return str(ipaddress.IPv4Address(ordered))
    six = ipaddress.IPv6Address(ordered)
    return str(six.ipv4_mapped or six)


# over SFTP


def files_below(sftp: paramiko.SFTPClient, folders: Iterable[str]) -> tuple[DeviceFile, ...]:
    """These folders and all that is in them, by path; what is mounted within them as well."""
    found = []
    for folder in folders:
        found.append(_file(sftp, folder, sftp.lstat(folder)))
        found += _walk(sftp, folder)
    return tuple(sorted(found, key=lambda one: one.path))


def _walk(sftp: paramiko.SFTPClient, folder: str) -> Iterator[DeviceFile]:
    for entry in sftp.listdir_attr(folder):
        one = _file(sftp, f"{folder.rstrip('/')}/{entry.filename}", entry)
        yield one
        if one.kind == "dir":
            yield from _walk(sftp, one.path)


def _file(sftp: paramiko.SFTPClient, path: str, told: paramiko.SFTPAttributes) -> DeviceFile:
    mode = told.st_mode or 0
    kind = _KINDS.get(stat.S_IFMT(mode), "other")
    target = sftp.readlink(path) or "" if kind == "link" else ""
    owner = told.st_uid or 0, told.st_gid or 0
    return DeviceFile(path, kind, stat.S_IMODE(mode), *owner, told.st_size or 0, target)


def read_text(sftp: paramiko.SFTPClient, path: str) -> str:
    """A file's content, also of one in /proc, which says that it has no size."""
    with sftp.open(path, "rb") as file:
        return file.read().decode(errors="replace")


def listeners(sftp: paramiko.SFTPClient, services: Mapping[int, str]) -> tuple[Listener, ...]:
    """Who listens, by protocol, port and address; ``services`` are paths by the numbers of their processes."""
    found: dict[int, Listener] = {}
    protocols: tuple[Protocol, ...] = ("tcp", "udp")
    for protocol in protocols:
        for name in (protocol, f"{protocol}6"):
            # A kernel without IPv6 has no such file.
            with suppress(FileNotFoundError):
                found.update(sockets_in(protocol, read_text(sftp, f"/proc/net/{name}")))
    owners = _owners(sftp, found)
    named = []
    for inode, one in found.items():
        pid = owners.get(inode, 0)
        program = _link(sftp, f"/proc/{pid}/exe") if pid else ""
        service = _service(sftp, pid, services)
        named.append(Listener(one.protocol, one.address, one.port, pid, program, service))
    return tuple(sorted(named, key=lambda one: (one.protocol, one.port, one.address)))


def _owners(sftp: paramiko.SFTPClient, inodes: Mapping[int, object]) -> dict[int, int]:
    """The number of a process for each socket; a process that ends meanwhile has none."""
    owners: dict[int, int] = {}
    for pid in sorted(int(name) for name in sftp.listdir("/proc") if name.isdigit()):
        try:
            names = sftp.listdir(f"/proc/{pid}/fd")
        except OSError:
            continue
        for name in names:
            match = re.fullmatch(r"socket:\[(\d+)\]", _link(sftp, f"/proc/{pid}/fd/{name}"))
            if match and int(match[1]) in inodes:
                owners.setdefault(int(match[1]), pid)
    return owners


def _link(sftp: paramiko.SFTPClient, path: str) -> str:
    try:
        return sftp.readlink(path) or ""
    except OSError:
        return ""


def _service(sftp: paramiko.SFTPClient, pid: int, services: Mapping[int, str]) -> str:
    """The service of a process: init gives each a process group and a home, and what it starts is below it.

    A program that left its group for good still has the home: what a service puts into the background is its own.
    """
    homes = {posixpath.basename(path): path for path in services.values()}
    seen: set[int] = set()
    while pid > INIT and pid not in seen:
        seen.add(pid)
        if pid in services:
            return services[pid]
        try:
            # The name in brackets may have blanks in it.
            state = read_text(sftp, f"/proc/{pid}/stat").rpartition(")")[2].split()
            told = f"\0{read_text(sftp, f'/proc/{pid}/environ')}"
        except OSError:
            return ""
        parent, group = int(state[1]), int(state[2])
        if group in services:
            return services[group]
        if home := _HOME.search(told):
            return homes.get(home[1], "")
        pid = parent
    return ""
