"""Images of the own builder against dumps of images that gokrazy's own packer made from the same instances.

What may differ: the bytes of Go programs (another Go version), the bill of materials (it names the Go version and
no path of the build host), the CA bundle, the boot loader that this machine does not have, the length of squashfs
directories, which packers group in different ways, and the mode of links, which Linux does not look at.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from harness.build.build import BuildRequest, build
from harness.build.cache import Cache
from harness.image.fat_volume import FatVolume
from harness.image.model import Image
from harness.image.squashfs import SquashFs

CASES = {"amd": 1258299392, "arm": 2147483648, "rpi": 2147483648}
SIZES_MAY_DIFFER = re.compile(r"/gokrazy/.*|/user/.*|/etc/gokrazy/sbom\.json|/etc/ssl/ca-bundle\.pem")
KINDS = {"dir": "d", "file": "-", "link": "l"}
KEY_BYTES = 89
LINK = 0o777
"""What every link's mode is taken for."""


def _modules_are_here(reference: Path) -> bool:
    """Whether Go finds all modules without asking anybody: this is about this code, not about the network."""
    go = shutil.which("go")
    if go is None:
        return False
    wanted = [
        "@".join(line.split()[:2])
        for line in (reference / "go.mod.txt").read_text().splitlines()
        if line.startswith("\tgithub.com/gokrazy/")
    ]
    done = subprocess.run(
        [go, "mod", "download", *wanted],
        # Sums are no matter here: the go.sum of the reference has them, and asking for them needs the network.
        env={**os.environ, "GOPROXY": "off", "GOSUMDB": "off"},
        cwd="/",
        capture_output=True,
        check=False,
    )
    return done.returncode == 0


@pytest.fixture(scope="module", params=list(CASES))
def image(request: pytest.FixtureRequest, reference: Path, tmp_path_factory: pytest.TempPathFactory) -> Image:
    """The image that the own builder makes of one of the reference's instances."""
    if not _modules_are_here(reference):
        pytest.skip(
            "Go or the modules of the reference images are not on this machine, and fetching them takes minutes"
        )
    name = request.param
    folder = tmp_path_factory.mktemp(name)
    instance = folder / "instance"
    (instance / "builddir").mkdir(parents=True)
    shutil.copy(reference / f"{name}-config.json", instance / "config.json")
    shutil.copy(reference / "go.mod.txt", instance / "builddir" / "go.mod")
    shutil.copy(reference / "go.sum.txt", instance / "builddir" / "go.sum")
    (instance / "id_ed25519.pub").write_bytes(b"k" * KEY_BYTES)
    (instance / "id_ed25519.pub").chmod(0o644)
    with Cache(folder / "cache") as cache:
        return build(BuildRequest(instance, builder="own", size=CASES[name]), cache=cache)


def _mode(letters: str) -> int:
    return sum(1 << (8 - place) for place, letter in enumerate(letters) if letter != "-")


def test_the_root_tree(image: Image, reference: Path) -> None:
    expected: dict[str, tuple[str, int, str]] = {}
    sizes: dict[str, int] = {}
    for line in (reference / f"{image.hostname}-root.txt").read_text().splitlines():
        match = re.match(r"(.)(.{9}) root/root (\d+) squashfs-root(\S*)(?: +-> (\S+))?", line)
        assert match is not None, line
        kind, mode, size, path, target = match.groups()
        expected[path or "/"] = (kind, LINK if kind == "l" else _mode(mode), target or "")
        if kind == "-" and not SIZES_MAY_DIFFER.fullmatch(path):
            sizes[path] = int(size)
    entries = SquashFs(image.path, image.layout.root_a.offset).entries()
    made = {e.path: (KINDS[e.kind], LINK if e.kind == "link" else e.mode, e.target) for e in entries}
    assert made == expected
    assert {e.path: e.size for e in entries if e.path in sizes} == sizes
    assert {(e.uid, e.gid) for e in entries} == {(0, 0)}


def test_the_boot_files_and_their_order(image: Image, reference: Path) -> None:
    boot = FatVolume.open(image.path, offset=image.layout.boot.offset, size=image.layout.boot.size)
    made = [f"/{name}" for name in boot.files()]
    listed = (reference / f"{image.hostname}-boot.txt").read_text().splitlines()
    expected = [line.removeprefix("::") for line in listed if not line.endswith("/")]
    missing = [name for name in expected if name.startswith("/EFI/") and name not in made]
    # The order within each folder: between folders it is a matter of how they are listed.
    assert _by_folder(made) == _by_folder([name for name in expected if name not in missing])
    for name in ("cmdline.txt", "config.txt"):
        stem = name.removesuffix(".txt")
        assert boot.read(name) == (reference / f"{image.hostname}-{stem}.txt").read_bytes()


def _by_folder(names: list[str]) -> dict[str, list[str]]:
    folders: dict[str, list[str]] = {}
    for name in names:
        folder, _, last = name.rpartition("/")
        folders.setdefault(folder, []).append(last)
    return folders


def test_the_partition_table(image: Image, reference: Path) -> None:
    sfdisk = shutil.which("sfdisk", path=f"{os.environ['PATH']}:/usr/sbin:/sbin")
    if sfdisk is None:
        pytest.skip("sfdisk (Debian: fdisk) is not installed")
    done = subprocess.run([sfdisk, "-d", str(image.path)], capture_output=True, text=True, check=True)
    told = done.stdout.replace(str(image.path), f"{image.hostname}.img")
    assert told.strip() == (reference / f"{image.hostname}-gpt.txt").read_text().strip()


def test_no_path_of_this_machine_is_in_the_programs(image: Image, tmp_path: Path) -> None:
    root = SquashFs(image.path, image.layout.root_a.offset)
    for path in ("/gokrazy/init", "/user/breakglass", "/etc/gokrazy/sbom.json"):
        data = root.read(path)
        for trace in (image.instance, os.path.expanduser("~/go/"), str(tmp_path.parent), "/gokharness-"):
            assert trace.encode() not in data, (path, trace)
