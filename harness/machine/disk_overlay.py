"""The disk of one appliance: a qcow2 overlay over a read-only image, read and written while the machine is off."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal

from harness.errors import HostDiskFull, InternalError, QemuFailed, ToolMissing
from harness.image.copying import copy_sparse
from harness.image.extents import data_of
from harness.image.model import SECTOR, Extent
from harness.machine.failure import classify
from harness.machine.mapped import MappedDisk, stretches

PACKAGE = "qemu-utils"
LIMIT = 120.0
"""Seconds for one qemu-img: the longest is the extraction of a root partition."""
NAME = "disk.qcow2"
COPIED = 1 << 20
COMPARED = 64 * 1024
AT_ONCE = 64 << 20
"""Bytes in memory at most when a stretch is put back."""

BaseFormat = Literal["raw", "qcow2"]


class DiskOverlay:
    """A qcow2 file over ``base``; QEMU gets ``path``.

    While a machine has it attached, reading and writing from here raise InternalError: QEMU owns it then.
    ``beside`` are the machine's further disks: where this one goes, they go too.
    """

    def __init__(
        self,
        path: Path,
        base: Path | None,
        size: int,
        chain: Sequence[Path],
        *,
        beside: Sequence[DiskOverlay] = (),
    ) -> None:
        self.path = path
        self.base = base
        """None for a disk that began empty."""
        self.size = size
        """Bytes, as the guest sees it."""
        self.chain = tuple(chain)
        """Its files: itself, the one under it, and so on down to the image."""
        self.beside = tuple(beside)
        self.written: list[Extent] = []
        """What was put onto it from here, by whoever has this overlay."""
        self._user: str | None = None

    @classmethod
    def create(
        cls,
        base: Path,
        folder: Path,
        *,
        base_format: BaseFormat = "raw",
        name: str = NAME,
        beside: Sequence[DiskOverlay] = (),
    ) -> DiskOverlay:
        """Make an overlay in ``folder``; raises HostDiskFull, ToolMissing, QemuFailed."""
        # Absolute: a relative backing file would be looked for beside the overlay.
        base = base.resolve()
        path = _new(folder / name, ["-b", str(base), "-F", base_format])
        return cls(path, base, *cls.layers(path, "qcow2"), beside=beside)

    @classmethod
    def empty(cls, folder: Path, size: int, *, name: str, beside: Sequence[DiskOverlay] = ()) -> DiskOverlay:
        """Make a disk of so many bytes, all zero, over nothing; raises as ``create`` does."""
        path = _new(folder / name, [], size)
        return cls(path, None, *cls.layers(path, "qcow2"), beside=beside)

    @staticmethod
    def layers(path: Path, form: BaseFormat) -> tuple[int, list[Path]]:
        """The size of a disk as the guest sees it, and its files from the top down."""
        arguments = ["info", "--output=json", "-f", form, "--backing-chain", str(path)]
        layers = json.loads(run_tool("qemu-img", arguments, where=path))
        return int(layers[0]["virtual-size"]), [Path(layer["filename"]) for layer in layers]

    @property
    def attached(self) -> str | None:
        """The name of the machine that uses it now, or None."""
        return self._user

    def attach(self, user: str) -> None:
        """Mark it as in use by a machine; raises InternalError when another one has it."""
        if self._user is not None:
            raise InternalError(f"the overlay {self.path} is attached to {self._user} already", where=user)
        for disk in self.beside:
            disk.attach(user)
        self._user = user

    def detach(self) -> None:
        """Mark it as free again."""
        for disk in self.beside:
            disk.detach()
        self._user = None

    def read(self, offset: int, size: int) -> bytes:
        """Bytes of the disk as the guest would see them."""
        return self.source(Extent(offset, size)).read_at(0, size)

    def source(self, extent: Extent) -> MappedDisk:
        """A stretch of the disk to read from as it is now, for as long as nobody writes to it."""
        self._must_be_off("read")
        self._must_fit(extent.offset, extent.size)
        start = extent.offset // SECTOR * SECTOR
        end = -(-(extent.offset + extent.size) // SECTOR) * SECTOR
        limits = [f"--start-offset={start}", f"--max-length={end - start}"]
        arguments = ["map", "--output=json", "-f", "qcow2", *limits, str(self.path)]
        said = run_tool("qemu-img", arguments, where=self.path) if end > start else "[]"
        return MappedDisk(extent, stretches(said, self.chain), may_read=lambda: self._must_be_off("read"))

    def extract(self, extent: Extent, dest: Path) -> Path:
        """Copy a stretch of the disk into a file, holes kept as holes; returns ``dest``."""
        self._must_be_off("read")
        self._must_fit(extent.offset, extent.size)
        if extent.offset % SECTOR or extent.size % SECTOR:
            raise InternalError(f"an extent that is not made of whole sectors: {extent}", where=str(self.path))
        # Not by `qemu-img convert`: of an extent over a raw image it reads the holes too, and 16 GiB take minutes.
        disk = self.source(extent)
        try:
            with dest.open("wb") as out:
                for start, size in disk.data():
                    out.seek(start)
                    for offset in range(start, start + size, COPIED):
                        block = disk.read_at(offset, min(COPIED, start + size - offset))
                        if block.count(0) == len(block):
                            out.seek(len(block), os.SEEK_CUR)
                        else:
                            out.write(block)
                out.truncate(extent.size)
        except OSError as error:
            raise HostDiskFull(f"cannot write {dest}: {error.strerror}", where=str(dest)) from error
        return dest

    def write(self, offset: int, data: bytes | Path) -> None:
        """Put bytes, or the content of a file, onto the disk at ``offset``."""
        self._must_be_off("write")
        size = data.stat().st_size if isinstance(data, Path) else len(data)
        self._must_fit(offset, size)
        if size == 0:
            return
        start = offset // SECTOR * SECTOR
        end = -(-(offset + size) // SECTOR) * SECTOR
        with tempfile.TemporaryDirectory(dir=self.path.parent, prefix="write-") as folder:
            if isinstance(data, Path) and end - start == size:
                part = data  # as it is, so that its holes cost nothing
            else:
                part = Path(folder) / "part"
                # qemu-img deals in sectors: what the edges share with their neighbours is put back as it was.
                head = self.read(start, offset - start) if start < offset else b""
                tail = self.read(offset + size, end - offset - size) if offset + size < end else b""
                _assemble(part, head, data, tail)
            target = self._image_options(Extent(start, end - start))
            arguments = ["convert", "-n", "-f", "raw", "--target-image-opts", str(part), _flat(target)]
            run_tool("qemu-img", arguments, where=self.path)
        self.written.append(Extent(offset, size))

    def put_back(self, extent: Extent, file: Path) -> None:
        """Make a stretch of the disk equal to a file of the same size; only what differs is written.

        Otherwise a disk of 16 GiB would get 16 GiB of zeroes, and whatever uses its layers would read them.
        """
        disk = self.source(extent)
        places: list[tuple[int, int]] = []
        with file.open("rb", buffering=0) as content:
            for start, end in _merged([*data_of(content.fileno(), extent.size), *_ends(disk.data())]):
                for offset in range(start, end, COMPARED):
                    size = min(COMPARED, end - offset)
                    content.seek(offset)
                    if content.read(size) != disk.read_at(offset, size):
                        places.append((offset, offset + size))
            # A qemu-img each: what lies close together goes at once.
            for start, end in _merged(places, apart=COPIED):
                for offset in range(start, end, AT_ONCE):
                    content.seek(offset)
                    self.write(extent.offset + offset, content.read(min(AT_ONCE, end - offset)))

    def moved(self, folder: Path) -> DiskOverlay:
        """Move the file into another folder under its own name; returns the disk there; raises HostDiskFull."""
        self._must_be_off("move")
        path = folder / self.path.name
        try:
            shutil.move(self.path, path)
        except OSError as error:
            raise HostDiskFull(f"cannot keep a disk: {error.strerror}", where=str(path)) from error
        beside = [disk.moved(folder) for disk in self.beside]
        return DiskOverlay(path, self.base, self.size, (path, *self.chain[1:]), beside=beside)

    def copied(self, folder: Path) -> DiskOverlay:
        """Copy the file into another folder; returns the disk there; raises HostDiskFull.

        A machine may have it attached, if that is paused: QEMU writes all that it holds back when it pauses.
        """
        path = copy_sparse(self.path, folder / self.path.name)
        beside = [disk.copied(folder) for disk in self.beside]
        return DiskOverlay(path, self.base, self.size, (path, *self.chain[1:]), beside=beside)

    def remove(self) -> None:
        """Delete it, and the further disks."""
        for disk in (self, *self.beside):
            disk.path.unlink(missing_ok=True)

    def settle_on(self, image: Path | None) -> None:
        """Put the overlay directly on ``image``, which is the bottom of its chain or an equal file.

        What the layers between contain is copied up into the overlay. None is for a disk that began empty: it
        lies on nothing then.
        """
        self._must_be_off("rebase")
        if image is None:
            if len(self.chain) > 1:
                run_tool("qemu-img", ["rebase", "-q", "-f", "qcow2", "-b", "", str(self.path)], where=self.path)
            self.base, self.chain = None, (self.path,)
            return
        # Absolute, as in create.
        image = image.resolve()
        bottom = self.chain[-1]
        rebase = ["rebase", "-q", "-f", "qcow2", "-F", "raw"]
        if len(self.chain) > 2:
            run_tool("qemu-img", [*rebase, "-b", str(bottom), str(self.path)], where=self.path)
        if image != bottom:
            run_tool("qemu-img", [*rebase, "-u", "-b", str(image), str(self.path)], where=self.path)
        self.base, self.chain = image, (self.path, image)

    def resize_to_power_of_two(self) -> int:
        """Grow the disk to the next power of two (what QEMU's SD cards demand); returns the size in bytes."""
        self._must_be_off("resize")
        size = 1 << (self.size - 1).bit_length()
        if size != self.size:
            run_tool("qemu-img", ["resize", "-q", "-f", "qcow2", str(self.path), str(size)], where=self.path)
            self.size = size
        return size

    def allocated(self) -> int:
        """Bytes that the overlay occupies on this machine."""
        return self.path.stat().st_blocks * 512

    def _image_options(self, extent: Extent) -> dict[str, str]:
        return {
            "driver": "raw",
            "offset": str(extent.offset),
            "size": str(extent.size),
            "file.driver": "qcow2",
            "file.file.driver": "file",
            "file.file.filename": str(self.path),
        }

    def _must_be_off(self, verb: str) -> None:
        if self._user is not None:
            raise InternalError(
                f"cannot {verb} the disk of a machine that runs",
                where=f"{self._user}: {self.path}",
                hint="stop the machine first",
            )

    def _must_fit(self, offset: int, size: int) -> None:
        if offset < 0 or size < 0 or offset + size > self.size:
            raise InternalError(
                f"bytes {offset} to {offset + size} are not on the disk, which has {self.size}",
                where=str(self.path),
            )


def _ends(pieces: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Offsets and sizes as starts and ends."""
    return [(offset, offset + size) for offset, size in pieces]


def _merged(stretches: Iterable[tuple[int, int]], *, apart: int = 0) -> list[tuple[int, int]]:
    """Stretches in order; those that overlap or lie at most ``apart`` bytes apart are joined."""
    found: list[tuple[int, int]] = []
    for start, end in sorted(stretches):
        if found and start <= found[-1][1] + apart:
            found[-1] = (found[-1][0], max(end, found[-1][1]))
        else:
            found.append((start, end))
    return found


def run_tool(tool: str, arguments: Sequence[str], *, where: Path | None = None) -> str:
    """Run one of QEMU's tools; raises ToolMissing, HostDiskFull, ImageLocked or QemuFailed with what it said."""
    command = [tool, *arguments]
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=LIMIT,
            check=False,
            env={**os.environ, "LC_ALL": "C"},
        )
    except FileNotFoundError as error:
        raise ToolMissing(f"{tool} is not on PATH", hint=f"install the Debian package {PACKAGE}") from error
    except subprocess.TimeoutExpired as error:
        raise QemuFailed(
            f"{tool} {arguments[0]} did not end within {LIMIT:.0f} s", where=str(where or "")
        ) from error
    if done.returncode == 0:
        return done.stdout
    said = done.stderr.strip()
    kind, what, hint = classify(said)
    raise kind(
        what or f"{tool} {arguments[0]} ended with exit status {done.returncode}",
        where=str(where or ""),
        hint=hint,
        evidence=f"{said}\n{' '.join(command)}",
    )


def _new(path: Path, over: Sequence[str], size: int | None = None) -> Path:
    """Make a qcow2 file that only this user may read."""
    if path.exists():
        raise InternalError(f"there is an overlay already: {path}")
    run_tool("qemu-img", ["create", "-q", "-f", "qcow2", *over, str(path), *([] if size is None else [str(size)])])
    path.chmod(0o600)
    return path


def _flat(options: dict[str, str]) -> str:
    """Options as key=value,...; a comma within a value is doubled."""
    return ",".join(f"{key}={value.replace(',', ',,')}" for key, value in options.items())


def _assemble(part: Path, head: bytes, data: bytes | Path, tail: bytes) -> None:
    try:
        with part.open("wb") as out:
            out.write(head)
            if isinstance(data, Path):
                with data.open("rb") as source:
                    while block := source.read(COPIED):
                        out.write(block)
            else:
                out.write(data)
            out.write(tail)
    except OSError as error:
        raise HostDiskFull(f"cannot write {part}: {error.strerror}", where=str(part)) from error
