"""Disks beyond the first: a file of the user's, which is never written to, or an empty one."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from harness.errors import OptionError
from harness.image.digest import content_digest
from harness.image.formats import kind_of
from harness.machine.disk_overlay import BaseFormat, DiskOverlay

_SIZE = re.compile(r"(\d+)([KMGT])")
_EMPTY = re.compile(r"empty, (\d+) bytes")
_UNITS = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}


@dataclass(frozen=True)
class ExtraDisk:
    """What a further disk begins with: the content of ``file``, else ``size`` bytes of zeros."""

    file: Path | None = None
    size: int = 0
    file_format: BaseFormat = "raw"

    @classmethod
    def parse(cls, text: str) -> ExtraDisk:
        """A disk as people write it: a file, or a size such as ``64M`` or ``1G``; raises OptionError."""
        size = _SIZE.fullmatch(text.strip())
        if size is not None:
            return cls._empty(text, int(size[1]) * _UNITS[size[2]])
        path = Path(text).expanduser()
        if not path.is_file():
            raise OptionError(
                f"there is no file {text!r}, and it is no size",
                hint="give a raw or qcow2 file, or the size of an empty disk: 64M, 1G",
            )
        try:
            kind = kind_of(path)
        except OSError as error:
            raise OptionError(f"{text!r} cannot be read: {error.strerror}") from error
        if kind in ("raw", "qcow2"):
            return cls(path.resolve(), file_format="qcow2" if kind == "qcow2" else "raw")
        raise OptionError(f"{text!r} is a {kind} file", hint="unpack it first")

    @classmethod
    def of_str(cls, text: str) -> ExtraDisk:
        """The disk that ``str`` wrote; of a file, neither the format nor whether it is there."""
        size = _EMPTY.fullmatch(text)
        return cls(size=int(size[1])) if size is not None else cls(Path(text))

    @classmethod
    def _empty(cls, text: str, size: int) -> ExtraDisk:
        if not 0 < size <= 16 << 40:
            raise OptionError(f"{text!r} is no size for a disk", hint="from 1K to 16T")
        return cls(size=size)

    def __str__(self) -> str:
        return str(self.file) if self.file is not None else f"empty, {self.size} bytes"

    @cached_property
    def digest(self) -> str:
        """A digest of its content, read once a run."""
        if self.file is None:
            return f"empty {self.size}"
        layers = [content_digest(path) for path in DiskOverlay.layers(self.file, self.file_format)[1]]
        return hashlib.sha256(f"{self.file_format} {layers}".encode()).hexdigest()

    def overlay(self, folder: Path, name: str) -> DiskOverlay:
        """A disk for one machine; raises HostDiskFull, ImageLocked, QemuFailed."""
        if self.file is None:
            return DiskOverlay.empty(folder, self.size, name=name)
        return DiskOverlay.create(self.file, folder, base_format=self.file_format, name=name)
