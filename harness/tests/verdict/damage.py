"""Damage to the disk of a gokrazy image: to a finished image in a file, or to an appliance that is off."""

from __future__ import annotations

import shutil
import tempfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from mmap import ACCESS_READ, mmap
from pathlib import Path

from harness.appliance.appliance import Appliance
from harness.build.go import GoToolchain
from harness.faults.disk import with_file
from harness.image.arch import Arch
from harness.image.copying import copy_sparse
from harness.image.fat import FatVolume, write_fat
from harness.image.hosttool import run_tool
from harness.image.model import Extent, Image
from harness.image.repacking import Edit, pack_root
from harness.image.squashfs import File, Node, SquashFs

FLASH = 4096
"""Bytes of a block that a worn card gives back as something else."""
BLOCK = 128 << 10
"""Bytes of a file that a squashfs packs at once."""


@dataclass(frozen=True)
class Disk:
    """What is damaged: ``image`` is the healthy image that is on it, ``foreign`` one for another architecture."""

    image: Image
    write: Callable[[int, bytes | Path], object]
    foreign: Callable[[], Image]

    @classmethod
    def of_file(cls, image: Image, path: Path, foreign: Callable[[], Image]) -> Disk:
        """A copy of the image in a file of its own."""
        copy_sparse(image.path, path)

        def write(offset: int, data: bytes | Path) -> None:
            with path.open("r+b") as file:
                file.seek(offset)
                if isinstance(data, bytes):
                    file.write(data)
                else:
                    with data.open("rb") as source:
                        shutil.copyfileobj(source, file)

        return cls(image, write, foreign)

    @classmethod
    def of(cls, appliance: Appliance) -> Disk:
        """The disk of an appliance that is off."""

        def none() -> Image:
            raise AssertionError("only an image in a file gets foreign parts")

        return cls(appliance.image, appliance.power.overlay.write, none)


Damage = Callable[[Disk], object]
Change = Callable[[dict[str, bytes], Disk], None]
"""Changes the files of a boot partition, by their names."""


def zeroed(place: Callable[[Image], Extent]) -> Damage:
    """A stretch of the disk reads as zeroes."""

    def damage(disk: Disk) -> None:
        extent = place(disk.image)
        disk.write(extent.offset, bytes(extent.size))

    return damage


def wrong_partition_table(disk: Disk) -> None:
    """One byte of the GPT's first entry is another one."""
    disk.write(2 * 512 + 8, b"\xa5")


def superblock(image: Image) -> Extent:
    """The beginning of the root file system."""
    return Extent(image.layout.root_a.offset, FLASH)


