"""The root file system: a tree packed as squashfs with exact modes and owners, and the same read back."""

from __future__ import annotations

import contextlib
import io
import os
import re
import stat
import struct
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from harness.errors import ImageError, InternalError
from harness.image.hosttool import check_room, evidence, missing, run_tool, tool_environment
from harness.image.source import FileSource
from harness.lifetime.leash import leashed

Content = bytes | Path
Kind = Literal["dir", "file", "link", "other"]


@dataclass(frozen=True)
class Dir:
    """A directory."""

    mode: int = 0o555


@dataclass(frozen=True)
class File:
    """A regular file; its content is given or lies in a file of this machine."""

    content: Content
    mode: int = 0o444


@dataclass(frozen=True)
class Link:
    """A symbolic link."""

    target: str


Node = Dir | File | Link


class Tree:
    """What a root file system holds: absolute paths to nodes, in the order in which they were added."""

    def __init__(self) -> None:
        self._nodes: dict[str, Node] = {"/": Dir()}

    def add(self, path: str, node: Node, *, replace: bool = False) -> None:
        """Add a node, and its parent directories as they are needed; raises ImageError when the path is taken.

        A directory may be added again: its mode is then the later one.
        """
        path = _absolute(path)
        old = self._nodes.get(path)
        if old is not None and not replace and not (isinstance(old, Dir) and isinstance(node, Dir)):
            raise ImageError(
                f"The root file system would hold two things at {path}.",
                where=path,
                hint="Two packages or extra files of the instance claim this path; take one out.",
            )
        parent = path.rsplit("/", 1)[0] or "/"
        if path != "/":
            if parent not in self._nodes:
                self.add(parent, Dir())
            if not isinstance(self._nodes[parent], Dir):
                raise ImageError(
                    f"The root file system cannot hold {path}: {parent} is no directory.",
                    where=path,
                    hint="Two packages or extra files of the instance disagree about this path.",
                )
        self._nodes[path] = node

    def __contains__(self, path: str) -> bool:
        return _absolute(path) in self._nodes

    def __getitem__(self, path: str) -> Node:
        return self._nodes[_absolute(path)]

    def __iter__(self) -> Iterator[str]:
        return iter(self._nodes)

    def __len__(self) -> int:
        return len(self._nodes)

    def items(self) -> Iterator[tuple[str, Node]]:
        """Paths and nodes, parents before children."""
        return iter(self._nodes.items())


@dataclass(frozen=True)
class Entry:
    """What a squashfs holds at an absolute path; ``mode`` are the permission bits, ``size`` is in bytes."""

    path: str
    kind: Kind
    mode: int
    uid: int
    gid: int
    size: int
    target: str = ""


def pack(tree: Tree, out: Path, *, mtime: int) -> None:
    """Write the tree as squashfs, owned by root, all times ``mtime`` (seconds since 1970).

    gzip, because gokrazy's kernels mount nothing else; its lowest level, because the others cost more time than
    they save bytes. Same tree, same bytes. The tree goes in as a tar stream, which carries modes and owners
    without being root.
    """
    root = tree["/"]
    mode = root.mode if isinstance(root, Dir) else 0o555
    argv = [
        *("mksquashfs", "-", str(out), "-tar", "-noappend", "-comp", "gzip", "-Xcompression-level", "1"),
        *("-no-xattrs", "-no-progress", "-quiet", "-exit-on-error", "-mkfs-time", str(mtime)),
        *("-all-time", str(mtime), "-root-mode", f"{mode:o}", "-root-uid", "0", "-root-gid", "0"),
    ]
    # Not -root-time: mksquashfs 4.5.1 forgets it when it reads a tar, and dates the root directory today.
    out.unlink(missing_ok=True)
    try:
        with tempfile.TemporaryFile(prefix="gokrazy-root-") as said:
            done = _feed(argv, tree, mtime, said)
        check_room(done)
        if done.returncode != 0:
            raise InternalError("mksquashfs could not pack the root file system.", evidence=evidence(done))
    except BaseException:
        out.unlink(missing_ok=True)
        raise


def _feed(argv: list[str], tree: Tree, mtime: int, said: io.BufferedRandom) -> subprocess.CompletedProcess[bytes]:
    """Stream the tree into mksquashfs, whose output goes to a file so that neither side can wait for the other."""
    try:
        environment = tool_environment()
        process = subprocess.Popen(
            leashed(argv, environment),
            env=environment,
            stdin=subprocess.PIPE,
            stdout=said,
            stderr=subprocess.STDOUT,
        )
    except FileNotFoundError as error:
        raise missing(argv[0]) from error
    with process:
        assert process.stdin is not None
        try:
            with tarfile.open(fileobj=process.stdin, mode="w|", format=tarfile.GNU_FORMAT, bufsize=1 << 20) as tar:
                for path, node in tree.items():
                    if path != "/":
                        _add_to_tar(tar, path, node, mtime)
            process.stdin.close()
        except BrokenPipeError:
            pass  # it ended early, and its own words say why
        except BaseException:
            process.kill()
            # What is still buffered has nowhere to go, and must not hide what went wrong.
            with contextlib.suppress(BrokenPipeError):
                process.stdin.close()
            raise
        status = process.wait()
    said.seek(0)
    return subprocess.CompletedProcess(argv, status, b"", said.read())


