"""A .gaf (gokrazy archive format: a zip with mbr.img, boot.img, root.img, sbom.json), read and written."""

from __future__ import annotations

import json
import re
import shutil
import struct
import tempfile
import zipfile
import zlib
from pathlib import Path

from harness.errors import ImageError
from harness.image.arch import Arch, architecture_of, known
from harness.image.disk import SMALLEST_DISK, DiskParts, guid_of, write_disk_with
from harness.image.fat import FatVolume
from harness.image.formats import place_for
from harness.image.gobinary import architecture
from harness.image.model import UpdateFiles
from harness.image.squashfs import SquashFs

_MEMBERS = ("mbr.img", "boot.img", "root.img")
_ROOT = re.compile(r"root=PARTUUID=60c24cc1-f3f9-427a-8199-([0-9a-f]{8})0001/PARTNROFF=[12]", re.IGNORECASE)
_SD_CARD = 2 << 30
"""Bytes of a disk that may be meant for a card, which in QEMU needs a power of two."""


def assemble(path: Path, *, work: Path) -> Path:
    """Write the disk that ``gok overwrite --full`` would have written, with /perm formatted, into ``work``."""
    out = place_for(path, work)
    with tempfile.TemporaryDirectory(prefix="gaf-", dir=work) as folder:
        parts = Path(folder)
        _unzip(path, parts)
        root = SquashFs(parts / "root.img")
        arch = _architecture(root, path)
        cmdline = FatVolume.open(parts / "boot.img").read("cmdline.txt").decode(errors="replace")
        match = _ROOT.search(cmdline)
        if match is None:
            raise _unusable(path, "its kernel command line does not name a GPT partition of gokrazy's as root")
        signature = int(match.group(1), 16)
        first = (parts / "mbr.img").read_bytes()[:446]
        if len(first) < 446 or struct.unpack_from("<I", first, 440)[0] != signature:
            raise _unusable(path, f"mbr.img is not for the disk {guid_of(signature, 0)} that cmdline.txt names")
        made = parts / "disk.raw"
        write_disk_with(
            made,
            DiskParts(
                arch=arch,
                boot=parts / "boot.img",
                root=parts / "root.img",
                size=_SD_CARD if architecture_of(arch).may_be_card else SMALLEST_DISK,
                perm="ext4",
                perm_seed=f"{signature:08x}",
                mtime=root.mtime,
            ),
            first_sector=first,
            signature=signature,
        )
        made.replace(out)
    return out


def write_gaf(files: UpdateFiles, out: Path) -> str:
    """Write the archive of an update, as ``gok overwrite --gaf`` would; returns the hash of its bill of materials.

    Raises ImageError where its root file system has none.
    """
    document = SquashFs(files.root).read("/etc/gokrazy/sbom.json")
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, file in zip(_MEMBERS, (files.mbr, files.boot, files.root), strict=True):
            archive.write(file, name)
        archive.writestr("sbom.json", document)
    return str(json.loads(document)["sbom_hash"])


def _unzip(path: Path, folder: Path) -> None:
    try:
        with zipfile.ZipFile(path) as archive:
            absent = [name for name in _MEMBERS if name not in archive.namelist()]
            if absent:
                raise _unusable(path, f"it has no {absent[0]}")
            for name in _MEMBERS:
                with archive.open(name) as member, (folder / name).open("wb") as file:
                    shutil.copyfileobj(member, file, 1 << 20)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise _unusable(path, str(error)) from error


def _architecture(root: SquashFs, path: Path) -> Arch:
    found = architecture(root.read("/gokrazy/init"))
    arch = known(found)
    if arch is None:
        raise _unusable(path, f"its init is for {found or 'no machine at all'}")
    return arch


def _unusable(path: Path, why: str) -> ImageError:
    return ImageError(
        f"The .gaf cannot be made into a disk: {why}.",
        where=str(path),
        hint="Make it again with `gok overwrite --gaf=...`.",
    )
