"""A Raspberry Pi for tests: small files of kernel.rpi, a stub for its kernel, and what is loaded of them."""

from __future__ import annotations

from pathlib import Path

from harness.firmware.raspberry.flat_tree import DeviceTree, parse
from harness.firmware.raspberry.models import model
from harness.firmware.raspberry.videocore import RaspberryStage
from harness.firmware.stage import Loaded
from harness.image.fat import write_fat
from harness.image.model import Extent
from harness.image.source import ByteSource, FileSource

DATA = Path(__file__).parents[2] / "data" / "rpi"
PI3_TREE, PI4_TREE = "bcm2710-rpi-3-b.dtb", "bcm2711-rpi-4-b.dtb"
KERNEL = bytes(56) + b"ARM\x64" + b"a kernel"
LINE = "console=tty1 console=serial0,115200 root=PARTUUID=60c24cc1/PARTNROFF=1 init=/gokrazy/init"
START = 4096
CONFIG = "arm_64bit=1\nkernel=vmlinuz\nenable_uart=1\n"
SEEDS = ("kaslr-seed", "rng-seed")
"""What the firmware puts into /chosen, new at each start."""


def real(name: str) -> bytes:
    return (DATA / name).read_bytes()


def boot_files(config: str | bytes | None = None, **others: bytes | None) -> dict[str, bytes]:
    """The files of a Pi image, ``config`` instead of its config.txt; with None for a name it is left out."""
    files: dict[str, bytes] = {
        "vmlinuz": KERNEL,
        "cmdline.txt": LINE.encode() + b" " * 64,
        "config.txt": real("config.txt"),
        PI3_TREE: real(PI3_TREE),
        PI4_TREE: real(PI4_TREE),
    }
    for path in sorted((DATA / "overlays").iterdir()):
        files[f"overlays/{path.name}"] = path.read_bytes()
    if config is not None:
        files["config.txt"] = config if isinstance(config, bytes) else config.encode()
    for name, content in others.items():
        if content is None:
            del files[name]
        else:
            files[name] = content
    return files


class FileDisk:
    """A disk in a plain file, for a machine that is off."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def source(self, extent: Extent) -> ByteSource:
        return FileSource(self.path, extent.offset, extent.size)


def disk(folder: Path, files: dict[str, bytes]) -> tuple[FileDisk, Extent]:
    """A disk with these files in its boot partition."""
    fat = folder / "fat"
    fat.unlink(missing_ok=True)
    write_fat(fat, list(files.items()), mtime=0)
    content = fat.read_bytes()
    (folder / "disk").write_bytes(bytes(START) + content)
    return FileDisk(folder / "disk"), Extent(START, len(content))


def start(tmp_path: Path, files: dict[str, bytes], name: str = "pi3", *, quirks: bool = False) -> Loaded:
    folder = tmp_path / "firmware"
    folder.mkdir(exist_ok=True)
    source, boot = disk(tmp_path, files)
    return RaspberryStage(boot, folder, model(name), quirks=quirks).prepare(source)


def tree_of(loaded: Loaded) -> DeviceTree:
    assert loaded.dtb is not None
    tree = parse(loaded.dtb.read_bytes())
    for name in SEEDS:
        # They are new at each start, and would make every tree another one.
        chosen = tree.root.find("/chosen")
        assert chosen is not None
        del chosen.properties[name]
    return tree


def seeds_of(loaded: Loaded) -> dict[str, bytes]:
    assert loaded.dtb is not None
    chosen = parse(loaded.dtb.read_bytes()).root.find("/chosen")
    assert chosen is not None
    return {name: chosen.properties[name] for name in SEEDS}


def property_of(loaded: Loaded, path: str, name: str = "status") -> str:
    node = tree_of(loaded).root.find(path)
    assert node is not None, path
    return node.text(name)