def _add_to_tar(tar: tarfile.TarFile, path: str, node: Node, mtime: int) -> None:
    info = tarfile.TarInfo(path[1:])
    info.mtime = mtime
    if isinstance(node, Link):
        # mksquashfs gives every link this mode; gokrazy's packer writes 0444, and Linux looks at neither.
        info.type, info.linkname, info.mode = tarfile.SYMTYPE, node.target, 0o777
        tar.addfile(info)
        return
    info.mode = node.mode
    if isinstance(node, Dir):
        info.type = tarfile.DIRTYPE
        tar.addfile(info)
    elif isinstance(node.content, bytes):
        info.size = len(node.content)
        tar.addfile(info, io.BytesIO(node.content))
    else:
        with node.content.open("rb") as file:
            info.size = file.seek(0, 2)
            file.seek(0)
            tar.addfile(info, file)


class SquashFs:
    """A squashfs in a file, at ``offset`` bytes; every damage is an ImageError."""

    def __init__(self, path: Path, offset: int = 0) -> None:
        self.path = path
        self.offset = offset
        self._where = f"{path}, squashfs at byte {offset}"
        source = FileSource(path, offset)
        superblock = source.read_at(0, 96)
        if len(superblock) < 96 or superblock[:4] != b"hsqs":
            raise self._damaged("there is none at this place")
        compression, version = (
            struct.unpack_from("<H", superblock, 20)[0],
            struct.unpack_from("<HH", superblock, 28),
        )
        self._used = int.from_bytes(superblock[40:48], "little")
        if version != (4, 0):
            raise self._damaged(f"it has version {version[0]}.{version[1]}, not 4.0")
        self.compression = {1: "gzip", 2: "lzma", 3: "lzo", 4: "xz", 5: "lz4", 6: "zstd"}.get(
            compression, "unknown"
        )
        self.mtime = int.from_bytes(superblock[8:12], "little")
        if self._used > source.size:
            raise self._damaged(f"it says it has {self._used} bytes, but {source.size} are there")

    @property
    def bytes_used(self) -> int:
        """The length of the file system in bytes, without padding."""
        return self._used

    def entries(self) -> list[Entry]:
        """Everything in it, the root directory first."""
        done = self._unsquashfs("its directory cannot be listed", "-lln", "-d", "", self.path)
        found = []
        for line in done.stdout.decode(errors="surrogateescape").splitlines():
            if line and (entry := _parse_line(line)) is not None:
                found.append(entry)
        if not found:
            raise self._damaged("its directory cannot be listed", done)
        return found

    def read(self, path: str) -> bytes:
        """The content of a file; raises ImageError when it is not there."""
        done = self._unsquashfs(f"{path} cannot be read", "-no-wildcards", "-cat", self.path, _absolute(path))
        if done.stderr.strip():
            raise self._damaged(f"{path} cannot be read", done)
        return done.stdout

    def extract(self, path: str, dest: Path) -> None:
        """Copy a file or directory to the same path below ``dest``, which must not exist; the caller owns them."""
        wanted = [] if path.strip("/") == "" else [_absolute(path)]  # unsquashfs knows no path for all of it
        what = f"{path} cannot be extracted"
        options = ("-no-wildcards", "-no-xattrs", "-no-progress", "-quiet", "-d", dest)
        done = self._unsquashfs(what, *options, self.path, *wanted)
        if not os.path.lexists(dest / path.strip("/")):
            raise self._damaged(what, done)

    def _unsquashfs(self, failed: str, *arguments: str | Path) -> subprocess.CompletedProcess[bytes]:
        """Run it; raises ImageError that says what ``failed``."""
        done = run_tool(["unsquashfs", "-offset", str(self.offset), *arguments])
        if done.returncode != 0:
            raise self._damaged(failed, done)
        return done

    def _damaged(self, what: str, done: subprocess.CompletedProcess[bytes] | None = None) -> ImageError:
        return ImageError(
            f"The root file system cannot be read: {what}.",
            where=self._where,
            hint="Write or download the image again.",
            evidence=evidence(done) if done else "",
        )


_LINE = re.compile(r"(\S{10}) (\d+)/(\d+) +(\d+(?:, *\d+)?) \d{4}-\d\d-\d\d \d\d:\d\d (.*)")
_KINDS: dict[str, Kind] = {"d": "dir", "-": "file", "l": "link"}


def _parse_line(line: str) -> Entry | None:
    match = _LINE.fullmatch(line)
    if match is None:
        return None
    flags, uid, gid, size, path = match.groups()
    kind = _KINDS.get(flags[0], "other")
    target = ""
    if kind == "link" and " -> " in path:
        path, target = path.split(" -> ", 1)
    return Entry(path or "/", kind, _mode(flags), int(uid), int(gid), int(size) if size.isdigit() else 0, target)


def _mode(flags: str) -> int:
    """The permission bits of a line like -rwsr-xr-t."""
    bits = 0
    for flag, bit in zip(flags[1:], (0o400, 0o200, 0o100, 0o40, 0o20, 0o10, 4, 2, 1), strict=True):
        bits |= bit if flag not in "-ST" else 0
    special = ((3, "sS", stat.S_ISUID), (6, "sS", stat.S_ISGID), (9, "tT", stat.S_ISVTX))
    return bits | sum(bit for index, letters, bit in special if flags[index] in letters)


def _absolute(path: str) -> str:
    return "/" + path.strip("/")