def most_of_root(image: Image) -> Extent:
    """All but the first quarter of the root file system, as after a download that broke off."""
    start = image.layout.root_a.offset
    used = SquashFs(image.path, start).bytes_used
    return Extent(start + used // 4, used - used // 4)


def superblock_of_perm(image: Image) -> Extent:
    """Where the ext4 of /perm says what it is, and its copies' places."""
    assert image.layout.perm is not None
    return Extent(image.layout.perm.offset, 1 << 16)


def inodes_of_perm(image: Image) -> Extent:
    """What follows the superblock of /perm: group descriptors, bitmaps, the first inodes."""
    assert image.layout.perm is not None
    return Extent(image.layout.perm.offset + FLASH, 4 << 20)


def boot_volume(image: Image) -> FatVolume:
    """The file system of the boot partition."""
    boot = image.layout.boot
    return FatVolume.open(image.path, offset=boot.offset, size=boot.size)


def boot_file(name: str, edit: Callable[[bytes], bytes]) -> Damage:
    """Another content of the same length for a file of the boot partition, in its place."""

    def damage(disk: Disk) -> None:
        volume = boot_volume(disk.image)
        before = volume.read(name)
        after = edit(before)
        assert len(after) == len(before)
        assert after != before
        disk.write(disk.image.layout.boot.offset + volume.extent(name).offset, after)

    return damage


def command_line(before: bytes, after: bytes) -> Damage:
    """Other words in cmdline.txt; its padding takes up the difference."""

    def edit(text: bytes) -> bytes:
        assert before in text
        changed = text.replace(before, after)
        return changed[: len(text)].ljust(len(text))

    return boot_file("cmdline.txt", edit)


def boot_files(change: Change) -> Damage:
    """A boot partition that holds other files."""

    def damage(disk: Disk) -> None:
        volume = boot_volume(disk.image)
        files = {name: volume.read(name) for name in volume.files()}
        change(files, disk)
        with tempfile.TemporaryDirectory() as folder:
            made = Path(folder) / "boot.img"
            write_fat(made, list(files.items()), mtime=0)
            disk.write(disk.image.layout.boot.offset, made)

    return damage


def without_boot_file(name: str) -> Damage:
    """A boot partition without this file."""
    return boot_files(lambda files, _: files.__delitem__(name))


def foreign_kernel(files: dict[str, bytes], disk: Disk) -> None:
    """The kernel of another architecture."""
    files["vmlinuz"] = boot_volume(disk.foreign()).read("vmlinuz")


def root(edit: Edit) -> Damage:
    """Another root file system."""

    def damage(disk: Disk) -> None:
        with tempfile.TemporaryDirectory() as folder:
            disk.write(disk.image.layout.root_a.offset, pack_root(disk.image, edit, Path(folder)))

    return damage


def with_mode(path: str, mode: int) -> Damage:
    """A file of the root file system with another mode."""

    def edit(at: str, node: Node) -> Node:
        return File(node.content, mode) if at == path and isinstance(node, File) else node

    return root(edit)


def without_modules(path: str, node: Node) -> Node | None:
    """Leave out the modules of the kernel."""
    return None if path.startswith("/lib/modules/") else node


def with_program(path: str, source: str) -> Damage:
    """Another program in the place of one of the root file system, compiled from its source."""

    def damage(disk: Disk) -> None:
        with tempfile.TemporaryDirectory() as folder:
            program = compiled(source, disk.image.arch, Path(folder))
            root(with_file(path, program))(disk)

    return damage


def compiled(source: str, arch: Arch, folder: Path) -> bytes:
    """A Go program that needs nothing but Go's own packages."""
    # A name of the project's own: what must live without data is judged for such programs alone.
    (folder / "go.mod").write_text("module gokrazy.test/broken\n\ngo 1.22\n")
    (folder / "main.go").write_text(source)
    out = folder / "program"
    GoToolchain.find(arch=arch, build_env={}).build_in_place(folder, ".", out)
    return out.read_bytes()


def with_foreign_program(path: str) -> Damage:
    """The same program of the root file system, for another architecture."""

    def damage(disk: Disk) -> None:
        other = disk.foreign()
        program = SquashFs(other.path, other.layout.root_a.offset).read(path)
        root(with_file(path, program))(disk)

    return damage


def with_a_bad_block_in(path: str) -> Damage:
    """The first block of a file of the root file system cannot be unpacked: its beginning reads as zeroes."""

    def damage(disk: Disk) -> None:
        layout = disk.image.layout
        squashfs = SquashFs(disk.image.path, layout.root_a.offset)
        # As it was packed: zlib gives the same bytes for the same block and level.
        block = zlib.compress(squashfs.read(path)[:BLOCK], 1)[:FLASH]
        with disk.image.path.open("rb") as file, mmap(file.fileno(), 0, access=ACCESS_READ) as content:
            at = content.find(block, layout.root_a.offset, layout.root_a.offset + squashfs.bytes_used)
        assert at >= 0, f"{path} is packed otherwise"
        disk.write(at, bytes(len(block)))

    return damage


def packed_with(compression: str) -> Damage:
    """The same root file system, compressed in another way."""
    return _packed_anew(lambda _: None, compression)


def renamed(pattern: str, name: str) -> Damage:
    """The one file or folder of the root file system that fits the pattern has another name."""

    def rename(tree: Path) -> None:
        (found,) = tree.glob(pattern)
        found.rename(found.with_name(name))

    return _packed_anew(rename, "gzip")


def _packed_anew(change: Callable[[Path], None], compression: str) -> Damage:
    """The root file system, unpacked, changed and packed again."""

    def damage(disk: Disk) -> None:
        squashfs = SquashFs(disk.image.path, disk.image.layout.root_a.offset)
        with tempfile.TemporaryDirectory() as folder:
            tree, out = Path(folder) / "tree", Path(folder) / "root.img"
            squashfs.extract("/", tree)
            change(tree)
            options = ["-noappend", "-no-progress", "-quiet", "-all-root", "-comp", compression]
            done = run_tool(["mksquashfs", str(tree), str(out), *options])
            assert done.returncode == 0, done.stderr.decode()
            disk.write(disk.image.layout.root_a.offset, out)

    return damage
